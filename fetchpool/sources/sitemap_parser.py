"""Parses a sitemap (sitemaps.org/protocol.html) as it arrives: XML, or a text with a URL per line.

In: chunks of bytes, decompressed. Out: the entries found so far, each with the number of its line, and
whether they are sitemaps themselves. Memory is bounded for any input; no entity is expanded, and the module
opens nothing."""

from __future__ import annotations

from xml.parsers import expat

from fetchpool.sources.lines import MAX_LINE, LineSplitter

PARTS = {
    "urlset": ("url", "loc"),
    "sitemapindex": ("sitemap", "loc"),
    "rss": ("item", "link"),
    "feed": ("entry", "link"),
}
"""By root element, the element of an entry and the one of its URL. The protocol allows RSS and Atom, too."""
ATOM = "feed"
"""The root element of the format in which URLs are attributes."""
MAX_DEPTH = 100
"""Maximum nesting of elements."""
MAX_TOKEN = 4 << 20
"""Maximum size in bytes of a tag, comment or text, which the XML parser must hold."""
MIN_DEFERRED = 64 << 10
"""Bytes of an incomplete token from which on parsing is deferred; shorter ones must not delay an entry."""

Entry = tuple[str, int]
"""A URL, and the number of its line."""


class SitemapError(Exception):
    """The input is not a sitemap, or not a complete one. `str()` is one clean clause."""


class SitemapParser:
    """A parser of one sitemap, fed in order."""

    def __init__(self) -> None:
        self.is_index = False
        """Whether the entries are sitemaps."""
        self._xml: expat.XMLParserType | None = None
        self._lines: LineSplitter | None = None
        self._start = b""
        self._fed = 0
        self._incomplete = 0
        """Bytes of an incomplete token that the XML parser holds, which it parses again from the start."""
        self._held = bytearray()
        """Bytes to parse when that token has twice the size, so that parsing takes linear time."""
        self._path: list[str] = []
        self._wanted = ("", "")
        self._text: list[str] | None = None
        """The pieces of a URL, within its element."""
        self._length = 0
        self._line = 0
        self._is_atom = False
        self._entries: list[Entry] = []

    def feed(self, chunk: bytes) -> list[Entry]:
        """Return the entries that are complete with `chunk`. Raises `SitemapError`."""
        if self._xml is None and self._lines is None:
            chunk = self._start + chunk
            text = chunk.removeprefix(b"\xef\xbb\xbf").lstrip()
            self._start = chunk if not text else b""
            if not text:
                return []
            if text.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
                self._xml = self._parser()
                chunk = text
            else:
                self._lines = LineSplitter(numbered=True)
        if self._lines is not None:
            found = self._lines.feed(chunk)
            return list(zip(found, self._lines.numbers, strict=True))
        assert self._xml is not None
        self._held += chunk
        size = len(self._held)
        if self._incomplete > MIN_DEFERRED and size < self._incomplete <= MAX_TOKEN - size:
            return []
        self._parse(self._xml, bytes(self._held), is_last=False)
        self._held.clear()
        self._fed += size
        self._incomplete = self._fed - self._xml.CurrentByteIndex
        if self._incomplete > MAX_TOKEN:
            raise SitemapError(f"a tag or text of more than {MAX_TOKEN >> 20} MiB")
        return self.take()

    def finish(self) -> list[Entry]:
        """Return the rest of the entries. Raises `SitemapError` if the sitemap is not complete."""
        if self._lines is not None:
            found = self._lines.finish()
            return list(zip(found, self._lines.numbers, strict=True))
        if self._xml is None:
            raise SitemapError("is empty")
        self._parse(self._xml, bytes(self._held), is_last=True)
        return self.take()

    def take(self) -> list[Entry]:
        """Remove and return the entries found so far, also after a `SitemapError`."""
        entries, self._entries = self._entries, []
        return entries

    def _parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate()
        # While Expat 2.6 defers an incomplete token (CVE-2023-52425) its position is wrong. `feed()` does the
        # same.
        if hasattr(parser, "SetReparseDeferralEnabled"):
            parser.SetReparseDeferralEnabled(False)
        parser.buffer_text = True
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        parser.CharacterDataHandler = self._on_text
        parser.EntityDeclHandler = self._on_entity
        return parser

    def _parse(self, parser: expat.XMLParserType, chunk: bytes, *, is_last: bool) -> None:
        try:
            parser.Parse(chunk, is_last)
        except expat.ExpatError as failure:
            raise SitemapError(f"not well-formed XML: {failure}") from failure

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path:
            self._on_root(name)
        self._path.append(name)
        if len(self._path) > MAX_DEPTH:
            raise SitemapError(f"more than {MAX_DEPTH} nested elements")
        if tuple(self._path[-2:]) == self._wanted:
            assert self._xml is not None
            if self._is_atom:
                url = attributes.get("href", "").strip()
                if url and attributes.get("rel", "alternate") == "alternate":
                    self._entries.append((url[:MAX_LINE], self._xml.CurrentLineNumber))
                return
            self._text, self._length, self._line = [], 0, self._xml.CurrentLineNumber

    def _on_root(self, name: str) -> None:
        prefix, colon, local = name.rpartition(":")
        if local not in PARTS:
            raise SitemapError(f"is not a sitemap: its root element is <{name[:50]}>, not <urlset>")
        entry, location = PARTS[local]
        # The elements of extensions (images, languages) have a prefix that differs from the sitemap's own.
        self._wanted = (f"{prefix}{colon}{entry}", f"{prefix}{colon}{location}")
        self._is_atom = local == ATOM
        self.is_index = local == "sitemapindex"

    def _on_end(self, _: str) -> None:
        if self._text is not None and tuple(self._path[-2:]) == self._wanted:
            if url := "".join(self._text).strip():
                self._entries.append((url[:MAX_LINE], self._line))
            self._text = None
        self._path.pop()

    def _on_text(self, text: str) -> None:
        if self._text is not None and self._length <= MAX_LINE:
            self._text.append(text)
            self._length += len(text)

    def _on_entity(self, *_: object) -> None:
        raise SitemapError("declares entities, which no sitemap needs")
