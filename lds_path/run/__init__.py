"""What a run needs around its stages: sheet, configuration, locks, recovery."""
