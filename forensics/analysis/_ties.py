"""Pairs of sources tied by what both saw: packets that passed two capture points, DHCP messages that both tell of."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl

from forensics.analysis import _pieces
from forensics.analysis._alignment import (
    CLIENT_TYPES,
    IDENTITIES,
    LONGEST_TRANSIT_NS,
    MOST_DRIFT_PPM,
    MOST_KEYS,
    Times,
    fit,
    off_zone,
)
from forensics.analysis._correlate import SECOND_NS, densest, named
from forensics.analysis._parts import in_parts
from forensics.analysis._pieces import FEWEST, Piece, Tie, contiguous, hull, settled

MOST_STEP_NS = 7200 * SECOND_NS
"""Summer time, and what an administrator sets right; further away is another day's message."""
MOST_ASIDE_NS = 45 * SECOND_NS
"""A clock this far from a whole zone is not chosen among several that fit: a wrong tie is worse than none."""
MOST_STRAYS = 0.2
"""So many pairs of a stretch may be like the rest of the evidence by chance."""
MOST_PAIRS = 2_000_000
"""Pairs of messages of two sources that are held."""
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


def tie_captures(a: pl.DataFrame, b: pl.DataFrame, basis: str = "packets seen at both") -> Tie | None:
    """Tie two capture points by packets that passed both.

    Of two opposite directions the one with the larger differences ``a - b`` runs from B to A, whatever the offset
    is: the difference is offset plus travel time there, offset minus travel time back.

    Args:
        a: ``key``, ``pair``, ``forward``, ``at`` of one point.
        b: The same of the other.
        basis: What is compared, for the record.

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
        turned = tie_captures(b, a, basis)
        return turned.turned() if turned else None
    away = int(both["difference"].median())  # type: ignore[arg-type]
    reach = _reach(a["at"], b["at"] + away)
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


def _reach(one: pl.Series, other: pl.Series) -> tuple[int, int]:
    """From the first that either holds to the last."""
    edges = [int(edge) for held in (one, other) for edge in (held.min(), held.max())]  # type: ignore[arg-type]
    return min(edges), max(edges)


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
    found = fit(*_columns(upper), *_columns(lower), reach)
    if directed.height < _MANY:  # few packets and a drift can look like the other way round: what fits as well counts
        other = fit(*_columns(lower), *_columns(upper), reach)
        if other.strain_ns < found.strain_ns:
            found, other = other, found
        if other.strain_ns <= 1000:
            ends = [one.offset_ns + sign * one.bound_ns for one in (found, other) for sign in (-1, 1)]
            middle = (min(ends) + max(ends)) // 2
            found = replace(found, offset_ns=middle, bound_ns=max(ends) - middle, drift_ppm=None, line=None)
    basis = f"{directed.height} {basis}, in both directions"
    return span, Tie(found.offset_ns, found.bound_ns, found.drift_ppm, directed.height, basis, line=found.line)


def _columns(rows: pl.DataFrame) -> tuple[Times, Times]:
    return rows["at"].to_numpy(), rows["difference"].to_numpy()


def message_keys(messages: pl.DataFrame) -> pl.DataFrame:
    """DHCP messages of one capture point in the form of `packet_keys`, for points that share nothing else."""
    named = messages.with_columns(forward=pl.col("message_type").is_in(CLIENT_TYPES), pair=pl.col("chaddr"))
    key = pl.struct("chaddr", "message_type", "xkey").hash()
    return (
        named.with_columns(key=key)
        .group_by("key")
        .agg(pl.col("pair", "forward").first(), at=pl.col("at").min(), n=pl.len())
        .filter(pl.col("n") == 1)
    )


def tie_messages(x: pl.DataFrame, y: pl.DataFrame, *, turned: bool = False) -> Tie | None:
    """Tie two sources by DHCP messages that both tell of, at least one of them a log.

    A sender writes its line before the wire has the message, a receiver afterwards. So requests bound the offset
    on one side and answers on the other; stamps in whole seconds widen each by that second.

    Args:
        x: Messages of one source: ``at`` (ns), ``role`` (`capture`, `server`, `client`), ``resolution_ns``,
            ``message_type``, ``chaddr``, ``ip``, ``xkey``.
        y: The same of the other.
        turned: Whether they were asked the other way round, and y was found to have been set back.

    Returns:
        X minus Y, or None where nothing can be paired, or where both seem to have been set back: then the pairs are of
        different messages.
    """
    place = {"client": 0, "capture": 1, "server": 2}
    x_place, y_place = place[x["role"][0]], place[y["role"][0]]
    pairs = _paired(x, y) if x_place != y_place else None
    if pairs is None:
        return None
    if set_back(pairs["at"], pairs["at_y"]):
        other = None if turned else tie_messages(y, x, turned=True)
        return other.turned() if other else None
    x_first = pl.col("message_type").is_in(CLIENT_TYPES) == pl.lit(x_place < y_place)
    x_res, y_res = int(x["resolution_ns"][0]), int(y["resolution_ns"][0])
    earlier, later = pairs.filter(x_first), pairs.filter(~x_first)
    basis = f"{pairs.height} DHCP messages that both tell of"
    low, high = earlier, later
    low_by, high_by = -y_res, x_res
    if low.is_empty() or high.is_empty():
        basis += ", in one direction only"
        low, high = pairs, pairs
        low_by = -y_res if high.height == earlier.height else -y_res - LONGEST_TRANSIT_NS
        high_by = x_res if high.height == later.height else x_res + LONGEST_TRANSIT_NS
    upper_at, upper = _columns(high)
    lower_at, lower = _columns(low)
    away = int(pairs["difference"].median())  # type: ignore[arg-type]
    reach = _reach(x["at"], y["at"] + away)
    found, pieces = settled(upper_at, upper + high_by, lower_at, lower + low_by, reach)
    jitter = 10_000_000  # from the program's line to the log daemon's stamp
    if pieces:
        basis += f", in {(len(pieces) + 1) // 2} stretches between which a clock was set"
    tie = Tie(found.offset_ns, found.bound_ns, found.drift_ppm, pairs.height, basis, pieces, line=found.line)
    return tie.wider(jitter)


def _paired(x: pl.DataFrame, y: pl.DataFrame) -> pl.DataFrame | None:
    """Which message of X is which of Y: the offset that fits most of them decides."""
    shown = ("at", "message_type", "chaddr", "xkey", "ip")
    x = x.with_row_index("owner").select("owner", *shown)
    y = y.with_row_index("owner_y").select("owner_y", *shown, place_y=pl.struct("source", "position").rle_id())
    best: tuple[int, pl.DataFrame] | None = None
    for identity in IDENTITIES:
        if any(frame[name].null_count() == frame.height for frame in (x, y) for name in identity):
            continue
        few = x.drop_nulls(identity).tail(4000) if x.height > 4000 else x
        pairs = _closest(few, y, [*identity, "message_type"])
        if pairs.is_empty():
            continue
        span = int(np.ptp(x["at"].to_numpy()))
        width = SECOND_NS * 3 // 2 + min(span // 10_000, 5 * SECOND_NS)
        # Retries of seconds apart all fit the one message of the other side that is like them: each pair counts once.
        fewer = min(("owner", "owner_y"), key=lambda side: pairs[side].n_unique())
        windows = densest(pairs["difference"].to_numpy(), pairs[fewer].cast(pl.Int64).to_numpy(), width)
        windows = sorted(((at, _nearest(pairs, at, width).height) for at, _ in windows), key=lambda one: -one[1])
        most = windows[0][1]
        # A client that renews on the dot fits at every whole period: where all messages of both sides find each other
        # that is it, else a clock is rarely far from a whole zone.
        close = [(edge, owners) for edge, owners in windows if owners >= 0.9 * most]
        whole = most == x.height == y.height and sum(owners == most for _, owners in close) == 1
        edge, owners = (
            close[0] if whole else min(close, key=lambda window: (abs(off_zone(window[0] + width // 2)), -window[1]))
        )
        if len(close) > 1 and not whole and abs(off_zone(edge + width // 2)) > MOST_ASIDE_NS:
            continue
        chosen = _nearest(pairs, edge, width)
        chosen = _after_steps(pairs, chosen, width, distinct="xkey" in identity)
        if best is None or owners > 1.2 * best[0]:
            best = (owners, chosen)
    return best[1] if best else None


def _closest(x: pl.DataFrame, y: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Pairs of messages that are alike; of very many (one client that says the same all day) the closest."""
    counts = y.group_by(on).agg(n=pl.len())
    x = x.join(counts, on=on, how="left", maintain_order="left").with_columns(pl.col("n").fill_null(0))
    shown = ("owner", "owner_y", "place_y", "at", "at_y", "message_type")
    away = (pl.col("at") - pl.col("at_y")).alias("difference")
    found = x.head(0).join(y, on=on, suffix="_y").select(*shown, away)
    for some in in_parts(x, MOST_PAIRS):
        found = pl.concat([found, some.join(y, on=on, suffix="_y").select(*shown, away)])
        if found.height > MOST_PAIRS:
            found = found.sort(away.abs(), "owner", "owner_y").head(MOST_PAIRS)
    return found


def _nearest(pairs: pl.DataFrame, edge: int, width: int) -> pl.DataFrame:
    """Each message of X with one of Y at most, of the pairs whose difference lies in a window."""
    inside = pairs.filter(pl.col("difference").is_between(edge, edge + width))
    centre = inside["difference"].median()
    return (
        inside.sort((pl.col("difference") - centre).abs(), "at", "at_y")
        .unique("owner", keep="first", maintain_order=True)
        .unique("place_y", keep="first", maintain_order=True)
        .sort("at")
    )


def _after_steps(pairs: pl.DataFrame, chosen: pl.DataFrame, width: int, *, distinct: bool) -> pl.DataFrame:
    """The chosen pairs, and those of stretches before or after a clock was set.

    Messages that found no partner do so at another offset, most of a stretch of their own at one and the same, and
    their partners have none otherwise. What is as likely at several offsets (a client that renews on the dot) is left
    alone.
    """
    for _ in range(_pieces.MOST_PIECES - 1 if distinct else 1):
        left = pairs.join(chosen, on="owner", how="anti").join(chosen, on="place_y", how="anti")
        fewest = FEWEST if distinct else FEWEST + 1
        if left["owner"].n_unique() < fewest:
            break
        windows = densest(left["difference"].to_numpy(), left["owner"].cast(pl.Int64).to_numpy(), width)
        edge, owners = windows[0]
        more = _nearest(left, edge, width)
        during = _during(more)
        rivals = left.filter(during)["owner"].n_unique()
        strays = chosen.filter(during)
        second = max((count for at, count in windows[1:] if abs(at - edge) > width), default=0)
        moved = abs(int(more["difference"].median()) - int(chosen["difference"].median()))  # type: ignore[arg-type]
        if (
            more.height < fewest
            or strays.height > MOST_STRAYS * more.height
            or owners < 0.8 * rivals
            or second > 0.6 * owners
            or moved > MOST_STEP_NS
        ):
            break
        if strays.height:
            chosen = chosen.join(strays, on="owner", how="anti")
            free = pairs.join(chosen, on="owner", how="anti").join(chosen, on="place_y", how="anti")
            more = _nearest(free.filter(during), edge, width)
        chosen = pl.concat([chosen, more]).sort("at")
    return chosen


def _during(pairs: pl.DataFrame) -> pl.Expr:
    """Between the first and the last of these by both clocks: one that was set back shows times twice."""
    edges = [(name, pairs[name].min(), pairs[name].max()) for name in ("at", "at_y")]
    return pl.all_horizontal(pl.col(name).is_between(first, last) for name, first, last in edges)
