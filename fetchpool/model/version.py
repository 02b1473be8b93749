"""The version, in its only place; importing this module loads nothing else."""

VERSION = "0.1.0"


def version_line() -> str:
    """Return the output of `--version`, including the kind of build, which matters for bug reports."""
    from pathlib import Path

    modules = (Path(__file__).parents[1] / "engine").glob("engine.*")
    compiled = any(file.suffix in (".so", ".pyd") for file in modules)
    return f"fetchpool {VERSION} (compiled)" if compiled else f"fetchpool {VERSION}"
