"""Draw the README's pictures, the live display and a summary: `make pictures`.

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
from fetchpool.engine.events import ActiveRequest, FailureCount
from fetchpool.progress.format import Line
from fetchpool.progress.frame import frame
from fetchpool.progress.summary import summary as summary_lines
from fetchpool.progress.terminal import text
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


def live() -> list[Line]:
    """Return the lines of the live display in the middle of the run."""
    return frame(RUN, WIDTH)


def summary() -> list[Line]:
    """Return the lines of the summary at its end."""
    config = RunConfig(outputs=(Output("results.jsonl", "jsonl"),), workers=50)
    result = RunResult(
        END,
        interrupted=False,
        aborted=False,
        stopped_by="",
        steered_by="",
        input_failure=None,
        rows=(END.done,),
    )
    return summary_lines(result, config)


PICTURES = {"live.svg": live, "summary.svg": summary}


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
