"""The values that travel between packages: requests, outcomes, rows, failures, URLs, errors."""
