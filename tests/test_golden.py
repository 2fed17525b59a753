"""Awkward evidence, and every column that is read from it: `make golden` rewrites, a review decides."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from forensics.evidence import open_stream, series_of, walk
from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick

ROOT = Path(__file__).resolve().parent.parent
CASES = sorted(path.parent for path in (ROOT / "tests/golden").glob("*/*/make.py"))
REWRITE = os.environ.get("FORENSICS_WRITE_GOLDEN") == "1"


def text(column: pl.Series) -> pl.Series:
    """A column as a reviewer reads it: lists in brackets, octets in hexadecimal."""
    if column.dtype == pl.Binary:
        return column.bin.encode("hex")
    if isinstance(column.dtype, pl.List | pl.Struct):
        return pl.Series(column.name, [None if value is None else str(value) for value in column.to_list()], pl.String)
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.9f")
    return column


def read(case: Path) -> dict[str, str]:
    """CSV text by record, of all columns that hold anything, from the case's one input."""
    (given,) = case.glob("input*")
    (file,) = walk(given)
    rotated_on = series_of(given.name).rotated_on_ns
    with open_stream(file) as stream:
        reader = pick(stream.peek(65_536), given.name)
        assert reader is not None
        origin = Origin(given.name, capture_point="input", rotated_on=rotated_on)
        found: dict[str, list[pl.DataFrame]] = {}
        stretches = []
        for batch in reader.batches(stream, origin):
            stretches += [(s.offset_bytes, s.length_bytes, s.kind, s.reason) for s in batch.stretches]
            for record, frame in batch.rows.items():
                found.setdefault(record.__name__, []).append(frame)
    tables = {name: pl.concat(frames) for name, frames in found.items()}
    tables["stretches"] = pl.DataFrame(stretches, ["offset_bytes", "length_bytes", "kind", "reason"], orient="row")
    shown = {}
    for name, table in tables.items():
        columns = [text(column) for column in table if not column.is_null().all()]
        if table.height:
            shown[name] = pl.DataFrame(columns).write_csv()
    return shown


def test_there_are_cases() -> None:
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_every_column_is_as_agreed(case: Path) -> None:
    shown = read(case)
    if REWRITE:
        for old in case.glob("expected.*.csv"):
            old.unlink()
        for name, table in shown.items():
            (case / f"expected.{name}.csv").write_text(table)
    agreed = {path.name.split(".")[1]: path.read_text() for path in case.glob("expected.*.csv")}
    assert shown == agreed


@pytest.mark.parametrize("case", CASES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_the_input_is_what_its_script_writes(case: Path, tmp_path: Path) -> None:
    (given,) = case.glob("input*")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(case / "make.py"), str(tmp_path)], check=True, env=environment)
    assert (tmp_path / given.name).read_bytes() == given.read_bytes()
