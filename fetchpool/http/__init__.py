"""One fetch, without I/O: requests, redirects, bodies, decoding, cookies, parsers."""
