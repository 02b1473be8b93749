"""What a run says of workers that crash: each one once, and of very many at once together."""

from __future__ import annotations

from fetchpool.engine.crashes import REPORT_INTERVAL, REPORTS, CrashTracker


def lose(tracker: CrashTracker, worker: str, now: float, urlnums: range) -> list[str]:
    lines = []
    for urlnum in urlnums:
        tracker.count(urlnum, worker)
        lines.append(tracker.report(worker, now))
    return [line for line in lines if line]


def test_a_crashed_worker_is_reported_once_however_many_requests_it_had() -> None:
    tracker = CrashTracker()
    first = lose(tracker, "worker 1", 0.0, range(200))
    second = lose(tracker, "worker 2", 0.1, range(200, 400))
    late = lose(tracker, "worker 1", 9.0, range(400, 401))
    assert first == ["worker 1 crashed; retrying what it was fetching"]
    assert second == ["worker 2 crashed; retrying what it was fetching"]
    assert late == []
    assert (tracker.workers, tracker.attempts) == (2, 401)


def test_of_very_many_workers_that_crash_one_line_a_second_is_reported() -> None:
    tracker = CrashTracker()
    lines = [line for number in range(100) for line in lose(tracker, f"worker {number}", 0.0, range(1))]
    assert len(lines) == REPORTS
    later = lose(tracker, "worker 100", REPORT_INTERVAL, range(1))
    assert later == [f"{101 - REPORTS} workers crashed; retrying what they were fetching"]


def test_a_worker_without_a_name_is_reported_as_well() -> None:
    assert lose(CrashTracker(), "", 0.0, range(2)) == ["worker crashed; retrying what it was fetching"]
