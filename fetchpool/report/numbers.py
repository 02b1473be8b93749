"""Numbers: the complete content of a report, as values from which the page, the text and the JSON are made.

In: nothing. Out: frozen structs, whose field names are those of the JSON. Times are seconds, sizes bytes; a
value that the outputs lack, such as times in text rows, is null.
"""

from __future__ import annotations

from msgspec import Struct

GENERATOR = "fetchpool report"
"""Marks a file as a report, which may be overwritten."""


class Example(Struct, frozen=True):
    """A URL, with its message if it failed."""

    url: str
    errormsg: str | None = None


class Slow(Struct, frozen=True):
    """One of the slowest URLs."""

    url: str
    time_total: float


class Large(Struct, frozen=True):
    """One of the largest bodies."""

    url: str
    size_delivered: int


class Named(Struct, frozen=True):
    """The number of rows with some value, such as a status."""

    name: str
    urls: int


class ContentType(Struct, frozen=True):
    """A type of bodies."""

    name: str
    urls: int
    size_delivered: int


class Kind(Struct, frozen=True):
    """A kind of failure."""

    error: str
    urls: int
    share: float
    """The share of all URLs."""
    examples: tuple[Example, ...]
    hosts: tuple[Named, ...]
    """The hosts with the most such failures."""


class Host(Struct, frozen=True):
    """A host. `error` is the most frequent kind of its failures."""

    host: str
    urls: int
    failed: int
    error: str | None
    first_failure: str | None
    last_failure: str | None
    p50: float | None
    p95: float | None
    longest: float | None


class Hosts(Struct, frozen=True):
    """The hosts of a list: those with the most URLs, with the most failures, and with the highest p95."""

    number: int
    exact: bool
    """False if there were too many hosts to count; there are then more than `number`."""
    missed: int
    """Maximum number of URLs missing in the numbers of each host."""
    all_failed: int
    """Number of hosts of which every URL failed."""
    busiest: tuple[Host, ...]
    failing: tuple[Host, ...]
    slowest: tuple[Host, ...]


class Spread(Struct, frozen=True):
    """The distribution of values. Percentiles are within 2.5 % of a value in the data."""

    count: int
    total: float
    minimum: float
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    maximum: float
    buckets: tuple[tuple[float, int], ...]
    """The upper bound of each bucket, and the number of values in it."""


class Phases(Struct, frozen=True):
    """The mean time of each phase, for the URLs between two percentiles."""

    above: float
    """Share of URLs that were faster, from 0 to 1."""
    up_to: float
    urls: int
    name: float
    connect: float
    tls: float
    wait: float
    """The wait for the first byte of the response."""
    receive: float


class Course(Struct, frozen=True):
    """The run in intervals. `start` is the time at which the first one begins."""

    start: str
    began: str
    ended: str
    elapsed: float
    interval: float
    covered: tuple[float, ...]
    """Seconds of each interval during which the run was active."""
    ok: tuple[int, ...]
    failed: tuple[int, ...]
    size_delivered: tuple[int, ...]
    p50: tuple[float | None, ...]
    p95: tuple[float | None, ...]


class Redirects(Struct, frozen=True):
    """The results of redirects and retries."""

    hops: tuple[Named, ...]
    """URLs by their number of redirects."""
    to_https: int
    """Number of URLs with `http:` that ended at `https:`."""
    retried: int
    """URLs that needed a retry."""
    retried_ok: int
    """The number of these that finally succeeded."""
    retries: int


class Numbers(Struct, frozen=True):
    """The numbers of a report."""

    generator: str
    total: int
    ok: int
    failed: int
    failures: dict[str, int]
    """Failures by kind, the most frequent first."""
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    size_delivered: int
    size_download: int
    kinds: tuple[Kind, ...]
    statuses: tuple[Named, ...]
    """URLs by class: `2xx`, and `none` without a response."""
    response_codes: tuple[Named, ...]
    times: Spread | None
    sizes: Spread | None
    """Sizes of the bodies of successful URLs."""
    phases: tuple[Phases, ...]
    course: Course | None
    hosts: Hosts
    slowest: tuple[Slow, ...]
    largest: tuple[Large, ...]
    redirects: Redirects | None
    content_types: tuple[ContentType, ...]
    http_versions: tuple[Named, ...]
    addresses: tuple[Named, ...]
