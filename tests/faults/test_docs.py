"""docs/faults.md is current, and every fault has a test."""

from __future__ import annotations

import ast

from tests.faults import write_docs


def test_the_fault_page_is_current() -> None:
    assert write_docs.PAGE.read_text() == write_docs.page(), "run: python -m tests.faults.write_docs"


def test_every_fault_has_a_test_that_says_what_happens() -> None:
    tests = [
        test for path in write_docs.files() for test in write_docs.described(ast.parse(path.read_text()))
    ]
    assert {test.number for test in tests} >= set(write_docs.NUMBERS)
    silent = set(write_docs.NUMBERS) - {test.number for test in tests if test.text}
    assert not silent - {40, 41, 42, 43}, "their names say it all"
