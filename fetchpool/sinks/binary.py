"""Encodes binary fields for text formats: as base64, followed by a field that names the encoding. In: the
added fields of a row. Out: the same fields without bytes. Pure.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from fetchpool.model.record import FieldType

BASE64 = "base64"


def encoding_field(name: str) -> str:
    """Return the name of the field with the encoding of a binary field."""
    return f"{name}_encoding"


def with_encodings(names: Sequence[str], types: Mapping[str, FieldType]) -> tuple[str, ...]:
    """Return the names of fields, each binary field followed by the one with its encoding."""
    return tuple(
        column
        for name in names
        for column in ((name, encoding_field(name)) if types.get(name) == "binary" else (name,))
    )


def in_base64(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields, with bytes encoded in base64."""
    fields: dict[str, Any] = {}
    for name, value in extra.items():
        if isinstance(value, bytes):
            fields[name] = b64encode(value).decode()
            fields[encoding_field(name)] = BASE64
        else:
            fields[name] = value
    return fields
