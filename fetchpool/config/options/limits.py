"""Options of the group "Retries and limits": retries, and the limits of time and size."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope, Settable

OPTIONS: tuple[Option, ...] = (
    Option(
        "retry",
        "--retry N",
        types.INTEGER,
        "Retry transient failures up to N times: timeouts except --max-time, failed or broken "
        "connections, status 408, 429, 500, 502, 503, 504, 522, 524.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "retry_delay",
        "--retry-delay TIME",
        types.DURATION,
        "Backoff before the first retry; doubles with each retry, with full jitter.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "retry_max_time",
        "--retry-max-time TIME",
        types.DURATION_LIMIT,
        "Start no retry later than TIME after the URL's first attempt; 0 is no limit.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "connect_timeout",
        "--connect-timeout TIME",
        types.TIMEOUT,
        "Maximum time for DNS lookup, TCP connect and TLS handshake.",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "read_timeout",
        "--read-timeout TIME",
        types.TIMEOUT,
        "Maximum time without receiving data.",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "max_time",
        "-m --max-time TIME",
        types.TIMEOUT,
        "Maximum total time per attempt, including redirects.",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "max_filesize",
        "--max-filesize SIZE",
        types.SIZE_LIMIT,
        "Maximum body size, before and after decompression; 0 is no limit.",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "max_redirs",
        "--max-redirs N",
        types.INTEGER,
        "Maximum number of redirects to follow.",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "no_follow",
        "--no-follow",
        types.SWITCH,
        "Do not follow redirects: a 3xx response is final and counts as success. Adds redirect_url to the "
        "row.",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "accept",
        "--accept STATUS,...",
        types.STATUSES,
        "Statuses that count as success, such as 200..299,403; all others are failures. By default those "
        "under 400 are successes. Repeatable.",
        Scope.POOL,
    ),
)
