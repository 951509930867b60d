"""Slides on a server: their addresses, what identifies them, and reads of parts of them."""
