"""Which URLs are done: duplicates, and rows of earlier runs (`--resume`, `--refresh`)."""
