"""The loop of a run: reads the list, submits requests to a pool, retries, writes rows."""
