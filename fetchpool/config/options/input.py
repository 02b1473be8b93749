"""Options of the group "Input": what is fetched."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope, Secret, Settable

OPTIONS: tuple[Option, ...] = (
    Option(
        "url_column",
        "--url-column NAME",
        types.COLUMN,
        "Read the URLs from column NAME of a CSV, TSV, JSONL or Parquet input. The format is detected "
        "from the suffix or the first line.",
        Scope.CONFIG,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "keep_columns",
        "--keep-columns",
        types.SWITCH,
        "Copy the other input columns to the rows; clashing names are prefixed with input_.",
        Scope.CONFIG,
        settable=Settable.ANYWHERE,
        only_with=("url_column", ""),
    ),
    Option(
        "delimiter",
        "--delimiter CHAR",
        types.DELIMITER,
        "Delimiter of CSV and TSV inputs: a character, or tab. By default it is detected, or read from a "
        "first line such as 'sep=;'.",
        Scope.CONFIG,
        settable=Settable.ANYWHERE,
        only_with=("url_column", ""),
    ),
    Option(
        "encoding",
        "--encoding NAME",
        types.ENCODING,
        "Encoding of the inputs, such as utf-16, cp1252 or shift_jis. By default UTF-8, UTF-16, UTF-32 "
        "and, in tables, Windows-1252 are detected.",
        Scope.CONFIG,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "sitemap",
        "--sitemap URL|FILE",
        types.PLACES,
        "Fetch the URLs of a sitemap (XML or text, may be compressed) or of a sitemap index. Repeatable.",
        secret=Secret.USERINFO,
    ),
    Option(
        "limit",
        "--limit N",
        types.FIRST,
        "Fetch only the first N URLs of the input.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "shard",
        "--shard K/N",
        types.SHARD,
        "Divide the hosts into N parts and fetch only the URLs of part K (1 to N), so that N machines can "
        "share a list. A host is in the same part on every machine.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "refresh",
        "--refresh OLD",
        types.OLD_OUTPUT,
        "Fetch URLs only if they have changed since OLD, the output of an earlier run, by conditional "
        "requests. Without INPUT, the URLs are those of OLD. Implies --hash.",
    ),
)
