"""Crawls of real documentation: `python -m bench.crawl.documentation DIRECTORY [START]`.

In: a directory of HTML files, such as /usr/share/doc/python3.11/html, or that of rust-doc; nginx serves it.
Out: a table in Markdown: the pages that fetchpool, wget -r, wget2 -r and linkchecker have found, and how they
differ from the oracle, which reads the files; exit code 1 if fetchpool's differ, or its dead links do.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from bench.crawl.run import ENVIRONMENT
from bench.crawl.site import NO_WAITS, nginx
from tests.crawl.oracle import by_the_standard, closure

SHOWN = 5


def fetchpool(url: str, directory: Path) -> set[str]:
    rows = directory / "rows.jsonl"
    command = [sys.executable, "-m", "fetchpool", url, "-r", "-o", str(rows), "-q"]
    subprocess.run([*command, "--per-host", "0", "--executor", "async"], env=ENVIRONMENT, check=False)
    with rows.open("rb") as lines:
        return {target(json.loads(line)["url"]) for line in lines}


def wget(url: str, directory: Path) -> set[str]:
    """Return what wget has asked for; it reports URLs in its log."""
    log = directory / "wget.log"
    options = ["-r", "-l", "inf", "-e", "robots=off", "--delete-after", "-nv", "-P", str(directory / "wget")]
    subprocess.run(["wget", *options, "-o", str(log), url], check=False)
    return {
        target(found) for found in re.findall(r"(http://\S+?):? ?(?: \[|\n\d{4}-.* ERROR)", log.read_text())
    }


def wget2(url: str, directory: Path) -> set[str]:
    """Return what wget2 has asked for, by its statistics."""
    stats = directory / "wget2.csv"
    options = ["-q", "-r", "-l", "inf", "--no-robots", "--delete-after", "-P", str(directory / "wget2")]
    subprocess.run(["wget2", *options, f"--stats-site=csv:{stats}", url], check=False)
    with stats.open() as lines:
        return {target(row["URL"]) for row in csv.DictReader(lines)}


def linkchecker(url: str, directory: Path) -> set[str]:
    """Return what linkchecker has checked on this host."""
    (directory / "linkchecker.ini").write_text("[checking]\nmaxrequestspersecond=100000\n")
    options = [
        "-f",
        str(directory / "linkchecker.ini"),
        "-t",
        "20",
        "--user-agent",
        NO_WAITS,
        "--no-status",
        "-v",
        "-o",
        "csv",
    ]
    command = ["linkchecker", *options, url]
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, check=False)
    lines = [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]
    host = urlsplit(url).netloc
    urls = [row["url"] for row in csv.DictReader(lines, delimiter=";")]
    return {target(found) for found in urls if urlsplit(found).netloc == host}


CRAWLERS: dict[str, Callable[[str, Path], set[str]]] = {
    "fetchpool -r": fetchpool,
    "wget -r": wget,
    "wget2 -r": wget2,
    "linkchecker": linkchecker,
}


def target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def difference(found: set[str]) -> str:
    examples = ", ".join(sorted(found)[:SHOWN])
    return f"{len(found):,}" + (f" ({examples})" if found else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("start", nargs="?", default="/index.html")
    parser.add_argument("--standard", action="store_true", help="read pages with html5lib (slow)")
    parser.add_argument("--only", action="append", choices=CRAWLERS)
    given = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    ENVIRONMENT["PATH"] = os.environ["PATH"]
    root = given.directory.resolve()
    parse = {"parse": by_the_standard} if given.standard else {}
    truth = closure(root, given.start, **parse).statuses
    dead = sum(status != 200 for status in truth.values())
    sys.stdout.write(f"{len(truth):,} URLs, {dead:,} of them not found\n\n")
    sys.stdout.write("| program | seconds | URLs | not found by it | found in addition |\n")
    sys.stdout.write("|---|---:|---:|---|---|\n")
    failed = False
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "files").symlink_to(root)
        with nginx(Path(name)) as site:
            for program, crawl in CRAWLERS.items():
                if given.only and program not in given.only:
                    continue
                begun = time.monotonic()
                found = crawl(site.base + given.start, Path(name)) - {"/robots.txt"}
                took = time.monotonic() - begun
                missed, added = truth.keys() - found, found - truth.keys()
                failed |= program == "fetchpool -r" and bool(missed or added)
                differences = f"{difference(missed)} | {difference(added)}"
                sys.stdout.write(f"| {program} | {took:.1f} | {len(found):,} | {differences} |\n")
                sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
