"""Options of the group "Other": the remaining ones."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope, Settable

OPTIONS: tuple[Option, ...] = (
    Option(
        "version", "-V --version", types.SWITCH, "Print the version.", Scope.FLAG, settable=Settable.TYPED
    ),
)
