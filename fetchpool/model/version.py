"""The version: the only place that has it, and importing it costs nothing."""

VERSION = "0.1.0"


def version_line() -> str:
    """What `--version` says. Which build it is matters to whoever is told of a defect."""
    from pathlib import Path

    beside = (Path(__file__).parents[1] / "engine").glob("engine.*")
    compiled = any(file.suffix in (".so", ".pyd") for file in beside)
    return f"fetchpool {VERSION} (compiled)" if compiled else f"fetchpool {VERSION}"
