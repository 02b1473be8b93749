"""Options of the group "Output": which rows are written, where, and in which format."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.choices import DEFAULT_OUTPUT
from fetchpool.config.option import Option, Scope, Settable

OPTIONS: tuple[Option, ...] = (
    Option(
        "outputs",
        "-o --output PATH",
        types.TEXTS,
        f"Append rows to PATH; '-' is standard output. Repeatable. (default: {DEFAULT_OUTPUT})",
        Scope.CONFIG,
    ),
    Option(
        "overwrite",
        "--overwrite",
        types.SWITCH,
        "Replace existing outputs instead of appending to them.",
        Scope.CONFIG,
        excludes=("resume", "retry_failed"),
    ),
    Option(
        "format",
        "--format NAME",
        types.FORMAT,
        "Format of every output: text, jsonl, csv, tsv, sqlite or parquet. By default the suffix of PATH "
        "decides: .jsonl, .csv, .tsv, .sqlite or .db, .parquet, else text.",
        Scope.CONFIG,
    ),
    Option(
        "fields",
        "--fields NAME,...",
        types.FIELDS,
        "Write only these fields, in this order (any format but text). Repeatable.",
        Scope.CONFIG,
    ),
    Option(
        "write_out",
        "-W --write-out FORMAT",
        types.WRITE_OUT,
        "Format of text rows, as in curl: '%{url} %{size_delivered}\\n'; %{json} is all fields, "
        "%header{NAME} a response header. @FILE reads the format from FILE.",
        Scope.CONFIG,
        excludes=("fields",),
    ),
    Option(
        "report",
        "--report PATH",
        types.TEXT,
        "After the run, write a report of the first output file to PATH, like fetchpool report; "
        "report.html is an HTML page.",
        Scope.FLAG,
        excludes=("write_out",),
    ),
    Option(
        "parse",
        "--parse NAME",
        types.PARSERS,
        "Add fields to the row: title, meta (description, canonical, language, og:*), links (all links "
        "of a page), text (its visible text), or what package.module:function returns for the response "
        "(in Python also a function). Repeatable, or several names with commas.",
        Scope.POOL,
    ),
    Option(
        "parse_timeout",
        "--parse-timeout TIME",
        types.PARSE_TIMEOUT,
        "Maximum time for a --parse function per page; 0 is no limit. (default: 30s, or --max-time if "
        "shorter)",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "keep",
        "--keep WHAT",
        types.KEEP,
        "Add fields to the row: headers, header:NAME (one of them), redirects (each with its status), "
        "body (at most 64M), text (the body, decoded) or line (where the URL is in the input). "
        "Repeatable, or a list: headers,body.",
        Scope.POOL,
    ),
    Option(
        "hash",
        "--hash NAME",
        types.HASH,
        "Add a hash of the decoded body to the row; NAME is sha256.",
        Scope.POOL,
    ),
    Option(
        "save",
        "--save DIR",
        types.SAVE,
        "Save the decoded bodies as DIR/ab/cd/SHA256.TYPE; identical bodies are stored once. Adds sha256 "
        "and filename_effective to the row.",
    ),
    Option(
        "save_as",
        "--save-as NAME",
        types.SAVE_AS,
        "Template for the names of saved bodies, such as '{host}/{path}'; also {urlnum}, {sha256} and "
        "{ext}. No body overwrites another.",
        only_with=("save", ""),
    ),
    Option(
        "warc",
        "--warc FILE.warc.gz",
        types.WARC,
        "Append all requests and responses to a WARC 1.1 file.",
    ),
    Option(
        "warc_max_size",
        "--warc-max-size SIZE",
        types.SIZE_LIMIT,
        "Start a new WARC file (FILE-00001.warc.gz and so on) at this size; 0 is no limit.",
    ),
)
