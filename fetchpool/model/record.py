"""Record: the row of a URL, and the fields that a row can have.

In: nothing. Out: frozen, slotted, picklable values. Imports nothing of the project; no I/O, no policy.

    FetchRequest ──▶ a worker ──▶ Outcome (one attempt) ──▶ Record (the final row)
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict


class StoredRow(Struct, gc=False):
    """A row that an output already has: the fields that a resumed run needs."""

    url: str
    """The URL as shown in the row."""
    error: str | None


TRANSIENT_STATUSES = frozenset((408, 429, 500, 502, 503, 504, 522, 524))
"""The statuses that curl's `--retry` retries."""


class Cookie(Struct, frozen=True, gc=False):
    """A cookie that a redirect has set, with the attributes that decide where it is sent (RFC 6265 section
    5.3)."""

    name: str
    value: str
    domain: str
    """The host, or the domain to whose hosts it is sent."""
    host_only: bool
    path: str
    secure: bool


class Record(Struct, frozen=True):
    """The row of one URL of the input. Names and meanings are curl's write-out variables; times are seconds,
    cumulative from the start of the last hop; sizes are bytes."""

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
        """Whether the body was received and decoded completely, with a final status under 400."""
        return self.error is None

    @property
    def content(self) -> bytes | None:
        """The decoded body, if the run keeps it (`keep="body"`) and it was received completely."""
        body = self.extra.get("body")
        return body if isinstance(body, bytes) else None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as a flat mapping, in the documented order, with the parsers' fields last."""
        row = asdict(self)
        row.update(row.pop("extra"))
        return row


FieldType = Literal["boolean", "integer", "real", "text", "binary", "texts", "headers", "redirects"]
"""The types of added fields in outputs with typed columns: `texts` is a list of text, `headers` lists of text
by name, `redirects` a list of URLs with statuses."""
FEATURE_TYPES: dict[str, FieldType] = {
    "sha256": "text",
    "filename_effective": "text",
    "etag": "text",
    "last_modified": "text",
    "not_modified": "boolean",
}
"""Fields that options add to the row, with their types."""
ROW_FIELDS: tuple[str, ...] = Record.__struct_fields__[:-1]
"""The row's own columns, in order; the parsers' fields follow."""
RESERVED_NAMES = frozenset((*ROW_FIELDS, *FEATURE_TYPES, "redirect_url", "extra", "content_encoding"))
"""Names that a parser's field or an input's column can't have; such fields get a prefix."""
INT64 = range(-(1 << 63), 1 << 63)
"""The integers that every output can store: those of SQLite and Parquet have 64 bits."""
