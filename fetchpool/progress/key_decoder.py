"""Decodes the bytes that a terminal sends into the keys that a user pressed. In: bytes, and the time at which
they were read. Out: single characters. Cursor and function keys, replies of the terminal and pasted text
don't count as keys, and are dropped completely. Pure.
"""

from __future__ import annotations

from enum import Enum, auto

ESCAPE, BELL = 0x1B, 0x07
PAUSE = 0.1
"""Seconds after which bytes belong to another key press or paste."""
MAX_PRESSES = 3
"""Maximum number of different keys in one read; more at once are pasted text. A single key may repeat any
number of times."""
STRING_STARTS = b"PX]^_"
"""Characters that, after an escape, start a string, which ends with a bell or with an escape and a
backslash."""


class _State(Enum):
    """The context of the next byte."""

    KEY = auto()
    ESCAPE = auto()
    """The byte after an escape."""
    SEQUENCE = auto()
    """A control sequence, which ends with a byte from `@` to `~`."""
    SINGLE = auto()
    """The last byte of a function key (SS3)."""
    STRING = auto()


class KeyDecoder:
    """Decodes the bytes of one terminal."""

    def __init__(self) -> None:
        self._state = _State.KEY
        self._latest = float("-inf")
        self._sequence = bytearray()
        self._is_pasting = False

    def feed(self, octets: bytes, now: float) -> list[str]:
        """Return the keys in `octets`, which were read at `now`."""
        if now - self._latest > PAUSE:  # the escape was the Escape key
            self._state = _State.KEY
            self._is_pasting = False
        self._latest = now
        keys = [chr(octet) for octet in octets if self._is_key(octet)]
        if len(set(keys)) > MAX_PRESSES:
            self._is_pasting = True
        return [] if self._is_pasting else keys

    def _is_key(self, octet: int) -> bool:
        """Whether the next byte is a key in itself."""
        if octet == ESCAPE:
            self._state = _State.ESCAPE
            self._sequence.clear()
        elif self._state is _State.KEY:
            return 0x20 <= octet < 0x7F
        elif self._state is _State.ESCAPE:
            self._state = _after_escape(octet)
        elif self._state is _State.SEQUENCE:
            self._sequence.append(octet)
            if 0x40 <= octet <= 0x7E:
                self._end_sequence()
        elif self._state is _State.SINGLE or octet == BELL:
            self._state = _State.KEY
        return False

    def _end_sequence(self) -> None:
        self._state = _State.KEY
        if self._sequence == b"200~":  # the terminal marks a paste
            self._is_pasting = True
        elif self._sequence == b"201~":
            self._latest = float("-inf")  # the next byte is another key press


def _after_escape(octet: int) -> _State:
    if octet == ord("["):
        return _State.SEQUENCE
    if octet == ord("O"):
        return _State.SINGLE
    if octet in STRING_STARTS:
        return _State.STRING
    return _State.KEY  # Alt with a key, or the end of a string
