"""`fetchpool` and `python -m fetchpool`: the process starts here.

Nothing is imported before it is known to be needed: asking for the version takes no command line
parser.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Runs the command that `sys.argv` names; returns the exit code (`cli/exit_codes.py`)."""
    try:
        if sys.argv[1:] in (["-V"], ["--version"]):
            from fetchpool.version import version_line

            sys.stdout.write(f"{version_line()}\n")
            return 0
        from fetchpool.cli.main import main as run_command

        return run_command(sys.argv[1:])
    except KeyboardInterrupt:  # before or after a run: within one it is a signal like another
        return 130


if __name__ == "__main__":
    sys.exit(main())
