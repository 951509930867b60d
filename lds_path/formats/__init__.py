"""What is on disk: numpy in, numpy out, no torch."""
