"""The compiled kernel for notifications beside the reference: the same rows, and none left that it should take."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forensics.loaders.documents import _json_elements, _notification_kernel, notifications
from forensics.loaders.documents._notification import notification_rows
from forensics.loaders.documents._notification_kernel import CUT, LEFT, TAKEN
from tests.fuzz.notifications import VALUES, documents, lines, one, reference
from tests.loaders.documents._notifications import legacy, read, versioned

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


@pytest.mark.parametrize("chunk_bytes", [600, 5_000, 8 << 20])
def test_both_engines_say_the_same_of_every_document(chunk_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_elements, "CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(_notification_kernel, "_MOST_VALUES", 5)
    for document in documents():
        one(document)
        one(document[: len(document) // 2] + b"\n}]{ oops" + document[len(document) // 2 :])


def test_of_a_regular_document_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_elements._Walk, "_end", None)
    values = [legacy(), legacy(payload={"args": [{"instance_id": "i"}]}), versioned()] * 2000
    for document in (json.dumps(values), json.dumps(values, indent=1)):
        rows, stretches, _ = read(notifications.READERS[0], document.encode())
        assert len(rows) == len(values)
        assert len(stretches) == len(values) + 1
        assert {stretch.kind for stretch in stretches} == {"framing"}


def test_what_is_regular_is_taken_in_every_form() -> None:
    found = np.array(verdicts(*lines())).reshape(len(VALUES), -1)
    assert [at for at, each in enumerate(found.tolist()) if set(each) != {TAKEN}] == [2, 12, 13, 14, 15]


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


_KEYS = (
    *(
        "adminPass",
        "user-data",
        "private_key_name",
        "keypairs",
        "Key_Name",
        "chap-x",
        "message_signature",
        "aws-access",
    ),
    *(
        "Message_Signature",
        "tokkey_nameen",
        "db_pass",
        "compass",
        "pa\u017fsword",
        "p" * 70 + "token",
        "MYSQL_PWD",
        "x",
    ),
)
_VALUES = (
    *(None, "", [], True, 0, 1.5, "Authorization: Bearer x", '{"a": "password"}', "http://u:p@h/x", "see token=abc"),
    *(
        "pa\u017fsword: x",
        "\u00e9: x",
        "a\x01b",
        {"password": [1, "]"], "b": {"secret": None}},
        [{"token": "a,b}"}, "key"],
    ),
)
_ADDRESSES = (
    *("fd00::1", "FD00:0::2", "1:0:0:2::3", "::ffff:1.2.3.4", "::ffff:102:304", "1::2:0:0:3", "1::", "::", ":::"),
    *(
        "12345::",
        "1:0:2:3:4:5:6:7",
        "01::1",
        "1.2.3.4:",
        "1:2:3:4:5:6::8",
        "0:0:1::",
        "1:2:3:4:5:6:7:8:9",
        "\u0661.2.3.4",
    ),
)


def test_secrets_and_addresses_by_both_engines() -> None:
    payloads = [{"instance_id": "i", key: value, "adminPass": "x"} for key in _KEYS for value in _VALUES]
    payloads += [{key: value} for key in _KEYS for value in _VALUES[-6:]]
    payloads += [{"fixed_ips": [{"address": one}, {"ip_address": one.upper()}], "fixed_ip": one} for one in _ADDRESSES]
    texts = pl.Series([json.dumps(legacy(payload=payload)) for payload in payloads])
    places = pl.DataFrame({"source": "x", "position": range(len(texts)), "offset_bytes": 0, "length_bytes": 1})
    for some in (slice(None), slice(-len(_ADDRESSES), None), slice(-1, None)):
        mine = notification_rows(texts[some], places[some])
        with reference():
            assert_frame_equal(mine, notification_rows(texts[some], places[some]))


def test_a_row_ends_where_it_ends() -> None:
    """What lies behind a row in memory completes nothing."""
    row = json.dumps(legacy())
    assert verdicts(row[:-2], "}}", row, row[:1]) == [CUT, LEFT, TAKEN, CUT]


def test_a_library_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    _notification_kernel.kernel.cache_clear()
    monkeypatch.setattr(_notification_kernel, "VERSION", _notification_kernel.VERSION + 1)
    assert _notification_kernel.kernel() is None
    _notification_kernel.kernel.cache_clear()
