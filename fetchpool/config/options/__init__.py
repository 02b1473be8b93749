"""The options, a module for each group of the help; `table.py` puts them together."""
