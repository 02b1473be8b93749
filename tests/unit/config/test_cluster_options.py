"""The options of `--executor cluster`: what is refused before anything connects, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fetchpool.config.cluster_options import NEEDS_ADDRESS
from fetchpool.config.configure import configure
from fetchpool.model.errors import UsageError


def configured(**given: Any) -> Any:
    return configure(executor="cluster", **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user": "name:password"}, "--user would cross the network unencrypted; use tls://"),
        ({"headers": ["Authorization: x"]}, "-H Authorization would cross the network"),
        ({"headers": ["Cookie: a=b"]}, "-H Cookie would cross the network"),
        ({"proxy": "http://name:password@proxy:3128"}, "--proxy with a password would cross the network"),
    ],
)
@pytest.mark.parametrize("by_file", [False, True])
def test_secrets_do_not_cross_the_network_unencrypted(
    given: dict[str, Any], message: str, by_file: bool, tmp_path: Path
) -> None:
    where = "tcp://10.0.0.5:8786"
    if by_file:
        (tmp_path / "s.json").write_text(f'{{"address": "{where}"}}')
        where = str(tmp_path / "s.json")
    with pytest.raises(UsageError) as refused:
        configured(cluster=where, **given)
    assert message in str(refused.value)
    assert "password" not in str(refused.value).replace("with a password", "")
    configured(cluster="tcp://127.0.0.1:8786", **given)
    configured(cluster="tls://10.0.0.5:8786", **given)


def test_an_unencrypted_connection_without_secrets_gets_a_notice() -> None:
    assert "not encrypted" in configured(cluster="tcp://10.0.0.5:8786").notices[-1]
    assert not configured(cluster="tcp://localhost:8786").notices


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cluster": "no-such-file"}, "--cluster no-such-file: No such file or directory"),
        ({"cluster": "tcp://host"}, "--cluster tcp://host: expected tcp://HOST:PORT"),
        (
            {"cluster": "http://host:80"},
            "expected tcp://HOST:PORT, tls://HOST:PORT, a scheduler file, or local",
        ),
        ({"cluster": "local:0"}, "--cluster local:0: expected local:1 to local:256"),
        ({"cluster": 5}, "--cluster: expected an address or a distributed.Client, got int"),
        (
            {"cluster": "local", "transport": "requests"},
            "--transport requests: workers of a cluster use curl",
        ),
        ({"cluster": "local", "warc": "pages.warc.gz"}, "--warc: an archive is written by one machine"),
    ],
)
def test_what_can_not_be_a_cluster_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        configured(**given)
    assert message in str(refused.value)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    for content in ("", "[]", '{"address": 5}', "\x00"):
        (tmp_path / "s.json").write_text(content)
        with pytest.raises(UsageError, match="not a scheduler file"):
            configured(cluster=str(tmp_path / "s.json"))


def test_without_a_cluster_that_of_dask_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(UsageError) as refused:
        configured()
    assert str(refused.value) == NEEDS_ADDRESS
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:8786")
    assert configured().cluster.address == "tcp://127.0.0.1:8786"


def test_the_number_of_workers_depends_on_the_cluster_unless_it_is_given() -> None:
    config = configured(cluster="local:3")
    assert (config.workers, config.workers_by_cluster, config.cluster.local) == (300, True, 3)
    assert configured(cluster="local:3", workers=50_000).workers == 50_000


def test_a_cluster_without_its_executor_is_refused() -> None:
    with pytest.raises(UsageError, match="--cluster only applies to --executor cluster"):
        configure(cluster="local")
