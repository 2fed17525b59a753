"""The compiled kernel for notifications beside the reference: the same rows, and none left that it should take."""

from __future__ import annotations

import json

import numpy as np
import pytest

from forensics.loaders.documents import _notification_kernel
from forensics.loaders.documents._notification_kernel import CUT, LEFT, TAKEN
from tests.fuzz.notifications import VALUES, lines, one
from tests.loaders.documents._notifications import legacy, versioned

pytestmark = pytest.mark.skipif(_notification_kernel.kernel() is None, reason="the compiled engine is not installed")


def verdicts(*rows: bytes | str) -> list[int]:
    library = _notification_kernel.kernel()
    assert library is not None
    octets = [row if isinstance(row, bytes) else row.encode() for row in rows]
    end = np.cumsum([len(row) for row in octets])
    start, text = end - [len(row) for row in octets], np.frombuffer(b"".join(octets), np.uint8)
    return _notification_kernel.read(library, text, start, end, commas=True).verdict.tolist()


def test_both_engines_say_the_same_of_every_form() -> None:
    one(b"\n".join(lines()) + b"\n")


def test_what_is_regular_is_taken_in_every_form() -> None:
    found = np.array(verdicts(*lines())).reshape(len(VALUES), -1)
    assert [at for at, each in enumerate(found.tolist()) if set(each) != {TAKEN}] == [2, 11, 12, 13, 14]


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (json.dumps(legacy()) + ", ", TAKEN),
        (json.dumps(legacy())[:-1], CUT),
        (json.dumps(legacy())[:300], CUT),
        (json.dumps(["k", legacy()])[:300], CUT),
        (json.dumps(legacy()) + "}", LEFT),
        (json.dumps(legacy()).replace('"INFO"', '"INFO", "priority": "WARN"'), LEFT),
        (json.dumps(legacy()).replace('"root_gb": 40', '"root_gb": NaN'), LEFT),
        (json.dumps(legacy()).replace('"root_gb": 40', '"root_gb": 1e400'), LEFT),
        (json.dumps(legacy()).replace('"root_gb": 40', '"root_gb": 123456789012345678901'), LEFT),
        (json.dumps(legacy()).replace("active", r"\ud800"), LEFT),
        (json.dumps(legacy()).replace("active", r"\ud83d\ude00"), TAKEN),
        (json.dumps(legacy()).encode().replace(b"active", b"\xff"), LEFT),
        (json.dumps(legacy()).replace("active", "\t"), LEFT),
        (json.dumps(legacy()).replace("active", "ä"), TAKEN),
        (json.dumps(legacy()).replace('"400504"', "[" * 60 + "]" * 60), LEFT),
        (json.dumps(versioned()).replace("\\", "\\\\"), TAKEN),
        ("", LEFT),
        ("2014-03-26 13:40:02 up", LEFT),
    ],
)
def test_what_readers_of_json_disagree_about_is_left(row: bytes | str, verdict: int) -> None:
    assert verdicts(row) == [verdict]
    one((row if isinstance(row, bytes) else row.encode()) + b"\n")


def test_a_row_ends_where_it_ends() -> None:
    """What lies behind a row in memory completes nothing."""
    row = json.dumps(legacy())
    assert verdicts(row[:-2], "}}", row, row[:1]) == [CUT, LEFT, TAKEN, CUT]


def test_a_library_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    _notification_kernel.kernel.cache_clear()
    monkeypatch.setattr(_notification_kernel, "VERSION", _notification_kernel.VERSION + 1)
    assert _notification_kernel.kernel() is None
    _notification_kernel.kernel.cache_clear()
