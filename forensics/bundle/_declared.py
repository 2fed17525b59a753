"""The ``case.toml`` of a bundle: what the whole evidence told of its files and the cut-out lines no longer tell."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

import polars as pl

from forensics.bundle._text import Text
from forensics.case import Case
from forensics.case._config import _known, _literally, read_case_file
from forensics.evidence import EvidenceFile, host_of


def declared(case: Case, sources: Collection[str], text: Text) -> bytes:
    """What a cut needs said: zone, year and host of each source, and its clock's offset.

    Args:
        case: The case.
        sources: The sources that are shared.
        text: Replaces names.
    """
    parts = [f"title = {_quoted(text(case.title))}"] if case.title else []
    clocks = {
        source: offset
        for source, offset, pieces in case.clocks.select("source", "offset_s", "pieces").iter_rows()
        if offset is not None and not pieces
    }
    rows = case.sources.filter(pl.col("source").is_in(list(sources)), pl.col("status") != "configuration")
    for row in rows.sort("source").iter_rows(named=True):
        told = list(_host(row["source"], row["host"], text))
        if row["zone"] and _known(row["zone"]):
            told.append(f"zone = {_quoted(row['zone'])}")
        started, ended = row["started_at"], row["ended_at"]
        if row["year_basis"] and started is not None and started.year == ended.year:
            told.append(f"year = {started.year}")
        if row["source"] in clocks:
            told.append(f"clock_offset_s = {clocks[row['source']]!r}")
        parts += _block(row["source"], told, text)
    return _file(parts)


def passed_on(case: Case, config: EvidenceFile | None, sources: Collection[str], text: Text) -> bytes:
    """What the case's own ``case.toml`` says, and the hosts that paths name no longer."""
    own = read_case_file(config) if config is not None else None
    parts = [f"title = {_quoted(text(case.title))}"] if case.title else []
    for source, host in case.sources.filter(pl.col("source").is_in(list(sources))).select("source", "host").iter_rows():
        parts += _block(source, list(_host(source, host, text)), text)
    for one in own.declared if own is not None else ():
        told = [] if one.zone is None else [f"zone = {_quoted(one.zone)}"]
        told += [] if one.year is None else [f"year = {one.year}"]
        told += [] if one.host is None else [f"host = {_quoted(text(one.host))}"]
        told += [] if one.clock_offset_s is None else [f"clock_offset_s = {one.clock_offset_s!r}"]
        parts += ["", "[[source]]", f"match = {_quoted(text(one.match))}", *told]
    return _file(parts)


def _host(source: str, host: str | None, text: Text) -> Iterator[str]:
    if host is not None and host_of(source) == host and host_of(text.label(source)) != text(host):
        yield f"host = {_quoted(text(host))}"


def _block(source: str, told: list[str], text: Text) -> list[str]:
    return ["", "[[source]]", f"match = {_quoted(_literally(text.label(source)))}", *told] if told else []


def _file(parts: list[str]) -> bytes:
    return "".join(f"{part}\n" for part in parts).encode("utf-8", "backslashreplace")


def _quoted(value: str) -> str:
    """A basic string of TOML: JSON's escapes are a part of TOML's, save for DEL."""
    return re.sub("\x7f", r"\\u007f", json.dumps(value, ensure_ascii=False))
