"""Which areas of a cohort to correct, so that a model learns most from them."""
