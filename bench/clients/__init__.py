"""The peers that are scripts: what people write, and the best of what Python's HTTP libraries offer.

Each is `python -m bench.clients.NAME LIST WORKERS OUTPUT [CERTIFICATE]` and writes a line per URL, the
text form of fetchpool's row. None of them does more than it must: no timings, no retries, no limits.
"""
