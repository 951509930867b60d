"""From label images to outlines: arithmetic on polygons, no files."""
