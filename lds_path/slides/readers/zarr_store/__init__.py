"""OME-Zarr: its metadata, its arrays, and the reader of its images."""
