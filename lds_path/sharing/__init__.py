"""What a results folder tells other programs and archives about itself."""
