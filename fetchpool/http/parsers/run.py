"""Runs the parsers of `--parse` on a response and checks what they return."""

from __future__ import annotations

import inspect
import math
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from msgspec import Struct

from fetchpool.config.parsers import name_of
from fetchpool.http.response import Response
from fetchpool.model.errors import UsageError
from fetchpool.model.failures import FailureKind
from fetchpool.model.record import INT64, RESERVED_NAMES
from fetchpool.model.text import escape_invisible, one_line
from fetchpool.transports.base import Failure

BUILT_IN = {name: f"fetchpool.http.parsers.{name}:{name}" for name in ("title", "meta", "links", "text")}
BUILT_IN_MODULES = frozenset(name.partition(":")[0] for name in BUILT_IN.values())
WANTS = {"title": 1 << 20, "meta": 1 << 20}
"""Number of bytes of a body that a built-in parser reads; only these are stored for it."""
ALL = 1 << 62
LIBRARIES = (
    *("pycurl", "requests", "urllib3", "msgspec", "can_ada", "webencodings", "selectolax", "typer", "rich"),
    *("protego", "warcio", "pyarrow", "brotli", "backports", "certifi", "idna"),
)
"""Modules that are loaded on first use, and must not be replaced by a user's module of that name."""
INSTALLED = ("site-packages", "dist-packages")
DEPTH = 20
"""Maximum nesting of lists and mappings in one field, since readers of the rows have limits, too."""
MAX_RESULT = 16 << 20
"""Maximum number of characters and values of all fields together: outputs have limits (SQLite's is 10^9 bytes
for a row), and nested lists that contain the same list twice are small only in memory."""
LARGE_RESULT = 128 << 20
"""The same for built-in parsers, since a page may have very many links."""


class Parser(Struct, frozen=True):
    """A requested parser: its function and its name."""

    name: str
    function: Callable[[Response], Any]
    wants: int = ALL
    """Bytes of the content that the parser reads."""


class InvalidFieldError(Exception):
    """A parser's result doesn't fit into a row. The message names the field."""


def load(given: tuple[str | Callable[[Response], Any], ...]) -> tuple[Parser, ...]:
    """Return the parsers with these names (`title`, `package.module:function`), with the current directory on
    the path, and those of a program's functions.

    Raises `UsageError`, in one line, when there is no such module or function, or every call of it would
    fail.
    """
    loaded = tuple(
        Parser(each, find_function(each), WANTS.get(each, ALL))
        if isinstance(each, str)
        else Parser(name_of(each), each)
        for each in given
    )
    for parser in loaded:
        if problem := misfit(parser.function):
            raise UsageError(f"--parse: {parser.name} {problem}")
    return loaded


def run(parsers: tuple[Parser, ...], response: Response) -> tuple[dict[str, Any], Failure | None]:
    """Return the fields of all parsers in one mapping, where later parsers take precedence, and the first
    failure. Raises nothing."""
    extra: dict[str, Any] = {}
    failure: Failure | None = None
    for parser in parsers:
        try:
            most = LARGE_RESULT if parser.name in BUILT_IN else MAX_RESULT
            extra.update(validate_fields(parser.function(response), most))
        except InvalidFieldError as error:
            problem = f"{parser.name} {error}"
        except BaseException as error:  # user code must not end the worker
            if isinstance(error, KeyboardInterrupt) and may_be_interrupted():
                raise
            problem = f"{parser.name} raised {type(error).__name__}{error_location(error, parser.function)}"
        else:
            continue
        failure = failure or Failure(FailureKind.PARSE, one_line(problem, 300))
    return extra, failure


def may_be_interrupted() -> bool:
    """Whether Ctrl-C raises an exception in this thread. Otherwise the parser itself raised it."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def validate_fields(given: object, most: int = MAX_RESULT) -> dict[str, Any]:
    """Return a parser's result as fields of a row, of at most `most` characters and values. Raises
    `InvalidFieldError`."""
    limit = SizeLimit(most)
    if not isinstance(given, Mapping):
        raise InvalidFieldError(f"returned {type(given).__name__}, not a mapping")
    row: dict[str, Any] = {}
    for key, value in given.items():
        if not isinstance(key, str):
            raise InvalidFieldError(f"returned a field whose name is {type(key).__name__}, not text")
        if not key:
            raise InvalidFieldError("returned a field with an empty name")
        limit.count(len(key))
        row[row_name(key)] = to_json_value(value, escape_invisible(key), limit)
    return row


def row_name(key: str) -> str:
    """Return the name under which a row has a parser's field."""
    name = escape_invisible(key)
    return f"parse_{name}" if name in RESERVED_NAMES else name


class SizeLimit:
    """Limits the size of a parser's result."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def count(self, size: int) -> None:
        """Count a value and its characters. Raises `InvalidFieldError`."""
        self._left -= 1 + size
        if self._left < 0:
            raise InvalidFieldError(f"returned more than {self._most >> 20} MiB")


def to_json_value(value: object, name: str, limit: SizeLimit, depth: int = 0) -> Any:
    """Return a value in a form that JSON can hold, with clean text. NaN and infinities, which JSON lacks,
    become null; other types than text, numbers, booleans, lists and mappings are rejected."""
    limit.count(len(value) if isinstance(value, str) else 0)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return escape_invisible(str.__str__(value))  # the text itself, if it is an Enum's
    if isinstance(value, int):
        if int(value) not in INT64:
            raise InvalidFieldError(f"returned a number of more than 64 bits in {name!r}")
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth >= DEPTH:
        raise InvalidFieldError(f"returned more than {DEPTH} levels in {name!r}")
    if isinstance(value, list | tuple):
        return [to_json_value(each, name, limit, depth + 1) for each in value]
    if isinstance(value, Mapping):
        inner: dict[str, Any] = {}
        for key, each in value.items():
            if not isinstance(key, str):
                raise InvalidFieldError(f"returned a key that is {type(key).__name__}, not text, in {name!r}")
            limit.count(len(key))
            inner[escape_invisible(key)] = to_json_value(each, name, limit, depth + 1)
        return inner
    raise InvalidFieldError(f"returned {type(value).__name__} in {name!r}, which JSON doesn't have")


def error_location(error: BaseException, function: Callable[[Response], Any]) -> str:
    """Return the line that raised, in the function's own file if possible. The error's own text is left out,
    because it may quote the page or a secret."""
    own_file = getattr(getattr(function, "__code__", None), "co_filename", None)
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    for filename, line in reversed(places):
        if filename == own_file:
            return f" at {Path(filename).name}:{line}"
    return ""


def find_function(name: str) -> Callable[[Response], Any]:
    """Return the function of one `--parse`. Raises `UsageError`."""
    module_name, colon, function_name = BUILT_IN.get(name, name).partition(":")
    if not colon or not module_name or not function_name:
        there_is = ", ".join(BUILT_IN)
        raise UsageError(f"--parse: no parser {name!r}; expected {there_is}, or package.module:function")
    module = find_module(module_name)
    function = getattr(module, function_name, None)
    if function is None:
        has = ", ".join(functions_of(module)) or "no functions"
        raise UsageError(f"--parse: no function {function_name!r} in module {module_name!r}; it has: {has}")
    if not callable(function):
        raise UsageError(f"--parse: {function_name!r} in module {module_name!r} is not a function")
    found: Callable[[Response], Any] = function
    return found


def misfit(function: Callable[..., Any]) -> str:
    """Return why no call with a response could return a mapping; empty if one may."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "is an async function; define it with def"
    if inspect.isgeneratorfunction(function):
        return "is a generator; let it return one mapping instead of yielding"
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # it has no signature in Python
        return ""
    try:
        signature.bind(None)
    except TypeError:
        return "can't be called with one argument, the response"
    return ""


def find_module(name: str) -> ModuleType:
    """Return the module of one `--parse`, from the current directory or, failing that, from the installed
    packages."""
    if "/" in name or name.endswith(".py"):
        file = Path(name)
        raise UsageError(
            f"--parse: {name!r} is a file; in its directory, name the module instead: {file.stem}:function"
        )
    if name not in BUILT_IN_MODULES:
        search_current_directory(name)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if name == error.name or name.startswith(f"{error.name}."):
            problem = f"no module {name!r} in the current directory or among those installed"
        else:
            problem = f"module {name!r} needs {error.name!r}, which is not installed"
        raise UsageError(f"--parse: {problem}") from error
    except (Exception, SystemExit) as error:  # user code: any exception becomes one line
        said = one_line(f"{type(error).__name__}: {error}", 200)
        raise UsageError(f"--parse: module {name!r} can't be imported: {said}") from error


def search_current_directory(name: str) -> None:
    """Make imports search the current directory, before installed packages but after Python's own modules,
    which the program needs. Raises `UsageError` for a module that one of them would hide."""
    package = name.partition(".")[0]
    if package in sys.stdlib_module_names and is_in_current_directory(package):
        raise UsageError(f"--parse: {package!r} in the current directory hides a module of Python; rename it")
    for library in LIBRARIES:
        if library not in sys.modules and is_in_current_directory(library):
            raise UsageError(
                f"--parse: {library!r} in the current directory hides a library of fetchpool; rename it"
            )
    if "" not in sys.path:
        installed = (place for place, each in enumerate(sys.path) if Path(each).name in INSTALLED)
        sys.path.insert(next(installed, len(sys.path)), "")


def is_in_current_directory(package: str) -> bool:
    """Whether the current directory has a module of that name; a directory without `__init__.py` has lower
    precedence."""
    try:
        found = PathFinder.find_spec(package, [str(Path.cwd())])
    except OSError:  # it was removed
        return False
    return found is not None and found.origin is not None


def functions_of(module: ModuleType) -> list[str]:
    """Return the public functions that a module defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if callable(value)
        and not name.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
    ]
