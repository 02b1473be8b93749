"""Options of the group "Display": what is shown and logged during a run."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.choices import COLORS, LOG_LEVELS, PROGRESS
from fetchpool.config.option import Option, Scope, Settable

OPTIONS: tuple[Option, ...] = (
    Option(
        "quiet",
        "-q -s --quiet --silent",
        types.SWITCH,
        "Print errors only.",
        Scope.FLAG,
        excludes=("verbose",),
    ),
    Option(
        "verbose",
        "-v --verbose",
        types.SWITCH,
        "Print a line for each failure and retry.",
        Scope.FLAG,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "summary",
        "--summary NAME",
        types.SUMMARY,
        "Format of the summary: text, or json (one object on standard error; without a terminal, "
        "only this and errors).",
        Scope.FLAG,
    ),
    Option(
        "progress",
        "",
        types.PROGRESS,
        "Show the progress on standard error or in the notebook. A function is called with a snapshot a "
        "few times a second, and at the end with the totals.",
    ),
    Option(
        "display",
        "--progress NAME",
        types.choice_of(PROGRESS),
        "Progress on standard error: bar (a live display), plain (a line from time to time), json (JSON "
        "lines only, errors included) or none. (default: auto: bar on a terminal, otherwise plain)",
        Scope.FLAG,
        settable=Settable.ANYWHERE,
        excludes=("no_progress",),
    ),
    Option(
        "no_progress",
        "--no-progress",
        types.SWITCH,
        "Show no progress, only the summary: --progress none.",
        Scope.FLAG,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "log_file",
        "--log-file PATH",
        types.LOG_FILE,
        "Append the events of the run to PATH: as JSON lines if it ends in .jsonl, otherwise as text. The "
        "file is readable only by its owner.",
        Scope.FLAG,
    ),
    Option(
        "log_level",
        "--log-level NAME",
        types.choice_of(LOG_LEVELS),
        "Minimum level of the events in the log: debug (includes each failure and retry), info, warning or "
        "error. (default: info)",
        Scope.FLAG,
        settable=Settable.ANYWHERE,
        only_with=("log_file", ""),
    ),
    Option(
        "log_max_size",
        "--log-max-size SIZE",
        types.LOG_SIZE,
        "Rotate the log at this size: PATH becomes PATH.1, PATH.1 becomes PATH.2, and so on; 0 never "
        "rotates. (default: 10M)",
        Scope.FLAG,
        only_with=("log_file", ""),
    ),
    Option(
        "log_keep",
        "--log-keep N",
        types.LOG_KEEP,
        "Number of rotated logs to keep. (default: 5)",
        Scope.FLAG,
        only_with=("log_file", ""),
    ),
    Option(
        "no_keys",
        "--no-keys",
        types.SWITCH,
        "Do not read keys from the terminal. By default, keys pause and steer the run; the live display "
        "lists them.",
        Scope.FLAG,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "color",
        "--color WHEN",
        types.choice_of(COLORS),
        "Use colours: auto (on a terminal), always or never. auto respects NO_COLOR and FORCE_COLOR.",
        Scope.FLAG,
        settable=Settable.ANYWHERE,
    ),
)
