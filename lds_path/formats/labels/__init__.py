"""Label images, as pyramidal OME-TIFF and as OME-Zarr, and how they are written."""
