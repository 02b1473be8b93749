"""Hashes and saves bodies (`--hash` and `--save`), in the worker.

In: the decoded pieces of a response, as they arrive. Out: the row's `sha256`, and with a directory its
`filename_effective`: `ab/cd/<sha256>.<extension>`, a complete file or none. The server does not influence the
name: its type only selects an extension from a fixed table, no link within the directory is followed, and an
existing file of that name stays (fault 39).

Identical bodies of one type share a file. A body is written to the run's own directory of unfinished files
and gets its name, by renaming, when it is complete.
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
"""File extensions by media type (IANA's registry, and older names that servers use); all others are `bin`.
None of them belongs to a type that a desktop would execute."""


class BodyStore:
    """The directories for the bodies of a run."""

    def __init__(self, directory: str, spool: str, save_as: str = "") -> None:
        """`directory`: where bodies are saved, empty to hash them only; `spool`: for unfinished files;
        `save_as`: the template of their names, empty for the hash."""
        self.save_as = save_as
        self.directory = directory
        self.spool = spool

    def begin(self) -> BodyWriter:
        """Return a writer for one body."""
        return BodyWriter(self)


class BodyWriter:
    """Hashes one body, and writes it to disk. Disk errors are stored in `failure`; nothing here raises."""

    __slots__ = ("_digest", "_spool", "_storage", "failure")

    def __init__(self, storage: BodyStore) -> None:
        self._storage = storage
        self._digest = hashlib.sha256()
        self._spool = SpooledBody(storage.spool) if storage.directory else None
        self.failure = ""
        """Why the body can't be saved, as a message for the user; empty while there is no error."""

    def write(self, piece: bytes) -> None:
        """Add a piece. If the disk fails, `failure` is set, and the fetch must stop."""
        self._digest.update(piece)
        if self._spool is not None and not self.failure:
            try:
                self._spool.write(piece)
            except OSError as failure:
                self._failed(failure)

    def finish(self, content_type: str | None, href: str = "", urlnum: int = 0) -> dict[str, Any]:
        """Save the complete body of a URL; return the fields that it adds to the row. Empty after a
        `failure`."""
        sha256 = self._digest.hexdigest()
        spool = self._spool
        if spool is None:
            return {SHA256: sha256}
        directory = self._storage.directory
        suffix = extension(content_type)
        try:
            if self._storage.save_as:
                from fetchpool.sinks.named_bodies import save_as
                from fetchpool.sinks.save_names import parts_of

                wanted = parts_of(self._storage.save_as, href, urlnum, sha256, suffix)
                path = Path(directory, *save_as(directory, wanted, spool, sha256))
            else:
                name = f"{sha256}.{suffix}"
                save(directory, name, spool)
                path = Path(directory, name[:2], name[2:4], name)
        except OSError as failure:
            self._failed(failure)
            return {}
        finally:
            spool.discard()
        return {SHA256: sha256, FILENAME: escape_invisible(str(path))}

    def discard(self) -> None:
        """Delete the partial file."""
        if self._spool is not None:
            self._spool.discard()

    def _failed(self, failure: OSError) -> None:
        self.discard()
        directory = escape_invisible(self._storage.directory)
        self.failure = (
            f"{directory}: can't save a body: {failure.strerror}; free some space, or choose another --save"
        )


def extension(content_type: str | None) -> str:
    """Return the file extension for a content type, from the table."""
    return EXTENSIONS.get((content_type or "").partition(";")[0].strip().lower(), OTHER)


def save(directory: str, name: str, spool: SpooledBody) -> None:
    """Give a complete body its name. Raises `OSError`."""
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)  # it is given by the user, so it may be a link
    try:
        outer = open_subdir(root, name[:2])
        try:
            inner = open_subdir(outer, name[2:4])
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


def open_subdir(parent: int, name: str) -> int:
    """Open a directory within another; create it if it is missing. Raises `OSError` for a link or a file."""
    flags = os.O_RDONLY | os.O_DIRECTORY | NO_LINK
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        try:
            os.mkdir(name, dir_fd=parent)
        except FileExistsError:  # another worker was faster
            return os.open(name, flags, dir_fd=parent)
        return os.open(name, flags, dir_fd=parent)


def _already_saved(directory: int, name: str, size: int) -> bool:
    """Whether that body is saved already. A file of another size does not count: a power failure has
    truncated it."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size
