"""Where results go: rows in every format, bodies, WARC files and links.

A new format of rows is a module in this package, its case in `open.py`, its name and suffix in
`config/choices.py`, and how its rows are read for `--resume` and reports: in `row_lines.py` if a row is a
line, otherwise in `read_back.py`.
"""
