"""The server of `fetchpool demo` and of the tests. Imports nothing of the rest."""
