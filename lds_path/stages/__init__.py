"""What is done: one module per stage, each named after its rule and its command."""
