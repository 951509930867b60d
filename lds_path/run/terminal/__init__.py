"""What a person reads on the terminal while a run lasts."""
