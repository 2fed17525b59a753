"""The way from one address to another: which capture points lie on it in which order, and who saw which packet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._paths_packets import DATA, ECHO, ECHO_REPLY, TCP

TRIES = 3
"""A segment sent so often and never acknowledged is lost; one sent once may only have been the last."""
TOLD = (
    *("packet", "protocol", "ip_id", "ip_bytes", "dont_fragment", "more_fragments", "fragment_offset_bytes"),
    *("src_port", "dst_port", "tcp_flags", "tcp_seq", "tcp_ack", "tcp_mss", "payload_bytes"),
    *("icmp_type", "icmp_id", "icmp_seq", "carries", "is_data", "is_echo", "is_reply"),
)
"""What a packet tells of its fate, whatever the places that saw it."""
Flags = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]


class Place(NamedTuple):
    """A capture point as packets pass it: with these tags, so many routers behind them."""

    point: str
    form: str
    hops: int

    @property
    def vids(self) -> tuple[int, ...]:
        """VLAN ids on the wire, outermost first; none inside a tunnel."""
        return tuple(int(vid) for vid in self.form.split(",") if vid) if " " not in self.form else ()


@dataclass
class Way:
    """All packets from one address to another, and the places that saw them, in the order of the way."""

    src: str
    dst: str
    places: list[Place]
    rows: pl.DataFrame
    """One row per packet, as its first place saw it, in the order of `seen`: what `TOLD` names; ``is_data`` marks whole
    TCP segments with data, ``is_echo`` and ``is_reply`` ping's questions and answers."""
    seen: Flags
    """Packet by place."""
    at: Times
    """When, on the case's clock; 0 where not seen."""
    cells: npt.NDArray[np.int32]
    """Row of the joined frame; -1 where not seen."""
    insists: bool = False
    """Whether any segment was sent `TRIES` times."""

    def sizes(self) -> npt.NDArray[np.int64]:
        """IP total length of each packet."""
        sizes: npt.NDArray[np.int64] = self.rows["ip_bytes"].fill_null(0).cast(pl.Int64).to_numpy()
        return sizes

    def first(self) -> npt.NDArray[np.int64]:
        """Number of the first place on the way that saw each packet."""
        nth: npt.NDArray[np.int64] = np.argmax(self.seen, axis=1)
        return nth

    def last(self) -> npt.NDArray[np.int64]:
        """Number of the last place on the way that saw each packet."""
        nth: npt.NDArray[np.int64] = self.seen.shape[1] - 1 - np.argmax(self.seen[:, ::-1], axis=1)
        return nth

    def sent_at(self) -> Times:
        """When the first place saw each packet."""
        sent: Times = self.at[np.arange(len(self.at)), self.first()]
        return sent

    def follows(self, near: int, far: int) -> bool:
        """Whether what a place sees came through another: of parallel ways neither comes through the other."""
        own = self.seen[:, far]
        both = int((own & self.seen[:, near]).sum())
        plain = own & ~self.rows["carries"].to_numpy()  # segments may be cut or joined between the two
        some = int((plain & self.seen[:, near]).sum())
        return both * 2 >= own.sum() > 0 or (some > 0 and some * 2 >= plain.sum())


def ways(joined: pl.DataFrame) -> dict[tuple[str, str], Way]:
    """All ways in a joined frame, each with its places in order.

    Args:
        joined: What `forensics.analysis._paths_join.joined` gives.

    Returns:
        (source, destination) -> way.
    """
    found: dict[tuple[str, str], Way] = {}
    numbered = joined.with_row_index("cell").with_columns(
        carries=((pl.col("protocol") == TCP) & (pl.col("payload_bytes") > 0)).fill_null(value=False),
        is_data=DATA.fill_null(value=False),
        is_echo=ECHO.fill_null(value=False),
        is_reply=ECHO_REPLY.fill_null(value=False),
    )
    insisting = set(_insisting(numbered).iter_rows())
    whose = numbered.group_by("src", "dst", maintain_order=True).agg("cell")
    for cells in whose["cell"]:  # one after the other: all parts at once would be a copy of all rows
        way = _way(numbered[cells])
        found[way.src, way.dst] = way
        way.insists = (way.src, way.dst) in insisting
    for pair, way in found.items():
        _arrange(way, found.get((pair[1], pair[0])))
    return found


def _insisting(numbered: pl.DataFrame) -> pl.DataFrame:
    """Pairs of addresses with a segment that was sent `TRIES` times."""
    segment = ("src", "dst", "src_port", "dst_port", "tcp_seq", "payload_bytes")
    sent = numbered.filter("is_data").unique("packet").group_by(segment).len()
    return sent.filter(pl.col("len") >= TRIES).select("src", "dst").unique()


def _way(own: pl.DataFrame) -> Way:
    named = own.select("point", "form", "hops").unique().sort("hops", "point", "form")
    places = [Place(*row) for row in named.iter_rows()]
    column = own.join(named.with_row_index("nth"), on=["point", "form", "hops"], maintain_order="left")["nth"]
    rows = own.sort("at", "source", "position").unique("packet", keep="first", maintain_order=True).select(TOLD)
    number = own.select("packet").join(
        rows.select("packet").with_row_index("nth"), on="packet", maintain_order="left"
    )["nth"]  # fmt: skip
    shape = rows.height, len(places)
    seen, at, cells = np.zeros(shape, np.bool_), np.zeros(shape, np.int64), np.full(shape, -1, np.int32)
    where = number.to_numpy(), column.to_numpy()
    seen[where], at[where], cells[where] = True, own["at"].to_numpy(), own["cell"].to_numpy()
    return Way(str(own["src"][0]), str(own["dst"][0]), places, rows, seen, at, cells)


def _arrange(way: Way, back: Way | None) -> None:
    """Put the places in order: by the routers behind, then by when packets come by.

    A constant offset between two clocks counts once for and once against in the two directions, so half of the
    difference is the time on the way whatever the clocks say. Where only one direction was seen, the clocks decide.
    """
    if len(way.places) < 2:
        return
    here = _delays(way)
    there = _delays(back) if back is not None and len(back.places) > 1 else {}
    hub = max(here, key=lambda key: (here[key][1], key), default=None)
    if hub in there and hub is not None:
        base, back_base = here[hub][0], there[hub][0]
        offsets = {key[0]: (here[key][0] - base + there[key][0] - back_base) / 2 for key in here if key in there}
    else:
        base, offsets = (here[hub][0] if hub else 0.0), {}
    when = [here[place.point, place.form][0] - base - offsets.get(place.point, 0.0) for place in way.places]
    order = sorted(range(len(way.places)), key=lambda n: (way.places[n].hops, when[n], way.places[n]))
    way.places = [way.places[n] for n in order]
    way.seen, way.at, way.cells = way.seen[:, order], way.at[:, order], way.cells[:, order]


def _delays(way: Way) -> dict[tuple[str, str], tuple[float, int]]:
    """Per point and tags: how much later than the busiest place it usually sees a packet, and how many it saw."""
    counts = way.seen.sum(axis=0)
    hub = int(np.argmax(counts))
    found: dict[tuple[str, str], tuple[float, int]] = {}
    for n, place in enumerate(way.places):
        both = way.seen[:, hub] & way.seen[:, n]
        away = float(np.median(way.at[both, n] - way.at[both, hub])) if both.any() else 0.0
        key = (place.point, place.form)
        if key not in found or found[key][1] < counts[n]:
            found[key] = (away, int(counts[n]))
    return found


def spans(rows: pl.LazyFrame) -> dict[str, tuple[int, int]]:
    """When each point captured, by its first and last packet."""
    told = rows.group_by("point").agg(since=pl.col("at").min(), until=pl.col("at").max())
    found = told.collect(engine="streaming")
    return {point: (since, until) for point, since, until in found.sort("point").iter_rows()}


def covered(at: Times, span: tuple[int, int] | None, slack_ns: int = 0) -> Flags:
    """Which instants lie in a span."""
    if span is None:
        return np.zeros(len(at), np.bool_)
    return (at >= span[0] - slack_ns) & (at <= span[1] + slack_ns)


def pairs(found: Mapping[tuple[str, str], Way]) -> Iterator[tuple[Way, Way | None]]:
    """Each way with the way back, where there is one."""
    for (src, dst), way in found.items():
        yield way, found.get((dst, src))


LENIENT_NS = 60 * SECOND_NS
"""Captures are stopped by hand, one after the other; what falls in between is counted, but proves nothing."""
