"""Many notifications read at once are what each of them is alone, whatever stands between them."""

from __future__ import annotations

import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forensics.loaders.documents import _notification_text
from forensics.loaders.documents.notifications import READERS
from tests.fuzz.notifications import reference
from tests.loaders.documents._notifications import legacy, read, versioned

_PLACES = ("position", "offset_bytes", "length_bytes")
_ODD = (
    legacy(number=2, payload={"instance_id": 7, "root_gb": "40", "state": None, "fixed_ips": {"address": "10.0.0.1"}}),
    legacy(
        number=3, payload={"message": 'a "quoted" \u2014 word', "bandwidth": 1.50, "big": 10**25, "nested": {"a": [1]}}
    ),
    legacy(number=4, payload="only a text"),
    legacy(number=5, payload=None, priority=3),
    legacy(number=6, payload={"fixed_ips": [{"address": "fd00:0::3", "floating_ips": [{"address": "192.0.2.9"}]}]}),
    legacy(number=7, payload={"exception": {"message": "no host", "kwargs": {"reason": 5}}, "admin_pass": "s3cret"}),
    versioned(fault=None),
)
LINES = [
    *(json.dumps(one) for one in _ODD),
    *(json.dumps(legacy(number=number)) for number in range(10, 40)),
    json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(legacy(number=50))}),
    json.dumps(["monitor.info", legacy(number=51)]),
    json.dumps(legacy(number=52), ensure_ascii=False, indent=None, separators=(" , ", " : ")),
    json.dumps(legacy(number=53)).replace('"priority": "INFO"', '"priority": "INFO", "priority": "WARN"'),
]
BAD = ['{"event_type": "compute.instance.update", "payload": {"a": 1', '{"event_type": NaN}{', "no JSON at all"]


def alone(line: str) -> pl.DataFrame:
    """What a line gives where it is the whole file."""
    return read(READERS[0], line + "\n")[0].drop(_PLACES)


@pytest.mark.parametrize("bad", [[], BAD], ids=["sound", "with bad lines"])
def test_a_block_is_its_lines(bad: list[str]) -> None:
    lines = [*LINES[:20], *bad, *LINES[20:]]
    rows, stretches, _ = read(READERS[0], "\n".join(lines) + "\n")
    assert_frame_equal(rows.drop(_PLACES), pl.concat([alone(line) for line in LINES]))
    rejects = [stretch.position for stretch in stretches if stretch.kind == "reject"]
    assert rejects == list(range(21, 21 + len(bad)))


def test_rows_by_the_block_and_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way for blocks that polars refuses gives the same."""
    text = "\n".join(LINES) + "\n"
    by_block = read(READERS[0], text)[0]
    block = _notification_text._block
    monkeypatch.setattr(_notification_text, "_block", lambda some, kind: block(some, kind) if len(some) == 1 else None)
    with reference():
        assert_frame_equal(read(READERS[0], text)[0], by_block)
    assert by_block.height == len(LINES)
