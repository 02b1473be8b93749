"""The parsers of `--parse`: those that are built in, and the one that runs user-defined ones."""
