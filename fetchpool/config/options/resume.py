"""Options of the group "Resume": how a run continues from an earlier output."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope

OPTIONS: tuple[Option, ...] = (
    Option(
        "resume",
        "--resume",
        types.SWITCH,
        "Skip URLs that the outputs already contain. The summary and the exit code cover all URLs of the "
        "list.",
        Scope.CONFIG,
    ),
    Option(
        "retry_failed",
        "--retry-failed KIND",
        types.ERRORS,
        "Like --resume, and also retry URLs whose row has one of these errors: all, timeout, http_5xx, "
        "http_4xx, or kinds such as dns,http_429. The last row of a URL counts. Without INPUT, the list "
        "is the URLs of the output with these errors. Repeatable.",
        Scope.CONFIG,
    ),
    Option(
        "dedupe",
        "--no-dedupe",
        types.SWITCH,
        "Fetch duplicate URLs as well.",
        excludes=("resume", "retry_failed"),
    ),
    Option(
        "seen_memory",
        "--seen-memory SIZE",
        types.SIZE,
        "Memory for duplicate detection, about 15 bytes per URL. When it is full, a temporary file is used.",
    ),
)
