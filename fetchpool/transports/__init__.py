"""One hop over the network: an HTTP request and its response, with DNS, timeouts and proxies."""
