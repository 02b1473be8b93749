"""The blocking worker: what it does when something of ours is broken."""

from __future__ import annotations

from pathlib import Path

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.pools.worker import Worker
from fetchpool.transports.base import Headers, HopRequest, HopResult, ResponseHead

LARGE = b"x" * 3_000_000
"""More than is held in memory."""


class Broken:
    """A transport with a bug."""

    def perform(self, hop: HopRequest) -> HopResult:
        hop.receiver.on_head(ResponseHead(200, "1.1", Headers([]), b""))
        hop.receiver.feed(LARGE)
        raise RuntimeError

    def abort(self) -> None: ...

    def close(self) -> None: ...


def test_after_an_internal_error_no_partial_body_is_left(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    worker = Worker(FetchOptions(save=str(tmp_path), save_spool=str(spool)))
    worker._transport = Broken()
    record = worker.fetch(urls.request(0, "http://127.0.0.1/")).record
    assert (record.error, record.errormsg) == (
        "internal",
        "RuntimeError in 127.0.0.1; please report this",
    )
    assert not list(spool.iterdir())
