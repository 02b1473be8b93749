"""The user's modules of `--parse`, from the current directory: sent to the workers, and imported there.

In: the names of parsers. Out: at the driver, the contents of their files; in a worker, modules of the same
names. What is installed is not sent: workers have their own.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib import invalidate_caches
from importlib.machinery import PathFinder
from itertools import islice
from pathlib import Path

from msgspec import Struct

from fetchpool.http.parsers.run import BUILT_IN, INSTALLED, search_current_directory
from fetchpool.model.errors import UsageError

MOST_BYTES = 1 << 20
MOST_FILES = 200
"""Limits of what is sent for a parser: more is data, or a program, which is better installed."""
IN_MAIN_MODULE = (
    "--parse: the workers of a cluster can't import {} from the main module: write it into another module, "
    "in a file next to it"
)
TOO_LARGE = "--parse: {!r} has more than {} files or 1 MB, and was not sent to the workers; install it there"

_imported: dict[str, tuple[tuple[str, bytes], ...]] = {}
"""The files of the modules that this process has imported, by name."""


class SentModule(Struct, frozen=True):
    """A module, or a package with all that is in it."""

    name: str
    files: tuple[tuple[str, bytes], ...]
    """Paths relative to the directory that has the module, and contents; none if they are too many."""


def collect(parsers: Iterable[object]) -> tuple[SentModule, ...]:
    """Return the user's modules of these parsers. Raises `UsageError`."""
    names = [parser for parser in parsers if isinstance(parser, str) and parser not in BUILT_IN]
    if main := [name for name in names if name.startswith("__main__:")]:
        raise UsageError(IN_MAIN_MODULE.format(main[0].partition(":")[2]))
    packages = dict.fromkeys(name.partition(":")[0].partition(".")[0] for name in names)
    return tuple(found for package in packages if (found := _find(package)) is not None)


def _find(package: str) -> SentModule | None:
    search_current_directory(package)
    places = [str(Path.cwd()), *(each for each in sys.path[:1] if Path(each).name not in INSTALLED)]
    spec = PathFinder.find_spec(package, places)
    if spec is None or spec.origin is None:
        return None
    first = Path(spec.origin)
    directory = first.parent
    paths: Iterable[Path] = [first]
    if spec.submodule_search_locations is not None:
        paths = _files_in(directory)
        directory = directory.parent
    some = list(islice(paths, MOST_FILES + 1))
    try:
        if len(some) > MOST_FILES or sum(path.stat().st_size for path in some) > MOST_BYTES:
            return SentModule(package, ())
        return SentModule(
            package, tuple((path.relative_to(directory).as_posix(), path.read_bytes()) for path in some)
        )
    except OSError as error:
        raise UsageError(f"--parse: {error.filename}: {error.strerror}") from None


def _files_in(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*"):
        parts = path.relative_to(directory).parts
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in parts):
            yield path


def use(modules: Iterable[SentModule]) -> None:
    """Have this process import these modules, in place of what it has imported under their names."""
    for module in modules:
        if not module.files or _imported.get(module.name) == module.files:
            continue
        directory = Path(tempfile.mkdtemp(prefix="fetchpool-modules-"))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        for name, content in module.files:
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        sys.path.insert(0, str(directory))
        for name in [each for each in sys.modules if each.partition(".")[0] == module.name]:
            del sys.modules[name]
        invalidate_caches()
        _imported[module.name] = module.files


def explain(modules: Iterable[SentModule], refusal: str) -> str:
    """Return why a worker can't import a parser: perhaps it was not sent."""
    omitted = [module.name for module in modules if not module.files and f"'{module.name}" in refusal]
    return TOO_LARGE.format(omitted[0], MOST_FILES) if omitted else refusal
