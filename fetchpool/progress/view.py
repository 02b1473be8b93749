"""What the live display shows below its first lines, as the user has chosen it by keys.

The thread that reads the keys changes it, and the one that draws reads it.
"""

from __future__ import annotations


class View:
    """The choices for one display."""

    __slots__ = ("details", "failures", "has_keys", "has_page", "help", "is_stopped")

    def __init__(self, *, failures: bool = False) -> None:
        self.details = False
        self.failures = failures
        """Whether failures scroll above the display."""
        self.has_keys = False
        """Whether keys are read."""
        self.has_page = False
        """Whether there is a web page, to which a key gives a new link."""
        self.help = False
        """Whether all keys are explained."""
        self.is_stopped = False
        """Whether a key has stopped the run, so that a key can take it back."""
