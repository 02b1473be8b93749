"""Which request may start now: host limits, rates, backoff, retries, robots.txt. Pure, without I/O."""
