"""Encodes a station's arguments as bytes: the options of the run, and the files that they name.

In: the options of the driver. Out: the same options for a station. Certificates and the user's modules of
`--parse` become temporary files there, since paths of the driver mean nothing in the worker; the directory of
`--save` must be shared, which a token file in it proves.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.model.version import VERSION
from fetchpool.pools.cluster import modules
from fetchpool.pools.cluster.modules import SentModule

FILES = ("cacert", "cert", "key")
"""The options that name a file."""
TOKEN = "cluster"
"""The name of the file in the run's temporary directory that proves that a worker sees it."""
NOT_SHARED = "--save: it does not see the directory {}, which must be on a file system that all workers share"


class Arguments(Struct, frozen=True):
    """What a station is opened with."""

    most: int
    """Maximum number of concurrent fetches."""
    options: FetchOptions
    files: dict[str, bytes]
    """The contents of files, by the options that name them."""
    modules: tuple[SentModule, ...]
    token: bytes


class Packer:
    """Makes the arguments of a run's stations."""

    def __init__(self, options: FetchOptions) -> None:
        """Raises `UsageError` for a file that can't be read."""
        paths = {name: getattr(options, name) for name in FILES}
        try:
            self._files = {name: Path(path).read_bytes() for name, path in paths.items() if path}
        except OSError as error:
            raise UsageError(f"--executor cluster: {error.filename}: {error.strerror}") from None
        self._modules = modules.collect(options.parse)
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
        """Return the arguments of a station, with the maximum number of fetches that it runs at once. The
        version comes first, so that a station of another version reads no further."""
        content = pickle.dumps(Arguments(most, self._options, self._files, self._modules, self._token))
        return pickle.dumps((VERSION, content))


def version_of(arguments: bytes) -> tuple[str, bytes]:
    """Return the driver's version, and the remaining bytes for `unpack()`."""
    version, content = pickle.loads(arguments)
    return version, content


def unpack(content: bytes) -> Arguments:
    """Return the arguments. Raises `UsageError` when the directory of `--save` is not the driver's."""
    arguments: Arguments = pickle.loads(content)
    if arguments.token:
        try:
            found = (Path(arguments.options.save_spool) / TOKEN).read_bytes()
        except OSError:
            found = b""
        if found != arguments.token:
            raise UsageError(NOT_SHARED.format(arguments.options.save))
    return arguments


def options_at(directory: str, arguments: Arguments) -> FetchOptions:
    """Write the files into a directory; return the options that name them there."""
    options = arguments.options
    for name, data in arguments.files.items():
        path = Path(directory) / name
        path.touch(mode=0o600)
        path.write_bytes(data)
        options = replace(options, **{name: str(path)})
    return options
