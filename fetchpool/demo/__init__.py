"""The embedded demo: a small HTTP server on loopback, and a mixed list of URLs to fetch from it.

    urls.py ──demo_urls()──▶ what to fetch, expected_error() ──▶ what is meant to fail
    server.py  sockets, the selector, the fixed threads
      ├── wire.py   bytes ──▶ Request          (sans-I/O)
      └── site.py   Request ──▶ Answer         (what each path says)

It is the tests' server too. It imports nothing of the project, and nothing of it but the command
line and the tests imports it.
"""

from __future__ import annotations

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.cli.demo_server.urls import demo_urls, expected_error

__all__ = ["DemoServer", "demo_urls", "expected_error"]
