"""fetchpool -r and other crawlers on the same site: `python -m bench.crawl.run [--pages N] [--rounds N]`.

In: nginx, and the programs that are installed. Out: a table in Markdown, with the pages per second and the
CPU time per page of each program. Its own report, or its requests, prove that it has crawled the complete
site. Slow programs crawl a smaller site of the same kind. `--write` puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.crawl.site import LINKS, NO_WAITS, SIZE, CrawlSite, nginx
from bench.harness import measure
from bench.scenarios.peers import COMPILED, rows_tally
from bench.scenarios.servers import ROOT

MEMORY = Path("/dev/shm")
WORKERS = 64
BEGIN, END = "<!-- crawls: written by `make bench-crawl ARGS=--write` -->", "<!-- end of crawls -->"
DOCUMENT = ROOT / "docs/benchmarks.md"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Crawler(NamedTuple):
    """A program, and its command for a crawl."""

    name: str
    command: Callable[[str, Path, int], list[str | Path]]
    """Makes the command from the start URL, an empty directory and the number of pages."""
    share: float = 1.0
    """Share of the pages: slow programs crawl a smaller site."""
    needs: str | Path = ""
    rows: bool = False
    """Whether it writes fetchpool's rows to `rows.jsonl`."""


def ours(*options: str) -> Callable[[str, Path, int], list[str | Path]]:
    def command(url: str, directory: Path, _: int) -> list[str | Path]:
        work = [url, "-r", "-o", directory / "rows.jsonl", "-w", str(WORKERS), "--per-host", "0", "-q"]
        return [sys.executable, "-m", "fetchpool", *work, *options]

    return command


def listed(url: str, directory: Path, pages: int) -> list[str | Path]:
    """The same pages as a list, to show the cost of following links."""
    urls = directory / "urls.txt"
    with urls.open("w") as lines:
        lines.write(f"{url}\n")
        lines.writelines(f"{url}p/{number}.html\n" for number in range(1, pages))
    work = [urls, "-o", directory / "rows.jsonl", "-w", str(WORKERS), "--per-host", "0", "-q"]
    return [sys.executable, "-m", "fetchpool", *work, "--executor", "async"]


def compiled(command: Callable[[str, Path, int], list[str | Path]]) -> Callable[..., list[str | Path]]:
    return lambda *order: ["env", f"PYTHONPATH={COMPILED}", *command(*order)]


def wget2(url: str, directory: Path, _: int) -> list[str | Path]:
    options = ["-q", "-r", "-l", "inf", "--no-robots", "--delete-after", f"--max-threads={WORKERS}"]
    return ["wget2", *options, "-P", directory / "files", url]


def scrapy(url: str, directory: Path, _: int) -> list[str | Path]:
    return [sys.executable, "-m", "bench.crawl.spider", url, str(WORKERS), directory / "scrapy.jsonl"]


def linkchecker(url: str, _: Path, __: int) -> list[str | Path]:
    """As users run it: one request at a host every 0.1 to 0.6 seconds, however many threads there are."""
    return ["linkchecker", "--no-status", "--no-warnings", "-o", "none", url]


def linkchecker_without_waits(url: str, _: Path, __: int) -> list[str | Path]:
    options = ["-f", "linkchecker.ini", "-t", str(WORKERS), "--user-agent", NO_WAITS]
    return ["linkchecker", *options, "--no-status", "-o", "none", url]


LINKCHECKER_INI = "[checking]\nmaxrequestspersecond=100000\n[output]\nwarnings=0\n"

CRAWLERS = (
    Crawler("fetchpool -r, compiled", compiled(ours("--executor", "async")), needs=COMPILED, rows=True),
    Crawler("fetchpool -r", ours("--executor", "async"), rows=True),
    Crawler("fetchpool -r, thread", ours("--executor", "thread"), 0.2, rows=True),
    Crawler("fetchpool -r, process", ours("--executor", "process"), 0.2, rows=True),
    Crawler("fetchpool, the same URLs as a list", listed, rows=True),
    Crawler("wget2 -r", wget2, needs="wget2"),
    Crawler("Scrapy CrawlSpider", scrapy, 0.1, needs="scrapy"),
    Crawler("linkchecker, as it is installed", linkchecker, 0.001, needs="linkchecker"),
    Crawler("linkchecker without its waits", linkchecker_without_waits, 0.01, needs="linkchecker"),
)


class Run(NamedTuple):
    pages: int
    pace: float
    cost: float
    """CPU microseconds per page."""
    resident: int


def crawl(crawler: Crawler, site: CrawlSite, pages: int, directory: Path) -> Run:
    """Crawl once. Raises `CommandFailedError` if it was not exactly the complete site."""
    directory.mkdir()
    (directory / "linkchecker.ini").write_text(LINKCHECKER_INI)
    command = crawler.command(site.random(pages), directory, pages)
    before = site.answered()
    usage = measure.run(command, directory=directory, environment=ENVIRONMENT)
    answered = site.answered() - before - 1
    if usage.code:
        said = (directory / "stderr").read_text(errors="replace")[-1000:]
        raise measure.CommandFailedError(f"{crawler.name} ended with {usage.code}: {said}")
    if crawler.rows:
        tally = rows_tally(directory / "rows.jsonl")
        if tally.count != pages:
            raise measure.CommandFailedError(f"{crawler.name}: {tally.count} rows for {pages} pages")
    if not pages <= answered <= pages + 2:  # robots.txt; wget2 asks for a sitemap as well
        raise measure.CommandFailedError(f"{crawler.name}: {answered} requests for {pages} pages")
    shutil.rmtree(directory)
    return Run(pages, pages / usage.wall, usage.cpu / pages * 1e6, usage.resident)


def missing(crawler: Crawler) -> bool:
    if isinstance(crawler.needs, Path):
        return not crawler.needs.exists()
    return bool(crawler.needs) and shutil.which(crawler.needs) is None


def table(results: dict[str, list[Run]]) -> str:
    """Return the medians in Markdown."""
    lines = ["| program | pages | pages/s | CPU per page | memory |", "|---|---:|---:|---:|---:|"]
    for name, runs in results.items():
        pace = statistics.median(run.pace for run in runs)
        cost = statistics.median(run.cost for run in runs)
        resident = max(run.resident for run in runs) / 1e6
        lines.append(f"| {name} | {runs[0].pages:,} | {pace:,.0f} | {cost:,.0f} µs | {resident:,.0f} MB |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", help="part of a program's name; may be repeated")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    given = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    ENVIRONMENT["PATH"] = os.environ["PATH"]
    chosen = [
        crawler
        for crawler in CRAWLERS
        if not missing(crawler) and (not given.only or any(part in crawler.name for part in given.only))
    ]
    for crawler in CRAWLERS:
        if missing(crawler):
            sys.stderr.write(f"{crawler.name} skipped: {crawler.needs} is not there\n")
    sizes = {crawler.name: max(100, int(given.pages * crawler.share)) for crawler in chosen}
    results: dict[str, list[Run]] = {crawler.name: [] for crawler in chosen}
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name,
        nginx(Path(name), sites=sorted(set(sizes.values()))) as site,
    ):
        for number in range(given.rounds):
            for crawler in chosen:
                run = crawl(crawler, site, sizes[crawler.name], Path(name, "work"))
                results[crawler.name].append(run)
                sys.stderr.write(
                    f"round {number + 1}: {crawler.name}: {run.pace:,.0f} pages/s, {run.cost:,.0f} µs"
                    f" (load {os.getloadavg()[0]:.1f})\n"
                )
    text = table(results)
    sys.stdout.write(f"{text}\n")
    if given.write:
        about = f"Pages of {SIZE:,} bytes with {LINKS} links, {WORKERS} at once, medians of {given.rounds}."
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{about}\n\n{text}\n{END}{rest.partition(END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
