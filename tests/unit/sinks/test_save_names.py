"""Names of saved bodies: readable, within every file system's limits, and never outside the directory."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from fetchpool.model import urls
from fetchpool.sinks.bodies import BodyStore
from fetchpool.sinks.save_names import MAX_PART, MAX_PATH, parts_of

SHA256 = "ab" * 32
HOSTILE = [
    "http://h/../../../etc/passwd",
    "http://h/%2e%2e/%2e%2e%2fetc%2fpasswd",
    "http://h/..%5c..%5cwindows",
    "http://h/%252e%252e/x",
    "http://h//////",
    "http://h/a%00b%0d%0a%1b[31m%e2%80%ae",
    "http://h/.fetchpool-save-x/y",
    "http://h/.htaccess",
    "http://h/-rf",
    "http://h/~root",
    "http://h/CON/nul.txt/com1",
    'http://h/a:b*c?d"e<f>g|h',
    "http://h/trailing./dots.../spaces%20%20/",
    f"http://h/{'a' * 60_000}",
    f"http://h/{'%f0%9f%98%80' * 500}.html",
    f"http://h/{'d/' * 5_000}x",
    f"http://h/?{'q' * 10_000}",
    "http://h/%ff%fe%c3",
    "http://h/%ed%b2%80",
    "http://[2001:db8::1]:8080/x",
    "http://h/{urlnum}/{sha256}",
    "http://h/" + "%20" * 100,
]


def named(template: str, url: str, extension: str = "html") -> list[str]:
    parsed = urls.parse(url)
    assert isinstance(parsed, urls.Url)
    return parts_of(template, parsed.href, 7, SHA256, extension)


@pytest.mark.parametrize(
    ("template", "url", "name"),
    [
        ("{host}/{path}", "http://example.org/docs/page.html", "example.org/docs/page.html"),
        ("{host}/{path}", "http://example.org:8080/", "example.org_8080/index.html"),
        ("{host}/{path}", "http://example.org/docs/", "example.org/docs/index.html"),
        ("{host}/{path}", "http://example.org/list.php?page=2&q=a/b", "example.org/list_page=2&q=a_b.php"),
        ("{path}", "http://h/gr%C3%BC%C3%9Fe", "grüße"),
        ("{urlnum}.{ext}", "http://h/x", "7.html"),
        ("{host}-{sha256}.{ext}", "http://h/x", f"h-{SHA256}.html"),
        ("a/b c/{urlnum}", "http://h/x", "a/b c/7"),
    ],
)
def test_names_can_be_read(template: str, url: str, name: str) -> None:
    assert "/".join(named(template, url)) == name


@pytest.mark.parametrize(
    "template", ["{host}/{path}", "{path}", "{host}", "x{path}.{ext}", "{path}/{host}/{path}"]
)
@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_urls_have_harmless_names(url: str, template: str) -> None:
    parts = named(template, url)
    assert parts
    assert len("/".join(parts).encode()) <= MAX_PATH + MAX_PART
    for part in parts:
        assert 0 < len(part.encode()) <= MAX_PART + 2
        assert not set(part) & set('/\\:*?"<>|\0')
        assert part.isprintable()
        assert part not in (".", "..")
        assert part[0] not in ".-~ "
        assert part[-1] not in ". "
        assert part.partition(".")[0].lower() not in ("con", "nul", "com1")


def test_no_url_of_any_bytes_leads_out_of_the_directory(tmp_path: Path) -> None:
    shuffled = random.Random(3)
    tokens = ["..", ".", "/", "%2f", "%2e", "%5c", "\\", "%00", "a", "~", "%c3%9f", "?", "%20", "x" * 300]
    store = BodyStore(str(tmp_path / "kept"), str(tmp_path / "spool"), "{host}/{path}")
    (tmp_path / "kept").mkdir()
    (tmp_path / "spool").mkdir()
    for number in range(300):
        parsed = urls.parse("http://h/" + "".join(shuffled.choices(tokens, k=8)))
        assert isinstance(parsed, urls.Url)
        writer = store.begin()
        body = str(number).encode()
        writer.write(body)
        name = writer.finish("text/html", parsed.href, number)["filename_effective"]
        place = Path(os.path.realpath(name))
        assert place.is_relative_to(tmp_path / "kept" / "h"), name
        assert place.read_bytes() == body
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "spool"}
    assert not list((tmp_path / "spool").iterdir())
