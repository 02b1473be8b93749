"""The loop of a run: reads requests, resolves hosts, submits requests to a pool, retries, and writes rows."""
