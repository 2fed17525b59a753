# ruff: noqa: E501 - rows of tables are long
"""Dumps of PostgreSQL. formats.md 10.3."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.loaders._registry import pick
from forensics.loaders.documents import _ledger
from forensics.loaders.documents.pg_dump import READERS
from forensics.records import Instance, RowCount
from tests.loaders.documents._accounts import Read, read
from tests.loaders.documents._schemas import ODD, uuid

HEAD = """--
-- PostgreSQL database dump
--

-- Dumped from database version 9.1.9
-- Dumped by pg_dump version 9.1.9

-- Started on 2014-01-10 09:00:00 MST

SET statement_timeout = 0;
SET search_path = public, pg_catalog;

CREATE TABLE instances (
    created_at timestamp without time zone,
    id integer NOT NULL,
    uuid character varying(36),
    image_ref character varying(255),
    display_name character varying(255) DEFAULT 'a,b)'::character varying,
    vm_state character varying(255),
    deleted {kind},
    CONSTRAINT c CHECK ((id > 0))
);

ALTER TABLE public.instances OWNER TO nova;

CREATE FUNCTION f() RETURNS trigger AS $$
  BEGIN
    INSERT INTO instances VALUES (1);
  END;
$$ LANGUAGE plpgsql;

"""
END = "\n-- Completed on 2014-01-10 09:11:45 UTC\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"})


def loaded(text: str) -> Read:
    reader = pick(text.encode()[:65_536], "nova.sql")
    assert reader is not None
    assert reader.name == "pg_dump"
    return read(reader, text.encode())


def field(text: str | None) -> str:
    return "\\N" if text is None else text.translate(ESCAPES)


def copy(names: list[str | None], deleted: str = "f", name: str = "instances") -> str:
    lines = [
        f"2013-01-01 00:00:00.5\t{at}\t{uuid(at)}\t\\N\t{field(one)}\tactive\t{deleted}\n"
        for at, one in enumerate(names, 1)
    ]
    return (
        f"COPY {name} (created_at, id, uuid, image_ref, display_name, vm_state, deleted) FROM stdin;\n"
        + "".join(lines)
        + "\\.\n"
    )


def test_copy() -> None:
    odd = [one.replace("\0", "") for one in ODD]
    found = loaded(HEAD.format(kind="boolean") + copy([*odd, None]) + copy([], name="public.quotas") + END)
    assert found.kinds() == {"framing"}
    rows = found.of(Instance)
    assert rows["display_name"].to_list() == [*(one or None for one in odd), None]
    assert rows["is_deleted"].to_list() == [False] * (len(odd) + 1)
    assert str(rows["created_at"][0]) == "2013-01-01 00:00:00.500000+00:00"
    counts = found.of(RowCount)
    assert [(*row[:3], str(row[3])) for row in counts.select("table", "state", "rows", "ts").rows()] == [
        ("instances", "all", 17, "2014-01-10 09:11:45+00:00"), ("instances", "live", 17, "2014-01-10 09:11:45+00:00"),
        ("instances", "deleted", 0, "2014-01-10 09:11:45+00:00"), ("instances", "active", 17, "2014-01-10 09:11:45+00:00"),
        ("quotas", "all", 0, "2014-01-10 09:11:45+00:00"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "deleted", "dead"), [("boolean", "t", True), ("integer", "0", False), ("integer", "7", True)]
)
def test_deleted_is_a_flag_or_an_id(kind: str, deleted: str, dead: bool) -> None:  # formats.md 10.2
    assert loaded(HEAD.format(kind=kind) + copy(["a"], deleted) + END).of(Instance)["is_deleted"].to_list() == [dead]


def test_inserts_have_no_backslash_escapes() -> None:
    text = (
        "INSERT INTO public.instances VALUES ('2013-01-01 00:00:00', 1, 'A', NULL, 'C:\\', 'it''s', false);\n"
        "INSERT INTO public.instances (id, uuid, deleted, image_ref) VALUES (2, 'B', true, 'x'), (3, 'C\nD', false, '');\n"
    )
    found = loaded(HEAD.format(kind="boolean") + text + END)
    rows = found.of(Instance).select("instance_id", "instance", "display_name", "is_deleted", "image").rows()
    assert rows == [(1, "a", "C:\\", False, None), (2, "b", None, True, "x"), (3, "c\nd", None, False, None)]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), max_size=9),
       st.sampled_from([8 << 20, 31]))  # fmt: skip
def test_any_names(names: list[str | None], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ledger, "CHUNK_BYTES", chunk)
        found = loaded(HEAD.format(kind="boolean") + copy(names) + END)
    assert found.of(Instance)["display_name"].to_list() == names


def test_a_dump_that_is_cut_keeps_every_whole_line() -> None:
    text = HEAD.format(kind="boolean") + copy(ODD[:6]) + END
    start, end = text.index("COPY "), text.index("\\.\n")
    for cut in range(start + 5, len(text.encode()), 7):
        octets = text.encode()[:cut]
        found = read(READERS[0], octets)
        whole = min(octets[start:end].count(b"\n") - 1, 6) if b" FROM stdin;\n" in octets else 0
        assert found.of(Instance).height == max(whole, 0), cut
        complete = found.of(RowCount).filter(pl.col("state") == "all")["is_complete"].to_list()
        if b" FROM stdin;\n" in octets and cut < end:
            assert complete == [False]
            assert "cut in the middle" in found.facts["note"]


def test_a_line_with_too_few_fields_is_a_reject() -> None:
    text = HEAD.format(kind="boolean") + copy(["a"]).replace("\\.\n", "1\t2\n\\.\n") + END
    found = loaded(text)
    assert found.of(Instance).height == 1
    assert [s.reason for s in found.stretches if s.kind == "reject"] == ["row of instances without 7 fields"]
