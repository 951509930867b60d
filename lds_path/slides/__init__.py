"""What scanners leave: one reader for each kind of file, all behind one protocol."""
