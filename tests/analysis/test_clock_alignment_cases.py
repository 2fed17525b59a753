"""Bundled incidents: offsets that their truth tells lie inside the bounds, and zones that were found are right."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import forensics
from tests._bundled import Bundled

ROOT = Path(__file__).resolve().parents[2] / "data"
TRUTHS = sorted(ROOT.glob("*/*.truth.json"))


@pytest.mark.parametrize("path", TRUTHS, ids=lambda p: f"{p.parent.name}-{p.name.split('.')[0]}")
def test_offsets_and_zones_are_those_of_the_truth(path: Path, bundled: Bundled) -> None:
    case = forensics.open_case(bundled(path.parent.name, path.name.split(".")[0]))
    truth = json.loads(path.read_text())["clocks"]
    assert case.problems.filter(pl.col("source").str.starts_with("("))["example"].to_list() == []
    sources = {row["source"]: row for row in case.sources.iter_rows(named=True)}
    for row in case.clocks.drop_nulls(["offset_s", "reference"]).iter_rows(named=True):
        if row["source"] not in truth or row["reference"] not in truth:
            continue
        true, base = truth[row["source"]], truth[row["reference"]]
        apart = true["offset_s"] - base["offset_s"]
        if row["source"].rpartition("/")[2].startswith("notifications"):
            continue  # many hosts' stamps: each has a piece of its own
        assert abs(row["offset_s"] - (row["zone_s"] or 0.0) - apart) <= row["bound_s"] + 1e-6, row
        about = sources[row["source"]]
        if about["zone_basis"] == "matched":
            at = about["started_at"] or datetime(2026, 1, 1, tzinfo=UTC)
            east_s = at.astimezone(ZoneInfo(true["zone"])).utcoffset().total_seconds()
            sign, hours, minutes = about["zone"][0], int(about["zone"][1:3]), int(about["zone"][4:])
            assert (hours * 3600 + minutes * 60) * (-1 if sign == "-" else 1) == east_s, row
