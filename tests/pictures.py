"""Draw the pictures of the terminal, the live display and a summary: `make pictures`.

The lines come from the program's own display and summary, given the numbers of one example run; Rich records
them as SVG.
"""

from __future__ import annotations

import html
import re
from io import StringIO
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console
from rich.terminal_theme import MONOKAI

from fetchpool.config.outputs import Output
from fetchpool.config.run_config import RunConfig
from fetchpool.engine.engine import RunResult
from fetchpool.engine.events import (
    TIME_BOUNDS,
    ActiveRequest,
    BusyHost,
    FailingHost,
    FailureCount,
    Hosts,
    Snapshot,
)
from fetchpool.progress.display import Progress
from fetchpool.progress.format import Line
from fetchpool.progress.summary import summary as summary_lines
from fetchpool.progress.terminal import text
from fetchpool.scheduler.waits import PausedHost, Wait, WaitReason
from tests.factories import EVEN, snapshot

DIRECTORY = Path(__file__).parents[1] / "docs" / "pictures"
COMMAND = "fetchpool urls.txt -o results.jsonl -w 50"
WIDTH = 104
FAILED = (
    FailureCount("http_404", 402, ("https://example.org/missing",)),
    FailureCount("timeout_connect", 61, ("https://slow.example/",)),
    FailureCount("dns", 38, ("https://nowhere.example/",)),
    FailureCount("tls", 7, ("https://expired.example/",)),
)
RUN = snapshot(
    elapsed=27.0,
    done=33_402,
    ok=33_160,
    failed=tuple(replace(each, count=round(each.count * 0.476)) for each in FAILED),
    in_flight=50,
    slowest=(ActiveRequest("https://slow.example/archive/2019/annual-report.pdf", 14.2),),
    workers=50,
)
END = snapshot(
    elapsed=79.0,
    done=98_213,
    ok=97_705,
    failed=FAILED,
    retries=188,
    total=98_213,
    total_exact=True,
    size_delivered=442_000_000,
    size_download=139_000_000,
    workers=50,
    wait_times=replace(EVEN, workers=73.5),
)


TIMES = (0, 1, 4, 22, 80, 310, 900, 2600, 4100, 5200, 4700, 3900, 3100, 2200, 1500, 1400, 1100, 700, 420, 300)
DETAILED = replace(
    RUN,
    rate_average=1237.0,
    recent_p50=0.018,
    recent_p95=0.064,
    times=(*TIMES, *[140, 90, 61, 22, 9, 4, 1, 0, 2, 60], *[0] * (len(TIME_BOUNDS) + 1 - len(TIMES) - 10)),
    hosts=Hosts(
        busiest=(
            BusyHost("mirror.example", 10, 4011),
            BusyHost("example.org", 10, 212),
            BusyHost("docs.example", 8, 0),
            BusyHost("files.example", 6, 0),
        ),
        paused=(
            PausedHost("api.example", 60, 118.0, WaitReason.PAUSE, 429),
            PausedHost("old.example", 4, 12.0, WaitReason.NO_RESPONSE),
        ),
        failing=(
            FailingHost("example.org", 141, "http_404"),
            FailingHost("slow.example", 29, "timeout_connect"),
        ),
    ),
    slowest=(
        ActiveRequest("https://slow.example/archive/2019/annual-report.pdf", 14.2),
        ActiveRequest("https://files.example/video.mp4", 3.1),
    ),
    wait=Wait(WaitReason.PAUSE, 60, 118.0, host="api.example", hosts=1, status=429),
)
DIP = range(60, 70)
"""Quarters of a second in which the run was slower, and URLs failed."""


def display(shot: Snapshot, *, details: bool = False) -> list[Line]:
    """Return the lines of the live display at the end of a run that had a slow moment."""
    # The display leaves a column free.
    progress = Progress(Console(file=StringIO(), force_terminal=True, width=WIDTH + 1, height=30))
    progress.view.has_keys = True
    progress.view.details = details
    ok = failed = 0
    for quarter in range(1, round(shot.elapsed * 4) + 1):
        ok += 80 if quarter in DIP else 330 + quarter * 37 % 60 - 400 // quarter
        failed += 12 if quarter in DIP else quarter % 7 // 6
        progress.on_snapshot(
            replace(shot, elapsed=quarter / 4, done=ok + failed, ok=ok, done_before=0, failed_before=0)
        )
    return progress.lines(shot)


def live() -> list[Line]:
    """Return the lines of the live display in the middle of the run."""
    return display(RUN)


def details() -> list[Line]:
    """Return the same with its details."""
    return display(DETAILED, details=True)


def summary() -> list[Line]:
    """Return the lines of the summary at its end."""
    config = RunConfig(outputs=(Output("results.jsonl", "jsonl"),), workers=50)
    result = RunResult(
        END,
        interrupted=False,
        aborted=False,
        stopped_by="",
        steered_by="",
        lost="",
        input_failure=None,
        rows=(END.done,),
    )
    return summary_lines(result, config)


PICTURES = {"live.svg": live, "details.svg": details, "summary.svg": summary}


def draw(lines: list[Line], name: str) -> str:
    """Return the lines as an SVG of a terminal."""
    console = Console(
        record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    for each in lines:
        console.print(text(each, console), no_wrap=True, overflow="crop")
    return console.export_svg(title=COMMAND, theme=MONOKAI, unique_id=name.removesuffix(".svg"))


def words(svg: str) -> list[str]:
    """Return the text of a picture, piece by piece: the rest is Rich's, and differs between its versions."""
    return [html.unescape(piece) for piece in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def main() -> None:
    """Write the pictures."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, lines in PICTURES.items():
        (DIRECTORY / name).write_text(draw(lines(), name))


if __name__ == "__main__":
    main()
