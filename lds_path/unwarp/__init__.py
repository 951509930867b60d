"""From the lattice back to pixels: meshes, blending and their inverse, no torch."""
