"""What an input is when it is no list: told by its first bytes, and said in words that help.

In: how an input begins, as it lies there or decompressed. Out: one clause for a person, with the fix in it;
empty for what may be a list. Pure.
"""

from __future__ import annotations

import re

from msgspec import Struct

from fetchpool.sources.decompress import told

ENOUGH = 4096
"""Bytes that are looked at."""


class Signature(Struct, frozen=True):
    """How one kind of file begins."""

    magic: bytes
    says: str
    at: int = 0
    """Where in the file it stands."""


UTF16 = "is UTF-16; save it as UTF-8, or: iconv -f UTF-16 -t UTF-8"
UTF32 = "is UTF-32; save it as UTF-8, or: iconv -f UTF-32 -t UTF-8"
ZIP = "is a ZIP archive; unpack it, or: unzip -p FILE | fetchpool -"
SHEET = "is a spreadsheet; save it as CSV, and name its column with --url-column"
PARQUET = b"PAR1"  # parquet.apache.org, "File Format"

SIGNATURES = (
    Signature(b"\xff\xfe\0\0", UTF32),  # before UTF-16's, which it begins with
    Signature(b"\0\0\xfe\xff", UTF32),
    Signature(b"\xff\xfe", UTF16),
    Signature(b"\xfe\xff", UTF16),
    # sqlite.org/fileformat2.html, section 1.3
    Signature(
        b"SQLite format 3\0",
        "is a SQLite database; pipe its URLs in: sqlite3 FILE 'SELECT url FROM fetches' | fetchpool -",
    ),
    Signature(b"PK\3\4", ZIP),  # APPNOTE.TXT section 4.3: a file, an empty archive, a part of one
    Signature(b"PK\5\6", ZIP),
    Signature(b"PK\7\x08", ZIP),
    Signature(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", SHEET),  # [MS-CFB]: Office before 2007
    Signature(b"\xfd7zXZ\0", "is xz data; unpack it: xz -dc FILE | fetchpool -"),
    Signature(b"\x5d\0\0", "is lzma data; unpack it: xz -dc FILE | fetchpool -"),
    Signature(b"LZIP", "is lzip data; unpack it: lzip -dc FILE | fetchpool -"),
    Signature(b"\x04\x22\x4d\x18", "is LZ4 data; unpack it: lz4 -dc FILE | fetchpool -"),
    Signature(b"\x1f\x9d", "is compress data; unpack it: gzip -dc FILE | fetchpool -"),
    Signature(b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it: 7z x -so FILE | fetchpool -"),
    Signature(b"Rar!\x1a\7", "is a RAR archive; unpack it: unrar p -inul FILE | fetchpool -"),
    Signature(b"ustar", "is a tar archive; unpack it: tar -xOf FILE | fetchpool -", at=257),
    Signature(b"%PDF-", "is a PDF; take its URLs out: pdftotext FILE - | grep -o 'https*://[^ ]*'"),
    Signature(b"{\\rtf", "is a RTF document; save it as plain text"),
    Signature(PARQUET, "is Parquet; name it FILE.parquet, and its column with --url-column"),
    Signature(b"ARROW1", "is an Arrow file; save it as Parquet or CSV"),
    Signature(b"Obj\1", "is Avro; save it as Parquet, CSV or JSONL"),
    Signature(b"ORC", "is ORC; save it as Parquet, CSV or JSONL"),
)
SHEETS = (b"xl/", b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet")
"""What stands in a ZIP archive that is a spreadsheet (ECMA-376 part 2; OpenDocument 1.3 part 2)."""
DECLARED = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:(!doctype\s+html|html)|\?xml)[\s>]", re.IGNORECASE)
JSON_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*[\"{]")
SHORT = 32
NUL_SHARE = 4
"""A text of which a quarter is NUL is none: it is UTF-16 without a mark, or nothing that has lines. Of a
`SHORT` one as many must be as of that many bytes."""


def refusal(start: bytes, *, but: bytes = b"") -> str:
    """Why what begins so is no list. `but`: the magic of what is expected there."""
    for each in SIGNATURES:
        if start.startswith(each.magic, each.at):
            if each.magic == but:
                return ""
            return SHEET if each.says is ZIP and any(mark in start for mark in SHEETS) else each.says
    if declared := DECLARED.match(start):
        return f"is {'HTML' if declared[1] else 'XML'}; take its URLs out of it, one a line"
    if JSON_ARRAY.match(start):
        return "is a JSON array; make lines of it: jq -c '.[]' FILE | fetchpool - --url-column NAME"
    if told(start) is None and start.count(b"\0") * NUL_SHARE > max(len(start), SHORT):
        return "is no text, or UTF-16 without a byte order mark; save it as UTF-8"
    return ""
