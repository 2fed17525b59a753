"""Loss by size: on which hop large packets vanish while small ones pass, and whether chance could do that."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._paths_fates import arrived, echoes, joined_segments, segments
from forensics.analysis._paths_packets import TCP
from forensics.analysis._paths_ways import LENIENT_NS, Flags, Place, Way, covered, pairs

Sizes = npt.NDArray[np.int64]
CHANCE = 1e-3
"""Loss that asks for no size looks like this in less than one case of a thousand: then size decides."""
SURE = 1e-5
PATIENCE_NS = 2 * SECOND_NS
"""An answer may come so late; what was sent later before the end of a capture proves nothing."""
WORTH_A_LOOK = 0.05
"""Above this there is nothing to explain, unless a router says what it dropped."""


@dataclass
class Part:
    """What one way tells of one hop."""

    way: Way
    back: Way | None
    delivered: Flags
    """Packets of the way that were seen beyond the hop."""
    lost: Flags
    """Packets that were seen before it and never beyond, while the far end captured, and not there otherwise."""
    missed: Flags
    """The same, where the far end's capture may have ended before."""


@dataclass
class Hop:
    """From one place to the next: what passed, what did not. Without a far end, what was never answered."""

    near: Place
    far: Place | None
    parts: list[Part] = field(default_factory=list)
    delivered: Sizes = field(default_factory=lambda: np.zeros(0, np.int64))
    lost: Sizes = field(default_factory=lambda: np.zeros(0, np.int64))
    largest_delivered: int = 0
    smallest_lost: int = 0
    large: int = 0
    """Lost packets above the largest delivered one."""
    small: int = 0
    """Other lost packets."""
    chance: float = 1.0
    amid: bool = False
    """Whether smaller packets came through between the first and the last lost one."""
    kind: str = "packets"
    assumed: bool = False
    """Whether the far end may have stopped capturing before: nobody answered, but that it was there is inferred."""

    @property
    def placed(self) -> bool:
        """Whether captures show where the packets are lost."""
        return self.far is not None and not self.assumed

    @property
    def key(self) -> tuple[str, str]:
        """The two points, whatever the direction."""
        one, other = self.near.point, self.far.point if self.far else ""
        return (min(one, other), max(one, other)) if self.far else (one, "")


def log_comb(n: int, k: int) -> float:
    """Natural logarithm of a binomial coefficient."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def by_chance(strata: Iterable[tuple[int, int, int]], sizes: int) -> float:
    """How likely loss that asks for no size takes all of the largest packets.

    Given how many packets of each pair of addresses were lost, any of them are as likely to be: the exact
    (permutation) test that Fisher's is for one pair, its strata multiplied. Where others are lost besides, the
    boundary was chosen after the fact, and the result is multiplied by the number of sizes it was chosen from.

    Args:
        strata: Packets, lost ones, and those of them that are larger than any delivered one, per pair.
        sizes: Number of distinct sizes.

    Examples:
        >>> round(by_chance([(10, 2, 2)], 5), 6), by_chance([(4, 4, 4)], 5)
        (0.022222, 1.0)
    """
    total, noise = 0.0, False
    for count, lost, large in strata:
        total += log_comb(count - large, lost - large) - log_comb(count, lost)
        noise |= lost > large
    return min(1.0, math.exp(min(total, 0.0)) * (sizes if noise else 1))


def hops(
    found: Mapping[tuple[str, str], Way],
    spans: Mapping[str, tuple[int, int]],
    told_too_big: Collection[tuple[str, str]] = (),
) -> list[Hop]:
    """Every hop on which the largest packets are lost, and chance hardly does that or a router says that it does.

    Args:
        found: All ways, by source and destination.
        spans: When each point captured.
        told_too_big: Pairs of addresses whose packets a router called too big.
    """
    told: dict[tuple[str, str, str, str], Hop] = {}
    for way, back in pairs(found):
        for near, far, part in _parts(way, back, spans):
            here, there = way.places[near], way.places[far]
            hop = told.setdefault((here.point, here.form, there.point, there.form), Hop(here, there))
            hop.parts.append(part)
    return [
        hop
        for _, hop in sorted(told.items())
        if _weigh(hop) and (hop.chance < WORTH_A_LOOK or _named(hop, told_too_big))
    ]


def _named(hop: Hop, pairs: Collection[tuple[str, str]]) -> bool:
    return any((part.way.src, part.way.dst) in pairs for part in hop.parts)


def _parts(way: Way, back: Way | None, spans: Mapping[str, tuple[int, int]]) -> Iterator[tuple[int, int, Part]]:
    if len(way.places) < 2:
        return
    last, sent, sizes = way.last(), way.sent_at(), way.sizes()
    cards: Flags | None = None
    for near in range(len(way.places) - 1):
        ended = last == near
        if not ended.any():
            continue
        far = next((n for n in range(near + 1, len(way.places)) if way.follows(near, n)), None)
        if far is None:
            continue
        beyond = last > near
        cards = joined_segments(way, back) if cards is None else cards
        ended &= ~cards
        if sizes[ended].max(initial=0) <= sizes[beyond & ~cards].max(initial=0):
            continue  # what is lost is no larger than what passes: no question of size
        ended &= ~arrived(way, back, ended, beyond)
        ended &= _same_flow_passed(way, beyond)
        span = spans.get(way.places[far].point)
        yield (
            near,
            far,
            Part(way, back, beyond & ~cards, ended & covered(sent, span), ended & covered(sent, span, LENIENT_NS)),
        )


def _same_flow_passed(way: Way, beyond: Flags) -> Flags:
    """Packets of connections of which the far end saw something: others may take another way or be filtered out."""
    ported = way.rows["src_port"].is_not_null() & (way.rows["protocol"] == TCP)
    key = ["protocol", "src_port", "dst_port"]
    came = way.rows.filter(pl.Series(beyond)).select(key).unique()
    same = way.rows.select(key).join(came.with_columns(there=True), on=key, how="left", maintain_order="left")
    passed: Flags = (same["there"].fill_null(value=False) | ~ported).to_numpy()
    protocols = way.rows.filter(pl.Series(beyond))["protocol"].unique().to_list()
    spoken: Flags = way.rows["protocol"].is_in(protocols).to_numpy()
    return passed & spoken


def _weigh(hop: Hop) -> bool:
    """Fill in the figures of a hop; whether any larger than all that passed are lost."""
    sizes = [part.way.sizes() for part in hop.parts]
    hop.delivered = np.concatenate([s[p.delivered] for s, p in zip(sizes, hop.parts, strict=True)])
    hop.lost = np.concatenate([s[p.lost] for s, p in zip(sizes, hop.parts, strict=True)])
    if not len(hop.delivered) or not len(hop.lost):
        return False
    hop.largest_delivered = int(hop.delivered.max())
    large = hop.lost > hop.largest_delivered
    hop.large, hop.small = int(large.sum()), int((~large).sum())
    if not hop.large:
        return False
    hop.smallest_lost = int(hop.lost[large].min())
    strata = [
        (int(p.delivered.sum() + p.lost.sum()), int(p.lost.sum()), int((s[p.lost] > hop.largest_delivered).sum()))
        for s, p in zip(sizes, hop.parts, strict=True)
    ]
    hop.chance = by_chance(strata, len(np.unique(np.concatenate([hop.delivered, hop.lost]))))
    times = [p.way.sent_at() for p in hop.parts]
    gone = np.concatenate(
        [t[p.lost & (s > hop.largest_delivered)] for t, s, p in zip(times, sizes, hop.parts, strict=True)]
    )
    came = np.concatenate([t[p.delivered] for t, p in zip(times, hop.parts, strict=True)])
    hop.amid = bool(((came > gone.min()) & (came < gone.max())).any())
    return True


def unanswered(
    found: Mapping[tuple[str, str], Way],
    spans: Mapping[str, tuple[int, int]],
    known: Iterable[tuple[str, str]],
    told_too_big: Collection[tuple[str, str]] = (),
) -> list[Hop]:
    """Ways whose large echo requests or segments are never answered while small ones are: lost, nobody saw where.

    Args:
        found: All ways, by source and destination.
        spans: When each point captured.
        known: Pairs of addresses whose losses have a place already.
        told_too_big: Pairs of addresses whose packets a router called too big.
    """
    told: list[Hop] = []
    done = {frozenset(pair) for pair in known}
    for way, back in pairs(found):
        if frozenset((way.src, way.dst)) in done or back is None:
            continue
        kinds = [("echoes", "answered", echoes(way, back))] if way.rows["is_echo"].any() else []
        kinds += [("segments", "arrived", segments(way, back, None))] if way.insists else []  # else none is lost
        for kind, fate, rows in kinds:
            hop = _ends(way, back, rows.filter(pl.col(fate).is_not_null()).with_columns(came=fate), kind, spans)
            if hop is not None and (hop.chance < WORTH_A_LOOK or (way.src, way.dst) in told_too_big):
                told.append(hop)
    return told


def _ends(
    way: Way, back: Way, rows: pl.DataFrame, kind: str, spans: Mapping[str, tuple[int, int]]
) -> Hop | None:  # fmt: skip
    """What was sent and answered as a hop without a far end; None where none larger than all answered is in vain."""
    until = max(spans[place.point][1] for place in way.places)
    rows = rows.filter(pl.col("came") | (pl.col("sent") < until - PATIENCE_NS)).with_columns(
        pl.col("ip_bytes").cast(pl.Int64)
    )
    hop = Hop(way.places[_end(way)], None, kind=kind)
    hop.delivered = rows.filter("came")["ip_bytes"].to_numpy()
    hop.lost = rows.filter(~pl.col("came"))["ip_bytes"].to_numpy()
    if not len(hop.delivered) or hop.lost.max(initial=0) <= hop.delivered.max():
        return None
    hop.largest_delivered = int(hop.delivered.max())
    vain = rows.filter(~pl.col("came"), pl.col("ip_bytes") > hop.largest_delivered)
    hop.large, hop.small = vain.height, len(hop.lost) - vain.height
    hop.smallest_lost = int(hop.lost[hop.lost > hop.largest_delivered].min())
    hop.chance = by_chance([(rows.height, len(hop.lost), hop.large)], rows["ip_bytes"].n_unique())
    tried = vain["sent"].cast(pl.Int64).to_numpy()
    first, last = int(tried.min()), int(tried.max())
    heard = back.sent_at()
    hop.amid = bool(((heard > first) & (heard < last)).any())  # the other end was there, and was heard
    gone = np.zeros(way.rows.height, np.bool_)
    gone[rows.filter(~pl.col("came")).select(pl.col("nth").explode()).to_series().to_numpy()] = True
    hop.parts = [Part(way, back, ~gone, gone, gone)]
    hop.far = _silent(way, _end(way), gone & (way.sizes() > hop.largest_delivered), spans)
    hop.assumed = hop.far is not None
    return hop


def _silent(way: Way, near: int, gone: Flags, spans: Mapping[str, tuple[int, int]]) -> Place | None:
    """The next place on the way, if it saw none of some packets and its capture ended no more than a minute before."""
    far = next((n for n in range(near + 1, len(way.places)) if way.follows(near, n)), None)
    if far is None or not gone.any() or (gone & way.seen[:, far]).any():
        return None
    lenient = covered(way.sent_at()[gone], spans.get(way.places[far].point), LENIENT_NS)
    return way.places[far] if lenient.all() else None


def _end(way: Way) -> int:
    """The place that sees most of the way's packets, the last of those."""
    counts = way.seen.sum(axis=0)
    return int(np.flatnonzero(counts == counts.max())[-1])
