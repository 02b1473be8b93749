"""Crawls for tests: in the test's process, or as a command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import fetchpool
from fetchpool.model.record import Record
from tests.cli.runner import fetchpool as command
from tests.crawl.server import SiteServer

EXECUTORS = ("async", "thread", "process")
QUICK = {"executor": "async", "workers": 10, "per_host": 0, "retry_delay": 0.01}


def crawl(server: SiteServer, *targets: str, **options: Any) -> dict[str, Record]:
    """Return the rows of a crawl by URL, without scheme and host of the server. The start is `/`."""
    return {short(server, row.url): row for row in rows(server, *targets, **options)}


def rows(server: SiteServer, *targets: str, **options: Any) -> list[Record]:
    """Return the rows of a crawl in the order in which they were complete."""
    urls = [target if "://" in target else server.url(target) for target in targets or ("/",)]
    return list(fetchpool.fetch(urls, recursive=True, **{**QUICK, **options}))


def short(server: SiteServer, url: str) -> str:
    """Return a URL without scheme and host of the server; other URLs as they are."""
    return url.removeprefix(server.url(""))


class Ended(NamedTuple):
    """A crawl by the command that has ended."""

    code: int
    stdout: str
    stderr: str
    summary: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def not_followed(self) -> dict[str, int]:
        return self.summary["links_not_followed"]


def crawl_command(server: SiteServer, directory: Path, *options: str, target: str = "/") -> Ended:
    """Crawl with the command into `rows.jsonl` of the directory."""
    url = target if "://" in target else server.url(target)
    output = directory / "rows.jsonl"
    work = [url, "-r", "-o", output.name, "--executor", "async", "--per-host", "0", "--no-progress"]
    if "--summary" not in options:
        work += ["--summary", "json"]
    done: subprocess.CompletedProcess[str] = command(*work, "--retry-delay", "10ms", *options, cwd=directory)
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    written = [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []
    return Ended(done.returncode, done.stdout, done.stderr, json.loads(lines[-1]) if lines else {}, written)
