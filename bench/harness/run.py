"""`python -m bench.harness.run [SCENARIO]... [--full] [--rounds N] [--write]`: the benchmark.

Tables go to standard output as each scenario ends, progress to stderr. `--write` puts the tables into
docs/benchmarks.md and the chart into docs/benchmarks.svg.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from msgspec.structs import replace

from bench.harness import report
from bench.harness.measure import CommandFailedError
from bench.harness.picture import picture
from bench.harness.trial import conduct
from bench.scenarios import startup
from bench.scenarios.lists import Servers
from bench.scenarios.peer_comparison import WITH_PEERS
from bench.scenarios.self_comparison import ALONE
from bench.scenarios.servers import ROOT, delay, nginx

SCENARIOS = (*WITH_PEERS, *ALONE)
DOCUMENT = ROOT / "docs/benchmarks.md"
PICTURE = ROOT / "docs/benchmarks.svg"
PICTURED = f"![Small files: URLs per second, and CPU per URL]({PICTURE.name})"


def main() -> int:
    """Return the exit code: 1 if a program failed; a missed goal is only reported."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers are ended on the way out
    chosen = [
        scenario for scenario in SCENARIOS if not options.scenarios or scenario.key in options.scenarios
    ]
    sections = []
    shown = print_out(report.machine())
    drawing = None
    with (
        tempfile.TemporaryDirectory(prefix="fetchpool-bench-") as name,
        nginx(Path(name)) as files,
        delay() as waits,
    ):
        directory = Path(name)
        if not options.scenarios or startup.KEY in options.scenarios:
            sections.append(print_out(startup.section(files, directory)))
        for scenario in chosen:
            lists = scenario.full if options.full else scenario.short
            if options.rounds:
                lists = replace(lists, rounds=options.rounds)
            try:
                results = conduct(scenario, lists, Servers(files, waits), directory / scenario.key, notify)
            except CommandFailedError as failure:
                sys.stderr.write(f"bench: {failure}\n")
                return 1
            sections.append(print_out(report.section(scenario, results)))
            if scenario.key == "small":
                drawing = picture(scenario, results)
    if options.write:
        figures = "\n\n".join([shown, *([PICTURED] if drawing else []), *sections])
        DOCUMENT.write_text(report.between_the_marks(DOCUMENT.read_text(), figures))
        if drawing is not None:
            PICTURE.write_text(drawing)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.harness.run")
    known = [startup.KEY, *(scenario.key for scenario in SCENARIOS)]
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(known)}; all without"
    )
    parser.add_argument("--full", action="store_true", help="the long lists, and more rounds")
    parser.add_argument("--rounds", type=int, metavar="N", help="so many rounds of each")
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks.md")
    options = parser.parse_args()
    for name in options.scenarios:
        if name not in known:
            parser.error(f"no scenario {name!r}; there are {', '.join(known)}")
    return options


def notify(words: str) -> None:
    sys.stderr.write(f"{words} (load {os.getloadavg()[0]:.1f})\n")


def print_out(text: str) -> str:
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()
    return text


if __name__ == "__main__":
    sys.exit(main())
