"""Parsers: loaded by name, run on a response, their results checked for the row."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from enum import IntEnum, StrEnum
from functools import partial, wraps
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.http.parsers import run as parsers
from fetchpool.http.parsers.declared import declared_fields
from fetchpool.http.parsers.run import DEPTH, MAX_RESULT, Parser
from fetchpool.http.parsers.title import LENGTH
from fetchpool.http.response import Response
from fetchpool.model.errors import UsageError
from fetchpool.transports.base import Headers

TITLE = parsers.load(("title",))


def page(content: bytes | str, content_type: str | None = "text/html") -> Response:
    lines = [] if content_type is None else [f"Content-Type: {content_type}".encode()]
    raw = content.encode() if isinstance(content, str) else content
    return Response(url="http://example.org/?token=hush", content=raw, headers=Headers(lines))


def title_of(content: bytes | str, content_type: str | None = "text/html") -> Any:
    extra, failure = parsers.run(TITLE, page(content, content_type))
    assert failure is None
    assert list(extra) == ["title"]
    return extra["title"]


def outcome_of(function: Callable[[Response], Any]) -> tuple[dict[str, Any], str | None]:
    extra, failure = parsers.run((Parser("mine:function", function),), page("<title>hush</title>"))
    assert failure is None or failure.kind == "parse"
    return extra, failure and failure.message


def given_back(value: object) -> tuple[dict[str, Any], str | None]:
    return outcome_of(lambda _: value)


# The title


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("<title>Hello</title>", "Hello"),
        ("<!doctype html><html><head><TITLE lang=en>\n Tom &amp;\t&eacute;clair \n</TITLE>", "Tom & éclair"),
        ("<title><b>bold</b></title>", "<b>bold</b>"),
        ("<title>first</title><title>second</title>", "first"),
        ("<title>never ends", "never ends"),
        ("<!-- <title>no</title> --><title>yes</title>", "yes"),
        ("<script>'<title>no</title>'</script><title>yes</title>", "yes"),
        ("<body><svg><title>picture</title></svg><title>page</title>", "page"),
        ("<svg><title>picture</title></svg>", None),
        ("<math><title>formula</title></math>", None),
        ("<title></title>", None),
        ("<title> \n </title>", None),
        ("<p>no title", None),
        ("", None),
        ("\0<title>\0x</title>", "\ufffdx"),
        ("<title>\x1b]0;gotcha\x07 \u202egnp</title>", "\\x1b]0;gotcha\\x07 \\u202egnp"),
    ],
)
def test_the_title_of_a_page(content: str, title: str | None) -> None:
    assert title_of(content, "text/html; charset=utf-8") == title


def test_the_title_is_read_by_the_pages_own_charset() -> None:
    content = "<meta charset=koi8-r><title>Привет</title>".encode("koi8-r")
    assert title_of(content) == "Привет"
    assert title_of("<title>Привет</title>".encode("koi8-r"), "text/html; charset=koi8-r") == "Привет"
    assert title_of("\ufeff<title>Привет</title>".encode("utf-16-le")) == "Привет"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "image/svg+xml", "application/pdf"]
)
def test_a_page_that_is_not_html_has_no_title(content_type: str) -> None:
    assert title_of("<title>Hello</title>", content_type) is None


def test_without_a_content_type_a_page_is_known_by_its_first_character() -> None:
    assert title_of("\n <title>Hello</title>", None) == "Hello"
    assert title_of("%PDF <title>Hello</title>", None) is None
    assert title_of("<title>Hello</title>", "application/xhtml+xml") == "Hello"


def test_a_title_without_end_is_cut() -> None:
    assert title_of("<title>" + "x" * 100_000) == "x" * LENGTH


@given(
    st.one_of(
        st.binary(),
        st.lists(st.sampled_from([b"<title>", b"</title>", b"<svg>", b"<!--", b"x"])).map(b"".join),
    )
)
def test_any_bytes_have_a_title_or_none(content: bytes) -> None:
    title = title_of(content)
    assert title is None or (title and title.isprintable() and len(title) <= 6 * LENGTH)


# Loading


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with nothing in it; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_function_of_the_current_directory_is_found(directory: Path) -> None:
    (directory / "own_page.py").write_text(
        "def links(response):\n    return {'links': response.text.count('<a')}\n"
    )
    loaded = parsers.load(("own_page:links", "title"))
    assert parsers.run(loaded, page("<a><a><title>t</title>")) == ({"links": 2, "title": "t"}, None)


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("def parse(r): return {'a': 1, 'b': 2}", ("a", "b")),
        ("def parse(r): return dict(a=1, b=2)", ("a", "b")),
        ("def parse(r):\n if r:\n  return {'a': 1}\n return {'b': 1, 'a': 2}", ("a", "b")),
        ("def parse(r):\n def inner(): return 5\n return {'a': inner()}", ("a",)),
        ("def parse(r): return {'url': 1, 'a\\nb': 2}", ("parse_url", "a\\x0ab")),
        ("def parse(r):\n for x in r:\n  return {'a': x}\n return {}", ("a",)),
        ("def parse(r): return {'a': 1, **r}", ()),
        ("def parse(r): return {'a': 1} if r else None", ()),
        ("def parse(r):\n if r: return\n return {'a': 1}", ()),
        ("def parse(r): return dict(r, a=1)", ()),
        ("def parse(r): pass", ()),
        ("parse = lambda r: {'a': 1}", ()),
        ("from operator import attrgetter\nparse = attrgetter('url')", ()),
        ("class Parse:\n def __call__(self, r): return {'a': 1}\nparse = Parse()", ("a",)),
        (
            "from functools import wraps\n"
            "def twice(f):\n"
            " @wraps(f)\n"
            " def g(r): return f(r)\n"
            " return g\n"
            "@twice\n"
            "def parse(r): return {'a': 1}",
            ("a",),
        ),
        (
            "from __future__ import annotations\n"
            "from typing import TypedDict\n"
            "class A(TypedDict): a: int\n"
            "class B(A, total=False): b: list[str]\n"
            "def parse(r) -> B: return {'other': 1}",
            ("a", "b"),
        ),
        ("def parse(r) -> 'absent': return {'a': 1}", ("a",)),
    ],
)
def test_the_fields_that_a_parser_declares(
    source: str, fields: tuple[str, ...], directory: Path, request: pytest.FixtureRequest
) -> None:
    name = f"own_declared_{request.node.callspec.indices['source']}"
    (directory / f"{name}.py").write_text(f"{source}\n")
    (loaded,) = parsers.load((f"{name}:parse",))
    assert declared_fields(loaded.function) == fields


def test_a_function_of_a_package_is_found(directory: Path) -> None:
    (directory / "own_package").mkdir()
    (directory / "own_package" / "__init__.py").write_text("")
    (directory / "own_package" / "deep.py").write_text(
        "def size(response):\n    return {'size': len(response.text)}\n"
    )
    assert parsers.run(parsers.load(("own_package.deep:size",)), page("four")) == ({"size": 4}, None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "titel",
            "--parse: no parser 'titel'; expected title, meta, links, text, or package.module:function",
        ),
        ("", "--parse: no parser ''; expected title, meta, links, text, or package.module:function"),
        ("own:", "--parse: no parser 'own:'; expected title, meta, links, text, or package.module:function"),
        (
            ":links",
            "--parse: no parser ':links'; expected title, meta, links, text, or package.module:function",
        ),
        ("nowhere:f", "--parse: no module 'nowhere' in the current directory or among those installed"),
        ("own.deep:f", "--parse: no module 'own.deep' in the current directory or among those installed"),
        (
            "own:lynks",
            "--parse: no function 'lynks' in module 'own'; it has: links, words, later, stream, each, "
            "two, empty",
        ),
        ("own:json", "--parse: 'json' in module 'own' is not a function"),
        (
            "own.py:links",
            "--parse: 'own.py' is a file; in its directory, name the module instead: own:function",
        ),
        (
            "./own.py:links",
            "--parse: './own.py' is a file; in its directory, name the module instead: own:function",
        ),
        ("own:later", "--parse: own:later is an async function; define it with def"),
        ("own:stream", "--parse: own:stream is an async function; define it with def"),
        ("own:each", "--parse: own:each is a generator; let it return one mapping instead of yielding"),
        ("own:two", "--parse: own:two can't be called with one argument, the response"),
        ("own:empty", "--parse: own:empty can't be called with one argument, the response"),
        ("bare:f", "--parse: no function 'f' in module 'bare'; it has: no functions"),
        ("needy:f", "--parse: module 'needy' needs 'not_there', which is not installed"),
        ("broken:f", "--parse: module 'broken' can't be imported: ValueError: on two lines"),
        ("leaving:f", "--parse: module 'leaving' can't be imported: SystemExit: 3"),
    ],
)
def test_a_name_that_leads_nowhere_is_a_usage_error_that_names_the_fix(
    directory: Path, name: str, message: str
) -> None:
    (directory / "own.py").write_text(
        "import json\nfrom os.path import join\ndef links(r): ...\ndef words(r): ...\ndef _hidden(r): ...\n"
        "async def later(r): ...\nasync def stream(r): yield\ndef each(r): yield\ndef two(r, more): ...\n"
        "def empty(): ...\n"
    )
    (directory / "bare.py").write_text("")
    (directory / "needy.py").write_text("import not_there")
    (directory / "broken.py").write_text("raise ValueError('on\\ntwo lines')")
    (directory / "leaving.py").write_text("raise SystemExit(3)")
    with pytest.raises(UsageError) as raised:
        parsers.load((name,))
    assert str(raised.value) == message


@pytest.mark.parametrize("function", [TITLE[0].function, partial(int, "1"), dict, Mock(), min])
def test_a_function_that_can_be_called_with_a_response_is_accepted(function: Any) -> None:
    assert parsers.misfit(function) == ""


def test_the_arguments_of_a_decorated_function_are_those_of_its_decorator() -> None:
    def inner(response: Any, extra: int) -> dict[str, int]:
        return {"size": extra + len(response.text)}

    @wraps(inner)
    def outer(response: Any) -> dict[str, int]:
        return inner(response, 1)

    assert parsers.misfit(outer) == ""


def test_a_syntax_error_is_reported_in_one_line(directory: Path) -> None:
    (directory / "typo.py").write_text("def links(response:\n    pass\n")
    with pytest.raises(
        UsageError, match=r"^--parse: module 'typo' can't be imported: SyntaxError: .*line 1\)$"
    ):
        parsers.load(("typo:links",))


# Running


def test_a_parser_that_raises_is_named_with_its_line_but_its_words_are_not_repeated(directory: Path) -> None:
    (directory / "raising.py").write_text(
        "import json\ndef links(response):\n    return json.loads('hush ' + response.url)\n"
    )
    extra, failure = parsers.run(parsers.load(("raising:links",)), page(""))
    assert extra == {}
    assert failure is not None
    assert failure.kind == "parse"
    assert failure.message == "raising:links raised JSONDecodeError at raising.py:3"


@pytest.mark.parametrize(
    "error",
    [
        *(ValueError, KeyError("hush"), RecursionError, MemoryError, SystemExit(3), StopIteration),
        *(GeneratorExit, BaseException("hush"), BaseExceptionGroup("hush", [SystemExit()])),
    ],
)
def test_any_exception_of_a_parser_is_a_parse_failure(error: BaseException | type[BaseException]) -> None:
    def function(_: Response) -> dict[str, Any]:
        raise error

    extra, message = outcome_of(function)
    assert extra == {}
    assert message is not None
    assert message.startswith("mine:function raised ")
    assert "hush" not in message


def test_an_interruption_is_not_a_parse_failure() -> None:
    def function(_: Response) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome_of(function)


def test_an_interruption_of_nobodys_is_a_parse_failure() -> None:
    """In a worker's thread there is no Ctrl-C: a parser that raises one has made it up."""
    with ThreadPoolExecutor(1) as worker:
        extra, failure = worker.submit(parsers.run, (Parser("mine:function", interrupt),), page("")).result()
    assert (extra, failure and failure.kind) == ({}, "parse")


def interrupt(_: Response) -> dict[str, Any]:
    raise KeyboardInterrupt


LONG = "x" * 10_000


def endless(_: Response) -> Mapping[str, Any]:
    class Endless(dict[str, Any]):
        def items(self) -> Any:
            return ((str(number), LONG) for number in count())

    return Endless()


def doubled(_: Response) -> Mapping[str, Any]:
    value: Any = LONG
    for _ in range(DEPTH - 1):
        value = [value] * 100
    return {"value": value}


@pytest.mark.parametrize("function", [lambda _: {"a": "x" * (MAX_RESULT + 1)}, endless, doubled])
def test_a_result_too_large_for_a_row_is_a_failure(function: Callable[[Response], Any]) -> None:
    assert outcome_of(function) == ({}, f"mine:function returned more than {MAX_RESULT >> 20} MiB")


def test_one_parsers_failure_leaves_the_others_fields() -> None:
    loaded = (Parser("mine:bad", lambda _: 1 / 0), *TITLE, Parser("mine:worse", lambda _: None))
    extra, failure = parsers.run(loaded, page("<title>t</title>"))
    assert extra == {"title": "t"}
    assert failure is not None
    assert failure.message.startswith("mine:bad raised ZeroDivisionError at test_parsers.py:")


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Lazy(Mapping[str, Any]):
    """A mapping that breaks only when it is read."""

    def __getitem__(self, key: str) -> Any:
        raise OSError(key)

    def __iter__(self) -> Any:
        return iter(("a",))

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("plain é", "plain é"),
        ("\x1b[2J\u202e\x9b\n", "\\x1b[2J\\u202e\\x9b\\x0a"),
        ("\udc80", "\\udc80"),
        (True, True),
        (None, None),
        (-(1 << 63), -(1 << 63)),
        (1.5, 1.5),
        (float("nan"), None),
        (float("-inf"), None),
        ([1, ("a\x00", {"b\x07": [float("inf")]})], [1, ["a\\x00", {"b\\x07": [None]}]]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Colour.RED, "red"),
        (Size.BIG, 3),
    ],
)
def test_values_are_made_fit_for_a_row(value: object, kept: object) -> None:
    extra, message = given_back({"field": value})
    assert message is None
    assert extra == {"field": kept}
    assert type(extra["field"]) is type(kept)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "mine:function returned NoneType, not a mapping"),
        ("text", "mine:function returned str, not a mapping"),
        ([("a", 1)], "mine:function returned list, not a mapping"),
        ({1: 2}, "mine:function returned a field whose name is int, not text"),
        ({"": 2}, "mine:function returned a field with an empty name"),
        ({"when": date(2026, 1, 1)}, "mine:function returned date in 'when', which JSON doesn't have"),
        ({"raw": [b"hush"]}, "mine:function returned bytes in 'raw', which JSON doesn't have"),
        ({"all": {1, 2}}, "mine:function returned set in 'all', which JSON doesn't have"),
        ({"map": {1: 2}}, "mine:function returned a key that is int, not text, in 'map'"),
        ({"n": 1 << 63}, "mine:function returned a number of more than 64 bits in 'n'"),
        ({"deep": nested(DEPTH + 1)}, f"mine:function returned more than {DEPTH} levels in 'deep'"),
        (Lazy(), "mine:function raised OSError"),
    ],
)
def test_a_value_that_a_row_cannot_hold_is_a_failure_that_names_the_function(
    value: object, message: str
) -> None:
    extra, said = given_back(value)
    assert extra == {}
    assert said is not None
    assert said.startswith(message)


def test_a_list_that_holds_itself_is_a_failure() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert given_back({"loop": loop})[1] == f"mine:function returned more than {DEPTH} levels in 'loop'"
    assert given_back({"deep": nested(DEPTH)})[1] is None


def test_names_of_the_rows_own_fields_get_a_prefix() -> None:
    extra, message = given_back(
        {"url": 1, "error": 2, "extra": 3, "content_encoding": 4, "title": 5, "urls": 6}
    )
    assert message is None
    own = {"parse_url": 1, "parse_error": 2, "parse_extra": 3, "parse_content_encoding": 4}
    assert extra == {**own, "title": 5, "urls": 6}


def test_a_later_parsers_field_is_over_an_earlier_ones() -> None:
    loaded = (*TITLE, Parser("mine:own", lambda _: {"title": "mine"}))
    assert parsers.run(loaded, page("<title>t</title>")) == ({"title": "mine"}, None)


def test_names_are_made_visible_too() -> None:
    assert given_back({"a\x1b": 1}) == ({"a\\x1b": 1}, None)


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.one_of(anything, st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), anything, max_size=4))
)
def test_any_result_of_a_parser_ends_in_json_or_a_failure(value: Any) -> None:
    extra, message = given_back(value)
    assert msgspec.json.decode(msgspec.json.encode(extra)) == extra
    if message is not None:
        assert extra == {}
        assert message.isprintable()
