"""A slide and what was found on it as tiles that a page can zoom into."""
