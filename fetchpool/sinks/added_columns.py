"""Chooses columns for the fields that features, parsers and inputs add to rows, for tables with typed
columns.

In: the added fields of rows. Out: the columns that they need, and for each row its values by column. A field
gets a column when the output is opened, if its name is known then, or with the first row that has a value.
Values that fit no column go to `extra`, as one JSON object:

- a field whose name differs from a column's only by case (SQLite and DuckDB treat them as the same name);
- a value of another type than its column's, in SQLite, whose columns can't be changed later;
- fields beyond `MAX_COLUMNS`, of a parser that invents names.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from fetchpool.model.record import FEATURE_TYPES, ROW_FIELDS, FieldType

EXTRA = "extra"
FIXED: frozenset[FieldType] = frozenset(("binary", "texts", "headers", "redirects"))
"""Types of known fields. Columns of these types never change; values that don't fit go to `extra`."""
MAX_COLUMNS = 500
"""Maximum number of added columns. SQLite allows 2,000 columns (sqlite.org/limits.html)."""
MAX_NAME = 200
"""Maximum length of a column's name, in characters."""
RESERVED = (*ROW_FIELDS, EXTRA, "identity", "rowid", "oid", "_rowid_")
"""Names that no added column has. In SQLite the last three are the number of a row
(sqlite.org/rowidtable.html)."""
EXACT_INTEGERS = range(-(1 << 53), (1 << 53) + 1)
"""The integers that a floating-point number can hold exactly."""

Extra = Mapping[str, Any]


class AddedColumns:
    """The added columns of one output, in order."""

    def __init__(
        self, existing: Mapping[str, FieldType] | None = None, known: Mapping[str, FieldType] | None = None
    ) -> None:
        """`existing`: the added columns that the output already has; `known`: types of fields that don't
        depend on their values."""
        self.types: dict[str, FieldType] = dict(existing or {})
        self._known: Mapping[str, FieldType] = {**FEATURE_TYPES, **(known or {})}
        self._folded = {name.casefold() for name in (*RESERVED, *self.types)}

    def add_types(self, types: Mapping[str, FieldType]) -> None:
        """Add types of fields that don't depend on their values."""
        self._known = {**self._known, **types}

    def add(
        self, names: Iterable[str], extras: Iterable[Extra], *, widen: bool = False
    ) -> dict[str, FieldType]:
        """Add columns for these names, and for all fields with a value; return the new ones.

        A new column gets the type that holds all of its values, or text if it has none. With `widen`,
        existing columns are widened in the same way."""
        found: dict[str, FieldType] = {}
        for extra in extras:
            for name, value in extra.items():
                if value is not None and (widen or name not in self.types):
                    type = type_of(value)
                    found[name] = join(found[name], type) if name in found else type
        new: dict[str, FieldType] = {}
        for name in dict.fromkeys((*names, *found)):
            type = self._known.get(name) or found.get(name, "text")
            if name in self.types:
                if widen and name in found:
                    self.types[name] = join(self.types[name], type)
            elif self._is_free(name):
                self._folded.add(name.casefold())
                self.types[name] = new[name] = type
        return new

    def values(self, extra: Extra) -> tuple[list[Any], str | None]:
        """Return the values of a row, one for each column, and the JSON of the values without a column."""
        if not extra:
            return [None] * len(self.types), None
        values = [as_type(extra.get(name), type) for name, type in self.types.items()]
        left = len([value for value in extra.values() if value is not None])
        if left == len(values) - values.count(None):
            return values, None
        rest = {
            name: value
            for name, value in extra.items()
            if value is not None and (name not in self.types or as_type(value, self.types[name]) is None)
        }
        return values, to_json(rest)

    def _is_free(self, name: str) -> bool:
        return (
            0 < len(name) <= MAX_NAME
            and name.isprintable()
            and len(self.types) < MAX_COLUMNS
            and name.casefold() not in self._folded
        )


def type_of(value: Any) -> FieldType:
    """Return the narrowest type for a value other than None. Lists and mappings are JSON, which is text."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, bytes):
        return "binary"
    return "real" if isinstance(value, float) else "text"


def join(one: FieldType, other: FieldType) -> FieldType:
    """Return the narrowest type that holds the values of both types."""
    if one == other or one in FIXED:
        return one
    return "real" if {one, other} == {"integer", "real"} else "text"


def join_all(tables: Sequence[Mapping[str, FieldType]]) -> dict[str, FieldType]:
    """Return the columns of several tables, by name, in the order in which they appear."""
    joined: dict[str, FieldType] = {}
    for types in tables:
        for name, type in types.items():
            joined[name] = join(joined[name], type) if name in joined else type
    return joined


def as_type(value: Any, type: FieldType) -> Any:
    """Return a value in the form that a column of that type holds; None if the column can't hold it."""
    if value is None:
        return None
    if type == "text":
        return as_text(value)
    if type in FIXED:
        return value if FITS[type](value) else None
    if type == "boolean" or isinstance(value, bool):
        return value if type == "boolean" and isinstance(value, bool) else None
    if type == "integer":
        return value if isinstance(value, int) else None
    if isinstance(value, int):
        return float(value) if value in EXACT_INTEGERS else None
    return value if isinstance(value, float) else None


def as_text(value: Any) -> str:
    """Return a value as text: bytes in base64, anything else but text as JSON."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value if isinstance(value, str) else to_json(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _are_headers(value: Any) -> bool:
    return isinstance(value, dict) and all(_are_texts(each) for each in value.values())


def _are_redirects(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict)
        and each.keys() == {"url", "response_code"}
        and isinstance(each["url"], str)
        and isinstance(each["response_code"], int)
        for each in value
    )


FITS: dict[FieldType, Callable[[Any], bool]] = {
    "binary": lambda value: isinstance(value, bytes),
    "texts": _are_texts,
    "headers": _are_headers,
    "redirects": _are_redirects,
}
"""Whether a value fits a column of a fixed type."""


def quoted(name: str) -> str:
    """Return a column's name quoted for SQL (sqlite.org/lang_keywords.html)."""
    return '"{}"'.format(name.replace('"', '""'))


def to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
