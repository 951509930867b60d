"""What a training tells about itself while it runs and when it ends."""
