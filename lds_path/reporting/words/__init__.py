"""What a report says in plain words: what was found, what is doubtful, where to look first."""
