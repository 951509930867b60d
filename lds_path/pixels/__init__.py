"""Arithmetic on arrays of pixels: no paths, no torch."""
