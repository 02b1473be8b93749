"""Records each hop of a fetch as WARC records (`--warc`), compressed in the worker.

In: the hops of an exchange and their responses. Out: the same hops to the driver, and an `Outcome` with the
records of all its hops: as bytes, or, when they are large, in a file of the run's own spool directory, so
that no large body crosses from process to process. The parent appends them (`sinks/warc.py`); their content
is determined here, with warcio (WARC 1.1, ISO 28500:2017).

A response record holds the headers and the body as received. If the transport has removed a chunked transfer
coding, it is put back, as one chunk, so that the headers stay true and every reader of HTTP can read the
record. The head of HTTP/2 and 3 is written as HTTP/1.1, which WARC readers know.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from msgspec.structs import replace
from warcio.statusandheaders import StatusAndHeaders  # type: ignore[import-untyped]  # it ships no types
from warcio.warcwriter import WARCWriter  # type: ignore[import-untyped]

from fetchpool.http.stored_body import StoredBody, disk_failure
from fetchpool.http.throttle import body_of
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.sinks.spool import SpooledBody
from fetchpool.transports.base import HopRequest, HopResult, ParseRequest, ResponseHead, Steps

WARC_VERSION = "WARC/1.1"
SECRET = frozenset(("authorization", "proxy-authorization", "cookie", "cookie2"))
"""Request headers whose values stay out of the archive."""
REDACTED = "***"
ORIGINAL = "X-Archive-Orig-"
"""Prefix of a header that no longer applies to the record, as other archivers write it."""


class WarcRecorder:
    """Wraps a fetch's steps and records each hop as WARC records."""

    def __init__(self, directory: str, utc_now: Callable[[], str]) -> None:
        """`directory`: where large records of a fetch are stored."""
        self._directory = directory
        self._utc_now = utc_now

    def steps(self, steps: Steps) -> Steps:
        """Yield the same hops; return an outcome with their records."""
        records = WarcBuffer(self._directory)
        body: StoredBody | None = None
        failure = ""
        try:
            hop = next(steps)
            while True:
                assert isinstance(hop, HopRequest)
                receiver = body_of(hop.receiver)
                assert isinstance(receiver, StoredBody)
                body, asked, timestamp = receiver, hop, self._utc_now()
                response = yield hop
                assert response is not None
                try:
                    hop = steps.send(response)
                    while isinstance(hop, ParseRequest):
                        yield hop
                        hop = steps.send(None)
                finally:  # the hop's result is known only now
                    failure = failure or records.add(asked, body, response, timestamp)
                    body.discard()
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return records.attach_to(outcome, failure)
        except GeneratorExit:  # the run was aborted
            steps.close()
            records.spool.discard()
            if body is not None:
                body.discard()
            raise


class WarcOutput:
    """The file object that warcio writes to. The records themselves can't play this role: with their writer
    they would form a reference cycle, which holds a quarter of a mebibyte until the garbage collector
    runs."""

    def __init__(self, spool: SpooledBody) -> None:
        self.write = spool.write

    def flush(self) -> None:
        """Do nothing: the spool passes complete records on together."""


class WarcBuffer:
    """The records of one fetch. The caller that takes the spool owns it."""

    def __init__(self, directory: str) -> None:
        self.spool = SpooledBody(directory)
        self._writer = WARCWriter(WarcOutput(self.spool), gzip=True, warc_version=WARC_VERSION)

    def add(self, hop: HopRequest, body: StoredBody, response: HopResult, timestamp: str) -> str:
        """Add the records of one hop; none if nothing was sent. Return the error message of a failure of the
        local disk; empty if there is none."""
        if body.head is None and not _was_sent(hop, response):
            return ""
        try:
            self._add_pair(hop, body, response, timestamp)
        except OSError as failure:
            return disk_failure(failure)
        return ""

    def attach_to(self, outcome: Outcome, failure: str) -> Outcome:
        """Return the outcome with these records or, if the local disk has failed, an outcome with that
        failure."""
        self.spool.close()
        failure = failure or outcome.storage_error
        if failure or outcome.record.error == FailureKind.ABORTED:
            self.spool.discard()
        if not failure:
            return replace(outcome, warc_records=self.spool.content, warc_records_path=self.spool.path)
        return replace(
            outcome,
            record=replace(
                outcome.record,
                error=FailureKind.ABORTED,
                errormsg=failure,
                exitcode=FailureKind.ABORTED.exitcode,
            ),
            storage_error=failure,
            pending_redirect=None,
        )

    def _add_pair(self, hop: HopRequest, body: StoredBody, response: HopResult, timestamp: str) -> None:
        about = {"WARC-Date": timestamp}
        if response.remote_ip is not None:
            about["WARC-IP-Address"] = response.remote_ip
        request_id = self._add(hop, "request", _request(hop), [io.BytesIO(hop.body)], about)
        if body.head is not None:
            if why := _truncated(body, response):
                about["WARC-Truncated"] = why
            if body.head.http_version[:1] in ("2", "3"):
                about["WARC-Protocol"] = f"h{body.head.http_version[0]}"
            chunked, lines = _header_lines(body)
            with body.open_raw() as content:
                parts: list[BinaryIO] = [content]
                if chunked and body.size_download:
                    parts = [io.BytesIO(b"%x\r\n" % body.size_download), content, io.BytesIO(b"\r\n")]
                if chunked and not why:
                    parts.append(io.BytesIO(b"0\r\n\r\n"))
                head = [_status_line(body.head), *lines]
                self._add(hop, "response", head, parts, {**about, "WARC-Concurrent-To": request_id})

    def _add(
        self, hop: HopRequest, kind: str, head: list[bytes], parts: list[BinaryIO], about: dict[str, str]
    ) -> str:
        """Write one record; return its identifier."""
        record = self._writer.create_warc_record(
            hop.url,
            kind,
            payload=ChainedReader(parts),
            length=sum(_size(part) for part in parts),
            http_headers=RawHeaders(head),
            warc_headers_dict=about,
        )
        self._writer.write_record(record)
        identifier: str = record.rec_headers.get_header("WARC-Record-ID")
        return identifier


class RawHeaders(StatusAndHeaders):  # type: ignore[misc]  # warcio ships no types
    """Headers whose bytes are those that were sent, instead of warcio's own formatting."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__(lines[0].decode("latin-1"), [])
        self._lines = lines

    def compute_headers_buffer(self, _filter: Any = None) -> None:
        self.headers_buff = b"\r\n".join([*self._lines, b"", b""])


class ChainedReader:
    """Several streams read as one. It can be read twice, since warcio first hashes and then writes it."""

    def __init__(self, parts: list[BinaryIO]) -> None:
        self._parts = parts
        self._at = 0

    def read(self, size: int) -> bytes:
        while self._at < len(self._parts):
            if piece := self._parts[self._at].read(size):
                return piece
            self._at += 1
        return b""

    def tell(self) -> int:
        """Return the position; warcio only asks for it at the start."""
        return 0

    def seek(self, _start: int) -> None:
        """Return to the start."""
        self._at = 0
        for part in self._parts:
            part.seek(0)


def _size(part: BinaryIO) -> int:
    size = part.seek(0, io.SEEK_END)
    part.seek(0)
    return size


def _was_sent(hop: HopRequest, response: HopResult) -> bool:
    """Whether there was a connection on which to send the request."""
    secured = response.time_appconnect if hop.url.startswith("https:") else response.time_connect
    return response.time_connect is not None and secured is not None


def _request(hop: HopRequest) -> list[bytes]:
    """Return the request's head with its secrets redacted."""
    parts = urlsplit(hop.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{hop.method} {target} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in hop.headers):
        lines.append(f"Host: {parts.netloc}")
    for name, value in hop.headers:
        lines.append(f"{name}: {REDACTED if name.lower() in SECRET else value}")
    return [line.encode("utf-8", "surrogateescape") for line in lines]


def _status_line(head: ResponseHead) -> bytes:
    line = head.status_line.rstrip(b"\r\n")
    if line.startswith((b"HTTP/1.0 ", b"HTTP/1.1 ")):
        return line
    _, _, rest = line.partition(b" ")
    return b"HTTP/1.1 " + (rest.strip() or b"%d" % head.status) + b" "


def _header_lines(body: StoredBody) -> tuple[bool, list[bytes]]:
    """Return the header lines as received, and whether they say that the body must be chunked."""
    assert body.head is not None
    lines = [line.rstrip(b"\r\n") for line in body.head.headers.lines]
    codings = body.head.headers.get_all("transfer-encoding")
    if not codings:
        return False, lines
    if [coding.lower() for coding in codings] == ["chunked"]:
        return not body.bodiless, lines
    prefix = b"transfer-encoding:"  # it also named another coding, which the transport has removed
    return False, [
        ORIGINAL.encode() + line if line[: len(prefix)].lower() == prefix else line for line in lines
    ]


def _truncated(body: StoredBody, response: HopResult) -> str:
    """Return why the record lacks a part of the body; empty if it is complete."""
    failure = response.failure or (body.failure if body.stopped else None)
    if failure is not None:
        return failure.kind.warc_truncated
    return "length" if body.stopped else ""
