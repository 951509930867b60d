"""Where results come from: manifests, hashes, and whether they still match."""
