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
        "Format of the summary: text, or json, one object on standard error. Without a terminal, json "
        "prints nothing else there.",
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
        "Progress on standard error: bar (a live display), plain (a line now and then), json (JSON lines "
        "and nothing else, also for errors) or none. (default: auto, which is bar on a terminal, else "
        "plain)",
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
        "Append the events of the run to PATH: text, or JSON lines if it ends in .jsonl. Only its owner "
        "may read it.",
        Scope.FLAG,
    ),
    Option(
        "log_level",
        "--log-level NAME",
        types.choice_of(LOG_LEVELS),
        "Minimum level of the events in the log: debug (with each failure and retry), info, warning or "
        "error. (default: info)",
        Scope.FLAG,
        settable=Settable.ANYWHERE,
        only_with=("log_file", ""),
    ),
    Option(
        "log_max_size",
        "--log-max-size SIZE",
        types.LOG_SIZE,
        "Size at which the log is renamed to PATH.1, PATH.1 to PATH.2, and so on; 0 is never. (default: 10M)",
        Scope.FLAG,
        only_with=("log_file", ""),
    ),
    Option(
        "log_keep",
        "--log-keep N",
        types.LOG_KEEP,
        "Number of renamed logs to keep. (default: 5)",
        Scope.FLAG,
        only_with=("log_file", ""),
    ),
    Option(
        "no_keys",
        "--no-keys",
        types.SWITCH,
        "Read no keys from the terminal. By default, keys pause and steer the run; the live display "
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
