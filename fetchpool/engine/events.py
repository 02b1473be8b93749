"""Events and snapshots: what the engine reports to observers. Immutable, so that an observer can't slow down
or change a run.

The engine's `Stats` count; a few times a second, and once at the end, a `Snapshot` is made of them and handed
to every observer, with the rare events in between.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.model.record import Record
from fetchpool.model.steering import Settings, State
from fetchpool.model.text import memory_size
from fetchpool.scheduler.host_change import HostChange
from fetchpool.scheduler.waits import PausedHost, Wait

MOST_EXAMPLES = 5
"""Examples of each kind of failure."""
MOST_HOSTS = 10
"""Hosts in each list of `Hosts`."""
TIME_BOUNDS = tuple(round(0.001 * 10 ** (number / 7), 6) for number in range(39))
"""Upper bounds of the buckets of `Snapshot.times`, in seconds: 1 ms to 268 s. The last bucket has none."""
SIZE_BOUNDS = tuple(1 << number for number in range(39))
"""Upper bounds of the buckets of `Snapshot.sizes`, in bytes. The last bucket has none."""


class ActiveRequest(Struct, frozen=True):
    """A request in flight. `url` is safe to show; `seconds` is how long it has run."""

    url: str
    seconds: float


class FailureCount(Struct, frozen=True):
    """Number of final rows with an `error`, and the URLs of the first of them, safe to show."""

    kind: str
    count: int
    examples: tuple[str, ...]
    """At least one, and at most `MOST_EXAMPLES`."""

    @property
    def example(self) -> str:
        """The first example."""
        return self.examples[0]


class BusyHost(Struct, frozen=True):
    """A host with requests in flight."""

    host: str
    in_flight: int
    waiting: int
    """Number of its queued requests."""


class FailingHost(Struct, frozen=True):
    """A host with failed URLs."""

    host: str
    count: int
    """Number of its final rows with an error; a lower bound if very many hosts fail."""
    kind: str
    """The latest error."""


class Hosts(Struct, frozen=True):
    """The most relevant hosts of the run, at most `MOST_HOSTS` in each list."""

    busiest: tuple[BusyHost, ...] = ()
    """Most requests in flight first."""
    paused: tuple[PausedHost, ...] = ()
    """Most waiting requests first."""
    failing: tuple[FailingHost, ...] = ()
    """Most failures first."""


class WaitTimes(Struct, frozen=True):
    """Seconds spent at each bottleneck. They add up to the elapsed time, approximately: each iteration of the
    engine's loop counts for one of them."""

    workers: float
    """All workers were busy while requests were queued."""
    host_limit: float
    """Workers were free, but the hosts of the queued requests were at their limit (`--per-host`)."""
    rate_limit: float
    """Workers were free, but a rate limit or a delay (`--rate`, `--host-delay`, Crawl-delay) applied."""
    backoff: float
    """Workers were free, but the hosts of the queued requests were backing off (429, 503)."""
    retries: float
    """Workers were free, but the queued requests waited for a retry, or for a host that did not respond."""
    proxy: float
    """Workers were free, but the proxy did not respond."""
    dns: float
    """Workers were free, but the hosts of the queued requests were being resolved."""
    source: float
    """Workers were free, but the input had no more URLs yet."""
    ending: float
    """The input was at its end and the last requests were in flight."""
    stopping: float
    """The run was stopped and the last requests were in flight."""
    cpu: float
    """CPU seconds of this process and its children during the run."""
    cores: int
    paused: float = 0.0
    """The run was paused."""
    output: float = 0.0
    """Workers were free, but the reader of standard output had not read the rows."""
    idle: float | None = None
    """Core seconds for which this machine was idle during the run; None if unknown."""
    stations: float = 0.0
    """Seconds for which the workers of a cluster have run, added up."""
    stations_cpu: float = 0.0
    """CPU seconds of these workers."""


class Snapshot(Struct, frozen=True):
    """The run at one moment. Times are seconds, sizes bytes, rates per second over the last few seconds."""

    elapsed: float
    done: int
    """Finished URLs: those with a final row, including rows of earlier runs."""
    ok: int
    failed: tuple[FailureCount, ...]
    """Most frequent first."""
    retries: int
    in_flight: int
    slowest: tuple[ActiveRequest, ...]
    """The requests that have been in flight longest, at most five."""
    queued: int
    """Requests that were read from the input and have not started."""
    delayed: int
    """How many of `queued` wait for a time (a rate limit, a backoff or a retry), not for a worker."""
    total: int | None
    """Distinct URLs in the input: exact once it was read to its end, before that estimated from the share of
    bytes read; None if there is no estimate (a pipe)."""
    total_exact: bool
    eta: float | None
    """Seconds until `total` is done at the rate of the last minute, and never fewer than the queued requests
    are known to wait; None if unknown."""
    size_delivered: int
    size_download: int
    urls_per_second: float
    bytes_per_second: float
    """Delivered bytes, after decoding."""
    time_p50: float
    """The median of `time_total` over all rows that have one, within 2.5 %."""
    time_p95: float
    """The 95th percentile of `time_total`, within 2.5 %."""
    time_max: float
    """The largest `time_total`."""
    time_waiting: float
    """Sum over all attempts: until the first byte of the response, or until the attempt failed. Workers
    overlap."""
    time_receiving: float
    """Sum over all rows, from the first byte to the last. Includes the time that threads wait for the
    interpreter."""
    size_p50: int
    """The median of `size_delivered` over all rows without an error."""
    size_max: int
    """The largest `size_delivered` of a row without an error."""
    workers: int
    """Current maximum number of concurrent fetches."""
    workers_reason: str
    """Why `-w auto` chose that number; empty if the user did."""
    wait_times: WaitTimes
    done_before: int = 0
    """How many of `done` have a row from an earlier run. Sizes, times and rates do not include them."""
    failed_before: int = 0
    """How many of `done_before` have an error."""
    duplicates: int = 0
    """Duplicate URLs in the input; not part of `total`."""
    hosts_at_once: int = 0
    """Maximum number of hosts that had requests at the same time."""
    time_in_timeouts: tuple[tuple[str, float], ...] = ()
    """The parts of `time_waiting` and `time_receiving` that belong to attempts that timed out, by error."""
    time_longest_response: float = 0.0
    """The longest `time_total` of a row without an error."""
    state: State = State.RUNNING
    time_paused: float = 0.0
    """The part of `elapsed` for which the run was paused with nothing in flight. No rate includes it."""
    settings: Settings | None = None
    """The settings that commands change, as they are now."""
    wait: Wait | None = None
    """What most of the delayed requests wait for."""
    last_within: float | None = None
    """Seconds until the last attempts in flight reach their time limit, if nothing else is left to fetch and
    they are slow; else None."""
    seq: int = 0
    """The snapshot's number."""
    workers_lost: int = 0
    """Workers (processes) that have crashed while they were fetching."""
    attempts_lost: int = 0
    """Attempts that ended with these workers. Their URLs are fetched again, which does not count as a
    retry."""
    rate_average: float = 0.0
    """URLs per second since the start of the run, without `time_paused`."""
    rate_ok: float = 0.0
    rate_failed: float = 0.0
    """`rate_ok` and `rate_failed` are the two parts of `urls_per_second`."""
    recent_p50: float | None = None
    """The median of `time_total` over the rows of the last complete second; None if it had none."""
    recent_p95: float | None = None
    """The 95th percentile of `time_total` over the same rows."""
    hosts: Hosts = Hosts()
    """This and the fields below are updated once a second, and only for an observer that `wants_details`."""
    times: tuple[int, ...] = ()
    """Rows by `time_total`, in the buckets of `TIME_BOUNDS`."""
    sizes: tuple[int, ...] = ()
    """Rows without an error by `size_delivered`, in the buckets of `SIZE_BOUNDS`."""

    @property
    def stopping(self) -> bool:
        """Whether the run was stopped, and requests are still in flight."""
        return self.state is State.STOPPING


class RetryScheduled(Struct, frozen=True):
    """An attempt failed and will be retried in `delay` seconds."""

    record: Record
    delay: float


class EventKind(Enum):
    """The kind of an event, as the log of a run names it."""

    STARTED = "started"
    """The run begins."""
    READ_BACK = "read_back"
    """The rows of earlier runs are loaded (`--resume`)."""
    NOTICE = "notice"
    """A line for the user."""
    STEERED = "steered"
    """The run was paused, resumed, changed or stopped, by a key or from the web page."""
    HOST_COOLING = "host_cooling"
    """A host begins to get fewer requests: it responded with 429 or 503, or does not respond."""
    HOST_DOWN = "host_down"
    """A host does not respond: its queued requests end as `host_down`."""
    WORKER_LOST = "worker_lost"
    """A worker crashed; what it was fetching is fetched again."""
    RETRYING = "retrying"
    """An attempt failed, and another one follows."""
    FAILED = "failed"
    """A final row has an error."""
    PROGRESS = "progress"
    """The state of the run, once a minute."""
    ENDED = "ended"
    """The run has ended."""


class Notice(Struct, frozen=True):
    """One line for the user, shown once: a worker crashed, a limit was raised."""

    text: str
    kind: EventKind = EventKind.NOTICE


class ReadBack(Struct, frozen=True):
    """The rows of earlier runs are loaded."""

    rows: int


Event = RetryScheduled | Notice | ReadBack | HostChange


def light(item: Event | Record) -> tuple[Event | Record, int]:
    """Return the event or row without its extra fields, which no line shows, and its size in memory, for an
    observer that queues it."""
    if isinstance(item, Record):
        return _bare(item), _weight(item)
    if isinstance(item, RetryScheduled):
        return RetryScheduled(_bare(item.record), item.delay), _weight(item.record)
    return item, len(item.text) if isinstance(item, Notice) else 0


def _bare(record: Record) -> Record:
    return replace(record, extra={}) if record.extra else record


def _weight(record: Record) -> int:
    return memory_size(record.url) + len(record.url_effective) + len(record.errormsg or "")
