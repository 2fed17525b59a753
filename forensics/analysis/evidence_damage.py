"""Which files are damaged: what was kept, what was lost, and where?"""

from __future__ import annotations

from typing import Any

import polars as pl

from forensics.analysis._given import rows_of
from forensics.records import Finding, LogRecord, Packet, Source, Span, Step
from forensics.records.finding import Reference

NEEDS = (Source,)
USES = (Span, Packet, LogRecord)
KINDS = {"evidence-damaged": ("any file",)}
_MOST = 20


def findings(
    sources: pl.LazyFrame,
    spans: pl.LazyFrame | None = None,
    packets: pl.LazyFrame | None = None,
    log_records: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Name every file of which a part could not be read.

    Args:
        sources: One row per `Source`.
        spans: One row per `Span`: its gaps are what was lost.
        packets: One row per `Packet`: which is the last sound one before a gap.
        log_records: One row per `LogRecord`, for the same.

    Returns:
        One `evidence-damaged` a file, ``info``: ``source``, ``rows`` (kept), ``gaps``, ``lost_bytes`` and
        ``first_gap_offset_bytes`` (decompressed octets), ``reason`` (of the first gap).

    Examples:
        >>> findings(Source.empty().lazy())
        []
    """
    hurt = sources.lazy().filter(pl.col("gaps") > 0).sort("source").collect()
    if hurt.is_empty():
        return []
    names = hurt["source"].to_list()
    given = rows_of(spans, Span)
    gaps = given.filter(pl.col("kind") == "gap", pl.col("source").is_in(names)).sort("source", "offset_bytes").collect()
    sound = [
        (rows if rows is not None else record.empty().lazy())
        .lazy()
        .filter(pl.col("source").is_in(names))
        .select("source", "position", "offset_bytes", "length_bytes", kind=pl.lit(kind))
        for rows, record, kind in ((packets, Packet, "frame"), (log_records, LogRecord, "line"))
    ]
    rows = pl.concat(sound).collect(engine="streaming").sort("source", "offset_bytes")
    told = []
    for file in hurt.iter_rows(named=True):
        own = gaps.filter(pl.col("source") == file["source"])
        told.append(_told(file, own, rows.filter(pl.col("source") == file["source"])))
    return sorted(told, key=Finding.order)


def _told(file: dict[str, object], gaps: pl.DataFrame, rows: pl.DataFrame) -> Finding:
    """The finding of one file."""
    source = str(file["source"])
    lost = int(gaps["length_bytes"].sum() or 0)
    steps = []
    for gap in gaps.head(_MOST).iter_rows(named=True):
        before = rows.filter(pl.col("offset_bytes") < gap["offset_bytes"]).tail(1)
        after = rows.filter(pl.col("offset_bytes") >= gap["offset_bytes"] + gap["length_bytes"]).head(1)
        beside = pl.concat([before, after]).select("kind", "position")
        near = tuple(Reference(source, f"{kind}:{position}") for kind, position in beside.iter_rows())
        text = f"{gap['length_bytes']:,} octets at octet {gap['offset_bytes']:,} could not be read: {gap['reason']}"
        steps.append(Step(None, text, near))
    first = gaps.row(0, named=True) if gaps.height else {"offset_bytes": None, "reason": file["note"]}
    shown = tuple(dict.fromkeys(ref for step in steps for ref in step.evidence)) or _first_row(source, rows)
    at = first["offset_bytes"]
    where = "" if at is None else f" from octet {at:,} on" if gaps.height == 1 else f", first at octet {at:,}"
    return Finding(
        kind="evidence-damaged",
        title=f"{source} is damaged{where}: {file['rows']:,} rows were kept, {lost:,} octets were lost",
        severity="info",
        confidence="proven",
        start=None,
        end=None,
        entities={"capture_points": (source,)},
        facts={
            "source": source,
            "rows": file["rows"],
            "gaps": file["gaps"],
            "lost_bytes": lost,
            "first_gap_offset_bytes": first["offset_bytes"],
            "reason": first["reason"],
        },
        story=tuple(steps),
        evidence=shown,
        remedy=(
            "copy the file again from where it was made, and compare the digests of both (`sha256sum`)",
            "where it was still being written when it was copied: what stands before the cut is sound",
        ),
        next_evidence=(f"an undamaged copy of {source}",),
    )


def _first_row(source: str, rows: pl.DataFrame) -> tuple[Reference, ...]:
    return tuple(Reference(source, f"{kind}:{n}") for kind, n in rows.head(1).select("kind", "position").iter_rows())


def chart_frames(
    finding: Finding,
    sources: pl.LazyFrame,
    spans: pl.LazyFrame | None = None,
    packets: pl.LazyFrame | None = None,
    log_records: pl.LazyFrame | None = None,
) -> dict[str, Any]:
    """What `forensics.charts.file_stretches.file_stretches` needs to draw a finding.

    Args:
        finding: An `evidence-damaged`.
        sources: As for `findings`.
        spans: As for `findings`.
        packets: As for `findings`.
        log_records: As for `findings`.

    Returns:
        ``title``, ``files`` (``source``, ``length_bytes`` decompressed, ``rows``; this one first, then the others that
        are damaged) and ``stretches`` (``source``, ``offset_bytes``, ``length_bytes``, ``kind``: ``gap`` or ``reject``,
        ``reason``).
    """
    told = sources.lazy().select("source", "rows", "gaps").collect()
    hurt = told.filter(pl.col("gaps") > 0)["source"].to_list()
    lost = rows_of(spans, Span).filter(pl.col("source").is_in(hurt))
    kept = [
        rows_of(rows, record).filter(pl.col("source").is_in(hurt)).select("source", "offset_bytes", "length_bytes")
        for rows, record in ((packets, Packet), (log_records, LogRecord))
    ]
    reach = pl.concat([lost.select("source", "offset_bytes", "length_bytes"), *kept]).group_by("source")
    ends = reach.agg(length_bytes=(pl.col("offset_bytes") + pl.col("length_bytes")).max()).collect(engine="streaming")
    own = (pl.col("source") == finding.facts["source"]).alias("own")
    files = told.join(ends, on="source").sort(own, "source", descending=[True, False])
    odd = lost.filter(pl.col("kind").is_in(["gap", "reject"])).sort("source", "offset_bytes", "length_bytes").collect()
    return {"title": finding.title, "files": files, "stretches": odd, "whole": told.height - len(hurt)}


CHARTS = {"file_stretches": chart_frames}
