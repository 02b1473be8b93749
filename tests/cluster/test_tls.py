"""`--cluster tls://…` with real certificates: those that are accepted, and those that are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import fetchpool
from fetchpool.config.cluster_options import ClusterTarget
from fetchpool.model.errors import UsageError
from fetchpool.pools.cluster import connection_errors
from tests.cli.environment import environment
from tests.cli.runner import FETCHPOOL, run
from tests.cluster.dask_processes import DaskProcesses
from tests.contracts.gauged import GaugedServer

NAMES = ("ours", "other")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`NAME-ca.pem`, `NAME-cert.pem` and `NAME-key.pem` of two authorities; `mixed` does not fit together."""
    directory = tmp_path_factory.mktemp("certificates")
    for name in NAMES:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(directory / f"{name}-ca.pem")
        issued.cert_chain_pems[0].write_to_path(directory / f"{name}-cert.pem")
        issued.private_key_pem.write_to_path(directory / f"{name}-key.pem")
    (directory / "mixed-cert.pem").write_bytes((directory / "ours-cert.pem").read_bytes())
    (directory / "mixed-key.pem").write_bytes((directory / "other-key.pem").read_bytes())
    return directory


@pytest.fixture(scope="module")
def tls_dask(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    files = ("--tls-ca-file", "ours-ca.pem", "--tls-cert", "ours-cert.pem", "--tls-key", "ours-key.pem")
    options = [each if each.startswith("--") else str(certificates / each) for each in files]
    with DaskProcesses(tmp_path_factory.mktemp("tls-dask"), "--protocol", "tls", *options) as running:
        running.add_worker("--no-nanny", *options)
        running.wait_for(1)
        yield running


def fetch(
    tls_dask: DaskProcesses, certificates: Path, urls: list[str], ca: str, own: str
) -> tuple[int, str, str]:
    """Run the command with the CA and the certificate of these names; return its exit code and outputs."""
    given = {"CA_FILE": f"{ca}-ca.pem"}
    if own:
        given |= {"CLIENT__CERT": f"{own}-cert.pem", "CLIENT__KEY": f"{own}-key.pem"}
    variables = {
        f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(certificates / file) for name, file in given.items()
    }
    options = [
        "--executor",
        "cluster",
        "--cluster",
        tls_dask.address,
        "--user",
        "name:secret",
        "-qo-",
        "-w",
        "4",
    ]
    done = run(
        [*FETCHPOOL, *options, *urls],
        env=environment(variables),
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def test_with_certificates_of_both_sides_every_url_has_its_row_and_a_password_is_sent(
    tls_dask: DaskProcesses, certificates: Path, server: GaugedServer
) -> None:
    urls = [server.url(f"/{number}") for number in range(20)]
    code, out, err = fetch(tls_dask, certificates, urls, "ours", "ours")
    assert (code, err) == (0, "")
    assert out.count("http://") == 20, out
    assert Counter(server.asked) == Counter(f"/{number}" for number in range(20))


def test_a_programs_client_brings_its_certificates(
    tls_dask: DaskProcesses, certificates: Path, server: GaugedServer
) -> None:
    from distributed import Client, Security

    security = Security(
        tls_ca_file=str(certificates / "ours-ca.pem"),
        tls_client_cert=str(certificates / "ours-cert.pem"),
        tls_client_key=str(certificates / "ours-key.pem"),
        require_encryption=True,
    )
    urls = [server.url(f"/{number}") for number in range(20)]
    with Client(tls_dask.address, security=security, set_as_default=False) as client:
        rows = list(fetchpool.fetch(urls, executor="cluster", cluster=client, workers=4, user="name:secret"))
    assert Counter(row.url for row in rows) == Counter(urls)
    assert {row.error for row in rows} == {None}


def test_a_certificate_of_another_authority_ends_the_command_with_one_line(
    tls_dask: DaskProcesses, certificates: Path, server: GaugedServer
) -> None:
    code, out, err = fetch(tls_dask, certificates, [server.url("/x")], "other", "ours")
    assert (code, out, server.asked) == (2, "", [])
    assert err.count("\n") == 1
    assert f"--cluster {tls_dask.address}: {connection_errors.NOT_TRUSTED.partition(' (')[0]}" in err


@pytest.mark.parametrize(
    ("ca", "own", "words"),
    [
        ("ours", "other", connection_errors.NOT_ACCEPTED),
        ("ours", "", connection_errors.NO_CERTIFICATE),
        ("absent", "ours", connection_errors.NOT_READABLE.partition(" (")[0]),
        ("ours", "mixed", connection_errors.NOT_USABLE.partition(" (")[0]),
    ],
)
def test_certificates_that_do_not_fit_are_refused_in_words(
    tls_dask: DaskProcesses, certificates: Path, ca: str, own: str, words: str
) -> None:
    import dask

    from fetchpool.pools.cluster.dask_cluster import open_cluster

    files = {part: str(certificates / f"{own}-{part}.pem") if own else None for part in ("cert", "key")}
    authority = str(certificates / f"{ca}-ca.pem")
    with (
        dask.config.set({"distributed.comm.tls.ca-file": authority, "distributed.comm.tls.client": files}),
        pytest.raises(UsageError) as caught,
    ):
        open_cluster(ClusterTarget(tls_dask.address, tls_dask.address))
    assert str(caught.value).startswith(f"--cluster {tls_dask.address}: {words}")
    assert connection_errors.SEE_DOCS in str(caught.value)


def test_an_address_of_the_other_kind_is_named(
    tls_dask: DaskProcesses, certificates: Path, server: GaugedServer
) -> None:
    import dask

    from fetchpool.pools.cluster.dask_cluster import open_cluster

    address = tls_dask.address.replace("tls", "tcp")
    with pytest.raises(UsageError, match=re.escape(connection_errors.MAYBE_TLS)):
        open_cluster(ClusterTarget(address, address))
    files = {part: str(certificates / f"ours-{part}.pem") for part in ("cert", "key")}
    authority = str(certificates / "ours-ca.pem")
    address = f"tls://127.0.0.1:{server.server_port}"
    with (
        dask.config.set({"distributed.comm.tls.ca-file": authority, "distributed.comm.tls.client": files}),
        pytest.raises(UsageError, match=re.escape(connection_errors.NO_TLS)),
    ):
        open_cluster(ClusterTarget(address, address))
