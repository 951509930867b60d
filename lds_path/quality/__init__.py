"""Is it to be trusted: what a metric is, what it is measured on, the verdict."""
