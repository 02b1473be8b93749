"""Commands as the web page sends them: the checks and words are those of the options."""

from __future__ import annotations

import pytest

from fetchpool.config.configure import configure
from fetchpool.config.steering import MAX_MESSAGE, decode, encode, settings
from fetchpool.model.errors import UsageError
from fetchpool.model.steering import Abort, Command, Pause, PerHost, Rate, Resize, Resume, Stop

COMMANDS: list[Command] = [
    Pause(),
    Resume(),
    Resize(50),
    Resize("auto"),
    Rate(0.5),
    Rate(None),
    PerHost(3),
    PerHost(None),
    Stop(),
    Abort(),
]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_is_read_as_it_was_written(command):
    assert decode(encode(command)) == command


def test_settings_are_written_as_options():
    given = {"workers": 50, "rate": "30/m", "per_host": "5"}
    assert settings(given) == [Resize(50), Rate(0.5), PerHost(5)]
    assert settings({"workers": "auto", "rate": "0", "per_host": None}) == [
        Resize("auto"),
        Rate(None),
        PerHost(None),
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"workers": 0},
        {"workers": "many"},
        {"workers": 10_001},
        {"rate": "10"},
        {"rate": "-1/s"},
        {"per_host": "-1"},
        {"per_host": 1.5},
    ],
    ids=str,
)
def test_an_invalid_setting_is_refused_in_the_words_of_its_option(given):
    with pytest.raises(UsageError) as of_option:
        configure(["urls.txt"], outputs=["-"], **given)
    with pytest.raises(UsageError) as refused:
        settings(given)
    assert str(refused.value) == str(of_option.value)


@pytest.mark.parametrize(
    "given", [{}, {"speed": 3}, {"workers": [1]}, {"rate": {}}, {"workers": True}], ids=str
)
def test_what_is_no_setting_is_refused(given):
    with pytest.raises(UsageError):
        settings(given)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"[]",
        b'{"type":"quit"}',
        b'{"type":"pause","now":1}',
        b'{"type":"resize"}',
        b'{"type":"resize","workers":0}',
        b'{"type":"resize","workers":1e99}',
        b'{"type":"resize","workers":"all"}',
        b'{"type":"rate","rate":-1}',
        b'{"type":"per_host","limit":-1}',
        b"\xff\xfe",
        b"[" * (MAX_MESSAGE - 1),
        encode(Pause()) + b" " * MAX_MESSAGE,
    ],
    ids=repr,
)
def test_a_message_that_is_no_command_is_refused_in_one_line(message):
    with pytest.raises(UsageError) as refused:
        decode(message)
    assert "\n" not in str(refused.value)
