"""Writes docs/faults.md from the tests' own names and docstrings: `python -m tests.faults.write_docs`.

In: every test function of the suite whose name begins with a fault's number, and what other tools made
of the same faults (`docs/faults_peers.json`, which `python -m bench.endurance.faults_peers --write` writes).
Out: the page. A test keeps it what this would write.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
PEERS = ROOT / "docs" / "faults_peers.json"
NUMBERS = (*range(1, 54), 54, 55, 58, 59, 62, 63, 64, 65, 66, 72, 73, 74)
TOOLS = ("curl", "wget2", "requests")

INTRODUCTION = """\
# The hostile world

What a fetcher of URLs meets, and what this one makes of it. Each line is a test against real sockets, by the
same door that a program uses, with both transports and each executor where that can matter; its words are the
test's. Unless it says otherwise, the URL ends in its one row with that `error`, within its deadline, the run
goes on, and the exit code is 1. This page is written by `python -m tests.faults.write_docs`; a test keeps it
true.

Where it says *Beats*, the tool named got it wrong when it was asked for the same with a careful person's
options: the last table has what each of them said.
"""

EVIDENCE = """\
## What other tools make of them

`python -m bench.endurance.faults_peers` runs each through the same server: with a time-out of 2 s, a size
limit of 1 MiB where it has one (curl and fetchpool), and {seconds:g} s in all; what has not ended then hangs.
Bold is wrong: an answer where there was none, no answer where there was one, more than the limit, or a secret
said to a stranger. wget2's exit code is 0 whatever happens; a word on its stderr counts as a failure.
requests is a
script of five lines.
"""

WORDS = {
    "http": "HTTP",
    "url": "URL",
    "urls": "URLs",
    "csv": "CSV",
    "mb": "MB",
    "robots txt": "robots.txt",
    "utf 8": "UTF-8",
    "100 continue": "100 Continue",
}
"""What a function's name can't spell."""


class Told(NamedTuple):
    """One test, as its name and docstring tell it."""

    number: int
    sentence: str
    text: str


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page())


def page() -> str:
    """The page as it should be."""
    peers: dict[str, Any] = json.loads(PEERS.read_text())
    lines = [INTRODUCTION]
    shown: set[int] = set()
    for path in files():
        tree = ast.parse(path.read_text())
        tests = list(told(tree))
        if not tests:
            continue
        title, _, rest = (ast.get_docstring(tree) or "").partition(": ")
        lines.append(f"## {title}\n\n{flowing(rest[:1].upper() + rest[1:])}\n")
        for test in sorted(tests, key=lambda test: test.number):
            heading = test.number not in shown
            shown.add(test.number)
            start = f"**{test.number}. {test.sentence}.**" if heading else f"*{test.sentence}.*"
            beats = beaten(peers, test.number) if heading else ""
            lines.append(" ".join(filter(None, (start, test.text, beats))) + "\n")
    lines.append(EVIDENCE.format(seconds=peers["seconds"]))
    lines.append("\n".join(table(peers)) + "\n")
    return "\n".join(lines)


def files() -> list[Path]:
    """The suite's files, in the order of their first fault."""
    found = []
    for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        numbers = [test.number for test in told(ast.parse(path.read_text()))]
        if numbers:
            found.append((min(numbers), path))
    return [path for _, path in sorted(found)]


def told(tree: ast.Module) -> Iterator[Told]:
    """The file's tests that carry a fault's number."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (match := re.fullmatch(r"test_(\d\d)_(\w+)", node.name)):
            sentence = match[2].replace("_", " ")
            for word, spelling in WORDS.items():
                sentence = re.sub(rf"\b{word}\b", spelling, sentence)
            text = flowing(ast.get_docstring(node) or "")
            yield Told(int(match[1]), sentence[:1].upper() + sentence[1:], text)


def flowing(text: str) -> str:
    """A docstring as one paragraph."""
    return " ".join(text.split())


def beaten(peers: dict[str, Any], number: int) -> str:
    """Whom it beats there."""
    cases = [case for case in peers["cases"] if case["number"] == number]
    wrong = [tool for tool in TOOLS if any(not case[tool][1] for case in cases)]
    return f"*Beats {', '.join(wrong)}.*" if wrong else ""


def table(peers: dict[str, Any]) -> list[str]:
    """What each said."""
    tools = ("fetchpool", *TOOLS)
    versions = peers["versions"]
    heads = ["fetchpool", *(f"{tool} {versions[tool]}" for tool in TOOLS)]
    lines = [f"| | case | {' | '.join(heads)} |", f"| ---: | --- |{' --- |' * len(tools)}"]
    for case in peers["cases"]:
        cells = [words if right else f"**{words}**" for words, right in (case[tool] for tool in tools)]
        lines.append(f"| {case['number']} | {case['case']} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
