"""What the web page costs a run: `python -m bench.endurance.web_page`.

Interleaved runs of the same list against nginx: without a page, with one that a tab asks once a
second, and with one that eight connections ask as fast as they can. A run should have 0.97 and 0.8 of its
pace then. Needs a quiet machine with two cores.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from bench.scenarios.lists import paths
from bench.scenarios.servers import SMALL_FILES, nginx
from fetchpool.config.web_options import TOKEN_VARIABLE

TOKEN = "sesame"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
TAB = ("/api/series?after=0", "/api/snapshot")
WAYS = {"none": (0, 0.0), "tab": (1, 1.0), "hammered": (8, 0.0)}
"""Connections, and seconds between two rounds of their requests."""


class Client(threading.Thread):
    """Asks for the page's numbers until `stop` is set."""

    def __init__(self, port: int, pause: float, stop: threading.Event) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._pause = pause
        self._over = stop
        self.requests = 0

    def run(self) -> None:
        while not self._over.is_set():
            try:
                for path in TAB if self._pause else TAB[1:]:
                    self._connection.request("GET", path, headers=HEADERS)
                    self._connection.getresponse().read()
                    self.requests += 1
            except (OSError, http.client.HTTPException):  # the run has ended
                self._connection.close()
                self._over.wait(0.05)
            self._over.wait(self._pause)


def seconds(arguments: list[str], way: str) -> tuple[float, int]:
    """Run the command; return its seconds and the number of the page's requests."""
    connections, pause = WAYS[way]
    page = ["--web-listen", "0"] if connections else []
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "fetchpool", "-q", *arguments, *page],
        stderr=subprocess.PIPE,
        env={**os.environ, TOKEN_VARIABLE: TOKEN},
    )
    stop = threading.Event()
    clients: list[Client] = []
    if connections:
        assert process.stderr is not None
        match = re.search(rb":(\d+)/", process.stderr.readline())
        assert match is not None
        clients = [Client(int(match[1]), pause, stop) for _ in range(connections)]
    for client in clients:
        client.start()
    process.wait()
    took = time.monotonic() - began
    stop.set()
    for client in clients:
        client.join()
    return took, sum(client.requests for client in clients)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=60_000)
    parser.add_argument("--executor", default="async")
    parser.add_argument("--workers", default="32")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as directory, nginx(Path(directory)) as server:
        urls = Path(directory, "urls.txt")
        small = f"{server.plain}/small/"
        urls.write_text("\n".join(paths(small, ".html", SMALL_FILES, given.number)))
        output = ["-o", f"{directory}/rows.jsonl", "--overwrite", "--per-host", "0"]
        arguments = [str(urls), *output, "-w", given.workers, "--executor", given.executor]
        for _ in range(given.rounds):
            for way, found in took.items():
                each, requests = seconds(arguments, way)
                found.append(each)
                sys.stdout.write(f"{way:10} {each:6.2f} s {requests:8,} requests to the page\n")
                sys.stdout.flush()
    without = median(took["none"])
    for way, found in took.items():
        middle = median(found)
        sys.stdout.write(
            f"{way:10} median {middle:6.2f} s, {without / middle:.2f} of the pace without a page\n"
        )


if __name__ == "__main__":
    main()
