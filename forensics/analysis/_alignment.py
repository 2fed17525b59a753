"""How far two clocks are apart, and how sure that is: what one side sent, the other cannot have seen before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.analysis._correlate import SECOND_NS, densest

Times = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

CLIENT_TYPES = ("DISCOVER", "REQUEST", "DECLINE", "RELEASE", "INFORM")
"""Messages that a client sends (RFC 2131 table 2); a server sends the others."""
NOWHERE = "0.0.0.0"  # noqa: S104 - an absent address in a BOOTP field (RFC 2131 section 2)
MOST_DRIFT_PPM = 200.0
"""Quartz strays by up to 100 parts per million, in virtual machines by some more; a disciplined clock by less."""
LONGEST_TRANSIT_NS = SECOND_NS // 2
"""Where only one direction was seen: nothing is assumed to have travelled, or waited for its log line, for longer."""
MOST_KEYS = 1_000_000
IDENTITIES = (("chaddr", "xkey"), ("xkey",), ("chaddr",), ("ip",))
"""What tells that two DHCP messages of one type are the same one, the surest first."""


@dataclass(frozen=True, slots=True)
class Tie:
    """Clock A minus clock B: within ``offset_ns`` ± ``bound_ns`` all through the time that both cover."""

    offset_ns: int
    bound_ns: int
    drift_ppm: float | None
    pairs: int
    basis: str

    def turned(self) -> Tie:
        """The same tie, seen from the other side."""
        return replace(self, offset_ns=-self.offset_ns, drift_ppm=None if self.drift_ppm is None else -self.drift_ppm)


def settle(upper_at: Times, upper: Times, lower_at: Times, lower: Times) -> tuple[int, int, float | None]:
    """Where an offset must lie that is at most ``upper`` and at least ``lower`` at given instants.

    The offset is taken to be a straight line over time of at most `MOST_DRIFT_PPM`. All lines that fit form a
    convex set, whose extremes are found exactly. What no line fits widens the bound.

    Args:
        upper_at: Instants, whole nanoseconds, at least one.
        upper: The offset is at most this, nanoseconds.
        lower_at: Instants, at least one.
        lower: The offset is at least this, nanoseconds.

    Returns:
        Offset and bound in nanoseconds, and the drift in parts per million where it is certainly not zero.

    Examples:
        >>> at = np.arange(0, 60_000_000_000, 1_000_000_000)
        >>> settle(at, np.full(60, 5_000_300), at, np.full(60, 5_000_100))[0]
        5000200
    """
    start, end = (int(edge) for edge in (min(upper_at.min(), lower_at.min()), max(upper_at.max(), lower_at.max())))
    base, middle, span_s = int(np.median(upper)), (start + end) // 2, (end - start) / 1e9
    upper_at, upper = _extremes(upper_at, upper, start, end, np.minimum)
    lower_at, lower = _extremes(lower_at, lower, start, end, np.maximum)
    ceiling = _hull((upper_at - middle) / 1e9, (upper - base) / 1e9)
    floor_t, floor = _hull((lower_at - middle) / 1e9, -(lower - base) / 1e9)
    lines = _Lines(*ceiling, floor_t, -floor)
    strain = max(0.0, -float(lines.room(lines.slopes).max()) / 2)
    slack, half = strain * 1.001 + 1e-9, span_s / 2
    slopes = lines.fitting(slack)
    above, below, swing = lines.above(slopes) + slack, lines.below(slopes) - slack, half * np.abs(slopes)
    most, least = float((above + swing).max()), float((below - swing).min())
    slowest, fastest = float(slopes.min()), float(slopes.max())
    drift = (slowest + fastest) / 2 * 1e6 if slowest > 0 or fastest < 0 else None
    bound_s = (most - least) / 2 + strain
    return base + round((most + least) / 2 * 1e9), round(bound_s * 1e9) + 1000, drift


class _Lines:
    """Straight lines below some points and above others, by their slopes.

    The highest value in the middle that a slope allows is a concave function of it, the lowest a convex one, both of
    straight pieces: all extremes lie where pieces meet, so at the slopes of the two hulls' edges.
    """

    def __init__(self, upper_t: Reals, upper: Reals, lower_t: Reals, lower: Reals) -> None:
        self._upper, self._lower = (upper_t, upper), (lower_t, lower)
        limit = MOST_DRIFT_PPM / 1e6
        edges = [np.diff(y) / np.diff(t) for t, y in (self._upper, self._lower)]
        self.slopes = np.unique(np.clip(np.concatenate([*edges, [-limit, limit]]), -limit, limit))

    def above(self, slopes: Reals) -> Reals:
        """The highest value in the middle that keeps below the upper points."""
        t, y = self._upper
        highest: Reals = (y - slopes[:, None] * t).min(axis=1)
        return highest

    def below(self, slopes: Reals) -> Reals:
        """The lowest value in the middle that keeps above the lower points."""
        t, y = self._lower
        lowest: Reals = (y - slopes[:, None] * t).max(axis=1)
        return lowest

    def room(self, slopes: Reals) -> Reals:
        """How far apart the two are; negative where no line fits."""
        return self.above(slopes) - self.below(slopes)

    def fitting(self, slack: float) -> Reals:
        """The slopes that fit once all points give way by ``slack``, and of the others the exact edges."""
        room = self.room(self.slopes) + 2 * slack
        fit = np.flatnonzero(room >= 0)
        edges = [
            self.slopes[out] + (self.slopes[into] - self.slopes[out]) * -room[out] / (room[into] - room[out])
            for into, out in ((fit[0], fit[0] - 1), (fit[-1], fit[-1] + 1))
            if 0 <= out < len(room)
        ]
        return np.concatenate([self.slopes[fit], np.array(edges, np.float64)])


def _hull(t: Reals, y: Reals) -> tuple[Reals, Reals]:
    """The points of a lower convex hull, from left to right; of points at one instant the lowest."""
    kept: list[tuple[float, float]] = []
    for x, z in sorted(zip(t.tolist(), y.tolist(), strict=True)):
        if kept and kept[-1][0] == x:
            continue
        while len(kept) > 1 and (kept[-1][0] - kept[-2][0]) * (z - kept[-2][1]) <= (kept[-1][1] - kept[-2][1]) * (
            x - kept[-2][0]
        ):
            kept.pop()
        kept.append((x, z))
    points = np.array(kept, np.float64)
    return points[:, 0], points[:, 1]


def _extremes(at: Times, values: Times, start: int, end: int, keep: np.ufunc) -> tuple[Times, Times]:
    """The tightest value of each of up to 128 slices of time."""
    width = max((end - start) // 128 + 1, 1)
    slices = (at - start) // width
    order = np.lexsort((values if keep is np.minimum else -values, slices))
    first = np.concatenate([[True], np.diff(slices[order]) > 0])
    return at[order][first], values[order][first]


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
    own: tuple[str, ...] = (
        "src",
        "dst",
        "protocol",
        "ip_id",
        "ip_bytes",
        "fragment_offset_bytes",
        "src_port",
        "dst_port",
    )
    own += ("tcp_seq", "tcp_ack", "tcp_flags", "payload_bytes", "icmp_type", "icmp_id", "icmp_seq")
    tunnelled = pl.col("tunnel").is_not_null() & pl.col("inner_src").is_not_null()
    column = {name: pl.col(name) for name in own}
    if packets.select(pl.col("tunnel").is_not_null().any()).collect(engine="streaming").item():
        column = {name: pl.when(tunnelled).then(pl.col(f"inner_{name}")).otherwise(pl.col(name)) for name in own}
    group = pl.col("eth_dst").str.slice(1, 1).is_in(list("13579bdf"))
    total = int(packets.select(pl.len()).collect(engine="streaming").item())
    forward = pl.col("src") < pl.col("dst")
    first = {name: pl.col(name).sort_by("at", "position").first() for name in ("source", "position")}
    sampled = (
        packets.filter(pl.col("ts").is_not_null() & pl.col("src").is_not_null() & group.not_().fill_null(value=True))
        .select(
            node=pl.col("source").replace_strict(nodes, default=None, return_dtype=pl.String),
            at=pl.col("ts").to_physical().cast(pl.Int64),
            port=pl.col("interface_id").fill_null(0),
            **column,
            **({"source": "source", "position": "position"} if located else {}),
        )
        .with_columns(key=pl.struct(own).hash(), forward=forward)
        .filter(pl.col("key") % max(1, total // MOST_KEYS) == 0)
        .with_columns(
            pair=pl.concat_str(pl.min_horizontal("src", "dst"), pl.max_horizontal("src", "dst"), separator=" ")
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
    both = a.join(b, on="key", suffix="_b").with_columns(difference=pl.col("at") - pl.col("at_b"))
    middle = both["difference"].median()
    both = both.filter((pl.col("difference") - middle).abs() < 30 * SECOND_NS)
    if both.height < 2:
        return None
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
        return Tie((least + most) // 2, bound, None, both.height, f"{both.height} {basis}, in one direction only")
    offset, bound, drift = settle(*_columns(upper), *_columns(lower))
    return Tie(offset, bound, drift, directed.height, f"{directed.height} {basis}, in both directions")


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


def tie_messages(x: pl.DataFrame, y: pl.DataFrame) -> Tie | None:
    """Tie two sources by DHCP messages that both tell of, at least one of them a log.

    A sender writes its line before the wire has the message, a receiver afterwards. So requests bound the offset
    on one side and answers on the other; stamps in whole seconds widen each by that second.

    Args:
        x: Messages of one source: ``at`` (ns), ``role`` (`capture`, `server`, `client`), ``resolution_ns``,
            ``message_type``, ``chaddr``, ``ip``, ``xkey``.
        y: The same of the other.

    Returns:
        X minus Y, or None where nothing can be paired.
    """
    place = {"client": 0, "capture": 1, "server": 2}
    x_place, y_place = place[x["role"][0]], place[y["role"][0]]
    pairs = _paired(x, y) if x_place != y_place else None
    if pairs is None:
        return None
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
    offset, bound, drift = settle(upper_at, upper + high_by, lower_at, lower + low_by)
    jitter = 10_000_000  # from the program's line to the log daemon's stamp
    return Tie(offset, bound + jitter, drift, pairs.height, basis)


def _paired(x: pl.DataFrame, y: pl.DataFrame) -> pl.DataFrame | None:
    """Which message of X is which of Y: the offset that fits most of them decides."""
    x = x.with_row_index("owner")
    best: tuple[int, pl.DataFrame] | None = None
    for identity in IDENTITIES:
        if any(frame[name].null_count() == frame.height for frame in (x, y) for name in identity):
            continue
        few = x.drop_nulls(identity).tail(4000) if x.height > 4000 else x
        pairs = few.join(y, on=[*identity, "message_type"], suffix="_y")
        if pairs.is_empty():
            continue
        pairs = pairs.with_columns(difference=pl.col("at") - pl.col("at_y"))
        if pairs.height > 2_000_000:  # one client that says the same all day: its own order is enough
            pairs = pairs.sort(pl.col("difference").abs()).head(2_000_000)
        span = int(np.ptp(x["at"].to_numpy()))
        width = SECOND_NS * 3 // 2 + min(span // 10_000, 5 * SECOND_NS)
        windows = densest(pairs["difference"].to_numpy(), pairs["owner"].cast(pl.Int64).to_numpy(), width)
        most = windows[0][1]
        # A client that renews on the dot fits at every whole period; a clock is rarely far from a whole zone.
        close = [(edge, owners) for edge, owners in windows if owners >= 0.9 * most]
        edge, owners = min(close, key=lambda window: (abs(_off_zone(window[0] + width // 2)), -window[1]))
        inside = pairs.filter(pl.col("difference").is_between(edge, edge + width))
        centre = inside["difference"].median()
        chosen = (
            inside.sort((pl.col("difference") - centre).abs(), "at", "at_y")
            .unique("owner", keep="first", maintain_order=True)
            .unique(["source_y", "position_y"], keep="first", maintain_order=True)
            .sort("at")
        )
        if best is None or owners > 1.2 * best[0]:
            best = (owners, chosen)
    return best[1] if best else None


def zone_part(offset_ns: int) -> int:
    """The whole quarters of an hour in an offset, to the nearest: what a time zone can be."""
    quarter = 900 * SECOND_NS
    return (offset_ns + quarter // 2) // quarter * quarter


def _off_zone(offset_ns: int) -> int:
    """What remains of an offset without that."""
    return offset_ns - zone_part(offset_ns)
