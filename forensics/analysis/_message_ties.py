"""Pairs of sources tied by DHCP messages that both tell of."""

from __future__ import annotations

import polars as pl

from forensics.analysis import _pieces
from forensics.analysis._alignment import CLIENT_TYPES, IDENTITIES, LONGEST_TRANSIT_NS, off_zone
from forensics.analysis._clock_messages import Side
from forensics.analysis._correlate import SECOND_NS, densest
from forensics.analysis._parts import in_parts
from forensics.analysis._pieces import FEWEST, Tie, settled
from forensics.analysis._ties import columns, reach_of, set_back, tie_captures

MOST_STEP_NS = 7200 * SECOND_NS
"""Summer time, and what an administrator sets right; further away is another day's message."""
MOST_ASIDE_NS = 45 * SECOND_NS
"""A clock this far from a whole zone is not chosen among several that fit: a wrong tie is worse than none."""
MOST_STRAYS = 0.2
"""So many pairs of a stretch may be like the rest of the evidence by chance."""
MOST_PAIRS = 2_000_000
"""Pairs of messages of two sources that are held."""
MOST_COMPARED = 4000
"""Messages of one side that the other is asked for: the last of those that it has as well."""
_MUCH_BETTER = 1.2
"""So many times the messages find each other by what is less sure, or what is surer counts."""


def tie_sides(x: Side, y: Side) -> Tie | None:
    """Tie two sources by DHCP messages: two captures as by any packets, else by what is known of a log's lines."""
    if x.role == y.role == "capture":
        keys = _keys(x.rows), _keys(y.rows)
        return tie_captures(*keys, "DHCP messages seen at both", (x.span, y.span))
    return tie_messages(x, y)


def _keys(messages: pl.DataFrame) -> pl.DataFrame:
    """DHCP messages of one capture point in the form of `packet_keys`, for points that share nothing else."""
    named = messages.with_columns(forward=pl.col("message_type").is_in(CLIENT_TYPES), pair=pl.col("chaddr"))
    key = pl.struct("chaddr", "message_type", "xkey").hash()
    return (
        named.with_columns(key=key)
        .group_by("key")
        .agg(pl.col("pair", "forward").first(), at=pl.col("at").min(), n=pl.len())
        .filter(pl.col("n") == 1)
    )


def tie_messages(x: Side, y: Side, *, turned: bool = False) -> Tie | None:
    """Tie two sources by DHCP messages that both tell of, at least one of them a log.

    A sender writes its line before the wire has the message, a receiver afterwards. So requests bound the offset
    on one side and answers on the other; stamps in whole seconds widen each by that second.

    Args:
        x: Messages of one source.
        y: Those of the other.
        turned: Whether they were asked the other way round, and y was found to have been set back.

    Returns:
        X minus Y, or None where nothing can be paired, or where both seem to have been set back: then the pairs are of
        different messages.
    """
    place = {"client": 0, "capture": 1, "server": 2}
    pairs = _paired(x, y) if x.role != y.role else None
    if pairs is None:
        return None
    if set_back(pairs["at"], pairs["at_y"]):
        other = None if turned else tie_messages(y, x, turned=True)
        return other.turned() if other else None
    x_first = pl.col("message_type").is_in(CLIENT_TYPES) == pl.lit(place[x.role] < place[y.role])
    earlier, later = pairs.filter(x_first), pairs.filter(~x_first)
    basis = f"{pairs.height} DHCP messages that both tell of"
    low, high = earlier, later
    low_by, high_by = -y.resolution_ns, x.resolution_ns
    if low.is_empty() or high.is_empty():
        basis += ", in one direction only"
        low, high = pairs, pairs
        low_by -= 0 if high.height == earlier.height else LONGEST_TRANSIT_NS
        high_by += 0 if high.height == later.height else LONGEST_TRANSIT_NS
    upper_at, upper = columns(high)
    lower_at, lower = columns(low)
    away = int(pairs["difference"].median())  # type: ignore[arg-type]
    found, pieces = settled(upper_at, upper + high_by, lower_at, lower + low_by, reach_of(x.span, y.span, away))
    jitter = 10_000_000  # from the program's line to the log daemon's stamp
    if pieces:
        basis += f", in {(len(pieces) + 1) // 2} stretches between which a clock was set"
    tie = Tie(found.offset_ns, found.bound_ns, found.drift_ppm, pairs.height, basis, pieces, line=found.line)
    return tie.wider(jitter)


def _paired(one: Side, other: Side) -> pl.DataFrame | None:
    """Which message of X is which of Y: the offset that fits most of them decides."""
    shown = ("at", "message_type", "chaddr", "xkey", "ip")
    x = one.rows.with_row_index("owner").select("owner", *shown)
    y = other.rows.with_row_index("owner_y").select("owner_y", *shown, place_y=pl.struct("source", "position").rle_id())
    span = one.span[1] - one.span[0]
    best: tuple[int, pl.DataFrame] | None = None
    for identity in IDENTITIES:
        if any(frame[name].null_count() == frame.height for frame in (x, y) for name in identity):
            continue
        alike = [*identity, "message_type"]
        few = x.join(y, on=alike, how="semi", maintain_order="left").tail(MOST_COMPARED)
        if few.height <= (_MUCH_BETTER * best[0] if best else 0):
            continue
        pairs = _closest(few, y, alike)
        width = SECOND_NS * 3 // 2 + min(span // 10_000, 5 * SECOND_NS)
        # Retries of seconds apart all fit the one message of the other side that is like them: each pair counts once.
        fewer = min(("owner", "owner_y"), key=lambda side: pairs[side].n_unique())
        windows = densest(pairs["difference"].to_numpy(), pairs[fewer].cast(pl.Int64).to_numpy(), width)
        windows = sorted(((at, _nearest(pairs, at, width).height) for at, _ in windows), key=lambda one: -one[1])
        most = windows[0][1]
        # A client that renews on the dot fits at every whole period: where all messages of both sides find each other
        # that is it, else a clock is rarely far from a whole zone.
        close = [(edge, owners) for edge, owners in windows if owners >= 0.9 * most]
        whole = most == one.n == other.n and sum(owners == most for _, owners in close) == 1
        edge, owners = (
            close[0] if whole else min(close, key=lambda window: (abs(off_zone(window[0] + width // 2)), -window[1]))
        )
        if len(close) > 1 and not whole and abs(off_zone(edge + width // 2)) > MOST_ASIDE_NS:
            continue
        chosen = _nearest(pairs, edge, width)
        chosen = _after_steps(pairs, chosen, width, distinct="xkey" in identity)
        if best is None or owners > _MUCH_BETTER * best[0]:
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
