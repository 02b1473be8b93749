"""The names a program may use."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fetchpool
from fetchpool.config.describe import with_default
from fetchpool.config.option import Scope
from fetchpool.config.options.table import in_scope
from fetchpool.config.settings import FetchSettings


def test_the_public_names_are_these() -> None:
    assert fetchpool.__all__ == sorted(fetchpool.__all__)
    assert set(fetchpool.__all__) == {
        "AsyncPool",
        "FailureKind",
        "FetchpoolError",
        "InputError",
        "OutputError",
        "Pool",
        "PoolClosedError",
        "Record",
        "Response",
        "UsageError",
        "WorkerLostError",
        "__version__",
        "afetch",
        "fetch",
    }
    for name in fetchpool.__all__:
        assert getattr(fetchpool, name) is not None


def test_importing_the_package_loads_nothing_of_others() -> None:
    others = ("msgspec", "pycurl", "requests", "rich", "asyncio")
    code = f"import sys, fetchpool; print([name for name in {others} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_setting_that_there_is_not_is_refused_by_the_function_that_was_called() -> None:
    with pytest.raises(TypeError, match=r"^fetch\(\) got an unexpected keyword argument 'nosuch'$"):
        fetchpool.fetch([], nosuch=1)
    with pytest.raises(TypeError, match=r"^Pool\(\) got .* 'max_tim'\. Did you mean 'max_time'\?$"):
        fetchpool.Pool(max_tim=1)
    with pytest.raises(TypeError, match=r"'timeout'\. Did you mean 'max_time'\?$"):
        fetchpool.fetch([], timeout=5)
    with pytest.raises(TypeError, match=r"'location'; always on: redirects are followed; --no-follow stops"):
        fetchpool.fetch([], location=True)
    with pytest.raises(TypeError, match=r"'retries'\. Did you mean 'retry'\?$"):
        fetchpool.fetch([], retries=1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"user_agent": 5}, "user_agent: expected str, got int"),
        ({"proxy": 5}, "proxy: expected str | None, got int"),
        ({"save": 5}, "save: expected str | PathLike[str] | None, got int"),
        ({"dedupe": "no"}, "dedupe: expected bool, got str"),
        ({"retry": True}, "retry: expected int | str, got bool"),
        ({"resolve": "h:80:192.0.2.1"}, "resolve: expected Sequence[str], got str"),
        ({"executor": None}, "executor: expected str, got NoneType"),
        ({"headers": {"A": 5}}, "headers=A: expected str, got int"),
        (
            {"headers": [5]},
            "headers: expected 'Name: value' or a pair of str",
        ),
        ({"headers": 5}, "headers: expected a list of headers, got int"),
    ],
)
def test_a_setting_of_another_type_is_named_with_what_it_takes(
    settings: dict[str, object], words: str
) -> None:
    with pytest.raises(fetchpool.UsageError) as refused:
        fetchpool.fetch([], **settings)
    assert str(refused.value) == words


def test_files_may_be_given_as_paths_and_text_as_numbers(tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").touch()
    paths = {"save": "kept", "warc": "a.warc.gz", "refresh": "old.jsonl", "cacert": "old.jsonl"}
    settings = {name: tmp_path / path for name, path in paths.items()}
    assert list(fetchpool.fetch([], **settings, retry="1", per_host="2", max_time=5)) == []
    assert (tmp_path / "a.warc.gz").exists()


def test_the_help_of_the_functions_lists_their_options_with_types_and_defaults() -> None:
    shown = " ".join(inspect.getdoc(fetchpool.fetch).split())
    assert "max_time: float | str " in shown
    for option in in_scope(Scope.POOL, Scope.FETCH):
        assert f"{option.name}: " in shown
        assert " ".join(with_default(option).split()) in shown
    assert "\nmax_time: float | str\n" in fetchpool.Pool.__doc__
    assert "\nrate: " not in fetchpool.Pool.__doc__


def test_an_invalid_argument_is_refused_in_one_line() -> None:
    with (
        fetchpool.Pool(workers=1) as pool,
        pytest.raises(TypeError, match=r"expected a URL as str, got NoneType$"),
    ):
        pool.submit(None)
    with pytest.raises(fetchpool.UsageError, match="or a function"):
        fetchpool.fetch([], parse=5)


@pytest.mark.parametrize(
    "call",
    [
        "list(fetchpool.fetch([], workers=3, executor='process', warc='a.warc.gz'))",
        "fetchpool.Pool(3, executor='process')",
    ],
)
def test_a_script_without_the_guard_that_processes_need_gets_one_message(tmp_path: Path, call: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import fetchpool\n{call}\n")
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("fetchpool.model.errors.UsageError: executor='process': no process started;")
    assert last.endswith('under: if __name__ == "__main__":')


def named(begin: str, end: str) -> list[str]:
    """Return what docs/usage/python.md sets as code between these words."""
    page = " ".join((Path(__file__).parents[2] / "docs" / "usage" / "python.md").read_text().split())
    return re.findall(r"`(\w+)(?:\(\))?`", page.split(begin, 1)[1].split(end, 1)[0])


def test_the_settings_and_attributes_that_the_documentation_names_exist() -> None:
    settings = named("by name, with the same defaults", "and so on")
    assert len(settings) > 20
    assert set(settings) <= {*FetchSettings.__annotations__, "executor", "workers"}
    attributes = named("`fetchpool.Response` offers", "and the times")
    assert len(attributes) > 10
    response = fetchpool.Response(url="https://example.org/", content=b"{}")
    assert not [name for name in attributes if not hasattr(response, name)]
