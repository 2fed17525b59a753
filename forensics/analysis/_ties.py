"""Pairs of sources tied by packets that passed two capture points."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl

from forensics.analysis import _pieces
from forensics.analysis._alignment import LONGEST_TRANSIT_NS, MOST_DRIFT_PPM, MOST_KEYS, Times, fit
from forensics.analysis._correlate import SECOND_NS, named
from forensics.analysis._pieces import FEWEST, Piece, Tie, contiguous, hull

Span = tuple[int, int]
"""From one instant to another, ns."""
_MANY = 40
_RUN = 5
"""Pairs that say together where the difference is, before and after an instant."""
_JUMP_NS = SECOND_NS // 2
"""No packet waits that long on its way and all that follow as well."""


def packet_keys(packets: pl.LazyFrame, nodes: dict[str, str], *, located: bool = False) -> pl.DataFrame:
    """What tells one unicast packet from all others at every point that it passes.

    Addresses, protocol, identification, ports, sequence and acknowledgement numbers, lengths: what retagging, routing
    and a tunnel leave alone. Of very many packets a part is taken, the same one at every point.

    Args:
        packets: One row per `Packet`.
        nodes: Source -> whose clock its stamps are.
        located: Whether to add ``source`` and ``position`` of the packet.

    Returns:
        ``node``, ``key``, ``pair`` (the two addresses, whichever speaks), ``forward``,
        ``at`` (ns); a packet that a point holds several times over some time is left out.
    """
    own = (
        "src", "dst", "protocol", "ip_id", "ip_bytes", "fragment_offset_bytes", "src_port", "dst_port",
        "tcp_seq", "tcp_ack", "tcp_flags", "payload_bytes", "icmp_type", "icmp_id", "icmp_seq",
    )  # fmt: skip
    tunnelled = pl.col("tunnel").is_not_null() & pl.col("inner_src").is_not_null()
    column = {name: pl.col(name) for name in own}
    if packets.select(pl.col("tunnel").is_not_null().any()).collect(engine="streaming").item():
        column = {name: pl.when(tunnelled).then(pl.col(f"inner_{name}")).otherwise(pl.col(name)) for name in own}
    group = pl.col("eth_dst").str.slice(1, 1).is_in(list("13579bdf"))
    if len(set(nodes.values())) < 2:
        packets = packets.head(0)  # nobody else could have seen them
    total = int(packets.select(pl.len()).collect(engine="streaming").item())
    forward, ends = pl.col("src") < pl.col("dst"), (pl.min_horizontal("src", "dst"), pl.max_horizontal("src", "dst"))
    first = {name: pl.col(name).sort_by("at", "position").first() for name in ("source", "position")}
    sampled = (
        packets.filter(pl.col("ts").is_not_null() & pl.col("src").is_not_null() & group.not_().fill_null(value=True))
        .select(
            node=named("source", nodes),
            at=pl.col("ts").to_physical().cast(pl.Int64),
            port=pl.col("interface_id").fill_null(0),
            **column,
            **({"source": "source", "position": "position"} if located else {}),
        )
        .with_columns(key=pl.struct(own).hash(), forward=forward)
        .filter(pl.col("key") % max(1, total // MOST_KEYS) == 0)
        .with_columns(
            pl.col("node", *(("source",) if located else ())).cast(pl.Categorical),
            pair=pl.concat_str(*ends, separator=" ").cast(pl.Categorical),
        )
        .group_by("node", "key")
        .agg(
            pl.col("pair", "forward").first(),
            at=pl.col("at").min(),
            spread=pl.col("at").max() - pl.col("at").min(),
            **(first if located else {}),
        )
    )
    return sampled.filter(pl.col("spread") < 5_000_000).drop("spread").collect(engine="streaming")


def tie_captures(
    a: pl.DataFrame, b: pl.DataFrame, basis: str = "packets seen at both", spans: tuple[Span, Span] | None = None
) -> Tie | None:
    """Tie two capture points by packets that passed both.

    Of two opposite directions the one with the larger differences ``a - b`` runs from B to A, whatever the offset
    is: the difference is offset plus travel time there, offset minus travel time back.

    Args:
        a: ``key``, ``pair``, ``forward``, ``at`` of one point.
        b: The same of the other.
        basis: What is compared, for the record.
        spans: From when to when each holds anything, where that is more than what it has here.

    Returns:
        A minus B, or None where fewer than two packets passed both.
    """
    both = (
        a.select("key", "pair", "forward", "at")
        .join(b.select("key", at_b="at"), on="key")
        .with_columns(difference=pl.col("at") - pl.col("at_b"))
        .sort("at", "at_b", "key")
    )
    if both.height < 2:
        return None
    if set_back(both["at"], both["at_b"]):
        turned = tie_captures(b, a, basis, spans[::-1] if spans else None)
        return turned.turned() if turned else None
    away = int(both["difference"].median())  # type: ignore[arg-type]
    reach = reach_of(*(spans or (_span(a["at"]), _span(b["at"]))), away)
    cut = _parts(both)
    parts = [tie for part in cut if (tie := _tie_part(part, basis, reach if len(cut) == 1 else None)) is not None]
    if not parts:
        return None
    most = max(tie.pairs for _, tie in parts)
    if len(parts) > 1 and (few := [tie for _, tie in parts if tie.pairs < FEWEST]):
        parts = [(span, tie) for span, tie in parts if tie not in few or tie.pairs == most]
    if len(parts) == 1:
        return parts[0][1]
    stretches = [
        Piece(span[0], span[1], tie.offset_ns, tie.bound_ns, tie.drift_ppm, sure=True, line=tie.line)
        for span, tie in parts
    ]
    pieces = contiguous(stretches)
    offset, bound = hull(pieces)
    pairs = sum(tie.pairs for _, tie in parts)
    return Tie(offset, bound, None, pairs, f"{pairs} {basis}, in {len(parts)} stretches between which a clock was set",
               pieces)  # fmt: skip


def _parts(both: pl.DataFrame) -> list[pl.DataFrame]:
    """Pairs in the order of time, cut where the differences jump for good."""
    away = both["difference"].to_numpy()
    if len(away) < 4 * _RUN:
        return [both]
    windows = np.median(np.lib.stride_tricks.sliding_window_view(away, _RUN), axis=1)
    times = np.median(np.lib.stride_tricks.sliding_window_view(both["at"].to_numpy(), _RUN), axis=1)
    drifted = (times[_RUN:] - times[:-_RUN]) * MOST_DRIFT_PPM * 2e-6
    jumps = np.abs(windows[_RUN:] - windows[:-_RUN]) - drifted  # of those before i + _RUN, and of those from there on
    cuts: list[int] = []
    for place in np.argsort(-jumps, kind="stable"):
        if jumps[place] <= _JUMP_NS or len(cuts) >= 4 * _pieces.MOST_PIECES:
            break
        if all(abs(place + _RUN - cut) >= _RUN for cut in cuts):
            cuts.append(_exactly(away, int(place) + _RUN))
    edges = [0, *sorted(cuts), len(away)]
    parts = [both.slice(first, last - first) for first, last in pairwise(edges)]
    kept = [parts[0]]
    for part in parts[1:]:
        near = kept[-1].tail(_RUN), part.head(_RUN)
        apart, later = (abs(int(near[1][name].median()) - int(near[0][name].median())) for name in ("difference", "at"))  # type: ignore[arg-type]
        if apart - later * MOST_DRIFT_PPM * 2e-6 <= _JUMP_NS:
            kept[-1] = kept[-1].vstack(part)
        else:
            kept.append(part)
    return kept if len(kept) <= _pieces.MOST_PIECES else [both]


def _exactly(away: Times, cut: int) -> int:
    """Where a jump is that is known to a few pairs: what is before it is like what was before, and so on."""
    before, after = (
        np.median(away[max(cut - 3 * _RUN, 0) : cut - _RUN + 1]),
        np.median(away[cut + _RUN - 1 : cut + 3 * _RUN]),
    )
    start = max(cut - _RUN, 0)
    later = np.abs(away[start : cut + _RUN] - after) < np.abs(away[start : cut + _RUN] - before)
    wrong = [int(later[:n].sum() + (~later[n:]).sum()) for n in range(len(later) + 1)]
    return start + int(np.argmin(wrong))


def set_back(at: pl.Series, other: pl.Series) -> bool:
    """Whether the first of two clocks was set back: its times are no order of events, those of the other are."""
    first, second = at.to_numpy(), other.to_numpy()
    by_first = np.diff(second[np.argsort(first, kind="stable")])
    by_second = np.diff(first[np.argsort(second, kind="stable")])
    return int((by_first < -_JUMP_NS).sum()) > int((by_second < -_JUMP_NS).sum())


def reach_of(one: Span, other: Span, away_ns: int) -> Span:
    """From the first that either of two holds to the last, by the clock of one, which is so far ahead."""
    return min(one[0], other[0] + away_ns), max(one[1], other[1] + away_ns)


def _span(at: pl.Series) -> Span:
    instants = at.to_numpy()
    return int(instants.min()), int(instants.max())


def _tie_part(both: pl.DataFrame, basis: str, reach: tuple[int, int] | None) -> tuple[tuple[int, int], Tie] | None:
    """Tie two points by the packets of a stretch in which no clock was set, and that stretch."""
    middle = both["difference"].median()
    both = both.filter((pl.col("difference") - middle).abs() < 30 * SECOND_NS)
    if both.height < 2:
        return None
    span = int(both["at"].min()), int(both["at"].max())  # type: ignore[arg-type]
    usual = pl.col("difference").median()
    spread = (pl.col("difference") - usual).abs().median()
    both = both.filter(((pl.col("difference") - usual).abs() <= 8 * spread + 2_000_000).over("pair", "forward"))
    medians = (
        both.group_by("pair")
        .agg(
            there=pl.col("difference").filter(pl.col("forward")).median(),
            back=pl.col("difference").filter(~pl.col("forward")).median(),
        )
        .drop_nulls()
    )
    directed = both.join(medians, on="pair").with_columns(to_a=(pl.col("there") > pl.col("back")) == pl.col("forward"))
    upper, lower = (directed.filter(pl.col("to_a") == way) for way in (True, False))
    if upper.is_empty() or lower.is_empty():
        differences = both["difference"].to_numpy()
        least, most = int(differences.min()), int(differences.max())
        bound = (most - least) // 2 + LONGEST_TRANSIT_NS
        return span, Tie((least + most) // 2, bound, None, both.height, f"{both.height} {basis}, in one direction only")
    found = fit(*columns(upper), *columns(lower), reach)
    if directed.height < _MANY:  # few packets and a drift can look like the other way round: what fits as well counts
        other = fit(*columns(lower), *columns(upper), reach)
        if other.strain_ns < found.strain_ns:
            found, other = other, found
        if other.strain_ns <= 1000:
            ends = [one.offset_ns + sign * one.bound_ns for one in (found, other) for sign in (-1, 1)]
            middle = (min(ends) + max(ends)) // 2
            found = replace(found, offset_ns=middle, bound_ns=max(ends) - middle, drift_ppm=None, line=None)
    basis = f"{directed.height} {basis}, in both directions"
    return span, Tie(found.offset_ns, found.bound_ns, found.drift_ppm, directed.height, basis, line=found.line)


def columns(rows: pl.DataFrame) -> tuple[Times, Times]:
    """Instants and differences of pairs."""
    return rows["at"].to_numpy(), rows["difference"].to_numpy()
