"""The command line: a file for each command, options, signals, exit codes, demo server."""
