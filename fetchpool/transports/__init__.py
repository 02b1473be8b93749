"""One hop over the network: a request and its response, with DNS, timeouts and proxies."""
