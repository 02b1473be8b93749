"""The page docs/reference/progress-json.md: the lines of `--progress json` and the entries of a log.

In: the structs that are written as JSON, and the docstrings of their fields. Out: Markdown.
`python -m tests.update_docs` writes it.
"""

from __future__ import annotations

import ast
import inspect
import re
from enum import Enum
from pathlib import Path
from textwrap import fill
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Struct

from fetchpool.engine.events import MOST_EXAMPLES, MOST_HOSTS, SIZE_BOUNDS, TIME_BOUNDS, EventKind, Snapshot
from fetchpool.progress.json_progress import ErrorMessage, Start
from fetchpool.progress.log_entry import LEVELS, LogEntry
from fetchpool.progress.summary_json import Summary

INTRODUCTION = """# Progress and log for programs

With `--progress json`, standard error has one JSON object per line and nothing else, however the command
ends: an invalid option, an input that can't be read, a full disk, Ctrl-C once or repeatedly, SIGTERM, a
crashed worker, a bug. Text that a parser or a library prints there becomes a `notice`. The summary is missing
only if the process is killed (SIGKILL), or if standard error can't be written. If only a configuration file
asks for JSON, an error in the syntax of the command line is still text.

The first key of each line is `type`:

| type | when |
|---|---|
| `start` | once, when the run begins: the options are valid, inputs and outputs are open |
| `progress` | once a second, and at the end of the run: `time` and the snapshot below |
| `notice` | a line for the user; with `-v` also each retry, each host that backs off, and rows read back |
| `failure` | with `-v`: a final row with an error |
| `error` | an error that ends the command, or keeps it from starting |
| `summary` | exactly once, as the last line; `exit_code` is that of the command |

A command that has fetched nothing has a `summary` without any other field. With `-q` there are only `error`
and `summary`. Fields may be added; none is renamed or changes its meaning. Characters that are not printable
are written as `\\uXXXX`, so that a terminal can show the lines.

    fetchpool urls.txt --progress json 2>&1 | jq -r 'select(.type == "summary").exit_code'

Times are seconds, sizes bytes, rates per second. A field is `null` if it has no value.
"""
BUCKETS = """### Buckets

Each number in `times` and `sizes` is a count of rows up to an upper bound; the last bucket has no bound.
Upper bounds of `times`, in seconds:

{times}

Upper bounds of `sizes`, in bytes: 1, 2, 4 and so on, to {size:,}.
"""
LOG = """## The log

`--log-file run.log` appends the events of a run to a file, as text with the time in UTC, level and message.
If the name ends in `.jsonl` or `.ndjson`, each line is an entry as above, without `type`. A new file is
readable only by its owner (mode 0600). At `--log-max-size` it is renamed to `run.log.1`, `run.log.1` to
`run.log.2`, and so on; `--log-keep` is the number of renamed files to keep. If another program such as
logrotate renames the file, the log continues in a new file. If the log can't be written, a notice says so
once, and the run continues; the log later says how many lines are missing.

In a program, `logging.getLogger("fetchpool")` gets the same events if it has a handler; the fields of an
entry are attributes of its `LogRecord`.

| `event` | level | |
|---|---|---|
"""
CONSTANTS = {
    "None": "null",
    "`MOST_EXAMPLES`": f"{MOST_EXAMPLES}",
    "`MOST_HOSTS`": f"{MOST_HOSTS}",
    "the buckets of `TIME_BOUNDS`": "[buckets](#buckets)",
    "the buckets of `SIZE_BOUNDS`": "[buckets](#buckets)",
}
"""What stands for a name of the source."""
SECTIONS: tuple[tuple[str, type[Struct]], ...] = (
    ("`start`", Start),
    ("`progress`: the snapshot", Snapshot),
    ("`notice` and `failure`: entries", LogEntry),
    ("`error`", ErrorMessage),
    ("`summary`", Summary),
)


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    nested: dict[str, type[Struct]] = {}
    for heading, kind in SECTIONS:
        parts.append(f"## {heading}\n\n{_summary(kind)}\n\n{_table(kind, nested)}")
    parts.append("## Objects in them\n")
    done: set[str] = set()
    while left := sorted(nested.keys() - done):
        for name in left:
            done.add(name)
            parts.append(f"### {name}\n\n{_summary(nested[name])}\n\n{_table(nested[name], nested)}")
    times = fill(", ".join(f"{bound:g}" for bound in TIME_BOUNDS), 110)
    parts.append(BUCKETS.format(times=times, size=SIZE_BOUNDS[-1]))
    kinds = _documented(EventKind)
    parts.append(
        LOG
        + "".join(f"| `{kind.value}` | {LEVELS[kind].value} | {kinds[kind.name]} |\n" for kind in EventKind)
    )
    return "\n".join(parts)


def _summary(kind: type) -> str:
    return _cleaned(inspect.getdoc(kind) or "")


def _cleaned(text: str) -> str:
    """Return a docstring in one line, with values in place of names of the source."""
    for name, value in CONSTANTS.items():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", value, text)
    return " ".join(text.split())


def _table(kind: type[Struct], nested: dict[str, type[Struct]]) -> str:
    """Return the fields of a struct, and note the structs in them."""
    texts = _documented(kind)
    rows = ["| field | type | |", "|---|---|---|"]
    for name, hint in get_type_hints(kind).items():
        if name in kind.__struct_fields__:
            rows.append(f"| `{name}` | {_type(hint, nested)} | {texts.get(name, '')} |")
    return "\n".join(rows) + "\n"


def _type(hint: Any, nested: dict[str, type[Struct]]) -> str:
    """Return the type of a field as JSON has it."""
    names = {str: "text", int: "integer", float: "number", bool: "boolean", type(None): "null"}
    if hint in names:
        return names[hint]
    if isinstance(hint, type) and issubclass(hint, Struct):
        nested[hint.__name__] = hint
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(f"`{each.value}`" for each in hint)
    if get_origin(hint) is Literal:
        return " or ".join(f"`{each}`" for each in get_args(hint))
    origin, arguments = getattr(hint, "__origin__", None), getattr(hint, "__args__", ())
    if origin is tuple:
        of = dict.fromkeys(_type(each, nested) for each in arguments if each is not Ellipsis)
        return f"array of {' and '.join(of)}"
    if origin is dict:
        return f"object: {_type(arguments[1], nested)} by name"
    return " or ".join(_type(each, nested) for each in arguments)


def _documented(kind: type) -> dict[str, str]:
    """Return the docstrings of a class's attributes by name."""
    tree = ast.parse(Path(inspect.getfile(kind)).read_text())
    (found,) = (each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == kind.__name__)
    texts: dict[str, str] = {}
    name = ""
    for each in found.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            name = each.target.id
        elif isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            name = each.targets[0].id
        elif isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) and name:
            texts[name] = _cleaned(str(each.value.value)).replace("|", "\\|")
    return texts
