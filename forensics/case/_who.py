"""What belongs to a thing, and what belongs to that: the edges of a case, walked from any name of it."""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

import polars as pl

from forensics._discovery import modules
from forensics.analysis.entities import conflicts
from forensics.case._rows import INSTANT
from forensics.case._time import instant
from forensics.records import THINGS

if TYPE_CHECKING:
    import plotly.graph_objects as go

_NEXT = {
    "instance": ("host", "image", "user", "project", "flavor", "name", "mac", "ip", "tap"),
    "mac": ("instance", "switch_port", "ip", "tap", "host"),
    "ip": ("mac", "instance", "host"),
    "tap": ("instance", "mac", "host"),
    "request": ("instance", "user", "project"),
    "host": ("switch_port",),
    "image": ("base_file", "name"),
    "base_file": ("image",),
}
"""Where to go on from a thing that was come to: what is its own, never all that it holds."""

_HOLDS = ("host", "image", "user", "project", "flavor")
"""Things that hold many others: what belongs to those is asked for one by one."""

_HOPS = 4
_SHOWN = ("told_by", "rows", "source", "position", "offset_bytes", "length_bytes")


class Belongings(pl.DataFrame):
    """The answer of `forensics.case.Case.who`: a frame and its chart; what is made of it is a plain frame."""

    _name: str
    _span: tuple[datetime, datetime] | None

    def chart(self, *, dark: bool = False) -> go.Figure:
        """The figure that shows it: a lane a thing, a bar a span, what contradicts another marked.

        Args:
            dark: For a dark page.
        """
        (drawn,) = (one for one in modules("forensics.charts") if one.__name__.endswith(".belongings"))
        figure: go.Figure = drawn.belongings(self._name, self, self._span, dark=dark)
        return figure


def _answer(rows: pl.DataFrame, name: str, sources: pl.DataFrame | None) -> Belongings:
    """The rows as an answer, with the time that the evidence covers."""
    told = Belongings(rows)
    told._name, told._span = name, None
    if sources is not None:
        lasting = sources.filter(pl.col("started_at") < pl.col("ended_at"))
        start, end = lasting.select(pl.col("started_at").min(), pl.col("ended_at").max()).row(0)
        told._span = None if start is None else (start, end)
    return told


def spelled(text: str) -> str:
    """An address or identifier as records spell it: MACs with dashes, dots or capitals, IPv6 in any form.

    Examples:
        >>> spelled("FA-16-3E-24-E7-22"), spelled("fa16.3e24.e722"), spelled("2001:DB8:0::1"), spelled(" SW-1 ")
        ('fa:16:3e:24:e7:22', 'fa:16:3e:24:e7:22', '2001:db8::1', 'SW-1')
    """
    bare = text.strip()
    digits = re.sub(r"[:.\-]", "", bare).lower()
    separated = re.fullmatch(
        r"(?:[0-9a-fA-F]{1,2}[:-]){5}[0-9a-fA-F]{1,2}|(?:[0-9a-fA-F]{4}[.-]){2}[0-9a-fA-F]{4}", bare
    )
    if separated:
        octets = re.split(r"[:-]", bare) if len(re.split(r"[:-]", bare)) == 6 else re.findall("..", digits)
        return ":".join(octet.lower().zfill(2) for octet in octets)
    try:
        return str(ip_address(bare))
    except ValueError:
        return bare


def who(
    edges: pl.DataFrame, name: str, at: str | datetime | None = None, sources: pl.DataFrame | None = None
) -> Belongings:
    """See `forensics.case.Case.who`."""
    when = None if at is None else pl.lit(instant(at)).cast(INSTANT)
    held = edges if when is None else edges.filter(_open("from_at", "le", when), _open("to_at", "gt", when))
    ends = (("subject", "object"), ("object", "subject"))
    links = pl.concat(
        held.select(
            own_kind=f"{own}_kind", own=own, kind=f"{other}_kind", name=other, from_at="from_at", to_at="to_at",
            **{each: pl.col(each) for each in _SHOWN},
        )
        for own, other in ends
    )  # fmt: skip
    start = _named(links, name)
    seen = start.select("kind", "name")
    front = start.with_columns(since=pl.lit(None, INSTANT), until=pl.lit(None, INSTANT), path=pl.lit(""))
    found = []
    for hop in range(1, _HOPS + 1):
        allowed = _steps(first=hop == 1)
        both = front.rename({"kind": "own_kind", "name": "own"}).join(links, on=["own_kind", "own"], how="inner")
        stepped = both.join(allowed, on=["own_kind", "kind"], how="semi").join(seen, on=["kind", "name"], how="anti")
        since = pl.max_horizontal("since", "from_at")
        until = pl.min_horizontal("until", "to_at")
        near = (
            stepped.with_columns(since=since, until=until)
            .filter((pl.col("since") < pl.col("until")).fill_null(value=True))
            .with_columns(via=pl.col("path") + pl.col("own_kind") + " " + pl.col("own"), hop=pl.lit(hop))
        )
        if near.is_empty():
            break
        order = ["kind", "name", "since", "until", "via", "source", "position"]
        near = near.sort(order, nulls_last=False).unique(["kind", "name", "since", "until"], maintain_order=True)
        found.append(near)
        seen = pl.concat([seen, near.select("kind", "name").unique()])
        going = near.filter(pl.col("own_kind").is_in(_HOLDS).not_()) if hop == 1 else near
        front = going.select("kind", "name", "since", "until", path=pl.col("via") + " > ")
    return _answer(_shown(found, edges), name, sources)


def _open(name: str, compare: str, when: pl.Expr) -> pl.Expr:
    within: pl.Expr = getattr(pl.col(name), compare)(when)
    return within.fill_null(value=True)


def _named(links: pl.DataFrame, text: str) -> pl.DataFrame:
    """The things that go by a name, in whatever spelling: ``kind``, ``name``."""
    wanted, lower = text.strip(), spelled(text).lower()
    every = links.select(kind="own_kind", name="own").unique().sort("kind", "name")
    own = pl.col("name").str.to_lowercase()
    exact = every.filter((own == lower) | (pl.col("name") == wanted))
    if exact.height:
        return exact
    label = (pl.col("kind") == "host") & (own.str.split(".").list.first() == lower.split(".")[0])
    part = pl.col("kind").is_in(["tap", "switch_port"]) & (
        own.str.ends_with(f" {lower}") | own.str.starts_with(f"{lower} ")
    )
    return every.filter(label | part)


def _steps(*, first: bool) -> pl.DataFrame:
    """Pairs of kinds between which to go: from what was asked for to all, later as `_NEXT` says."""
    pairs = [(own, kind) for own in THINGS for kind in (THINGS if first else _NEXT.get(own, ()))]
    return pl.DataFrame(pairs, schema={"own_kind": pl.String(), "kind": pl.String()}, orient="row")


def _shown(found: list[pl.DataFrame], edges: pl.DataFrame) -> pl.DataFrame:
    schema = {"kind": pl.String(), "name": pl.String(), "from_at": INSTANT, "to_at": INSTANT, "via": pl.String(),
              "hop": pl.Int32(), "conflict": pl.String(), **{name: edges.schema[name] for name in _SHOWN}}  # fmt: skip
    if not found:
        return pl.DataFrame(schema=schema)
    doubts = conflicts(edges)
    told = pl.concat(
        [
            doubts.select(own=pl.col("thing"), name=pl.col(end), conflict=pl.col("conflict"))
            for end in ("first", "second")
        ]
        + [
            doubts.select(own=pl.col(end), name=pl.col("thing"), conflict=pl.col("conflict"))
            for end in ("first", "second")
        ]
    )
    reasons = told.group_by("own", "name").agg(pl.col("conflict").unique().sort().str.join("; "))
    ranks = {kind: rank for rank, kind in enumerate(THINGS)}
    rows = pl.concat(found).join(reasons, on=["own", "name"], how="left")
    rank = pl.col("kind").replace_strict(ranks, return_dtype=pl.Int32)
    rows = rows.sort("hop", rank, "name", "since", "until", nulls_last=False)
    return rows.with_columns(from_at="since", to_at="until").select(*schema).cast(schema)  # type: ignore[arg-type]
