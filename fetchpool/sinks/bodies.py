"""`--save` and `--hash`: what becomes of a body beside its size.

In: the decoded pieces of an answer, as they come, in the worker. Out: the row's `sha256`, and with a
folder its `filename_effective`: `ab/cd/<sha256>.<extension>`, whole or not there at all. The name is
ours: nothing in it comes from the server but which line of a fixed table the type is found in, no
link within the folder is followed, and what is there already under that name stays (fault 39).

Equal bodies of one type are one file. A body is at no moment under its name before it is complete: it
grows in the run's own folder of unfinished files and is renamed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from fetchpool.model.text import escape_invisible
from fetchpool.sinks.spool import NO_LINK, SpooledBody

SHA256, FILENAME = "sha256", "filename_effective"

OTHER = "bin"
EXTENSIONS = {
    "application/atom+xml": "xml",
    "application/epub+zip": "epub",
    "application/gzip": "gz",
    "application/javascript": "js",
    "application/json": "json",
    "application/ld+json": "json",
    "application/msword": "doc",
    "application/pdf": "pdf",
    "application/rss+xml": "xml",
    "application/rtf": "rtf",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/wasm": "wasm",
    "application/x-gzip": "gz",
    "application/x-javascript": "js",
    "application/x-ndjson": "jsonl",
    "application/x-tar": "tar",
    "application/xhtml+xml": "xhtml",
    "application/xml": "xml",
    "application/zip": "zip",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif",
    "image/vnd.microsoft.icon": "ico",
    "image/webp": "webp",
    "image/x-icon": "ico",
    "text/calendar": "ics",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html",
    "text/javascript": "js",
    "text/markdown": "md",
    "text/plain": "txt",
    "text/tab-separated-values": "tsv",
    "text/xml": "xml",
    "video/mp4": "mp4",
    "video/mpeg": "mpg",
    "video/ogg": "ogv",
    "video/webm": "webm",
}
"""By media type (IANA's registry, and what servers still say); whatever else is `bin`. Nothing here is
a type that a desktop runs."""


class BodyStore:
    """What the bodies of a run have in common."""

    def __init__(self, folder: str, spool: str) -> None:
        """`folder`: where bodies are kept, empty to hash them only; `spool`: where they grow."""
        self.folder = folder
        self.spool = spool

    def begin(self) -> BodyWriter:
        """For one body."""
        return BodyWriter(self)


class BodyWriter:
    """One body. The disk's refusals are told by `failure`; nothing here raises."""

    __slots__ = ("_digest", "_spool", "_storage", "failure")

    def __init__(self, storage: BodyStore) -> None:
        self._storage = storage
        self._digest = hashlib.sha256()
        self._spool = SpooledBody(storage.spool) if storage.folder else None
        self.failure = ""
        """Why it can't be kept, in words for the person whose disk it is; empty when all is well."""

    def write(self, piece: bytes) -> None:
        """When the disk takes no more, `failure` says so: the fetch is to stop."""
        self._digest.update(piece)
        if self._spool is not None and not self.failure:
            try:
                self._spool.write(piece)
            except OSError as failure:
                self._failed(failure)

    def finish(self, content_type: str | None) -> dict[str, Any]:
        """It is complete: the fields that it adds to the row. Empty after a `failure`."""
        sha256 = self._digest.hexdigest()
        spool = self._spool
        if spool is None:
            return {SHA256: sha256}
        name = f"{sha256}.{extension(content_type)}"
        try:
            keep(self._storage.folder, name, spool)
        except OSError as failure:
            self._failed(failure)
            return {}
        finally:
            spool.discard()
        path = Path(self._storage.folder, name[:2], name[2:4], name)
        return {SHA256: sha256, FILENAME: escape_invisible(str(path))}

    def discard(self) -> None:
        """It is none that is kept."""
        if self._spool is not None:
            self._spool.discard()

    def _failed(self, failure: OSError) -> None:
        self.discard()
        folder = escape_invisible(self._storage.folder)
        self.failure = (
            f"{folder}: a body can't be kept: {failure.strerror}; make room, or choose another --save"
        )


def extension(content_type: str | None) -> str:
    """What a file of that type is called, by the table."""
    return EXTENSIONS.get((content_type or "").partition(";")[0].strip().lower(), OTHER)


def keep(folder: str, name: str, spool: SpooledBody) -> None:
    """Puts a complete body under its name. Raises `OSError`."""
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # the person's own, which may be a link
    try:
        outer = _open_subdir(root, name[:2])
        try:
            inner = _open_subdir(outer, name[2:4])
        finally:
            os.close(outer)
    finally:
        os.close(root)
    try:
        if not _already_saved(inner, name, spool.size):
            spool.rollover()
            spool.close()
            os.rename(spool.path, name, dst_dir_fd=inner)
            spool.path = ""
    finally:
        os.close(inner)


def _open_subdir(parent: int, name: str) -> int:
    """A folder within another, made when it isn't there. Raises `OSError` for a link or a file."""
    flags = os.O_RDONLY | os.O_DIRECTORY | NO_LINK
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        try:
            os.mkdir(name, dir_fd=parent)
        except FileExistsError:  # another worker was faster
            return os.open(name, flags, dir_fd=parent)
        return os.open(name, flags, dir_fd=parent)


def _already_saved(folder: int, name: str, size: int) -> bool:
    """Whether that body is kept already. One of another size is none: the power failed under it."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size
