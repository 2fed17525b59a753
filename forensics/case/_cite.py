"""The original bytes behind rows and findings, re-read from the evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from forensics import escape
from forensics import records as known
from forensics.case._lines import line, packet_size
from forensics.errors import CaseError, EvidenceError
from forensics.evidence import EvidenceFile, open_stream
from forensics.records import DhcpMessage, Finding, LogRecord, Observed, Packet, Record, Reference, Snapshot

Rows = Callable[[type[Record]], pl.LazyFrame]

_CAPTURED = (Packet, known.Bpdu, known.BrokerTransfer, DhcpMessage)
"""What lies in a frame of a capture; a message that a log tells of lies in its line."""
_PLACES: tuple[type[Record], ...] = (
    Packet,
    LogRecord,
    *(
        record
        for record in (getattr(known, name) for name in known.__all__ if name != "LogRecord")
        if isinstance(record, type) and issubclass(record, Observed) and record not in (Observed, Snapshot, *_CAPTURED)
    ),
)
"""Records whose rows can be cited, the one that is asked first in front."""
_LONGEST_EXCERPT = 400
CITATION = pl.Schema(
    {
        "source": pl.String,
        "position": pl.Int64,
        "offset_bytes": pl.Int64,
        "length_bytes": pl.Int64,
        "raw": pl.Binary,
        "text": pl.String,
    }
)
"""What `forensics.case.Case.cite` gives."""


def ranges(file: EvidenceFile, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """Octets of one file at ``(offset, length)``, decompressed; shorter where the file ends before."""
    found: dict[tuple[int, int], bytes] = {}
    kept, start = b"", 0  # the last stretch that was read: rows of one log record overlap with what is cited of it
    with open_stream(file) as stream:
        for offset, length in sorted(set(wanted)):
            stream.skip(max(offset - stream.offset, 0))
            if offset < stream.offset:
                kept, start = kept[offset - start :], offset
            else:
                kept, start = b"", offset
            missing = offset + length - stream.offset
            if missing > 0:
                kept += stream.read(missing)
            found[offset, length] = kept[:length]
    return found


def cited(places: pl.DataFrame, files: Mapping[str, EvidenceFile]) -> pl.DataFrame:
    """Read the places of a frame again.

    Args:
        places: Columns ``source``, ``position``, ``offset_bytes``, ``length_bytes``; one row a place.
        files: The evidence, by source.

    Returns:
        Columns of `CITATION`, one row for each row given, in the same order. ``text`` is ``raw`` as UTF-8,
        escaped where it is none and where a terminal would obey it.

    Raises:
        EvidenceError: If a file is not there any more.
    """
    raw: list[bytes] = [b""] * places.height
    rows = places.select("source", "offset_bytes", "length_bytes").rows()
    for source in sorted({row[0] for row in rows}):
        if source not in files:
            hint = "give the folder of the evidence: open_case(…, evidence=…) or --evidence"
            raise EvidenceError("not found in the evidence", where=source, hint=hint)
        own = [(n, (row[1], row[2])) for n, row in enumerate(rows) if row[0] == source]
        found = ranges(files[source], (place for _, place in own))
        for n, place in own:
            raw[n] = found[place]
    text = [escape.terminal(octets.decode("utf-8", "surrogateescape")) for octets in raw]
    return places.select(pl.col(n).cast(t) for n, t in list(CITATION.items())[:4]).with_columns(
        pl.Series("raw", raw, pl.Binary), pl.Series("text", text, pl.String)
    )


def places_of(references: Sequence[Reference], rows: Rows) -> pl.DataFrame:
    """Where the lines and packets of references lie: one row for each that the case has, in the order given."""
    wanted = _wanted(references)
    own = pl.col("source").is_in(wanted["source"].unique().to_list())
    place = ("source", "position", "offset_bytes", "length_bytes")
    base = [
        rows(record).filter(own).select(*place, kind=pl.lit("frame" if record is Packet else "line"), rank=pl.lit(rank))
        for rank, record in enumerate(_PLACES)
    ]
    key = ["source", "kind", "position"]
    within = pl.concat(base).sort("rank", maintain_order=True).unique(key, keep="first", maintain_order=True)
    found = wanted.lazy().join(within, on=key, how="inner", maintain_order="left")
    return found.select(place).collect()


def _wanted(references: Iterable[Reference]) -> pl.DataFrame:
    parts = [(ref.source, *ref.locator.partition(":")[::2]) for ref in references]
    numbered = [
        (source, "frame" if kind == "frame" else "line", int(number))
        for source, kind, number in parts
        if number.isascii() and number.isdigit()
    ]
    return pl.DataFrame(
        numbered, schema={"source": pl.String, "kind": pl.String, "position": pl.Int64}, orient="row"
    ).unique(maintain_order=True)


def with_excerpts(findings: Sequence[Finding], rows: Rows, files: Mapping[str, EvidenceFile]) -> list[Finding]:
    """Findings whose references say what stands there: the line itself, or one line on the packet."""
    references = [ref for finding in findings for ref in finding.references() if ref.excerpt is None]
    if not references:
        return list(findings)
    excerpts = {**_packets(references, rows), **_lines(references, rows, files)}
    return [finding.with_excerpts(excerpts) for finding in findings]


def _lines(
    references: Sequence[Reference], rows: Rows, files: Mapping[str, EvidenceFile]
) -> dict[tuple[str, str], str]:
    told = [ref for ref in references if not ref.locator.startswith("frame:") and ref.source in files]
    places = places_of(told, rows)
    found = cited(places.with_columns(pl.col("length_bytes").clip(upper_bound=4 * _LONGEST_EXCERPT)), files)
    return {
        (source, f"{kind}:{position}"): _excerpt(raw)
        for source, position, raw in found.select("source", "position", "raw").iter_rows()
        for kind in ("line", "row")
    }


def _excerpt(raw: bytes) -> str:
    """The first line of a log record, without its line end, cut where it is long."""
    text = raw.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8", "backslashreplace")
    text = escape.masked(text)
    return text if len(text) <= _LONGEST_EXCERPT else text[: _LONGEST_EXCERPT - 1] + "…"


def _packets(references: Sequence[Reference], rows: Rows) -> dict[tuple[str, str], str]:
    wanted = _wanted(ref for ref in references if ref.locator.startswith("frame:"))
    if not wanted.height:
        return {}
    key = ["source", "position"]

    def of(record: type[Record]) -> pl.LazyFrame:
        own = pl.col("source").is_in(wanted["source"].unique().to_list())
        there = rows(record).filter(own, pl.col("position").is_in(wanted["position"].unique().to_list()))
        return there.join(wanted.lazy(), on=key, how="semi")

    messages = of(DhcpMessage).select(*key, dhcp=line(DhcpMessage)).unique(key, keep="first", maintain_order=True)
    packets = of(Packet).select(*key, packet=line(Packet), size=packet_size())
    text = pl.coalesce(pl.concat_str("dhcp", "size", separator=" ", ignore_nulls=False), "packet")
    found = packets.join(messages, on=key, how="left").select(*key, text=text).collect()
    return {(source, f"frame:{position}"): text for source, position, text in found.iter_rows()}


def places_in(rows: pl.DataFrame) -> pl.DataFrame:
    """The columns of a frame that say where its rows come from.

    Raises:
        CaseError: If it has no such columns.
    """
    needed = ("source", "offset_bytes", "length_bytes")
    missing = [name for name in needed if name not in rows.columns]
    if missing:
        raise CaseError(
            f"rows without {', '.join(missing)} cannot be cited",
            hint="keep source, position, offset_bytes and length_bytes when you select columns",
        )
    position = pl.col("position") if "position" in rows.columns else pl.lit(None, pl.Int64).alias("position")
    return rows.select(pl.col("source"), position, pl.col("offset_bytes"), pl.col("length_bytes"))


def references_in(what: Any) -> list[Reference]:
    """References of a finding, or of several things."""
    if isinstance(what, Reference):
        return [what]
    finding = getattr(what, "finding", what)  # a finding of a case has it inside
    if isinstance(finding, Finding):
        return list(finding.references())
    if isinstance(what, Sequence) and not isinstance(what, str):
        return [reference for one in what for reference in references_in(one)]
    raise CaseError(f"a {type(what).__name__} cannot be cited", hint="give rows, findings or references")


def damage(sources: pl.DataFrame, files: Mapping[str, EvidenceFile]) -> list[tuple[str, str]]:
    """Which evidence is no longer as it was: name and what is wrong."""
    wrong = []
    for source, sha256 in sources.select("source", "sha256").drop_nulls().iter_rows():
        if source not in files:
            wrong.append((source, "is missing"))
            continue
        with open_stream(files[source], digest=True) as stream:
            if stream.finish().sha256 != sha256:
                wrong.append((source, "differs from its digest in the case"))
    listed = set(sources["source"].to_list())
    return wrong + [(name, "is new since the case was made") for name in files if name not in listed]
