"""Kill crawls at random moments, resume them, and check outputs, frontier and server after every kill.

    python -m bench.endurance.crawl_torture --kills 300

In: the number of kills, divided among formats and executors. Out: a table in Markdown, and exit code 1 if a
guarantee was broken. The site is a synthetic one of known content, whose server counts requests.

In addition to what `torture.py` checks: every complete line of the frontier parses, and names a URL that no
other one names; no URL that had a row when a crawl was killed is asked for again; and once a crawl has ended,
each URL of the site has one row.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from bench.endurance.torture import BrokenPromiseError, Result, Torture, conduct, run_from_arguments
from tests.crawl.server import SiteServer
from tests.crawl.synthetic import SyntheticSite

PAGES = 1000


class CrawlTorture(Torture):
    """One site, crawled into one output many times."""

    def __init__(
        self,
        site: SyntheticSite,
        server: SiteServer,
        directory: Path,
        format: str,
        executor: str,
        random: Random,
    ) -> None:
        self._server = server
        expected = {
            server.url(target): "http_404" if truth.status == 404 else None
            for target, truth in site.truth().items()
        }
        super().__init__(expected, directory, format, executor, random)
        self._frontier = directory / f"{self._output.name}.frontier.jsonl"

    def _work(self) -> list[str]:
        return [self._server.url(), "-r", *(["--resume"] if self._output_begun() else [])]

    def _output_begun(self) -> bool:
        return self._frontier.exists()

    def kill_one(self) -> None:
        self._server.forget()
        super().kill_one()

    def finish(self) -> None:
        self._server.forget()
        super().finish()

    def _look(self) -> None:
        again = [url for url, _ in self._seen if self._server.hits(url.removeprefix(self._server.url("")))]
        if again:
            raise BrokenPromiseError(f"{len(again)} pages with a row were asked for again: {again[:3]}")
        super()._look()
        if not self._frontier.exists():
            if self._seen:
                raise BrokenPromiseError("there are rows and no frontier")
            return
        lines = self._frontier.read_bytes().decode().split("\n")[:-1]
        try:
            named = [line["url"] for line in map(json.loads, lines) if "url" in line]
        except ValueError as problem:
            raise BrokenPromiseError(f"the frontier is damaged: {problem!r}") from problem
        if len(named) != len(set(named)):
            raise BrokenPromiseError("the frontier names a URL twice")
        unknown = {url for url, _ in self._seen} - set(named)
        if unknown:
            raise BrokenPromiseError(f"rows of URLs that are not in the frontier: {sorted(unknown)[:3]}")

    def _finished(self, code: int) -> None:
        super()._finished(code)
        self._frontier.unlink()


def crawl_torture(kills: int, ways: Sequence[tuple[str, str]], seed: int, pages: int = PAGES) -> list[Result]:
    """Kill that many crawls, with every format and executor in turn. Raises `BrokenPromiseError`."""
    random = Random(seed)
    site = SyntheticSite(pages, seed=seed, planted=True)
    with tempfile.TemporaryDirectory(prefix="fetchpool-torture-") as top, SiteServer(site) as server:
        runs = []
        for format, executor in ways:
            directory = Path(top, f"{format}-{executor}")
            directory.mkdir()
            runs.append(CrawlTorture(site, server, directory, format, executor, random))
        return conduct(runs, kills)


def main() -> int:
    return run_from_arguments(
        "Kills crawls, resumes them and checks the promise.", "--pages", PAGES, crawl_torture
    )


if __name__ == "__main__":
    sys.exit(main())
