"""Whatever strangers say is worked through in linear time: four times as much takes about four times as long.

Each reader of foreign text gets a megabyte, in every shape: the same few characters over and over, which is
what makes a regex, a parser or a loop within a loop take the square of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import pyarrow as pa
import pytest
from pyarrow import parquet

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.crawl.link_header import header_links
from fetchpool.crawl.links import LinkExtractor
from fetchpool.crawl.robots_directives import header_forbids
from fetchpool.crawl.traps import trap
from fetchpool.http import conditional, response
from fetchpool.http.body import ResponseBody
from fetchpool.http.parsers import run as parsers
from fetchpool.http.parsers.markup import first_title
from fetchpool.model import encodings, fingerprint, urls
from fetchpool.model import text as clean
from fetchpool.model.crawl_rules import CrawlRules
from fetchpool.model.errors import UsageError
from fetchpool.scheduler import retry
from fetchpool.sinks import lines as row_lines
from fetchpool.sinks.added_columns import quoted
from fetchpool.sinks.read_back import read_rows
from fetchpool.sinks.row_lines import line_decoder
from fetchpool.sources import file_types, table_rows, tables
from fetchpool.sources import parquet as parquet_table
from fetchpool.sources.lines import LineSplitter
from fetchpool.transports.base import Headers, ResponseHead
from fetchpool.transports.curl import head
from fetchpool.transports.requests import framing

SHAPES = [
    *(
        " ",
        "\t",
        "\n",
        "\r\n",
        "\0",
        "\ufeff",
        "\u200d",
        "é",
        "\udc80",
        "a",
        "0",
        "9",
        "-",
        ".",
        ",",
        ";",
        ":",
    ),
    *("=", "'", '"', "[", "]", "{", "}", "<", ">", "/", "\\", "@", "#", "?", "&", "%", "%41", "://", "://@"),
    *("a,", "a, ", "a\n", ",\n", '"\n', '",\n', '",', '"a"', "[[", '{"a":', '{"url":[', '{"url":"x"}\n'),
    *(
        "W/",
        "gzip, ",
        "; charset=",
        "charset = ",
        "<meta ",
        "<meta charset=",
        "<!--",
        "-->",
        "<?xml ",
        "<a b='",
    ),
    *(
        "<svg><desc>",
        "<script><!--",
        "<b><i>",
        "</p>",
        "<title>",
        "&#",
        "&#9",
        "&amp",
        "url:<",
        "> size:[",
        "\\x1b",
    ),
    *("url\n", "url,a\n", "1\r\n", "a:b\n", " x\n", "\\u0041", "xn--", "1."),
]
MEBIBYTE = 1 << 20
MANY_LINES = MEBIBYTE // 8
"""For those who take microseconds for each line or character, as they may."""
PIECE = 4096


def wire_text(text: str) -> str:
    """As a header has it."""
    return wire(text).decode("latin-1")


def pieces(text: str) -> Iterator[tuple[bytes, int]]:
    data = text.encode("utf-8", "surrogatepass")
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE], start + PIECE


def wire(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def complete_body(*lines: bytes) -> None:
    body = ResponseBody(FetchOptions(), "GET")
    body.on_head(ResponseHead(200, "1.1", Headers([b"%s\r\n" % line for line in lines])))
    body.feed(b"x")
    body.finish()


def table(format: str | None, text: str) -> None:
    with_heading = text if format == "jsonl" else f"url,b\n{text}"
    wanted = table_rows.TableOptions("url", keep=True)
    list(tables.read(pieces(with_heading), format, wanted))


def list_of_lines(text: str) -> None:
    reader = LineSplitter()
    for piece, _ in pieces(text):
        for line in reader.feed(piece):
            urls.request(0, line)
    reader.finish()


def read_back(text: str) -> None:
    data = wire(text)
    list(row_lines.blocks(lambda start, size: data[start : start + min(size, PIECE)], 0, len(data)))
    list(row_lines.blocks_backwards(lambda start, size: data[start : start + min(size, PIECE)], 0, len(data)))


def cells_of(text: str, size: int) -> list[str]:
    """The text in cells of so many characters."""
    valid = wire(text).decode("utf-8", "replace")
    return [valid[at : at + size] for at in range(0, len(valid), size)]


def write_parquet(path: str, text: str) -> None:
    cells = cells_of(text, CELL) + cells_of(text, len(text))
    columns = {"url": cells, "extra": cells, "b": [[{"c": cell}] for cell in cells]}
    parquet.write_table(pa.table(columns), path)


def write_parquet_names(path: str, text: str) -> None:
    names = ["url", *cells_of(text, NAME)]
    parquet.write_table(pa.Table.from_arrays([pa.array(["http://h/"])] * len(names), names=names), path)


def write_sqlite(path: str, text: str) -> None:
    cells = cells_of(text, CELL) + cells_of(text, len(text))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE fetches (url, error, extra)")
        database.executemany("INSERT INTO fetches VALUES (?, ?, ?)", ((cell,) * 3 for cell in cells))


def write_sqlite_names(path: str, text: str) -> None:
    cells = cells_of(text.replace("\0", " "), NAME)
    names = ["url", *(f"{number}{cell}" for number, cell in enumerate(cells))]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute(f"CREATE TABLE fetches ({', '.join(map(quoted, names))})")
        database.execute("INSERT INTO fetches (url) VALUES ('http://h/')")


def write_raw(start: bytes, end: bytes) -> Callable[[str, str], None]:
    """A file that only begins and ends like one of the format."""
    return lambda path, text: Path(path).write_bytes(start + wire(text) + end) and None


def of_file(write: Callable[[str, str], None], read: Callable[[str], object]) -> Callable[[str], object]:
    """Write the text into a file, and read that."""

    def reader(text: str) -> None:
        with TemporaryDirectory() as directory:
            path = f"{directory}/file"
            write(path, text)
            read(path)

    return reader


def parquet_source(path: str) -> None:
    wanted = table_rows.TableOptions("url", keep=True)
    parquet_table.header(path, wanted)
    list(parquet_table.read(path, wanted))


def output_rows(format: str) -> Callable[[str], object]:
    return lambda path: list(read_rows(path, format, ("url", "error", "title")))


def parsed(parser: str, page: str) -> object:
    (found,) = parsers.load((parser,))
    page_type = Headers([b"Content-Type: text/html; charset=utf-8"])
    return found.function(response.Response(url="http://h/", content=wire(page), headers=page_type))


def links_of(page: str, content_type: str) -> object:
    rules = CrawlRules(starts=("http://h/",), want_links=True, want_fragments=True, trap_guard=False)
    return LinkExtractor(rules).extract(wire(page), "http://h/", content_type)


CELL, NAME = 1024, 64
HEADER = 100 * 1024
"""Bytes: what both transports allow of one header line."""
READERS: dict[str, tuple[int, Callable[[str], object]]] = {
    "a title": (MEBIBYTE, first_title),
    "a title in attributes": (MEBIBYTE, lambda text: first_title(f"<a {text}")),
    "a title's text": (MEBIBYTE, lambda text: first_title(f"<title>{text}")),
    "a script": (MEBIBYTE, lambda text: first_title(f"<script>{text}")),
    **{
        f"{name} in {start!r}": (
            MEBIBYTE // 4,
            lambda text, name=name, start=start: parsed(name, start + text),
        )
        for name, start in (
            *(
                ("meta", ""),
                ("meta", "<meta property=og:"),
                ("links", ""),
                ("links", "<base href=x><a href="),
            ),
            *(("text", ""), ("text", "<p hidden><div hidden>")),
        )
    },
    **{
        f"the links of a page in {start!r}": (
            MEBIBYTE // 8,
            lambda text, start=start: links_of(start + text, "text/html; charset=utf-8"),
        )
        for start in (
            *("", "<a ", "<a href='", "<a href=?", "<p style=\"url('", "<p style='", "<style>", "<script>"),
            *("<svg>", "<template>", "<img srcset='", "<meta http-equiv=refresh content='", "<base href='"),
        )
    },
    "the links of many tags": (
        MEBIBYTE // 32,
        lambda text: links_of("<b a='".join(text[at : at + 3] for at in range(0, len(text), 3)), "text/html"),
    ),
    "the links of a style sheet": (MEBIBYTE // 16, lambda text: links_of(text, "text/css")),
    "the links of a url()": (MEBIBYTE // 16, lambda text: links_of(f"url({text}", "text/css")),
    "the links of a header": (HEADER, lambda text: list(header_links([text, f"<a>;{text}"]))),
    "directives for robots": (HEADER, lambda text: header_forbids([text])),
    "a URL that may be a trap": (HEADER, lambda text: trap(f"https://h/{text}")),
    "an encoding": (MEBIBYTE, lambda text: encodings.find_encoding(wire(text), None)),
    "an encoding in a meta": (MEBIBYTE, lambda text: encodings.find_encoding(wire(f"<meta {text}"), None)),
    "text": (MEBIBYTE, lambda text: encodings.decode(wire(text), "utf-8")),
    "a Content-Type": (
        HEADER,
        lambda text: encodings.find_encoding(b"", f"text/html; charset={wire_text(text)}"),
    ),
    "a Content-Type's rest": (
        HEADER,
        lambda text: encodings.find_encoding(b"", f"text/html{wire_text(text)}"),
    ),
    "a Retry-After": (HEADER, retry.parse_retry_after),
    "an ETag": (HEADER, lambda text: conditional.validators_from(Headers([wire(f"ETag: {text}")]))),
    "a Location": (HEADER, lambda text: urls.parse(text, "http://h/")),
    **{
        f"a {name}": (HEADER, lambda text, name=name: complete_body(wire(f"{name}: {text}")))
        for name in ("Content-Length", "Content-Encoding", "Transfer-Encoding", "Location", "Set-Cookie")
    },
    "folded headers": (
        3 * HEADER,
        lambda text: Headers([b"A: b", *[b" " + wire(text[:60])] * (len(text) // 60)]).get("a"),
    ),
    "a head": (3 * HEADER, lambda text: head.parse_head([*wire(text).splitlines(True), b"\r\n"])),
    "headers of http1": (3 * HEADER, lambda text: framing.check_headers(wire(text).split(b"\n"))),
    "a URL": (urls.MAX_URL, lambda text: urls.request(0, f"http://{text}")),
    "a URL's path": (urls.MAX_URL, lambda text: urls.request(0, f"http://h/{text}")),
    "a URL without a scheme": (urls.MAX_URL, lambda text: urls.request(0, text)),
    "a URL that is shown": (urls.MAX_URL, lambda text: fingerprint.display_url(f"http://{text}")),
    "a URL's identity": (urls.MAX_URL, lambda text: fingerprint.from_record_url(f"http://h/{text}")),
    "what is shown": (MANY_LINES, lambda text: clean.one_line(text, 100)),
    "a list": (MANY_LINES, list_of_lines),
    "not a list": (MEBIBYTE, lambda text: file_types.check(wire(text))),
    "CSV": (MANY_LINES, lambda text: table("csv", text)),
    "TSV": (MANY_LINES, lambda text: table("tsv", text)),
    "JSONL": (MANY_LINES, lambda text: table("jsonl", text)),
    "a table's header": (
        MANY_LINES,
        lambda text: tables.header(pieces(f"url,{text}\n"), None, table_rows.TableOptions("url")),
    ),
    "rows read back": (MEBIBYTE, read_back),
    "text rows": (MEBIBYTE, lambda text: line_decoder("text")(wire(text))),
    "CSV rows": (MANY_LINES, lambda text: line_decoder("csv")(wire(text))),
    "Parquet": (MANY_LINES // 8, of_file(write_parquet, parquet_source)),
    "a Parquet file's names": (MANY_LINES // 16, of_file(write_parquet_names, parquet_source)),
    "what is no Parquet": (MEBIBYTE, of_file(write_raw(b"PAR1", b"\x40\0\0\0PAR1"), parquet_source)),
    "Parquet rows": (MANY_LINES, of_file(write_parquet, output_rows("parquet"))),
    "SQLite rows": (MANY_LINES // 2, of_file(write_sqlite, output_rows("sqlite"))),
    "a SQLite table's names": (MANY_LINES // 4, of_file(write_sqlite_names, output_rows("sqlite"))),
    "what is no SQLite": (MEBIBYTE, of_file(write_raw(b"SQLite format 3\0", b""), output_rows("sqlite"))),
    "JSONL rows": (MEBIBYTE, lambda text: line_decoder("jsonl")(wire(text))),
}
MOMENT = 0.3
"""Seconds of computing: what takes less for all of it is no danger, whatever the ratio."""
TOO_MUCH = 9
"""Times as long, of four times as much, is nearer to the square than to a multiple."""
SLOW = 20.0
"""Seconds for the slowest shape of the slowest reader, on a busy machine."""


def seconds(reader: Callable[[str], object], shape: str, size: int) -> float:
    text = (shape * (size // len(shape) + 1))[:size]
    started = process_time()
    with suppress(table_rows.TableFormatError, framing.TransportError, UsageError):  # refused in words
        reader(text)
    return process_time() - started


@pytest.mark.parametrize("name", READERS)
def test_a_megabyte_of_anything_is_read_in_linear_time(name: str) -> None:
    size, reader = READERS[name]
    for shape in SHAPES:
        # A quarter first: of what takes the square, all of it would never end.
        part = seconds(reader, shape, size // 4)
        assert part < SLOW / 4, f"{shape!r} takes {part:.1f} s"
        if part * TOO_MUCH < MOMENT:
            continue
        full = seconds(reader, shape, size)
        assert full < SLOW
        if full > MOMENT and full > TOO_MUCH * part:  # once more: something else may have slowed either
            part = min(part, seconds(reader, shape, size // 4))
            full = min(full, seconds(reader, shape, size))
            assert full < TOO_MUCH * part, repr(shape)
