"""The model folder: what is in one, and those that come with the package, a folder each."""
