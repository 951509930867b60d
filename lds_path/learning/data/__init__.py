"""What a training learns from: labelled slides, their regions, batches of these."""
