"""What analysts write down beside the evidence: notes with tags, at an instant or on a row, kept in the case."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from forensics.case._rows import INSTANT
from forensics.case._time import instant
from forensics.errors import CaseError
from forensics.records.finding import iso

NAME = "notes.jsonl"
NOTES = pl.Schema(
    [
        ("at", INSTANT),
        ("text", pl.String()),
        ("tags", pl.List(pl.String)),
        ("source", pl.String()),
        ("position", pl.Int64()),
    ]
)
"""One row a note: when, what, its tags, and the line or packet that it is about, if any."""


def note(
    text: str,
    at: str | datetime | None,
    tags: Sequence[str],
    place: tuple[str, int] | None,
) -> bytes:
    """One note as a line of JSON.

    Args:
        text: What to write down.
        at: When it was, on the case's reference clock.
        tags: Words to find it by.
        place: Source and position of what it is about.

    Raises:
        CaseError: If there is no text, or neither an instant nor a place.
    """
    if not text.strip():
        raise CaseError("a note without text")
    if at is None and place is None:
        raise CaseError("a note belongs to an instant or to a row", hint="give at=…, or source=… and position=…")
    moment = None if at is None else iso(round(instant(at).timestamp() * 1_000_000) * 1000)
    source, position = place or (None, None)
    row = {"at": moment, "text": text, "tags": sorted(set(tags)), "source": source, "position": position}
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


def notes(data: bytes) -> pl.DataFrame:
    """The notes in a file of notes, by time."""
    told = [json.loads(line) for line in data.splitlines() if line.strip()]
    rows = [row | {"at": None if row["at"] is None else instant(row["at"].replace("Z", "+00:00"))} for row in told]
    return pl.DataFrame(rows, schema=NOTES, strict=False).sort("at", "source", "position", nulls_last=True)


def with_notes(
    rows: pl.DataFrame, told: pl.DataFrame, *, entity: str | None, around: str | datetime | None, minutes: float
) -> pl.DataFrame:
    """A timeline with the notes that belong into it: those that name the entity, in the time that was asked for."""
    own = told.filter(pl.col("at").is_not_null())
    if entity is not None:
        own = own.filter(pl.col("text").str.contains(entity, literal=True) | pl.col("tags").list.contains(entity))
    if around is not None:
        middle, reach = instant(around), timedelta(minutes=minutes)
        start, end = (pl.lit(edge).cast(INSTANT) for edge in (middle - reach, middle + reach))
        own = own.filter(pl.col("at").is_between(start, end))
    if own.is_empty():
        return rows
    tags = pl.col("tags").list.join(", ")
    tagged = pl.when(pl.col("tags").list.len() > 0).then(pl.format("{} [{}]", "text", tags)).otherwise("text")
    shown = own.select("at", "source", "position", text=tagged, record=pl.lit("Note")).with_columns(ts="at")
    both = pl.concat([rows, shown.with_columns(source=pl.col("source").fill_null(NAME))], how="diagonal_relaxed")
    return both.select(rows.columns).sort("at", "source", "position", nulls_last=True, maintain_order=True)
