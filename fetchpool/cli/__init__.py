"""The command line: a file for each command, their options, signals, exit codes and the demo server."""
