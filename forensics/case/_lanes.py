"""A timeline looked through by host and words, and put into lanes: of hosts, or of what its rows speak of."""

from __future__ import annotations

import polars as pl

from forensics.case._rows import Rows
from forensics.case._tables import TIMED
from forensics.errors import UnknownColumnError

LANES = ("host", "entity", "record", "source")
NOTE = "Note"
_NOBODY = {"host": "no host told", "entity": "names nobody", "record": "?", "source": "?"}
_NAMING = ("instance", "request_id", "mac", "chaddr")
"""Columns that say whom a row is about, whatever its text says."""
_SLICE = 100_000

_MAC = r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}"
_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TOKEN = rf"(?:req-)?{_UUID}|{_MAC}|{_IPV4}|[0-9a-f]*:[0-9a-f:]*:[0-9a-f:]*|[\w-]+"
_EVERYBODY = r"^(?:0\.0\.0\.0|127\..*|255\..*|22[4-9]\..*|23\d\..*|00(?::00){5}|ff(?::ff){5}|01:00:5e:.*|33:33:.*)$"


def narrowed(rows: pl.DataFrame, *, host: str | None, search: str | None) -> pl.DataFrame:
    """The rows of a timeline that a host recorded and that have all words of a search, in any column and case.

    Args:
        rows: As `forensics.case.Case.timeline` gives them.
        host: A host by its whole name or its first label; notes belong to all hosts.
        search: Words with blanks between; everything where None.
    """
    if host is not None:
        own = pl.col("host").str.to_lowercase()
        wanted = host.lower()
        rows = rows.filter((own == wanted) | (own.str.split(".").list.first() == wanted) | (pl.col("record") == NOTE))
    if words := (search or "").lower().split():
        whole = pl.concat_str("host", "record", "text", "source", separator=" ", ignore_nulls=True).str.to_lowercase()
        rows = rows.filter(*(whole.str.contains(word, literal=True) for word in words))
    return rows


def laned(rows: pl.DataFrame, case: Rows, lanes: str) -> pl.DataFrame:
    """The rows with ``lane`` (String): where they stand in a timeline.

    Args:
        rows: As `forensics.case.Case.timeline` gives them.
        case: The rows of the case.
        lanes: One of `LANES`. An ``entity`` is the instance that a row names, by whichever of its names; else the
            hardware address, else the IP address that it names first.

    Raises:
        UnknownColumnError: If ``lanes`` is none of them.
    """
    if lanes not in LANES:
        raise UnknownColumnError(f"no lanes by {lanes!r}", hint=f"there are {', '.join(LANES)}")
    if lanes != "entity":
        return rows.with_columns(lane=pl.col(lanes).fill_null(_NOBODY[lanes]))
    known, labels = _things(case.edges), _labels(case.edges)
    about = rows.join(_about(case), on=["source", "position"], how="left", maintain_order="left")
    parts = [_named(part, known, labels) for part in about.iter_slices(_SLICE)]
    return pl.concat(parts) if parts else rows.with_columns(lane=pl.lit(None, pl.String))


def _about(case: Rows) -> pl.DataFrame:
    """Whom a line or packet is about, as its records tell: ``source``, ``position``, ``about``."""
    parts = []
    for record in TIMED:
        if naming := [name for name in _NAMING if record.columns().keys() >= {name}]:
            said = case(record).select("source", "position", about=pl.coalesce(naming).str.to_lowercase())
            parts.append(said.drop_nulls())
    return pl.concat(parts).unique(["source", "position"], keep="last", maintain_order=True).collect()


def _things(edges: pl.DataFrame) -> pl.DataFrame:
    """``token`` (a name in lower case), ``thing`` and ``rank``, where one name means one thing."""
    own = pl.col("subject_kind") == "instance"
    named = edges.filter(own, pl.col("object_kind").is_in(["mac", "ip", "tap", "name", "request"]))
    last = pl.col("object").str.split(" ").list.last()  # a tap is told as `host tap`
    of_instance = pl.concat(
        [
            named.select(token=last.str.to_lowercase(), thing="subject"),
            edges.filter(own).select(token=pl.col("subject").str.to_lowercase(), thing="subject"),
        ]
    ).unique()
    mac = (pl.col("subject_kind") == "mac") & (pl.col("object_kind") == "ip")
    of_mac = edges.filter(mac).select(token=pl.col("object").str.to_lowercase(), thing="subject").unique()
    through = of_mac.rename({"thing": "mac"}).join(of_instance.rename({"token": "mac"}), on="mac").drop("mac").unique()
    ranked = pl.concat(
        [
            pl.concat([of_instance, through]).unique().with_columns(rank=pl.lit(0)),
            of_mac.with_columns(rank=pl.lit(1)),
        ]
    ).filter(~pl.col("token").str.contains(_EVERYBODY))
    best = ranked.filter(pl.col("rank") == pl.col("rank").min().over("token"))
    return best.filter(pl.len().over("token") == 1)


def _labels(edges: pl.DataFrame) -> pl.DataFrame:
    """What people call an instance: ``thing`` and ``label``."""
    names = edges.filter(pl.col("subject_kind") == "instance", pl.col("object_kind") == "name")
    made_up = pl.col("object").str.contains("^instance-[0-9a-f]{8}$")
    ordered = names.select(made_up.alias("made_up"), thing="subject", name="object").sort("made_up", "name")
    told = pl.format("{} ({})", "name", pl.col("thing").str.slice(0, 8))
    return ordered.unique("thing", keep="first", maintain_order=True).select("thing", label=told)


def _named(rows: pl.DataFrame, known: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    spoken = pl.col("text").fill_null("").str.to_lowercase().str.extract_all(_TOKEN)
    tokens = (
        rows.select(row=pl.int_range(pl.len()), token=pl.concat_list(pl.col("about"), spoken))
        .explode("token")
        .drop_nulls()
        .with_columns(place=pl.int_range(pl.len()))
        .join(known, on="token", how="left")
    )
    token = pl.col("token")
    mac, address = token.str.contains(f"^{_MAC}$"), token.str.contains(f"^{_IPV4}$")
    rank = pl.coalesce("rank", pl.when(mac).then(1).when(address).then(2))
    best = (
        tokens.with_columns(rank=rank, thing=pl.coalesce("thing", "token"))
        .filter(pl.col("rank").is_not_null(), ~token.str.contains(_EVERYBODY))
        .sort("row", "rank", "place")
        .unique("row", keep="first", maintain_order=True)
        .join(labels, on="thing", how="left")
        .select("row", lane=pl.coalesce("label", "thing"))
    )
    placed = rows.with_columns(row=pl.int_range(pl.len())).join(best, on="row", how="left", maintain_order="left")
    return placed.drop("row", "about").with_columns(pl.col("lane").fill_null(_NOBODY["entity"]))
