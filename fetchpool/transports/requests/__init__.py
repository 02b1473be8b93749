"""The adapter for requests and urllib3."""
