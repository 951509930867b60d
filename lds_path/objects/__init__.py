"""What QuPath gets: outlines of the labels, and the files and scripts that carry them."""
