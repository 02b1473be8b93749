"""Puts the live help into the README: `python -m tests.update_readme`, from the top of the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(?P<before>^## Options\n.*?^```text\n).*?(?P<after>^```$)", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Raises `ValueError` when the README has no such block."""
    shown = subprocess.run(
        [sys.executable, "-m", "fetchpool", "--help"],
        env={**os.environ, "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    text, replaced = BLOCK.subn(lambda match: match["before"] + shown + match["after"], README.read_text())
    if not replaced:
        raise ValueError(f"{README} has no ```text block under '## Options'")
    README.write_text(text)


if __name__ == "__main__":
    main()
