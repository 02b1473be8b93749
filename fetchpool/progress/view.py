"""View: the parts of the live display that the user has chosen with keys. The thread that reads the keys
changes it, and the thread that draws reads it.
"""

from __future__ import annotations


class View:
    """The choices for one live display."""

    __slots__ = ("details", "failures", "has_keys", "has_page", "help", "is_stopped")

    def __init__(self, *, failures: bool = False) -> None:
        self.details = False
        self.failures = failures
        """Whether failures scroll above the display."""
        self.has_keys = False
        """Whether keys are read."""
        self.has_page = False
        """Whether there is a web page, for which a key shows a new link."""
        self.help = False
        """Whether all keys are explained."""
        self.is_stopped = False
        """Whether a key has stopped the run, so that a second press resumes it."""
