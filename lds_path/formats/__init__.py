"""What one stage leaves for the next: numpy in, numpy out, no torch."""
