"""One fetch, without I/O: requests, redirects, bodies and their decoding, cookies, parsers, the outcome."""
