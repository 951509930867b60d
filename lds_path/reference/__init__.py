"""What people draw: labels to learn from and to be measured by."""
