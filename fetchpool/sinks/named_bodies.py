"""Saves bodies under names that URLs give them (`--save-as`), each body in a file of its own.

In: the parts of a relative path, and a complete body. Out: the path of its file. No link is followed, and no
file is replaced: where a name is taken by another body, the new one gets the hash of its content in its name;
where a file is in place of a directory, the directory gets a `~` after its name. An identical body shares the
file.
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

IN_THE_WAY = (errno.ENOTDIR, errno.ELOOP)
"""How opening a directory fails where a file or a link is."""
NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)
MAX_MARKS = 5
"""Directories whose names are taken by files, one `~` longer each."""
BLOCK = 1 << 20


def save_as(directory: str, parts: Sequence[str], spool: SpooledBody, sha256: str) -> list[str]:
    """Give a complete body its name; return the parts of the name that it got. Raises `OSError`."""
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
            if _is_placed(place, name, spool, sha256):
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
            if failure.errno not in IN_THE_WAY:
                raise
    raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def _is_placed(directory: int, name: str, spool: SpooledBody, sha256: str) -> bool:
    """Give the body this name; False when another body has it."""
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
