"""Decodes content codings (RFC 9110 section 8.4.1) in bounded steps: gzip, deflate, br, zstd.

In: the bytes of one coding, in chunks of any size. Out: the decoded bytes, in pieces of at most `MAX_OUTPUT`
bytes, however small the chunk, so that the caller can stop a decompression bomb by counting the pieces. The
module stores, counts and limits nothing; the body does.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli  # type: ignore[import-untyped]  # it ships no types
from msgspec import Struct

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

OUTPUT_STEP = 128 * 1024
"""Number of bytes that a decoder is asked for at once."""
MAX_OUTPUT = 2 * OUTPUT_STEP
"""Maximum number of bytes that a decoder returns: brotli rounds up to its own blocks (google/brotli issue
1396)."""
SLICE = 16 * 1024
"""Maximum number of bytes that a decoder is given at once. The bytes after a member are copied once per
member, so many small members in one large chunk would take quadratic time."""
ZSTD_WINDOW_LOG = 23
"""8 MiB: the window that RFC 9659 allows on the web. The decoder allocates as much as the frame asks for."""
MAX_MEMBERS = 100_000
"""Maximum number of gzip members or zstd frames in one body. An empty one takes 9 bytes and about 10 µs:
without a limit, a bomb of them inside another coding would run for minutes without growing."""


class DecodingError(ValueError):
    """The bytes are not in the declared coding."""


CODING_ERRORS: tuple[type[Exception], ...] = (DecodingError, zlib.error, brotli.error, zstd.ZstdError)
"""The exceptions of `ContentDecoder.decode()`, all with the same meaning."""


class MemberDecoder(Protocol):
    """The common interface of the libraries' decoders, each for one member."""

    ended: bool
    """Whether the member is complete; the bytes after it are in `rest`."""
    pending: bool
    """Whether there is more output without more input: call `decode(b"")`."""
    rest: bytes

    def decode(self, chunk: bytes) -> bytes: ...


class ZlibDecoder:
    """Decodes gzip, and both kinds of deflate."""

    __slots__ = ("_inflate", "ended", "pending", "rest")

    def __init__(self, window_bits: int) -> None:
        self._inflate = zlib.decompressobj(window_bits)
        self.ended = self.pending = False
        self.rest = b""

    def decode(self, chunk: bytes) -> bytes:
        inflate = self._inflate
        piece = inflate.decompress(chunk or inflate.unconsumed_tail, OUTPUT_STEP)
        if inflate.eof:
            self.ended = True
            self.rest = inflate.unused_data
        # A full piece may leave output behind even if all input was consumed.
        self.pending = len(piece) == OUTPUT_STEP or bool(inflate.unconsumed_tail)
        return piece


class BrotliDecoder:
    """Decodes brotli. The library raises for bytes after the end of the stream instead of returning them."""

    __slots__ = ("_brotli", "ended", "pending", "rest")

    def __init__(self) -> None:
        self._brotli = brotli.Decompressor()
        self.ended = self.pending = False
        self.rest = b""

    def decode(self, chunk: bytes) -> bytes:
        piece: bytes = self._brotli.process(chunk, output_buffer_limit=OUTPUT_STEP)
        self.ended = self._brotli.is_finished()
        # Not `can_accept_more_data()`: the last bytes of a bomb are consumed long before their output is
        # complete. The only reliable way is to ask until nothing is returned (google/brotli pull request
        # 1234).
        self.pending = bool(piece)
        return piece


class ZstdDecoder:
    """Decodes Zstandard. `backports.zstd` is the standard library's `compression.zstd` for Pythons before
    3.14: of the bindings, the one whose output can be bounded."""

    __slots__ = ("_zstd", "ended", "pending", "rest")

    def __init__(self) -> None:
        self._zstd = zstd.ZstdDecompressor(options=ZSTD_OPTIONS)
        self.ended = self.pending = False
        self.rest = b""

    def decode(self, chunk: bytes) -> bytes:
        piece = self._zstd.decompress(chunk, OUTPUT_STEP)
        if self._zstd.eof:
            self.ended = True
            self.rest = self._zstd.unused_data
        self.pending = not self._zstd.needs_input
        return piece


ZSTD_OPTIONS = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG}


def open_deflate(start: bytes) -> MemberDecoder:
    """Return the decoder for `deflate`. It is zlib's format (RFC 9110 section 8.4.1.2), but some servers send
    no header, and browsers accept both. The header's check bits (RFC 1950 section 2.2) distinguish them."""
    wrapped = start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0
    return ZlibDecoder(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


class ContentCoding(Struct, frozen=True):
    """A name in `Content-Encoding`, and its decoder."""

    name: str
    open: Callable[[bytes], MemberDecoder]
    """Return a decoder for the member that starts with these bytes."""
    needs: int = 1
    """The number of first bytes that `open` needs."""
    magics: tuple[bytes, ...] = ()
    """The first bytes of further members, all of one length; empty when there is only one member."""
    lenient: bool = True
    """Whether bytes after the last member are ignored."""


CODINGS = {
    "gzip": ContentCoding("gzip", lambda _: ZlibDecoder(16 + zlib.MAX_WBITS), magics=(b"\x1f\x8b\x08",)),
    "deflate": ContentCoding("deflate", open_deflate, needs=2),
    "br": ContentCoding("br", lambda _: BrotliDecoder(), lenient=False),
    "zstd": ContentCoding(
        "zstd",
        lambda _: ZstdDecoder(),
        # A frame, or one of the sixteen kinds of skippable frames (RFC 8878 section 3.1).
        magics=(b"\x28\xb5\x2f\xfd", *(bytes((0x50 + kind, 0x2A, 0x4D, 0x18)) for kind in range(16))),
    ),
}
CODINGS["x-gzip"] = CODINGS["gzip"]


class ContentDecoder:
    """Decodes one coding of one body.

    Consecutive gzip members or zstd frames form one body. As in `gzip -d` and browsers, zero bytes between
    and after them are ignored, and so are bytes after the last one that don't start another. As in curl,
    nothing may follow a brotli stream.
    """

    __slots__ = ("_codec", "_coding", "_held", "_ignoring", "_members")

    def __init__(self, coding: ContentCoding) -> None:
        self._coding = coding
        self._codec: MemberDecoder | None = None
        self._held = b""
        """The first bytes of a member, too few to choose its decoder."""
        self._members = 0
        self._ignoring = False

    @property
    def name(self) -> str:
        return self._coding.name

    @property
    def complete(self) -> bool:
        """Whether all members that began are complete. An empty body is complete."""
        return self._codec is None and not self._held

    def decode(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the part of the decoded body that `chunk` adds, in pieces of at most `MAX_OUTPUT` bytes. A
        member without content yields an empty piece, so that the caller can stop a bomb of empty members,
        too. Raises one of `CODING_ERRORS`. Must be exhausted before the next chunk."""
        if len(chunk) <= SLICE:
            yield from self._pieces(chunk)
        else:
            for start in range(0, len(chunk), SLICE):
                yield from self._pieces(chunk[start : start + SLICE])

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        while chunk and not self._ignoring:
            codec = self._codec
            if codec is None:
                self._held += chunk
                codec = self._codec = self._next_member()
                if codec is None:
                    return
                chunk, self._held = self._held, b""
            piece = codec.decode(chunk)
            while True:
                if piece or codec.ended:
                    yield piece
                if codec.ended or not codec.pending:
                    break
                piece = codec.decode(b"")
            chunk = b""
            if codec.ended:
                chunk = codec.rest
                self._codec = None

    def _next_member(self) -> MemberDecoder | None:
        """Return the decoder for the member that `_held` starts; None if more bytes are needed, or if it is
        not a member."""
        coding = self._coding
        if self._members:
            self._held = self._held.lstrip(b"\0")
            if not any(magic.startswith(self._held[: len(magic)]) for magic in coding.magics):
                if not coding.lenient:
                    raise DecodingError("bytes after the end")
                self._ignoring = True
                self._held = b""
                return None
            needs = len(coding.magics[0])
        else:
            needs = coding.needs
        if len(self._held) < needs:
            return None
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise DecodingError(f"more than {MAX_MEMBERS} members")
        return coding.open(self._held)
