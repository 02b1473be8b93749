"""Transfer: one fetch in progress, with a reusable curl handle."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pycurl

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import Completion
from fetchpool.transports.base import Steps
from fetchpool.transports.curl.connections import Connections
from fetchpool.transports.curl.handle import CurlHandle
from fetchpool.transports.curl.receiver import CurlReceiver
from fetchpool.transports.curl.resolve_cache import ResolveCache
from fetchpool.transports.curl.trace import Streams


class Transfer:
    """A curl handle, reused by fetch after fetch, and the fetch that uses the handle now."""

    __slots__ = (
        "_may_send",
        "_on_connection",
        "all_received",
        "deadline",
        "dns_seconds",
        "ending",
        "future",
        "handle",
        "lost",
        "progress",
        "read_timeout",
        "request",
        "seen",
        "seen_at",
        "steps",
    )
    __deletable__ = ("future", "request", "steps")  # mypyc: the attributes that `del` may remove

    future: Completion
    request: FetchRequest
    steps: Steps

    def __init__(
        self,
        options: FetchOptions,
        resolve_cache: ResolveCache,
        connections: Connections,
        streams: Streams,
        paused: deque[CurlReceiver],
        on_connection: Callable[[int], None],
        may_send: Callable[[], bool] | None,
    ) -> None:
        """`on_connection` is called with the descriptor of each new connection. `may_send` is called before a
        request is sent; if it returns False, the hop is aborted."""
        self.progress = self.seen = 0
        self.seen_at = self.read_timeout = self.deadline = 0.0
        self.lost = 0.0
        """The time that the loop had lost when the hop started."""
        self.dns_seconds = 0.0
        """Seconds that the hop waited for DNS."""
        self.all_received = False
        """Whether libcurl has received the complete response, although part of it is not decoded yet."""
        self.ending = False
        self._on_connection = on_connection
        self.handle = CurlHandle(options, self, resolve_cache, connections, streams, paused)
        self._may_send = may_send
        sending = self.handle.sending if may_send is None else self._sending_if_allowed
        self.handle.curl.setopt(pycurl.PREREQFUNCTION, sending)
        self.handle.curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened)

    def _opened(self, descriptor: int, _purpose: int) -> int:
        """Handle libcurl's SOCKOPTFUNCTION callback."""
        self.handle.opened(descriptor)
        self._on_connection(descriptor)
        return pycurl.SOCKOPT_OK

    def _sending_if_allowed(self, *ends: Any) -> int:
        """Handle libcurl's PREREQFUNCTION callback: the hop may have waited long for its connection."""
        assert self._may_send is not None
        return self.handle.sending(*ends) if self._may_send() else pycurl.PREREQFUNC_ABORT

    def clear(self) -> None:
        """Drop references to the finished request so that its data can be freed."""
        del self.future, self.request, self.steps
