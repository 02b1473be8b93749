"""Run a scenario: every program in turn, round after round, and verify what it fetched.

In: a scenario and the servers. Out: `Results`. A program that did not fetch every URL once and completely
raises `CommandFailedError`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from bench.harness import measure
from bench.harness.figures import Figures, Results, Round, Run
from bench.harness.measure import CommandFailedError
from bench.scenarios.lists import Servers
from bench.scenarios.peers import Call, Order
from bench.scenarios.scenario import Lane, Lists, Scenario
from bench.scenarios.servers import ROOT

FOREIGN = re.compile(r"(?i).*_proxy|.*_ca_bundle|ssl_cert_.*")
"""Environment variables that only some of the programs obey."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if not FOREIGN.fullmatch(name)}
ENVIRONMENT["PYTHONPATH"] = str(ROOT)


def conduct(
    scenario: Scenario, lists: Lists, servers: Servers, directory: Path, notify: Callable[[str], None]
) -> Results:
    """Run all rounds. `notify` is called with the program that is running."""
    lanes, left_out = [], []
    for lane in scenario.lanes:
        missing = lane.peer.missing()
        if missing is None:
            lanes.append(lane)
        else:
            left_out.append(f"{lane.peer.name} skipped: {missing} is not installed")
    rounds: dict[str, list[Round]] = {lane.peer.name: [] for lane in lanes}
    directory.mkdir()
    for number in range(lists.rounds):
        first = number % len(lanes)  # no program always runs after the heaviest
        for lane in lanes[first:] + lanes[:first]:
            notify(f"{scenario.key}: round {number + 1} of {lists.rounds}: {lane.peer.name}")
            rounds[lane.peer.name].append(
                Round(
                    fetch(scenario, lane, lists.small, servers, directory, small=True),
                    fetch(scenario, lane, lists.large, servers, directory, small=False),
                )
            )
    shutil.rmtree(directory)
    figures = [Figures(lane.peer.name, lane.workers, rounds[lane.peer.name]) for lane in lanes]
    ideals = None
    if scenario.ideal is not None:
        ideals = scenario.ideal(lists.small), scenario.ideal(lists.large)
    return Results(figures, ideals, left_out)


def fetch(
    scenario: Scenario, lane: Lane, count: int, servers: Servers, directory: Path, *, small: bool
) -> Run:
    """Run one program once."""
    count = max(1, round(count * lane.share))
    urls = directory / f"{count}.urls"
    if not urls.exists():
        with urls.open("w") as file:
            file.writelines(f"{url}\n" for url in scenario.urls(servers, count))
    scratch = directory / "scratch"
    scratch.mkdir()
    authority = servers.nginx.authority if scenario.tls else None
    call = lane.peer.call(Order(scratch, urls, count, lane.workers, authority, small))
    before = servers.answered()
    usage = measure.run(
        call.command,
        directory=scratch,
        stdout=scratch / "stdout" if call.keeps_output else None,
        environment=ENVIRONMENT,
        terminal=call.terminal,
    )
    answered = servers.answered() - before
    if usage.code not in ((0, 1) if scenario.may_fail else (0,)):
        said = (scratch / "stderr").read_text(errors="replace")[-2000:]
        raise CommandFailedError(f"{lane.peer.name} ended with {usage.code}: {said}")
    if scenario.may_fail and call.tally is not None:
        fetched = call.tally().count
    else:
        fetched = check(lane.peer.name, call, count, scenario.size, answered)
    shutil.rmtree(scratch)
    return Run(usage, fetched)


def check(name: str, call: Call, count: int, size: int, answered: int) -> int:
    """Return how many URLs the program fetched: as it reports, with their sizes, if it reports them."""
    if call.tally is None:
        if answered != count:
            raise CommandFailedError(f"{name}: {answered} requests for {count} URLs")
        return count
    fetched = call.tally()
    if fetched.size is None:  # it was given a time, not a list
        return fetched.count
    if (fetched.count, fetched.size) != (count, count * size):
        raise CommandFailedError(
            f"{name}: {fetched.count} URLs with {fetched.size} bytes, not {count} with {count * size}"
        )
    return count
