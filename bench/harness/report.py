"""Results as Markdown tables, and a description of the machine.

Out: text for the terminal, and the section between two marks of docs/benchmarks.md; the rest of that
document is written by hand.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.harness.figures import Figures, Results
from bench.scenarios.scenario import MEGABYTE, Scenario

BEGIN = "<!-- figures: written by `make bench-full` -->"
END = "<!-- end of figures -->"


def section(scenario: Scenario, results: Results) -> str:
    """Return a scenario's heading, table, goals and skipped programs."""
    parts = [f"### {scenario.title}", scenario.about, table(*figures_rows(scenario, results))]
    if verdicts := goals(scenario, results):
        parts.append(verdicts)
    if results.left_out:
        parts.append(". ".join(results.left_out) + ".")
    return "\n\n".join(parts)


def figures_rows(scenario: Scenario, results: Results) -> tuple[list[str], list[list[str]]]:
    """Return header and rows; the columns depend on the scenario."""
    reference = scenario.reference if any(f.name == scenario.reference for f in results.figures) else None
    large = scenario.size >= MEGABYTE
    header = [
        "program",
        "at once",
        "MB/s" if large else "URLs/s",
        "rounds",
        "CPU per URL",
        "memory",
        "total time",
    ]
    if reference:
        header.insert(3, f"to {reference}")
    if results.ideal:
        header.append("of the ideal")
    rows = []
    for each in sorted(results.figures, key=lambda figures: -figures.pace):
        pace = each.pace * scenario.size / MEGABYTE if large else each.pace
        row = [each.name, str(each.workers or "auto"), f"{pace:,.0f}", each.spread, cost(each), memory(each)]
        row.append(f"{each.total:.2f} s")
        if reference:
            row.insert(3, f"{results.ratio(each.name, reference):.2f}")
        if results.ideal:
            row.append(f"{results.share_of_ideal(each.name):.0%}")
        rows.append(row)
    return header, rows


def cost(figures: Figures) -> str:
    microseconds = figures.cost * 1e6
    return f"{microseconds / 1000:.1f} ms" if microseconds >= 1000 else f"{microseconds:.0f} µs"


def memory(figures: Figures) -> str:
    """Format resident memory and, in brackets, virtual memory."""
    if not figures.resident:
        return ""  # it was over before it was looked at
    return f"{figures.resident / MEGABYTE:,.0f} MB ({figures.virtual / MEGABYTE:,.0f})"


def goals(scenario: Scenario, results: Results) -> str:
    """Return the goals as a table; empty if there are none."""
    rows = [list(said) for goal in scenario.goals if (said := goal.verdict(results))]
    return table(["goal", "reached", ""], rows) if rows else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that is readable as text, too. The first column has text, the others figures."""
    lines = [list(header), *map(list, rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(header))]

    def shown(line: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    rule = "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths))
    return "\n".join([shown(lines[0]), f"|{rule}|", *map(shown, lines[1:])])


def machine() -> str:
    """Return a description of the machine, and its load."""
    memory_size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "memory": f"{memory_size:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "programs": ", ".join(programs()),
        "packages": ", ".join(packages()),
        "load when it began": f"{os.getloadavg()[0]:.2f}",
        "day": f"{date.today():%Y-%m-%d}",
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def programs() -> list[str]:
    """Return the programs that are not Python's, with their versions."""
    found = []
    for name, flag in (("curl", "-V"), ("wget2", "-V"), ("aria2c", "-v"), ("wrk", "-v"), ("nginx", "-v")):
        program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            continue
        done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
        number = re.search(r"\d+\.\d[\w.]*", done.stdout + done.stderr)
        found.append(f"{name} {number[0] if number else '?'}")
    return found


def packages() -> list[str]:
    """Return the HTTP libraries, ours included, and pycurl's libcurl."""
    found = []
    for name in ("fetchpool", "pycurl", "requests", "urllib3", "aiohttp", "uvloop", "httpx"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    try:
        import pycurl
    except ImportError:
        return found
    return [*found, *pycurl.version.split()[1:2]]


def between_the_marks(document: str, figures: str) -> str:
    """Return the document with these figures in place of the old ones. Raises `ValueError` without the
    marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the marks {BEGIN} and {END} are not in the document")
    return f"{before}{BEGIN}\n\n{figures.strip()}\n\n{END}{after}"
