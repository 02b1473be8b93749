"""Where URLs come from: `files` (paths, pipes, standard input) and `iterable` (a program's own)."""
