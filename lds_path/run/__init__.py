"""What a run needs around its stages: sheet, configuration, inputs of rules, locks, recovery."""
