"""Reports: what outputs say about a run, as a page, as text for a terminal, and as JSON."""
