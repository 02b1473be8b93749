"""Options from the environment and from configuration files, by the real command line."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.cli.main import main
from fetchpool.cli.options import opposite_flag
from fetchpool.cli.run import RUN_OPTIONS
from fetchpool.config.option import Option, Settable
from fetchpool.config.options.table import OPTIONS
from fetchpool.config.secrets import hide
from fetchpool.progress import color
from tests.cli.runner import environment, fetchpool

OPTIONS_OF_FILES = [option for option in RUN_OPTIONS if option.settable is not Settable.TYPED]
LIST = "http://127.0.0.1:9/never-asked\n"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a list, and an empty one for the user's own files."""
    (tmp_path / "here").mkdir()
    (tmp_path / "xdg" / "fetchpool").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(color._Choice, "value", "auto")
    Path("urls.txt").write_text(LIST)
    return tmp_path


Shown = Callable[..., dict[str, tuple[Any, str]]]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Shown:
    """A function that returns value and origin of every option, as `--print-config` prints them."""

    def run(*arguments: str) -> dict[str, tuple[Any, str]]:
        assert main(["--print-config", *arguments]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return parsed(printed.out)

    return run


def parsed(printed: str) -> dict[str, tuple[Any, str]]:
    """Return value and origin by key. What is printed is TOML."""
    values = tomllib.loads(printed)
    origins = {}
    for line in printed.splitlines():
        if " = " in line and not line.startswith("#"):
            key, _, rest = line.partition(" = ")
            origins[key.strip('"')] = rest.rpartition(" # ")[2]
    return {key: (values[key], origin) for key, origin in origins.items()}


def toml(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def lines(values: Mapping[Option, Any]) -> str:
    """Return the text of a file with these values."""
    return "".join(f'"{option.key}" = {toml(value)}\n' for option, value in values.items())


def typed(option: Option, value: Any) -> list[str]:
    """Return the arguments with this value."""
    if isinstance(value, bool):
        return [option.label if value else opposite_flag(option)]
    return [f"{option.label}={each}" for each in (value if isinstance(value, list) else [value])]


def variable(value: Any) -> str:
    """Return the text of the variable with this value."""
    return (
        "\n".join(value)
        if isinstance(value, list)
        else str(value).lower()
        if value is True or value is False
        else str(value)
    )


TEXT = st.text("abcXYZ019 :;,./@%=\"'\\-_{}[]#", min_size=1, max_size=12).filter(str.strip)
SOURCES = ("command line", "variable", "--config", "./fetchpool.toml", "user")


def values_of(option: Option) -> st.SearchStrategy[Any]:
    """Return values of the option's natural type, valid or not."""
    if not option.metavar:
        return st.booleans() if opposite_flag(option) else st.just(True)
    if option.name in ("color", "display"):  # checked before anything is printed
        return st.sampled_from([each for each in option.type.choices if each != "json"])
    if option.type.repeatable:
        return st.lists(TEXT, min_size=1, max_size=1 if option.type.is_body else 3)
    if option.name == "rate":  # a number in a file is per second, but text needs the unit
        return st.integers(0, 10**6).map("{}/s".format)
    return st.one_of(st.integers(0, 10**6), TEXT)


def excludes(one: Option, other: Option) -> bool:
    return one.name in other.excludes or other.name in one.excludes


@st.composite
def settings_of_sources(draw: st.DrawFn) -> dict[str, dict[Option, Any]]:
    """Return what each source sets: some options, each in some sources."""
    found: dict[str, dict[Option, Any]] = {source: {} for source in SOURCES}
    chosen: list[Option] = []
    for option in draw(
        st.lists(st.sampled_from(OPTIONS_OF_FILES), min_size=1, max_size=6, unique_by=lambda each: each.name)
    ):
        if option.only_with is None and not any(excludes(option, other) for other in chosen):
            chosen.append(option)
    for option in chosen:
        for source in draw(st.sets(st.sampled_from(SOURCES), min_size=1)):
            if source != "./fetchpool.toml" or option.settable is Settable.ANYWHERE:
                found[source][option] = draw(values_of(option))
    return found


def printed_value(option: Option, value: Any) -> Any:
    """Return a value as `--print-config` prints it."""
    if isinstance(value, list):
        return [printed_value(option, each) for each in value]
    if option.secret is not None and isinstance(value, str):
        value = hide(option.secret, value)
    if isinstance(value, str) and not option.type.repeatable and re.fullmatch("0|[1-9][0-9]*", value):
        return int(value)
    return value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(settings_of_sources())
def test_the_first_source_that_sets_an_option_decides(
    directory: Path, capsys: pytest.CaptureFixture[str], sources: dict[str, dict[Option, Any]]
) -> None:
    own = directory / "xdg" / "fetchpool" / "config.toml"
    named = directory / "named.toml"
    for source, path in (("--config", named), ("./fetchpool.toml", Path("fetchpool.toml")), ("user", own)):
        path.write_text(lines(sources[source]))
        path.chmod(0o600)
    arguments = [each for option, value in sources["command line"].items() for each in typed(option, value)]
    with pytest.MonkeyPatch.context() as patch:
        for option, value in sources["variable"].items():
            patch.setenv(option.variable, variable(value))
        assert main(["--print-config", "--config", str(named), *arguments]) == 0
    found = parsed(capsys.readouterr().out)
    origins = {"--config": str(named), "user": str(own)}
    for option in OPTIONS_OF_FILES:
        source = next((source for source in SOURCES if option in sources[source]), None)
        if source is None:
            assert option.key not in found or found[option.key][1] == "default"
            continue
        origin = option.variable if source == "variable" else origins.get(source, source)
        assert found[option.key] == (printed_value(option, sources[source][option]), origin)


SAMPLES = {
    "url_column": "url",
    "delimiter": "tab",
    "encoding": "utf-16",
    "sitemap": ["urls.txt"],
    "limit": 3,
    "refresh": "old.jsonl",
    "workers": 50,
    "max_workers": 20,
    "processes": 2,
    "per_host": 3,
    "host_delay": 0.5,
    "rate": "2.5/s",
    "retry_after_max": 60,
    "max_runtime": 1.5,
    "max_failures": 10,
    "outputs": ["a.jsonl", "b.csv"],
    "fields": ["url", "error"],
    "write_out": "%{url}\\n",
    "parse": ["title", "links"],
    "parse_timeout": 3,
    "keep": ["headers"],
    "save": "bodies",
    "save_as": "{host}/{path}",
    "warc": "a.warc.gz",
    "warc_max_size": 1000000,
    "retry_failed": ["timeout", "dns"],
    "seen_memory": "1M",
    "retry": 5,
    "retry_delay": 0.25,
    "retry_max_time": 20,
    "connect_timeout": 3,
    "read_timeout": 2.5,
    "max_time": "20s",
    "max_filesize": 1048576,
    "max_redirs": 0,
    "accept": ["200..299", "404"],
    "method": "HEAD",
    "data": ["a=1", "b=2"],
    "json": ['{"a": 1}'],
    "headers": ["Accept: text/html", "Authorization: Bearer x"],
    "cookie": ["a=1"],
    "cookie_jar": "jar.txt",
    "referer": "https://a.example/",
    "range": "0-499",
    "user_agent": "me/1",
    "user": "me:s3cret",
    "netrc_file": "netrc",
    "proxy": "http://me:s3cret@127.0.0.1:1",
    "noproxy": "a.example",
    "resolve": ["a.example:80:127.0.0.1"],
    "dns_servers": "127.0.0.1",
    "cacert": "urls.txt",
    "tls_max": 1.2,
    "interface": "127.0.0.1",
    "limit_rate": 4096,
}
"""A valid value of each option, in its natural type. Switches and choices need none."""
NEEDED = {
    "workers": ["--workers=auto"],
    "executor": ["--executor=process"],
    "url_column": ["--url-column=url"],
    "save": ["--save=bodies"],
    "cert": ["--cert=no.pem"],
    "log_file": ["--log-file=run.log"],
    "recursive": ["--recursive"],
    "links": ["--recursive", "--links=links.jsonl"],
}
"""What makes an option effective that needs another one."""


def sample(option: Option) -> Any:
    if not option.metavar:
        return True
    choices = option.type.choices
    return SAMPLES.get(option.name) or (choices[-1] if choices and not option.type.repeatable else None)


WITH_SAMPLE = [option for option in OPTIONS_OF_FILES if sample(option) is not None]


@pytest.mark.parametrize("option", WITH_SAMPLE, ids=[option.key for option in WITH_SAMPLE])
def test_every_option_means_the_same_in_a_file_and_in_a_variable(
    option: Option, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("old.jsonl").touch()
    Path("netrc").write_text("machine a.example login me password s3cret\n")
    monkeypatch.setenv("NETRC", "netrc")
    value = sample(option)
    always = NEEDED[option.only_with[0]] if option.only_with else []

    def result(*arguments: str) -> Any:
        runs: list[Any] = []

        def run_session(config: Any, display: Any, **_: Any) -> Any:
            runs.append((config, display))
            raise KeyboardInterrupt

        monkeypatch.setattr("fetchpool.cli.session.run_session", run_session)
        try:
            code = main(["urls.txt", *always, *arguments])
        except KeyboardInterrupt:
            return runs
        printed = capsys.readouterr()
        return code, printed.out, re.sub(r" \(--.* is from .*\)", "", printed.err)

    expected = result(*typed(option, value))
    Path("f.toml").write_text(lines({option: value}))
    Path("f.toml").chmod(0o600)
    assert result("--config", "f.toml") == expected
    monkeypatch.setenv(option.variable, variable(value))
    assert result() == expected


def test_a_run_uses_the_file_of_its_directory_and_prints_what_it_set() -> None:
    Path("fetchpool.toml").write_text('limit = 1\nretry = 0\nmax-time = "20s"\nworkers = 3\n')
    Path("urls.txt").write_text(LIST * 3)
    done = fetchpool("urls.txt", "-w", "5", "-o", "-", "--no-dedupe", cwd=Path.cwd())
    assert done.stdout.count("\n") == 1
    assert "options from ./fetchpool.toml: limit, retry, max-time\n" in done.stderr
    done = fetchpool("urls.txt", "-w", "5", "-o", "-", "--no-dedupe", "-q", cwd=Path.cwd())
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    done = fetchpool("urls.txt", "-o", "-", "--no-dedupe", "--no-config", "--retry", "0", cwd=Path.cwd())
    assert done.stdout.count("\n") == 3
    assert "fetchpool.toml" not in done.stderr


def test_a_variable_reaches_a_run() -> None:
    variables = {"FETCHPOOL_OUTPUT": "rows.jsonl", "FETCHPOOL_RETRY": "0", "FETCHPOOL_LIMIT": ""}
    done = fetchpool("urls.txt", env=variables, cwd=Path.cwd())
    assert (done.returncode, Path("rows.jsonl").read_text().count("\n")) == (1, 1)
    done = fetchpool("urls.txt", env={"FETCHPOOL_WORKERS": "0"}, cwd=Path.cwd())
    assert done.stderr == (
        "fetchpool: --workers: 0 is not an integer from 1 to 10000 (--workers is from FETCHPOOL_WORKERS)\n"
    )
    done = fetchpool("urls.txt", "--dry-run", "-q", env={"FETCHPOOL_WORKER": "3"}, cwd=Path.cwd())
    assert done.returncode == 2
    assert done.stderr == "fetchpool: FETCHPOOL_WORKER is not an option; did you mean FETCHPOOL_WORKERS?\n"


CODE = "from pathlib import Path\nPath('ran').touch()\ndef f(response): return {'evil': 1}\n"


def test_a_file_that_is_not_named_runs_no_code(capsys: pytest.CaptureFixture[str]) -> None:
    Path("evil.py").write_text(CODE)
    Path("fetchpool.toml").write_text('parse = "evil:f"\nheader = "A: 1"\nworkers = 2\n')
    refusal = (
        "fetchpool: ./fetchpool.toml: parse, header: not allowed in a file of the working directory that "
        "is not named; use --config ./fetchpool.toml, or --no-config to ignore the file\n"
    )
    for arguments in (
        ["urls.txt"],
        ["--print-config"],
        ["compact", "x"],
        ["demo"],
        ["urls.txt", "--parse", "title"],
    ):
        assert main(arguments) == 2
        assert capsys.readouterr() == ("", refusal)
    assert not Path("ran").exists()
    assert not Path("sizes.txt").exists()
    done = fetchpool("urls.txt", "--config", "./fetchpool.toml", "-o", "-", "--retry", "0", cwd=Path.cwd())
    assert done.returncode == 1
    assert Path("ran").exists()
    assert "options from" not in done.stderr


@pytest.mark.parametrize("path", ["fetchpool.toml", "../here/fetchpool.toml", "link.toml"])
def test_a_named_file_of_the_directory_is_read_once_and_may_set_everything(path: str, shown: Shown) -> None:
    Path("fetchpool.toml").write_text('output = "a.jsonl"\nworkers = 2\n')
    Path("link.toml").symlink_to("fetchpool.toml")
    found = shown("--config", path)
    assert found["output"] == (["a.jsonl"], path)
    assert found["workers"] == (2, path)


def test_a_variable_names_the_file_and_the_command_line_another(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.toml").write_text("workers = 2\nretry = 7\n")
    Path("b.toml").write_text("workers = 3\n")
    monkeypatch.setenv("FETCHPOOL_CONFIG", "a.toml")
    assert shown()["workers"] == (2, "a.toml")
    found = shown("--config", "b.toml")
    assert (found["workers"], found["retry"]) == ((3, "b.toml"), (2, "default"))
    monkeypatch.setenv("FETCHPOOL_CONFIG", "")
    assert shown()["workers"] == (10, "default")


def test_without_configuration_only_a_named_file_is_read(
    directory: Path, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("fetchpool.toml").write_text("nonsense")
    (directory / "xdg" / "fetchpool" / "config.toml").write_text("nonsense")
    Path("a.toml").write_text("workers = 2\n")
    assert shown("--no-config")["workers"] == (10, "default")
    assert shown("--no-config", "--config", "a.toml")["workers"] == (2, "a.toml")
    monkeypatch.setenv("FETCHPOOL_CONFIG", "a.toml")
    assert shown("--no-config")["workers"] == (10, "default")
    monkeypatch.setenv("FETCHPOOL_NO_CONFIG", "1")
    assert shown()["workers"] == (2, "a.toml")
    monkeypatch.setenv("FETCHPOOL_WORKERS", "4")
    assert shown("--no-config")["workers"] == (4, "FETCHPOOL_WORKERS")


def test_the_project_file_is_read_without_a_file_of_its_own(shown: Shown) -> None:
    Path("pyproject.toml").write_text("[project]\nname = 'x'\n[tool.fetchpool]\nworkers = 2\n")
    assert shown()["workers"] == (2, "./pyproject.toml")
    assert shown("--config", "pyproject.toml")["workers"] == (2, "pyproject.toml")
    Path("fetchpool.toml").write_text("retry = 7\n")
    found = shown()
    assert (found["workers"], found["retry"]) == ((10, "default"), (7, "./fetchpool.toml"))


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["--config", "no.toml"], "--config: no.toml: no such file; check its name"),
        (["--config", ""], "--config: expected the path of a file"),
        (["--config", "pyproject.toml"], "--config: pyproject.toml has no table [tool.fetchpool]"),
        (["--config", "bad.toml"], "--config: bad.toml: unknown key 'worker'; did you mean workers?"),
        (
            ["--config", "zero.toml", "urls.txt"],
            "--workers: 0 is not an integer from 1 to 10000 (--workers is from zero.toml)",
        ),
        (
            ["--config", "v6.toml", "--resolve", "a.example:80:127.0.0.1", "urls.txt"],
            "--resolve: a.example:80:127.0.0.1 is not an IPv6 address (--ipv6) (--ipv6 is from v6.toml)",
        ),
        (
            ["--config", "color.toml"],
            "--color: 'blue' is not one of auto, always, never (--color is from color.toml)",
        ),
        (
            ["--config", "open.toml"],
            "--config: open.toml: user: this is secret, but other users can read the file; "
            "run chmod 600 open.toml",
        ),
    ],
)
def test_a_refusal_says_where_the_value_is_from(
    arguments: list[str], refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pyproject.toml").write_text("[project]\nname = 'fetchpool'\n")
    Path("bad.toml").write_text("worker = 3\n")
    Path("zero.toml").write_text("workers = 0\n")
    Path("v6.toml").write_text("ipv6 = true\n")
    Path("color.toml").write_text('color = "blue"\n')
    Path("open.toml").write_text('user = "me:s3cret"\n')
    Path("open.toml").chmod(0o644)
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", f"fetchpool: {refusal}\n")


@pytest.mark.parametrize(
    ("text", "arguments", "key", "replaced"),
    [
        ("verbose = true", ["-q"], "quiet", "verbose"),
        ("no-progress = true", ["--progress", "plain"], "progress", "no-progress"),
        ("http2 = true", ["--http1.1"], "http1.1", "http2"),
        ("http1.1 = true", ["--http3"], "http3", "http1.1"),
        ("allow-private = true", ["--public-only"], "public-only", "allow-private"),
        ("public-only = true", ["--allow-private"], "allow-private", "public-only"),
        ("resume = true", ["--overwrite"], "overwrite", "resume"),
        ("overwrite = true", ["--retry-failed", "all"], "retry-failed", "overwrite"),
        ("method = 'POST'", ["-I"], "head", "method"),
        ("json = '{}'", ["-d", "a=1"], "data", "json"),
        ("fields = ['url']", ["-W", "%{url}"], "write-out", "fields"),
    ],
)
def test_an_option_replaces_those_that_it_excludes(
    text: str, arguments: list[str], key: str, replaced: str, shown: Shown
) -> None:
    Path("f.toml").write_text(text)
    found = shown("--config", "f.toml", *arguments)
    assert found[key][1] == "command line"
    assert found.get(replaced, (False, "default")) == (False, "default")


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("max-workers = 50", ["-w", "3"]),
        ("processes = 2", []),
        ("save-as = '{host}'", []),
        ("keep-columns = true", []),
        ("delimiter = ';'", []),
        ("key = 'key.pem'", []),
        ("verbose = true", ["-q"]),
        ("http2 = true", ["--http1.1", "--transport", "requests"]),
    ],
)
def test_an_option_of_a_file_does_not_make_a_command_invalid(text: str, arguments: list[str]) -> None:
    Path("f.toml").write_text(text)
    assert main(["urls.txt", "--dry-run", "--config", "f.toml", *arguments]) == 0


def test_an_option_without_effect_is_printed_as_a_comment(capsys: pytest.CaptureFixture[str]) -> None:
    Path("f.toml").write_text("processes = 2")
    assert main(["--print-config", "--config", "f.toml"]) == 0
    assert re.search(
        r"^# processes = 2 +# f.toml; not used without --executor process$",
        capsys.readouterr().out,
        re.MULTILINE,
    )
    assert main(["--print-config", "--config", "f.toml", "--executor", "process"]) == 0
    assert re.search(r"^processes = 2 +# f.toml$", capsys.readouterr().out, re.MULTILINE)


def test_every_switch_of_a_file_can_be_turned_off(shown: Shown) -> None:
    switches = [option for option in OPTIONS_OF_FILES if not option.metavar and opposite_flag(option)]
    assert len(switches) > 20
    partners = {OPTIONS["url_column"]: "url", OPTIONS["log_file"]: "a.log", OPTIONS["links"]: "links.jsonl"}
    on = lines({**dict.fromkeys(switches, True), **partners})
    Path("f.toml").write_text(on)
    found = shown("--config", "f.toml")
    assert all(found[option.key] == (True, "f.toml") for option in switches)
    found = shown("--config", "f.toml", *(each for option in switches for each in typed(option, False)))
    assert all(found[option.key] == (False, "command line") for option in switches)


def test_secrets_are_not_printed(shown: Shown) -> None:
    arguments = [
        "-u",
        "me:s3cret",
        "-H",
        "X-Token: s3cret",
        "-x",
        "http://a:s3cret@p",
        "-b",
        "a=s3cret",
        "-d",
        "s3cret",
    ]
    found = shown(*arguments)
    assert [found[key][0] for key in ("user", "header", "proxy", "cookie", "data")] == [
        "me:***",
        ["X-Token: ***"],
        "http://***@p",
        ["***"],
        ["***"],
    ]
    assert "s3cret" not in str(found)


def test_everything_is_printed_without_input_and_is_a_configuration_file_again(
    shown: Shown, capsys: pytest.CaptureFixture[str]
) -> None:
    before = shown("-w", "3", "-H", 'Accept: a\u202eb"\\', "--http1.1", "-o", "a.jsonl")
    assert main(["--print-config", "-w", "3", "-H", 'Accept: a\u202eb"\\', "--http1.1", "-o", "a.jsonl"]) == 0
    printed = capsys.readouterr().out
    assert "\u202e" not in printed
    assert {option.key for option in OPTIONS_OF_FILES} == set(
        re.findall(r'^(?:# )?"?([a-z0-9.-]+)"? +(?:=|#)', printed, re.MULTILINE)
    )
    Path("again.toml").write_text(printed)
    again = shown("--config", "again.toml")
    needs_cluster = {"cluster-wait"}  # not read without --executor cluster
    assert {key: value for key, (value, _) in again.items()} == {
        key: value for key, (value, _) in before.items() if key not in needs_cluster
    }
    done = subprocess.run(
        [sys.executable, "-m", "fetchpool", "--print-config"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert parsed(done.stdout)["output"] == (["sizes.txt"], "default")


def test_a_retry_hint_has_what_was_typed_only() -> None:
    Path("f.toml").write_text('user = "me:s3cret"\nretry = 0\n')
    Path("f.toml").chmod(0o600)
    done = fetchpool("urls.txt", "--config", "f.toml", cwd=Path.cwd())
    assert "fetchpool urls.txt --config f.toml --retry-failed all" in done.stderr
    assert "s3cret" not in done.stderr


def test_a_demo_takes_over_speed_and_display_but_no_output() -> None:
    Path("f.toml").write_text('workers = 0\noutput = "a.jsonl"\nformat = "csv"\n')
    done = fetchpool("demo", "--config", "f.toml", cwd=Path.cwd())
    assert "(--workers is from f.toml)" in done.stderr
    Path("f.toml").write_text('workers = 2\noutput = "a.jsonl"\nquiet = true\n')
    done = fetchpool("demo", "-n", "3", "--config", "f.toml", cwd=Path.cwd())
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path("a.jsonl").exists()


@pytest.fixture
def loads() -> Callable[..., set[str]]:
    def loaded(*arguments: str, **variables: str) -> set[str]:
        code = "import sys; from fetchpool.cli.main import main; main(sys.argv[1:]); print(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**environment(), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        return set(done.stdout.split())

    return loaded


def test_without_a_file_nothing_is_loaded_for_it(loads: Callable[..., set[str]]) -> None:
    own = {
        "tomllib",
        "fetchpool.config.config_files",
        "fetchpool.config.precedence",
        "fetchpool.config.environment",
    }
    assert not own & loads("urls.txt", "--dry-run")
    assert "tomllib" not in loads("urls.txt", "--dry-run", FETCHPOOL_WORKERS="3")
    Path("pyproject.toml").write_text("[project]\nname = 'fetchpool'\n")
    assert "tomllib" not in loads("urls.txt", "--dry-run")
    Path("fetchpool.toml").write_text("workers = 3")
    assert own <= loads("urls.txt", "--dry-run")


def test_a_comparison_takes_over_how_urls_are_fetched_and_its_trials_read_no_file(
    demo_server: DemoServer, directory: Path
) -> None:
    own = directory / "xdg" / "fetchpool" / "config.toml"
    own.write_text('sitemap = ["http://203.0.113.1/"]\nformat = "csv"\n')
    public = fetchpool("compare", "urls.txt", cwd=Path.cwd(), env={"XDG_CONFIG_HOME": str(directory / "xdg")})
    assert "203.0.113.1" in public.stderr
    assert public.returncode == 2
    own.write_text('format = "csv"\nretry = 0\noutput = ["mine.jsonl"]\n')
    Path("urls.txt").write_text(demo_server.url("/size/1\n"))
    options = ("compare", "urls.txt", "--executors", "thread", "--repeat", "1", "-q", "-o", "out.json")
    variables = {
        "XDG_CONFIG_HOME": str(directory / "xdg"),
        "FETCHPOOL_OVERWRITE": "1",
        "FETCHPOOL_LIMIT": "1",
    }
    done = fetchpool(*options, cwd=Path.cwd(), env=variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path("mine.jsonl").exists()
    refused = fetchpool(*options, cwd=Path.cwd(), env={"FETCHPOOL_LIMIT": "0"})
    assert "(--limit is from FETCHPOOL_LIMIT)" in refused.stderr
