"""Whether a result can be trusted: metrics, what they are measured on, the verdict."""
