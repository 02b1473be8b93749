"""Start-up: the time before anything is fetched.

`fetchpool --version` compared with a Python that does nothing, and ten local URLs from start to exit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from bench.harness import measure
from bench.harness.measure import CommandFailedError
from bench.harness.report import table
from bench.harness.trial import ENVIRONMENT
from bench.scenarios.peers import rows_tally
from bench.scenarios.servers import Nginx

KEY = "start"
ROUNDS = 15
URLS = 10
MAX_VERSION = 4.0
"""Multiple of the time of a Python that does nothing."""
MAX_TEN = 0.3
"""Seconds for ten URLs."""


def section(server: Nginx, directory: Path) -> str:
    """Return the table and the goals."""
    (directory / "ten.urls").write_text(
        "".join(f"{server.plain}/small/{number}.html\n" for number in range(URLS))
    )
    rows = directory / "ten.jsonl"
    python = sys.executable
    fetch: list[str | Path] = [python, "-m", "fetchpool", "ten.urls", "-o", rows]
    commands: dict[str, list[str | Path]] = {
        "python -c pass": [python, "-c", "pass"],
        "fetchpool --version": [python, "-m", "fetchpool", "--version"],
        "fetchpool --help": [python, "-m", "fetchpool", "--help"],
        "ten URLs, thread": fetch,
        "ten URLs, async": [*fetch, "--executor", "async"],
        "ten URLs, process, 2 workers": [*fetch, "--executor", "process", "-w", "2"],
        "ten URLs, thread, requests": [*fetch, "--transport", "requests"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            rows.unlink(missing_ok=True)
            usage = measure.run(command, directory=directory, environment=ENVIRONMENT)
            if usage.code or (fetch[0] is command[0] and "ten" in name and rows_tally(rows).count != URLS):
                raise CommandFailedError(f"{name} failed: {(directory / 'stderr').read_text()}")
            taken[name].append(usage.wall)
    milliseconds = {name: 1000 * median(walls) for name, walls in taken.items()}
    times = milliseconds["fetchpool --version"] / milliseconds["python -c pass"]
    ten = milliseconds["ten URLs, thread"] / 1000
    goals = [
        [
            f"--version to a bare Python: at most {MAX_VERSION:g} times",
            f"{times:.2f} times",
            verdict(times, MAX_VERSION),
        ],
        [f"ten URLs: at most {MAX_TEN * 1000:g} ms", f"{ten * 1000:.0f} ms", verdict(ten, MAX_TEN)],
    ]
    return "\n\n".join(
        [
            "### Start-up",
            "From the command to its end; the median of " + f"{ROUNDS}.",
            table(["command", "time"], [[name, f"{time:.0f} ms"] for name, time in milliseconds.items()]),
            table(["goal", "reached", ""], goals),
        ]
    )


def verdict(figure: float, target: float) -> str:
    return "met" if figure <= target else "**missed**"
