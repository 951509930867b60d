"""What one stage writes for the next: numpy in, numpy out, no torch."""
