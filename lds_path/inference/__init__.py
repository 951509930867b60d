"""A model over the regions of a slide, and how many samples each of them gets."""
