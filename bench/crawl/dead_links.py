"""The dead links that fetchpool and linkchecker find: `python -m bench.crawl.dead_links [PAGES]`.

In: the synthetic site of the tests, whose dead links are known, with their pages. Out: a table in Markdown;
exit code 1 if fetchpool misses one, or reports another one.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urldefrag

from bench.crawl.run import ENVIRONMENT
from tests.crawl.server import SiteServer
from tests.crawl.synthetic import Dead, SyntheticSite


def fetchpool(url: str, directory: Path) -> set[Dead]:
    command = [sys.executable, "-m", "fetchpool", "check", url, "--format", "json", "-q"]
    options = ["--no-fragments", "--per-host", "0", "--exclude", "/decoy/"]
    done = subprocess.run(
        [*command, *options], cwd=directory, env=ENVIRONMENT, capture_output=True, check=False
    )
    report = json.loads(done.stdout)
    return {Dead(link["page"], found["url"]) for found in report["broken"] for link in found["links"]}


def linkchecker(url: str, directory: Path) -> set[Dead]:
    (directory / "linkchecker.ini").write_text("[checking]\nmaxrequestspersecond=100000\n")
    command = [str(Path(sys.executable).with_name("linkchecker")), "-f", "linkchecker.ini", "-t", "20"]
    options = ["--no-status", "-o", "csv", "--ignore-url", "/decoy/", url]
    done = subprocess.run(
        [*command, *options], cwd=directory, env=ENVIRONMENT, capture_output=True, check=False
    )
    lines = [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]
    rows = csv.DictReader(lines, delimiter=";")
    # It names a page as the first link to it does, with that link's fragment.
    return {Dead(urldefrag(row["parentname"])[0], row["url"]) for row in rows if row["valid"] == "False"}


CHECKERS: dict[str, Callable[[str, Path], set[Dead]]] = {
    "fetchpool check": fetchpool,
    "linkchecker": linkchecker,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=int, nargs="?", default=200)
    site = SyntheticSite(parser.parse_args().pages, planted=True)
    failed = False
    with SiteServer(site) as server:
        truth = {Dead(server.url(dead.page), server.url(dead.target)) for dead in site.dead_links()}
        sys.stdout.write(f"{len(truth)} links to {len({dead.target for dead in truth})} missing pages\n\n")
        sys.stdout.write("| program | found | missed | wrong |\n|---|---:|---:|---:|\n")
        for name, check in CHECKERS.items():
            with tempfile.TemporaryDirectory() as directory:
                found = check(server.url(), Path(directory))
            missed, wrong = len(truth - found), len(found - truth)
            failed |= check is fetchpool and bool(missed or wrong)
            sys.stdout.write(f"| {name} | {len(found)} | {missed} | {wrong} |\n")
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
