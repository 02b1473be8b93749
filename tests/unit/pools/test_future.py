"""The pools' future does what the standard library's does: both are put through the same."""

from __future__ import annotations

import signal
import sys
import threading
from concurrent.futures import CancelledError, Future, InvalidStateError, TimeoutError, as_completed, wait

import pytest

from fetchpool.model import urls
from fetchpool.model.errors import WorkerLostError
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import refusal
from fetchpool.pools.future import LightFuture

OUTCOME = refusal(urls.request(0, "http://h/"), FailureKind.RESET, timestamp="2026-01-01T00:00:00.000Z")
RECORD = OUTCOME.record

both = pytest.mark.parametrize("kind", [Future, LightFuture])


@both
def test_callbacks_are_called_once_in_order_whether_it_is_done_or_not(kind):
    future, called = kind(), []
    for number in range(3):
        future.add_done_callback(lambda done, number=number: called.append((number, done.result())))
    assert future.set_running_or_notify_cancel()
    assert called == []
    future.set_result(RECORD)
    assert called == [(0, RECORD), (1, RECORD), (2, RECORD)]
    future.add_done_callback(called.append)
    assert called[3:] == [future]
    assert future.done()
    assert future.exception(0) is None


@both
def test_a_callback_that_raises_stops_no_other_and_not_the_thread(kind, caplog):
    future, called = kind(), []
    future.add_done_callback(lambda _: 1 / 0)
    future.add_done_callback(called.append)
    future.set_running_or_notify_cancel()
    future.set_result(RECORD)
    future.add_done_callback(lambda _: 1 / 0)
    assert called == [future]
    assert caplog.text.count("ZeroDivisionError") == 2


@both
def test_the_result_wakes_waiting_callers(kind):
    future, results = kind(), []
    waiting = [threading.Thread(target=lambda: results.append(future.result(15))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    future.set_running_or_notify_cancel()
    future.set_result(RECORD)
    for thread in waiting:
        thread.join(15)
    assert results == [RECORD] * 3


@both
def test_a_wait_that_is_too_short_times_out(kind):
    future = kind()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            future.result(0.001)
        with pytest.raises(TimeoutError):
            future.exception(0)
    future.set_running_or_notify_cancel()
    future.set_result(RECORD)
    assert future.result(0) is RECORD


@both
def test_the_librarys_own_functions_wait_for_it(kind):
    futures = [kind() for _ in range(20)]
    for future in futures[:5]:
        future.set_running_or_notify_cancel()
        future.set_result(RECORD)
    assert len(wait(futures, timeout=0).done) == 5

    def finish() -> None:
        for future in futures[5:]:
            future.set_running_or_notify_cancel()
            future.set_result(RECORD)

    thread = threading.Thread(target=finish)
    thread.start()
    assert [future.result() for future in as_completed(futures, timeout=15)] == [RECORD] * 20
    thread.join()


@both
def test_it_can_be_cancelled_until_it_runs(kind):
    future, called = kind(), []
    future.add_done_callback(called.append)
    assert future.cancel()
    assert called == [future]
    assert future.cancelled()
    assert not future.set_running_or_notify_cancel()
    with pytest.raises(CancelledError):
        future.result(0)
    running = kind()
    assert running.set_running_or_notify_cancel()
    assert not running.cancel()
    assert running.running()


@both
def test_it_carries_an_exception(kind):
    future = kind()
    future.set_running_or_notify_cancel()
    lost = WorkerLostError("it died")
    future.set_exception(lost)
    assert future.exception(0) is lost
    with pytest.raises(WorkerLostError):
        future.result(0)


@both
def test_it_has_one_result(kind):
    future = kind()
    future.set_running_or_notify_cancel()
    future.set_result(RECORD)
    with pytest.raises(InvalidStateError):
        future.set_result(RECORD)
    with pytest.raises(InvalidStateError):
        future.set_exception(WorkerLostError("it died"))
    assert "finished" in repr(future)


@pytest.mark.parametrize("finish", ["set_result", "set_exception", "cancel"])
def test_a_callback_may_raise_a_base_exception(finish, caplog):
    future, called = LightFuture(), []
    future.add_done_callback(lambda _: sys.exit())
    future.add_done_callback(called.append)
    if finish == "cancel":
        future.cancel()
    else:
        future.set_running_or_notify_cancel()
        getattr(future, finish)(RECORD if finish == "set_result" else WorkerLostError("it died"))
    assert called == [future]
    assert caplog.text.count("SystemExit") == 1


def test_an_interrupt_is_raised_by_result_after_all_callbacks_were_called():
    future, called = LightFuture(), []
    future.add_done_callback(lambda _: signal.raise_signal(signal.SIGINT))
    future.add_done_callback(called.append)
    future.set_running_or_notify_cancel()
    with pytest.raises(KeyboardInterrupt):
        future.set_result(RECORD)
    assert called == [future]
    assert future.result(0) is RECORD


def test_the_result_is_the_row_and_the_engine_gets_the_outcome_that_it_is_part_of():
    future = LightFuture()
    future.set_running_or_notify_cancel()
    future.complete(OUTCOME)
    assert future.result(0) is RECORD
    assert future.outcome() is OUTCOME


def test_the_outcome_of_a_failed_future_raises_what_its_result_raises():
    future = LightFuture()
    future.set_running_or_notify_cancel()
    future.set_exception(WorkerLostError("it died"))
    with pytest.raises(WorkerLostError):
        future.outcome()
