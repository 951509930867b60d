"""How the pixels and levels of an OME-Zarr image are laid out on disk."""
