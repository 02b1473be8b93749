"""Saves bodies under names derived from their URLs (`--save-as`).

In: the parts of a relative path, and a complete body. Out: the path of its file. No link is followed, and no
file is replaced: if a name is taken by another body, the hash of the new content is added to the name; if a
directory's name is taken by a file, a `~` is added to it. Identical bodies share a file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from contextlib import suppress

from fetchpool.sinks.bodies import open_subdir
from fetchpool.sinks.save_names import DIGITS, with_suffix
from fetchpool.sinks.spool import NO_LINK, SpooledBody

NOT_A_DIRECTORY = (errno.ENOTDIR, errno.ELOOP)
"""Errors of opening a directory if a file or link has its name."""
NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)
MAX_MARKS = 5
"""Maximum number of `~` added to the name of a directory."""
BLOCK = 1 << 20


def save_as(directory: str, parts: Sequence[str], spool: SpooledBody, sha256: str) -> list[str]:
    """Give a complete body its name; return the parts of its final name. Raises `OSError`."""
    *above, last = parts
    path: list[str] = []
    place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)  # given by the user, so it may be a link
    try:
        for part in above:
            name, inner = _enter(place, part)
            os.close(place)
            place = inner
            path.append(name)
        stem, suffix = with_suffix(last)
        for name in (last, f"{stem}~{sha256[:DIGITS]}{suffix}", f"{stem}~{sha256}{suffix}"):
            if _try_place(place, name, spool, sha256):
                return [*path, name]
    finally:
        os.close(place)
    raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))


def _enter(parent: int, part: str) -> tuple[str, int]:
    """Open a directory, and create it if it is missing; return its name and descriptor."""
    for mark in range(MAX_MARKS):
        name = part + "~" * mark
        try:
            return name, open_subdir(parent, name)
        except OSError as failure:
            if failure.errno not in NOT_A_DIRECTORY:
                raise
    raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def _try_place(directory: int, name: str, spool: SpooledBody, sha256: str) -> bool:
    """Give the body this name; return False if another body has it."""
    if _has_body(directory, name, spool.size, sha256):
        return True
    if not spool.path:
        spool.rollover()
    spool.close()
    try:
        os.link(spool.path, name, dst_dir_fd=directory, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as failure:
        if failure.errno not in NO_HARD_LINKS:
            raise
        try:  # the name is taken first, so that nothing is replaced
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, 0o666, dir_fd=directory))
        except FileExistsError:
            return False
        os.rename(spool.path, name, dst_dir_fd=directory)
        spool.path = ""
    return True


def _has_body(directory: int, name: str, size: int, sha256: str) -> bool:
    """Whether the file of that name is this body."""
    with suppress(OSError):
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | NO_LINK, dir_fd=directory)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size != size:
                return False
            digest = hashlib.sha256()
            while block := os.read(descriptor, BLOCK):
                digest.update(block)
            return digest.hexdigest() == sha256
        finally:
            os.close(descriptor)
    return False
