"""The nouns: what is asked, what came back, why it failed, and the row that says so.

In: nothing. Out: frozen, slotted, picklable values that every other room hands around.
This room imports nothing of the project but `errors`; it does no I/O and holds no policy.

    FetchRequest ──▶ a worker ──▶ Outcome (one attempt) ──▶ Record (the final row)
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import asdict


class StoredRow(Struct, gc=False):
    """A row that an output has: as much of it as a resumed run must know."""

    url: str
    """As the row shows it."""
    error: str | None


TRANSIENT_STATUSES = frozenset((408, 429, 500, 502, 503, 504, 522, 524))
"""What curl's `--retry` calls transient."""


class Cookie(Struct, frozen=True, gc=False):
    """A cookie that a redirect has set, as far as it matters where it goes (RFC 6265 section 5.3)."""

    name: str
    value: str
    domain: str
    """The host, or the domain whose hosts get it."""
    host_only: bool
    path: str
    secure: bool


class Record(Struct, frozen=True):
    """The row: one for every URL of the input. Names and meanings are curl's write-out variables;
    times are seconds, cumulative from the start of the last hop; sizes are bytes."""

    urlnum: int
    url: str
    url_effective: str
    method: str | None
    response_code: int | None
    http_version: str | None
    content_type: str | None
    num_redirects: int
    num_retries: int
    remote_ip: str | None
    size_download: int | None
    size_delivered: int | None
    time_namelookup: float | None
    time_connect: float | None
    time_appconnect: float | None
    time_starttransfer: float | None
    time_total: float | None
    timestamp: str
    error: str | None
    errormsg: str | None
    exitcode: int
    extra: dict[str, Any] = {}

    @property
    def ok(self) -> bool:
        """Received and decoded completely, with a final status under 400."""
        return self.error is None

    def to_dict(self) -> dict[str, Any]:
        """The row as a flat mapping, in the documented order, parsers' fields last."""
        row = asdict(self)
        row.update(row.pop("extra"))
        return row


FEATURE_FIELDS = ("sha256", "filename_effective", "etag", "last_modified", "not_modified")
"""What features add to the row, each when it is asked for."""
ROW_FIELDS: tuple[str, ...] = Record.__struct_fields__[:-1]
"""The row's own columns, in order; what parsers add comes after them."""
RESERVED_NAMES = frozenset((*ROW_FIELDS, *FEATURE_FIELDS, "extra", "content_encoding"))
"""Names of fields that neither a parser nor an input's column can have: they get a prefix."""
INT64 = range(-(1 << 63), 1 << 63)
"""The integers that every output can hold: SQLite's and Parquet's have 64 bits."""
