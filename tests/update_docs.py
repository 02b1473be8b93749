"""Write the generated parts of the documents: `python -m tests.update_docs`, from the project's top.

docs/reference/options.md has the options, docs/reference/from-curl-and-wget.md those of other programs,
docs/reference/progress-json.md the lines of --progress json, docs/reference/exit-codes.md the table of exit
codes, docs/reference/configuration.md that of keys and variables, docs/fetchpool.1 is the manual page, and
docs/architecture.md has the tree of the modules with the first sentence of each docstring. The types of
keyword arguments, fetchpool/config/settings.py, are made from the options too, and the description of the web
page's API from its structs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from textwrap import shorten

from fetchpool.cli.exit_codes import ExitCode
from fetchpool.config.describe import configuration_keys, reference, settings_module
from fetchpool.config.other_programs.table import page
from tests.man_page import man_page
from tests.openapi import openapi
from tests.progress_page import page as progress_page

ROOT = Path(__file__).parents[1]
OPTIONS = ROOT / "docs" / "reference" / "options.md"
OTHER_PROGRAMS = ROOT / "docs" / "reference" / "from-curl-and-wget.md"
PROGRESS = ROOT / "docs" / "reference" / "progress-json.md"
MAN_PAGE = ROOT / "docs" / "fetchpool.1"
EXIT_CODES = ROOT / "docs" / "reference" / "exit-codes.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PACKAGE = ROOT / "fetchpool"
SETTINGS = PACKAGE / "config" / "settings.py"
OPENAPI = PACKAGE / "web" / "static" / "openapi.json"
CONFIGURATION = ROOT / "docs" / "reference" / "configuration.md"
CODES = re.compile(r"(?P<before>^\|---:\|---\|\n)(?:\|.*\n)*(?P<after>)", re.MULTILINE)
KEYS = re.compile(r"(?P<before>^\| Key \|.*\n\|---\|.*\n)(?:\|.*\n)*(?P<after>)", re.MULTILINE)
TREE = re.compile(r"(?P<before>^## The packages\n.*?^```text\n).*?(?P<after>^```$)", re.MULTILINE | re.DOTALL)
ORDER = [
    "api",
    "cli",
    "report",
    "progress",
    "web",
    "compare",
    "config",
    "engine",
    "sources",
    "history",
    "scheduler",
    "pools",
    "http",
    "crawl",
    "transports",
    "sinks",
    "model",
    "runtime",
]
"""The packages in the order in which a URL passes through them."""
WIDTH = 118


def exit_codes() -> str:
    """Return the rows of the table of exit codes."""
    return "".join(f"| {int(code)} | {code.meaning} |\n" for code in ExitCode)


def tree() -> str:
    """Return the modules by package, each with the first sentence of its docstring."""
    lines: list[str] = []

    def add(path: Path, depth: int) -> None:
        indent = "  " * depth
        if path.suffix == ".py":
            lines.append(_line(f"{indent}{path.name}", path))
            return
        lines.append(_line(f"{indent}{path.name}/", path / "__init__.py"))
        for child in sorted(path.iterdir(), key=lambda each: (each.is_dir(), each.name)):
            if child.name != "__init__.py" and (child.suffix == ".py" or (child / "__init__.py").exists()):
                add(child, depth + 1)

    entries = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    top = {path.stem: path for path in entries if not path.name.startswith("__")}
    for name in sorted(top, key=lambda name: ORDER.index(name)):
        add(top[name], 0)
    return "\n".join(lines) + "\n"


def _line(name: str, path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    sentence = re.split(r"(?<=[.])\s", docstring.split("\n\n")[0].replace("\n", " "))[0]
    return f"{name:<28}{shorten(sentence, WIDTH - 28, placeholder=' ...')}".rstrip()


def replaced(path: Path, block: re.Pattern[str], text: str) -> str:
    """Return the document with the block's text replaced. Raise `ValueError` if it has no such block."""
    document, found = block.subn(lambda match: match["before"] + text + match["after"], path.read_text())
    if not found:
        raise ValueError(f"{path} has no such block")
    return document


GENERATED: dict[Path, Callable[[], str]] = {
    OPTIONS: reference,
    OTHER_PROGRAMS: page,
    SETTINGS: settings_module,
    MAN_PAGE: man_page,
    PROGRESS: progress_page,
    OPENAPI: openapi,
    EXIT_CODES: lambda: replaced(EXIT_CODES, CODES, exit_codes()),
    CONFIGURATION: lambda: replaced(CONFIGURATION, KEYS, configuration_keys()),
    ARCHITECTURE: lambda: replaced(ARCHITECTURE, TREE, tree()),
}
"""What makes the text of every document with a generated part."""


def main() -> None:
    """Write the documents."""
    for path, generate in GENERATED.items():
        path.write_text(generate())


if __name__ == "__main__":
    main()
