"""`fetchpool` and `python -m fetchpool`: the process starts here.

Nothing is imported before it is known to be needed: asking for the version takes no command line
parser.
"""

from __future__ import annotations

import os
import sys
import threading


def main() -> int:
    """Runs the command that `sys.argv` names; returns the exit code (`cli/exit_codes.py`)."""
    try:
        if sys.argv[1:] in (["-V"], ["--version"]):
            from fetchpool.model.version import version_line

            sys.stdout.write(f"{version_line()}\n")
            return 0
        from fetchpool.cli.main import main as run_command

        code = run_command(sys.argv[1:])
        end_in_spite_of_threads(code)
        return code
    except KeyboardInterrupt:  # before or after a run: within one it is a signal like another
        return 130


def end_in_spite_of_threads(code: int) -> None:
    """Ends the process when a thread would keep it: a parser has started it, and all is done."""
    if any(not each.daemon and each is not threading.main_thread() for each in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
