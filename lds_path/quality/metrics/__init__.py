"""What is measured on a slide, its analysis and its model; the limits, and the verdict."""
