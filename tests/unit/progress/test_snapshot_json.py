"""The snapshot as JSON: its keys, and text that must not reach a terminal."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec.structs import replace

from fetchpool.engine.events import ActiveRequest, Snapshot
from fetchpool.progress.snapshot_json import encode
from fetchpool.scheduler.waits import Wait, WaitReason
from tests.factories import RUNNING

WAITING = Wait(WaitReason.NO_RESPONSE, 60, 118.0, host="example.org", hosts=1)


def test_the_keys_are_the_fields_of_the_snapshot_in_order() -> None:
    found = json.loads(encode(RUNNING))
    assert list(found) == list(Snapshot.__struct_fields__)
    assert (found["done"], found["ok"], found["in_flight"]) == (RUNNING.done, RUNNING.ok, RUNNING.in_flight)
    assert found["failed"][0] == json.loads(msgspec.json.encode(RUNNING.failed[0]))


def test_a_reader_gets_the_same_snapshot() -> None:
    snapshot = replace(RUNNING, wait=WAITING)
    assert msgspec.json.decode(encode(snapshot), type=Snapshot) == snapshot
    assert json.loads(encode(snapshot))["wait"]["reason"] == "no_response"


@pytest.mark.parametrize("char", ["\x1b", "\n", "\x7f", "\x9b", "\u202e", "\u2028", "\ud800", "\U000e0041"])
def test_no_character_that_moves_the_cursor_is_in_the_line(char: str) -> None:
    url = f"http://example.org/{char}ü"
    line = encode(replace(RUNNING, slowest=(ActiveRequest(url, 1.0),)))
    assert line.decode().isprintable()
    assert json.loads(line)["slowest"][0]["url"] == url


def test_a_number_that_json_does_not_have_is_null() -> None:
    assert json.loads(encode(replace(RUNNING, eta=float("inf"))))["eta"] is None
