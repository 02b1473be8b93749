"""Recognizes inputs that are not URL lists by their first bytes, and names the fix.

In: the first bytes of an input, as stored or decompressed. Out: one clause for the user, with the fix in it;
empty for a possible list. Pure.
"""

from __future__ import annotations

import re

from msgspec import Struct

from fetchpool.sources import json_array, text_encoding
from fetchpool.sources.decompress import by_magic

CHECKED_BYTES = 4096
"""The number of bytes at the start that are checked."""


class Signature(Struct, frozen=True):
    """The first bytes of one type of file."""

    magic: bytes
    message: str
    at: int = 0
    """The offset of the magic in the file."""


BINARY = "is binary, not a list of URLs; extract its URLs, one per line"
ZIP = "is a ZIP archive (binary); unpack it, or: unzip -p FILE | fetchpool -"
SHEET = "is a spreadsheet (binary); save it as CSV, and name its column with --url-column"
PARQUET = b"PAR1"  # parquet.apache.org, "File Format"

SIGNATURES = (
    # sqlite.org/fileformat2.html, section 1.3
    Signature(
        b"SQLite format 3\0",
        "is a SQLite database (binary); pipe its URLs in: "
        "sqlite3 FILE 'SELECT url FROM fetches' | fetchpool -",
    ),
    Signature(b"PK\3\4", ZIP),  # APPNOTE.TXT section 4.3: a file, an empty archive, a part of one
    Signature(b"PK\5\6", ZIP),
    Signature(b"PK\7\x08", ZIP),
    Signature(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", SHEET),  # [MS-CFB]: Office before 2007
    Signature(b"\xfd7zXZ\0", "is xz data (binary); unpack it: xz -dc FILE | fetchpool -"),
    Signature(b"\x5d\0\0", "is lzma data (binary); unpack it: xz -dc FILE | fetchpool -"),
    Signature(b"LZIP", "is lzip data (binary); unpack it: lzip -dc FILE | fetchpool -"),
    Signature(b"\x04\x22\x4d\x18", "is LZ4 data (binary); unpack it: lz4 -dc FILE | fetchpool -"),
    Signature(b"\x1f\x9d", "is compress data (binary); unpack it: gzip -dc FILE | fetchpool -"),
    Signature(b"7z\xbc\xaf\x27\x1c", "is a 7z archive (binary); unpack it: 7z x -so FILE | fetchpool -"),
    Signature(b"Rar!\x1a\7", "is a RAR archive (binary); unpack it: unrar p -inul FILE | fetchpool -"),
    Signature(b"ustar", "is a tar archive (binary); unpack it: tar -xOf FILE | fetchpool -", at=257),
    Signature(b"%PDF-", "is a PDF (binary); extract its URLs: pdftotext FILE - | grep -o 'https*://[^ ]*'"),
    Signature(b"{\\rtf", "is an RTF document; save it as plain text"),
    Signature(PARQUET, "is Parquet (binary); name it FILE.parquet, and its column with --url-column"),
    Signature(b"ARROW1", "is an Arrow file (binary); save it as Parquet or CSV"),
    Signature(b"Obj\1", "is Avro (binary); save it as Parquet, CSV or JSONL"),
    Signature(b"ORC", "is ORC (binary); save it as Parquet, CSV or JSONL"),
)
SHEETS = (b"xl/", b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet")
"""Text in a ZIP archive that is a spreadsheet (ECMA-376 part 2; OpenDocument 1.3 part 2)."""
SHEET_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".ods")
OFFICE, OTHER_OFFICE = b"[Content_Types].xml", (b"word/", b"ppt/", b"visio/")
"""The first name in most office documents, and names in those that are not spreadsheets."""
ROOT = rb"<(?:\w+:)?(?:urlset|sitemapindex)[\s>]"
SITEMAP = re.compile(ROOT)
"""The root element of a sitemap (sitemaps.org/protocol.html)."""
DECLARED = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<(?:(!doctype\s+html|html)|\?xml)[\s>]|" + ROOT + rb")", re.IGNORECASE
)


def check(
    start: bytes,
    *,
    expected: bytes = b"",
    encoding: str = "",
    has_columns: bool = False,
    is_sitemap: bool = False,
) -> str:
    """Return why an input with these first bytes is not a list. `expected`: the magic of the expected file
    type; `encoding`: the encoding given by the user; `has_columns`: a table is expected; `is_sitemap`: XML is
    expected."""
    for each in SIGNATURES:
        if start.startswith(each.magic, each.at):
            if each.magic == expected:
                return ""
            return SHEET if each.message is ZIP and _is_sheet(start) else each.message
    if by_magic(start) is not None:  # to be checked again after decompression
        return ""
    text = text_encoding.start_as_utf8(start, encoding)
    declared = DECLARED.match(text)
    if declared and not is_sitemap:
        if not declared[1] and SITEMAP.search(text):
            return "is a sitemap; read it with: fetchpool --sitemap FILE"
        return f"is {'HTML' if declared[1] else 'XML'}; extract its URLs, one per line"
    kind = json_array.element_kind(text)
    if kind == "{" and not has_columns:
        return "is a JSON array of objects; name the field of its URLs with --url-column"
    if kind == '"' and has_columns:
        return "is a JSON array of strings, which has no columns; leave out --url-column"
    return BINARY if text_encoding.is_binary(text) else ""


def _is_sheet(start: bytes) -> bool:
    if any(mark in start for mark in SHEETS):
        return True
    return OFFICE in start and not any(mark in start for mark in OTHER_OFFICE)
