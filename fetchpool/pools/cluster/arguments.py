"""A station's arguments as bytes: the options of the run, and the files that they name.

In: the options of the driver. Out: the same for a station: certificates are files of its own, since paths of
the driver mean nothing there; the directory of `--save` must be the same one, which a token in it proves.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path

from msgspec.structs import replace

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.model.version import VERSION

FILES = ("cacert", "cert", "key")
"""Options that name a file."""
TOKEN = "cluster"
"""The name of the file in the run's temporary directory that proves that a worker sees it."""
NOT_SHARED = "--save: it does not see the directory {}; it has to be on a file system that all workers share"


class Packer:
    """Makes the arguments of a run's stations."""

    def __init__(self, options: FetchOptions) -> None:
        """Raises `UsageError` for a file that can't be read."""
        paths = {name: getattr(options, name) for name in FILES}
        try:
            self._files = {name: Path(path).read_bytes() for name, path in paths.items() if path}
        except OSError as error:
            raise UsageError(f"--executor cluster: {error.filename}: {error.strerror}") from None
        self._token = b""
        if options.save_spool:
            self._token = os.urandom(16)
            (Path(options.save_spool) / TOKEN).write_bytes(self._token)
            options = replace(
                options,
                save=str(Path(options.save).absolute()),
                save_spool=str(Path(options.save_spool).absolute()),
            )
        self._options = options

    def pack(self, most: int) -> bytes:
        """Return the arguments of a station that runs so many fetches at once, at most. The version comes
        first: a station of another one reads no further."""
        content = pickle.dumps((most, self._options, self._files, self._token))
        return pickle.dumps((VERSION, content))


def version_of(arguments: bytes) -> tuple[str, bytes]:
    """Return the driver's version, and the rest for `unpack()`."""
    version, content = pickle.loads(arguments)
    return version, content


def unpack(content: bytes) -> tuple[int, FetchOptions]:
    """Return the most fetches at once and the options, with files of this machine. Raises `UsageError` when
    the directory of `--save` is not the driver's."""
    most, options, files, token = pickle.loads(content)
    if token:
        try:
            found = (Path(options.save_spool) / TOKEN).read_bytes()
        except OSError:
            found = b""
        if found != token:
            raise UsageError(NOT_SHARED.format(options.save))
    if files:
        directory = Path(tempfile.mkdtemp(prefix="fetchpool-files-"))
        for name, data in files.items():
            path = directory / name
            path.touch(mode=0o600)
            path.write_bytes(data)
            options = replace(options, **{name: str(path)})
    return most, options
