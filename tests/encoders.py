"""The content codings from the servers' side: what a test encodes, the decoders must undo."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(content: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(content) + deflate.flush()


def zstd_with_window(log: int) -> bytes:
    """A frame that asks its reader for a window of 2 ** log bytes."""
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    return compressor.compress(b"hello") + compressor.flush()


def one_brotli(content: bytes, times: int) -> bytes:
    """One stream of the content, many times over, without ever having it all."""
    compressor = brotli.Compressor(quality=5)
    return b"".join(compressor.process(content) for _ in range(times)) + compressor.finish()


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
}
"""By the name of the case: what the server says, and what it sends."""
