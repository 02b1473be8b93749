"""`fetchpool` and `python -m fetchpool`: the entry point of the process.

It imports as little as possible: `--version` needs no command-line parser.
"""

from __future__ import annotations

import os
import sys
import threading


def main() -> int:
    """Run the command of `sys.argv` and return the exit code (`cli/exit_codes.py`)."""
    is_json = False
    try:
        if sys.argv[1:] in (["-V"], ["--version"]):
            from fetchpool.model.version import version_line

            sys.stdout.write(f"{version_line()}\n")
            return 0
        from fetchpool.cli import early_progress

        is_json = early_progress.progress_of(sys.argv[1:], os.environ) == "json"
        if is_json:
            early_progress.terminable_from_the_start()
        from fetchpool.cli.main import main as run_command

        code = run_command(sys.argv[1:])
        end_in_spite_of_threads(code)
        if is_json:
            early_progress.ignore_signals()
        return code
    # Before or after a run; during one `cli/signals.py` handles the signals.
    except (KeyboardInterrupt, SystemExit) as interrupt:
        if isinstance(interrupt, SystemExit) and not is_json:
            raise
        code = 130 if isinstance(interrupt, KeyboardInterrupt) else 143
        if is_json:
            early_progress.write_summary(code)
        return code


def end_in_spite_of_threads(code: int) -> None:
    """End the process although a parser has started a thread that is still running."""
    if any(not each.daemon and each is not threading.main_thread() for each in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
