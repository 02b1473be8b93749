"""Configuration files: what is read, how it is refused, and what a file that is not named may set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.config import config_files
from fetchpool.config.config_files import read
from fetchpool.config.config_paths import local_file, own_file, user_file
from fetchpool.config.environment import BY_VARIABLE, OTHER, from_variables
from fetchpool.config.option import Settable
from fetchpool.config.options.table import OPTIONS
from fetchpool.config.secrets import hide, is_credential
from fetchpool.model.errors import UsageError

FILE_OPTIONS = [
    option for option in OPTIONS.values() if option.usage and option.settable is not Settable.TYPED
]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text: str, path: str = "fetchpool.toml", mode: int = 0o600) -> str:
    Path(path).write_text(text)
    Path(path).chmod(mode)
    return path


@pytest.mark.usefixtures("directory")
def test_values_of_their_natural_type_are_what_would_be_typed() -> None:
    path = written(
        """
        workers = 50
        max-time = 2.5
        rate = 10
        limit-rate = 1e12
        host-delay = 1e-5
        robots = true
        header = ["A: 1", "B: 2"]
        output = "rows.jsonl"
        accept = [200, "300..399"]
        tls-max = 1.3
        retry = 3.0
        """
    )
    assert read(path) == {
        "workers": "50",
        "max_time": "2.5",
        "rate": "10/s",
        "robots": True,
        "headers": ["A: 1", "B: 2"],
        "outputs": ["rows.jsonl"],
        "accept": ["200", "300..399"],
        "tls_max": "1.3",
        "retry": "3",
        "limit_rate": "1000000000000",
        "host_delay": "0.00001",
    }


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("text", ["http1.1 = true\ntlsv1.2 = true", '"http1.1" = true\n"tlsv1.2" = true'])
def test_a_key_with_a_dot_needs_no_quotes(text: str) -> None:
    assert read(written(text)) == {"http1": True, "tlsv1_2": True}


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("worker = 3", "f.toml: unknown key 'worker'; did you mean workers?"),
        ("max_time = 3", "f.toml: unknown key 'max_time'; did you mean max-time?"),
        ("headers = []", "f.toml: unknown key 'headers'; did you mean header?"),
        ("timeout = 3", "f.toml: unknown key 'timeout'; did you mean max-time?"),
        ("threads = 3", "f.toml: unknown key 'threads'; did you mean workers?"),
        ("[run]\nworkers = 3", "f.toml: unknown key 'run.workers'; write workers, without a [table]"),
        (
            "[tool.fetchpool]\nmax-time = 3",
            "f.toml: unknown key 'tool.fetchpool.max-time'; write max-time, without a [table]",
        ),
        (
            "[fetchpool]\nhttp1.1 = true",
            "f.toml: unknown key 'fetchpool.http1.1'; write http1.1, without a [table]",
        ),
        ("quuxify = 3", "f.toml: unknown key 'quuxify'; fetchpool --help lists the options"),
        ('"\\u001b[2J" = 3', "f.toml: unknown key '\\x1b[2J'; fetchpool --help lists the options"),
        ("version = true", "f.toml: version is for the command line only"),
        ('config = "a"', "f.toml: config is for the command line only"),
        ("workers = true", "f.toml: workers: expected a number or text, got true or false"),
        ("workers = [3]", "f.toml: workers: expected a number or text, got a list"),
        ("max-time = 2026-01-01", "f.toml: max-time: expected a number or text, got a date or time"),
        ('robots = "yes"', "f.toml: robots: expected true or false, got text"),
        ("robots = 1", "f.toml: robots: expected true or false, got a number"),
        ("header = [[]]", "f.toml: header: expected text, or a list, got a list"),
        ("header = {A = 1}", "f.toml: header: expected text, or a list, got a table"),
        ('referer = "\\u0000"', "f.toml: referer: a NUL character is not allowed"),
        ("workers 3", "f.toml: not valid TOML: expected '=' after a key"),
        ("workers = 3\nworkers = 4", "f.toml: not valid TOML: cannot overwrite a value"),
        (f"workers = {'9' * 5000}", "f.toml: not valid TOML: exceeds the limit"),
        (f"workers = {'[' * 5000}", "f.toml: not valid TOML: nested too deeply"),
    ],
)
def test_a_refusal_names_the_file_and_the_key(text: str, refusal: str) -> None:
    with pytest.raises(UsageError) as error:
        read(written(text, "f.toml"))
    assert str(error.value).startswith(refusal)


@pytest.mark.usefixtures("directory")
def test_a_file_that_cannot_be_read_is_refused() -> None:
    Path("f.toml").write_bytes(b'referer = "\xff"')
    with pytest.raises(UsageError, match=r"^f\.toml: not UTF-8$"):
        read("f.toml")
    with pytest.raises(UsageError, match=r"^g\.toml: no such file; check its name$"):
        read("g.toml")
    with pytest.raises(UsageError, match=r"^\.: is a directory; name a file$"):
        read(".")
    with pytest.raises(UsageError, match="not a file name"):
        read("a\0b")


@pytest.mark.usefixtures("directory")
def test_a_byte_order_mark_is_skipped() -> None:
    assert read(written("\ufeffworkers = 3")) == {"workers": "3"}


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("option", FILE_OPTIONS, ids=[option.key for option in FILE_OPTIONS])
def test_a_file_that_is_not_named_can_only_set_what_the_table_allows(option: Any) -> None:
    path = written(f'"{option.key}" = {"true" if not option.metavar else "1"}')
    assert option.name in (read(path) or {})
    if option.settable is Settable.ANYWHERE:
        assert read(path, trusted=False) == read(path)
    else:
        with pytest.raises(UsageError) as error:
            read(path, trusted=False)
        for part in (path, option.key, f"--config {path}", "--no-config"):
            assert part in str(error.value)


def test_nothing_that_runs_code_writes_or_sends_data_is_allowed_in_a_file_that_is_not_named() -> None:
    """This list is a second opinion on the table: an option moves only on purpose."""
    allowed = {option.name for option in OPTIONS.values() if option.settable is Settable.ANYWHERE}
    harmful = {
        *("parse", "outputs", "overwrite", "save", "save_as", "warc", "cookie_jar", "resume", "retry_failed"),
        *(
            "headers",
            "user",
            "netrc",
            "netrc_file",
            "cookie",
            "data",
            "json",
            "method",
            "referer",
            "user_agent",
        ),
        *("proxy", "noproxy", "resolve", "dns_servers", "interface", "sitemap", "refresh", "write_out"),
        *(
            "insecure",
            "cacert",
            "cert",
            "key",
            "tlsv1_2",
            "tlsv1_3",
            "tls_max",
            "allow_private",
            "public_only",
        ),
        *("log_file", "log_max_size", "log_keep", "report"),  # with fewer logs kept, others are deleted
        *("quiet", "summary", "config", "no_config", "print_config"),
    }
    assert not allowed & harmful
    assert allowed >= {
        *("workers", "max_workers", "executor", "transport", "per_host", "host_delay", "rate", "robots"),
        *("retry", "retry_delay", "retry_max_time", "retry_after_max", "connect_timeout", "read_timeout"),
        *("max_time", "max_filesize", "max_redirs", "max_runtime", "max_failures", "http1", "http2", "http3"),
    }
    assert not any(name.startswith(("web", "report")) for name in allowed)


@pytest.mark.usefixtures("directory")
def test_of_a_pyproject_the_table_of_this_program_is_read() -> None:
    assert read(written("[project]\nname = 'x'", "pyproject.toml")) is None
    assert read(written("[project]\ndependencies = ['fetchpool']", "pyproject.toml")) is None
    for text in (
        "[tool.fetchpool]\nworkers = 3",
        "[tool]\nfetchpool.workers = 3",
        "tool = {fetchpool = {workers = 3}}",
        '["tool" . fetchpool]\nworkers = 3',
        "[tool.fetchpool]\nworkers = 3\n[tool.other]\nmax-time = 3",
    ):
        assert read(written(text, "pyproject.toml")) == {"workers": "3"}, text
    with pytest.raises(UsageError, match=r"pyproject\.toml: unknown key 'worker'"):
        read(written("[tool.fetchpool]\nworker = 3", "pyproject.toml"))


def test_the_file_of_the_working_directory_is_found_and_no_parent_is_searched(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert local_file("") == ""
    written("", "pyproject.toml")
    assert local_file("") == "./pyproject.toml"
    written("", "fetchpool.toml")
    assert local_file("") == "./fetchpool.toml"
    assert local_file(str(directory / "fetchpool.toml")) == ""
    assert local_file("other.toml") == "./fetchpool.toml"
    (directory / "below").mkdir()
    monkeypatch.chdir(directory / "below")
    assert local_file("") == ""
    Path("fetchpool.toml").mkdir()
    assert local_file("") == ""


def test_the_users_file_is_where_xdg_says(directory: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(directory)}
    assert user_file(home) == directory / "fetchpool" / "config.toml"
    assert user_file({"XDG_CONFIG_HOME": "relative"}) == user_file({}) == user_file({"XDG_CONFIG_HOME": ""})
    assert own_file("", home) == ""
    (directory / "fetchpool").mkdir()
    path = written("", str(directory / "fetchpool" / "config.toml"))
    assert own_file("", home) == path
    assert own_file(path, home) == ""


SECRETS = [
    ("user", "a:s3cret", "a:***", True),
    ("user", "a", "a", False),
    ("user", "a:", "a:", False),
    ("proxy", "http://a:s3cret@proxy:80", "http://***@proxy:80", True),
    ("proxy", "a:s3cr@et@proxy", "***@proxy", True),
    ("proxy", "socks5://proxy:1080", "socks5://proxy:1080", False),
    ("sitemap", "https://a:s3cret@x.example/s.xml", "https://***@x.example/s.xml", True),
    ("cert", "no/file.pem:s3cret", "no/file.pem:***", True),
    ("cert", "file.pem", "file.pem", False),
    ("headers", "Authorization: Bearer s3cret", "Authorization: ***", True),
    ("headers", "X-Api-Key:s3cret", "X-Api-Key: ***", True),
    ("headers", "X-Project: s3cret", "X-Project: ***", False),
    ("headers", "Accept: text/html", "Accept: text/html", False),
    ("headers", "@headers.txt", "@headers.txt", False),
    ("headers", "X-Empty;", "X-Empty;", False),
    ("headers", "s3cret", "***", False),
    ("cookie", "session=s3cret", "***", True),
    ("cookie", "cookies.txt", "cookies.txt", False),
    ("data", "password=s3cret", "***", False),
    ("json", "@body.json", "@body.json", False),
]


@pytest.mark.parametrize(("name", "text", "shown", "is_secret"), SECRETS)
def test_secrets_are_hidden_and_credentials_recognized(
    name: str, text: str, shown: str, is_secret: bool
) -> None:
    kind = OPTIONS[name].secret
    assert kind is not None
    assert hide(kind, text) == shown
    assert is_credential(kind, text) == is_secret


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(("name", "text", "is_secret"), [(each[0], each[1], each[3]) for each in SECRETS])
def test_a_credential_must_not_be_readable_by_others(name: str, text: str, is_secret: bool) -> None:
    line = f'{OPTIONS[name].key} = "{text}"'
    assert name in (read(written(line, mode=0o600)) or {})
    for mode in (0o604, 0o640, 0o644):
        path = written(line, mode=mode)
        if not is_secret:
            assert name in (read(path) or {})
            continue
        with pytest.raises(UsageError) as error:
            read(path)
        assert str(error.value).startswith(f"{path}: {OPTIONS[name].key}: this is secret, but other users")
        assert str(error.value).endswith(f"chmod 600 {path}")
        assert "s3cret" not in str(error.value)


@given(st.binary(max_size=60))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    config_files_content = config_files._content
    try:
        config_files._content = lambda _path: (content, 0o600)  # type: ignore[assignment]
        assert isinstance(read("f.toml"), dict)
    except UsageError as error:
        assert str(error).startswith("f.toml: ")  # noqa: PT017 - either way is right
    finally:
        config_files._content = config_files_content


def test_variables_are_named_like_the_options_and_an_empty_one_is_not_set() -> None:
    values = from_variables(
        {
            "FETCHPOOL_MAX_TIME": "20s",
            "FETCHPOOL_HTTP1_1": "TRUE",
            "FETCHPOOL_ROBOTS": "no",
            "FETCHPOOL_WORKERS": "",
            "FETCHPOOL_HEADER": "A: 1\nB: 2\n",
            "FETCHPOOL_JSON": '{\n"a": 1}',
            "FETCHPOOL_WORKER": "",
            "FETCHPOOL_LIST_OF_TEAM": "x",
            "FETCHPOOL_WEB_TOKEN": "x",
            "WORKERS": "3",
        }
    )
    assert values == {
        "max_time": "20s",
        "http1": True,
        "robots": False,
        "headers": ["A: 1", "B: 2"],
        "json": ['{\n"a": 1}'],
    }
    for misspelt, known in (("TIMEOUT", "MAX_TIME"), ("WORKER", "WORKERS"), ("MAXTIME", "MAX_TIME")):
        with pytest.raises(UsageError) as refused:
            from_variables({f"FETCHPOOL_{misspelt}": "3"})
        assert str(refused.value) == f"FETCHPOOL_{misspelt} is not an option; did you mean FETCHPOOL_{known}?"
    with pytest.raises(UsageError, match=r"^FETCHPOOL_ROBOTS: 'maybe' is neither true nor false"):
        from_variables({"FETCHPOOL_ROBOTS": "maybe"})


def test_no_variable_of_an_option_has_another_use() -> None:
    assert not OTHER & set(BY_VARIABLE)
    assert len(BY_VARIABLE) == len(FILE_OPTIONS) == len({option.key for option in FILE_OPTIONS})


def test_what_options_exclude_and_need_exists() -> None:
    for option in OPTIONS.values():
        assert set(option.excludes) <= set(OPTIONS) - {option.name}
        assert option.only_with is None or option.only_with[0] in OPTIONS
