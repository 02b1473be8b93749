"""The names a program may use."""

import subprocess
import sys

import fetchpool


def test_the_public_names_are_these() -> None:
    assert fetchpool.__all__ == sorted(fetchpool.__all__)
    assert set(fetchpool.__all__) == {
        "FailureKind",
        "FetchpoolError",
        "InputError",
        "Outcome",
        "OutputError",
        "Pool",
        "PoolClosedError",
        "Record",
        "Response",
        "UsageError",
        "WorkerLostError",
        "__version__",
        "fetch",
    }
    for name in fetchpool.__all__:
        assert getattr(fetchpool, name) is not None


def test_importing_the_package_loads_nothing_of_others() -> None:
    others = ("msgspec", "pycurl", "requests", "rich")
    code = f"import sys, fetchpool; print([name for name in {others} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
