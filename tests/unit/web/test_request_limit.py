"""RequestLimit: a browser's requests are answered at once, those of a program without end later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fetchpool.web import request_limit
from fetchpool.web.request_limit import BURST, LONGEST, RATE, RequestLimit


async def nothing(*_: Any) -> None:
    pass


def test_requests_beyond_the_rate_wait_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(request_limit.asyncio, "sleep", sleep)

    async def ask(number: int) -> None:
        limited = RequestLimit(nothing)
        for _ in range(number):
            await limited({"type": "http"}, nothing, nothing)  # type: ignore[arg-type]

    asyncio.run(ask(int(BURST)))
    assert waited == [], "a page and its files"
    asyncio.run(ask(int(BURST) + 20))
    assert len(waited) >= 18, "some milliseconds may have passed"
    assert waited == sorted(waited)
    assert waited[-1] <= 20 / RATE
    waited.clear()
    asyncio.run(ask(int(BURST + 3 * RATE * LONGEST)))
    assert max(waited) <= LONGEST, "no request waits for clients that have left"
