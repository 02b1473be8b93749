"""Parsers that don't return for pages with `stay` in their URL. Each worker process imports this module, and
not that of the tests, which loads much more."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

from fetchpool.http.response import Response

_releases: defaultdict[str, threading.Event] = defaultdict(threading.Event)


def release_of(url: str) -> threading.Event:
    """Ends `stays` for the pages of a server, in this process."""
    return _releases[urlsplit(url).netloc]


def stays(response: Response) -> dict[str, Any]:
    if "stay" in response.url:
        release_of(response.url).wait(60)
    return {}


def computes(response: Response) -> dict[str, Any]:
    if "stay" in response.url:
        re.match(r"(a+)+$", "a" * 60 + "!")
    return {}
