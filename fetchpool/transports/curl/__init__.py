"""The adapter for libcurl (pycurl), for blocking workers and for the async pool."""
