"""What is learned: tensors in, tensors out, no files."""
