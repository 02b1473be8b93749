"""Where results go: rows in every format, bodies, WARC files and links.

A new format of rows is a module in this package, its case in `open.py`, and its name and suffix in
`config/choices.py`. `read_back.py` reads rows for `--resume` and reports.
"""
