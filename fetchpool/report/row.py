"""Row: the fields of a row that a report reads."""

from __future__ import annotations

from fetchpool.history.final_rows import Url


class Row(Url, gc=False):
    """The fields of a row that a report reads. Text rows and outputs with selected fields lack some."""

    urlnum: int | None = None
    url_effective: str | None = None
    response_code: int | None = None
    http_version: str | None = None
    content_type: str | None = None
    num_redirects: int | None = None
    num_retries: int | None = None
    remote_ip: str | None = None
    size_download: int | None = None
    size_delivered: int | None = None
    time_namelookup: float | None = None
    time_connect: float | None = None
    time_appconnect: float | None = None
    time_starttransfer: float | None = None
    time_total: float | None = None
    timestamp: str | None = None
    error: str | None = None
    errormsg: str | None = None
