"""Benchmarks of crawls: `make bench-crawl`."""
