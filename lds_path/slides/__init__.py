"""What scanners write: one reader for each kind of file, all behind one protocol."""
