"""Which links a page has, and which of them a crawl follows. Pure, and run in the worker."""
