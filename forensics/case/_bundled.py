"""The evidence in a bundle that was made of another case."""

from __future__ import annotations

from pathlib import Path

_MARKS = ("bundle.json", "citations.csv", "SHA256SUMS")


def evidence_of(path: Path) -> Path:
    """The folder of evidence that a bundle holds; any other path as it is."""
    inside = path / "evidence"
    return inside if inside.is_dir() and all((path / name).is_file() for name in _MARKS) else path
