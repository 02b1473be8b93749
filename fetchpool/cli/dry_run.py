"""`--dry-run`: what the list would cost, on standard output; nothing is fetched, no output opened.

In: a checked configuration. Out: lines for a person, and an exit code.
"""

from __future__ import annotations

import sys

from fetchpool.cli.errors import complain
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.config.config import RunConfig
from fetchpool.engine.build import open_source
from fetchpool.forecast import Forecast, forecast
from fetchpool.model.text import visible
from fetchpool.progress.format import count, counted, duration

SHOWN = 20
"""Hosts that get a line of their own."""


def dry_run(config: RunConfig) -> ExitCode:
    """Reads the inputs to their end and says what is in them."""
    source = open_source(config)
    try:
        found = forecast(source, config)
    finally:
        source.close()
    sys.stdout.writelines(f"{line}\n" for line in lines(found, config))
    if found.failure is not None:
        complain(found.failure)
        return ExitCode.USAGE
    return ExitCode.OK


def lines(found: Forecast, config: RunConfig) -> list[str]:
    """The words, host by host."""
    said = [
        f"would fetch {counted(found.urls, 'URL')} from {counted(len(found.hosts), 'host')}; "
        f"{counted(found.duplicates, 'duplicate')} and {count(found.refused)} that can't be fetched"
    ]
    width = max((len(count(number)) for _, number in found.hosts[:SHOWN]), default=0)
    said += [f"  {count(number):>{width}}  {visible(host)}" for host, number in found.hosts[:SHOWN]]
    if rest := found.hosts[SHOWN:]:
        urls = sum(number for _, number in rest)
        said.append(f"  and {counted(urls, 'URL')} from {counted(len(rest), 'more host')}")
    if found.held_by:
        said.append(f"shortest time: {duration(found.shortest)} ({found.held_by})")
    else:
        said.append("shortest time: no limit asks for any (--host-delay and --rate would)")
    if config.robots:
        said.append("not counted: what robots.txt asks for, which would have to be fetched first")
    return said
