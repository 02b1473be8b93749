"""Outputs of the links of a crawl (`--links`)."""
