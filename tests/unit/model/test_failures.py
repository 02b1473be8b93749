"""The table of failures: every kind has a message, survives pickling, and a timeout names its limit."""

import pickle

import pytest

from fetchpool.model.failures import FailureKind


@pytest.mark.parametrize("kind", FailureKind)
def test_a_kind_is_its_error_and_has_a_one_line_message(kind: FailureKind) -> None:
    assert kind == kind.value == str(kind) == FailureKind(kind.value)
    assert kind.message.isprintable()
    assert "{" not in kind.message


@pytest.mark.parametrize("kind", FailureKind)
def test_a_kind_from_another_process_is_the_same_member(kind: FailureKind) -> None:
    assert pickle.loads(pickle.dumps(kind)) is kind


def test_the_message_of_a_timeout_names_its_limit() -> None:
    assert FailureKind.TIMEOUT_READ.after(30.0) == "read timeout: no data for 30 s"
    assert FailureKind.TIMEOUT_TOTAL.after(0.25) == "total timeout: not complete after 0.25 s"
    assert FailureKind.TIMEOUT_CONNECT.after(10) == "connect timeout: no connection after 10 s"
    assert FailureKind.TIMEOUT_DNS.after(10) == "DNS timeout: no address after 10 s"


def test_only_timeouts_form_the_group_of_timeouts() -> None:
    for kind in FailureKind:
        assert (kind.group == "timeout") == kind.startswith("timeout_")
