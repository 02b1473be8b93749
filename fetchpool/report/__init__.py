"""Reports: analyses of outputs, as a page, as text for a terminal, and as JSON."""
