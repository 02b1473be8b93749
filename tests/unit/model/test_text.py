"""What a server or a list says, made safe to show: nothing of it acts, nothing hides."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.model.text import escape_invisible, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("a\r\nb\tc\x00", r"a\x0d\x0ab\x09c\x00"),
        ("\x7f\x80\x9b31m", r"\x7f\x80\x9b31m"),
        ("gpj.\u202eexe\u202c \u2066x\u2069 \u200f", r"gpj.\u202eexe\u202c \u2066x\u2069 \u200f"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\ufeffpay\u200bpal\u00ad\u2060", r"\ufeffpay\u200bpal\xad\u2060"),
        ("\udcff\ud800", r"\udcff\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("pay\u200dpal \u200c", r"pay\u200dpal \u200c"),
    ],
)
def test_invisible_characters_are_escaped(text: str, shown: str) -> None:
    assert escape_invisible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://h/[/foo] [bold]x[/bold] =cmd \\x1b \\",
        "Füße, 東京, العربية, हिन्दी",
        "no-break\u00a0space\u3000wide",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, spelled with a joiner
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",  # a family, a red heart
    ],
)
def test_visible_characters_are_unchanged(text: str) -> None:
    assert escape_invisible(text) == text


def test_one_line_is_one_line_of_at_most_so_many_characters() -> None:
    assert one_line("  HTTP/1.1 200\r\n  folded\t\x1b[0m \n", 100) == r"HTTP/1.1 200 folded \x1b[0m"
    assert one_line("x" * 10, 10) == "x" * 10
    assert one_line("x" * 11, 10) == "x" * 9 + "…"


@given(st.text() | st.text(st.sampled_from("a\xe9\u200c\u200d\u202e\x1b\\")))
def test_nothing_invisible_is_left_and_cleaning_again_changes_nothing(text: str) -> None:
    shown = escape_invisible(text)
    assert not {category(char) for char in shown if char not in "\u200c\u200d"} & {
        "Cc",
        "Cf",
        "Cs",
        "Zl",
        "Zp",
    }
    assert escape_invisible(shown) == shown
    assert shown.encode().decode() == shown


@given(st.text(), st.integers(1, 50))
def test_a_line_keeps_to_its_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert escape_invisible(line) == line
    assert one_line(line, limit) == line
