"""`logging` in a program: the logger `fetchpool` has the events of a run, if a handler takes them."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

import fetchpool
from fetchpool.api import log
from fetchpool.cli.demo_server.server import DemoServer


class Records(logging.Handler):
    """Collects records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def events(self) -> list[str]:
        return [record.event for record in self.records]  # type: ignore[attr-defined]


@pytest.fixture
def handler() -> Iterator[Records]:
    handler = Records()
    log.LOGGER.addHandler(handler)
    yield handler
    log.LOGGER.removeHandler(handler)
    log.LOGGER.setLevel(logging.NOTSET)


def urls(server: DemoServer) -> list[str]:
    return [server.url("/bytes/1"), server.url("/status/404")]


def test_a_handler_gets_the_events_from_its_level_on(demo_server: DemoServer, handler: Records) -> None:
    for level, expected in (
        (logging.DEBUG, ["started", "failed", "ended"]),
        (logging.INFO, ["started", "ended"]),
        (logging.WARNING, []),
    ):
        log.LOGGER.setLevel(level)
        handler.records.clear()
        list(fetchpool.fetch(urls(demo_server), retry=0))
        assert handler.events == expected


def test_the_fields_of_an_entry_are_attributes(demo_server: DemoServer, handler: Records) -> None:
    log.LOGGER.setLevel(logging.DEBUG)

    async def main() -> None:
        async for _ in fetchpool.afetch(urls(demo_server), retry=0):
            pass

    asyncio.run(main())
    started, failed, ended = handler.records
    assert started.getMessage().endswith("10 workers, thread, curl")
    assert failed.__dict__["url"] == urls(demo_server)[1]
    assert failed.__dict__["error"] == "http_404"
    assert (failed.name, failed.levelname) == ("fetchpool", "DEBUG")
    assert (ended.__dict__["done"], ended.__dict__["ok"]) == (2, 1)


def test_a_run_that_is_left_is_logged_to_its_end(demo_server: DemoServer, handler: Records) -> None:
    log.LOGGER.setLevel(logging.INFO)
    for _ in fetchpool.fetch(urls(demo_server)):
        break
    assert handler.events == ["started", "ended"]


def test_a_program_without_a_handler_prints_nothing_and_loads_nothing(demo_server: DemoServer) -> None:
    script = (
        "import sys, logging, fetchpool; list(fetchpool.fetch(sys.argv[1:]))\n"
        "kinds = [type(each).__name__ for each in logging.getLogger('fetchpool').handlers]\n"
        "print(kinds, 'fetchpool.progress.event_logger' in sys.modules)"
    )
    command = [sys.executable, "-c", script, demo_server.url("/status/404")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("['NullHandler'] False\n", "")
