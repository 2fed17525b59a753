"""Whose clock is off? Sources tied to one reference by the packets and DHCP exchanges that they share."""

from __future__ import annotations

import re
from heapq import heappop, heappush

import polars as pl

from forensics.analysis._alignment import NOWHERE
from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._sightings import Pair, Witnesses, partners, sightings
from forensics.analysis._ties import Tie, message_keys, packet_keys, tie_captures, tie_messages, zone_part
from forensics.records import Alternative, Clock, DataFrame, DhcpMessage, Finding, Packet, Step

NEEDS = (Clock,)
USES = (DhcpMessage, Packet)
KINDS = {"clock-skew": ("two sources that saw the same packets or the same DHCP exchanges",)}

_ROLES = {"capture": "capture", "server": "server", "relay": "server", "client": "client"}
_STATED = ("stated", "utc-by-definition")


def clocks(
    dhcp_messages: pl.DataFrame | pl.LazyFrame,
    packets: pl.DataFrame | pl.LazyFrame,
    sources: pl.DataFrame | pl.LazyFrame | None = None,
) -> DataFrame[Clock]:
    """Say how far each source's clock is from the reference.

    Captures are tied by packets that passed both, logs by the DHCP messages that they and others tell of. The
    reference is the capture nearest to the DHCP server; without captures, the log with most ties. A chain of ties
    adds up its bounds, and the chain with the smallest sum counts.

    Args:
        dhcp_messages: One row per `DhcpMessage`, from any sources.
        packets: One row per `Packet`, any number.
        sources: One row per `Source`; what it lists gets a row here. Without it, the sources of the records do.

    Returns:
        One row per source, by name. ``offset_s`` is null where nothing ties the source, and ``basis`` says why.
        ``zone_s`` is that part of a log's offset in whole quarters of an hour, where its lines name no zone.

    Examples:
        >>> from forensics.records import Packet
        >>> clocks(DhcpMessage.empty(), Packet.empty())["source"].to_list()
        []
    """
    frames = packets.lazy()
    points = frames.select("source", "host").unique().collect(engine="streaming").sort("source", "host")
    messages, owners = _owned(points, _messages(dhcp_messages.lazy()))
    keys = packet_keys(frames, owners)
    files = _files(points, owners, messages)
    ties = _ties(keys, messages)
    chains, references = _anchored(sorted(files), ties, messages)
    listed = sources.lazy().collect() if sources is not None else None
    return Clock.validate(_rows(files, chains, references, listed), cast=True)


def _owned(points: pl.DataFrame, messages: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Messages of captures under the node that their packets have; and source -> node of captures."""
    of_captures = messages.filter(pl.col("role") == "capture").select("source", "host").unique()
    owners = _owners(pl.concat([points, of_captures]))
    own = pl.col("source").replace_strict(owners, default=None, return_dtype=pl.String)
    return messages.with_columns(node=pl.when(pl.col("role") == "capture").then(own).otherwise("node")), owners


def _messages(messages: pl.LazyFrame) -> pl.DataFrame:
    """DHCP messages as ties need them, with the node that each belongs to."""
    xid = pl.col("xid").cast(pl.UInt64)
    swapped = ((xid & 0xFF) * 2**24) + ((xid & 0xFF00) * 2**8) + ((xid // 2**8) & 0xFF00) + (xid // 2**24)
    known = messages.filter(pl.col("ts").is_not_null() & pl.col("message_type").is_not_null()).select(
        "source",
        "position",
        "host",
        "message_type",
        "chaddr",
        role=pl.col("seen_by").replace_strict(_ROLES),
        at=pl.col("ts").to_physical().cast(pl.Int64),
        xkey=pl.min_horizontal(xid, swapped),
        ip=pl.coalesce(
            pl.when(pl.col("ciaddr") != NOWHERE).then("ciaddr"),
            pl.when(pl.col("yiaddr") != NOWHERE).then("yiaddr"),
            "requested_ip",
        ),
    )
    rows = known.collect(engine="streaming")
    stem = pl.col("source").map_batches(_stems, return_dtype=pl.String)
    log = pl.concat_str(stem, pl.lit(" "), "role", pl.lit(" "), pl.col("host").fill_null(""))
    node = pl.when(pl.col("role") == "capture").then(pl.coalesce("host", "source")).otherwise(log)
    whole = (pl.col("at") % SECOND_NS == 0).all().over("node") & (pl.col("role") != "capture")
    return rows.with_columns(node=node).with_columns(
        resolution_ns=pl.when(whole).then(SECOND_NS).when(pl.col("role") == "capture").then(0).otherwise(1_000_000)
    )


def _stems(names: pl.Series) -> pl.Series:
    found = names.unique()
    return names.replace_strict(found, [series(name) for name in found], return_dtype=pl.String)


def series(source: str) -> str:
    """A log's name without what rotation and compression add.

    Examples:
        >>> series("controller/syslog.1.gz"), series("web/messages-20120830.xz"), series("a/dnsmasq.log")
        ('controller/syslog', 'web/messages', 'a/dnsmasq.log')
    """
    name = re.sub(r"\.(?:gz|xz|bz2|zst|lz4)$", "", source)
    return re.sub(r"(?:[.-]\d{8}(?:-\d+)?|\.\d{1,3})$", "", name)


def _owners(points: pl.DataFrame) -> dict[str, str]:
    """Source -> node of captures: files that were rotated share a point, a file of several points has one clock."""
    per_source = points.group_by("source").agg(pl.col("host").drop_nulls().unique())
    return {
        source: hosts[0] if len(hosts) == 1 else str(source) for source, hosts in per_source.sort("source").iter_rows()
    }


def _files(points: pl.DataFrame, owners: dict[str, str], messages: pl.DataFrame) -> dict[str, dict[str, str | None]]:
    """Node -> source -> host."""
    files: dict[str, dict[str, str | None]] = {}
    for source, host in points.iter_rows():
        files.setdefault(owners[source], {}).setdefault(source, host)
    for node, source, host in messages.select("node", "source", "host").unique().sort("source", "node").iter_rows():
        files.setdefault(node, {}).setdefault(source, host)
    return files


def _ties(keys: pl.DataFrame, messages: pl.DataFrame) -> dict[str, dict[str, Tie]]:
    """Node -> other node -> the other's clock minus this one's, for every tie that can be made."""
    by_keys = {str(name[0]): rows for name, rows in keys.group_by("node")}
    by_messages = {str(name[0]): rows.sort("source", "position") for name, rows in messages.group_by("node")}
    ties: dict[str, dict[str, Tie]] = {}
    for one, other in partners(sightings(keys, messages)):
        tie = _tie(by_keys.get(one), by_keys.get(other), by_messages.get(one), by_messages.get(other))
        if tie:
            ties.setdefault(other, {})[one] = tie
            ties.setdefault(one, {})[other] = tie.turned()
    return ties


def _tie(
    keys_a: pl.DataFrame | None, keys_b: pl.DataFrame | None, a: pl.DataFrame | None, b: pl.DataFrame | None
) -> Tie | None:
    tie = tie_captures(keys_a, keys_b) if keys_a is not None and keys_b is not None else None
    if tie or a is None or b is None:
        return tie
    if a["role"][0] == b["role"][0] == "capture":
        return tie_captures(message_keys(a), message_keys(b), "DHCP messages seen at both")
    return tie_messages(a, b)


def _anchored(
    nodes: list[str], ties: dict[str, dict[str, Tie]], messages: pl.DataFrame
) -> tuple[dict[str, Tie], dict[str, str]]:
    """Node -> its surest chain to a reference, and which: what no chain ties to the rest has one of its own."""
    latency, logged = _latency(messages), set(messages.filter(pl.col("role") != "capture")["node"])
    rows = dict(messages.group_by("node").len().iter_rows())

    def reference(some: list[str]) -> str:
        """The node whose clock counts as right."""
        captures = [node for node in some if node not in logged]
        if best := [node for node in captures if node in ties] or captures:
            most = max(len(ties.get(node, ())) for node in best)
            return min(best, key=lambda node: (len(ties.get(node, ())) < most, latency.get(node, float("inf")), node))
        paired = {node: sum(tie.pairs for tie in ties.get(node, {}).values()) for node in some}
        return min(some, key=lambda node: (-paired[node], -rows.get(node, 0), node))

    chains: dict[str, Tie] = {}
    references: dict[str, str] = {}
    if nodes:
        first = reference(nodes)
        chains = _chains(first, ties)
        references = dict.fromkeys(chains, first)
    for node in nodes:
        if node in chains or node not in ties:
            continue
        own = reference(sorted(_chains(node, ties)))
        found = _chains(own, ties)
        chains |= found
        references |= dict.fromkeys(found, own)
    return chains, references


def _latency(messages: pl.DataFrame) -> dict[str, float]:
    """How long after a request each capture point sees its answer: the shortest stands nearest to the server."""
    seen = messages.filter((pl.col("role") == "capture") & pl.col("chaddr").is_not_null()).sort("at")
    asked = seen.filter(pl.col("message_type") == "REQUEST").select("node", "chaddr", "xkey", "at", asked="at")
    answered = seen.filter(pl.col("message_type") == "ACK").select("node", "chaddr", "xkey", "at")
    pairs = answered.join_asof(
        asked, on="at", by=["node", "chaddr", "xkey"], strategy="backward", check_sortedness=False
    ).with_columns(wait=pl.col("at") - pl.col("asked"))
    fast = pairs.filter(pl.col("wait") < 5 * SECOND_NS).group_by("node").agg(pl.col("wait").median())
    return {str(node): float(wait) for node, wait in fast.iter_rows()}


def _chains(reference: str, ties: dict[str, dict[str, Tie]]) -> dict[str, Tie]:
    """The surest chain of ties from each node to the reference (Dijkstra over bounds)."""
    settled: dict[str, Tie] = {}
    open_ends = {reference: Tie(0, 0, 0.0, 0, "the reference")}
    queue = [(0, reference)]
    while queue:
        _, node = heappop(queue)
        if node in settled:
            continue
        here = settled[node] = open_ends[node]
        for one, tie in ties.get(node, {}).items():
            if one in settled:
                continue
            drift = None if tie.drift_ppm is None or here.drift_ppm is None else tie.drift_ppm + here.drift_ppm
            via = "" if node == reference else f"; through {node.partition(' ')[0]}: {here.basis}"
            far = Tie(tie.offset_ns + here.offset_ns, tie.bound_ns + here.bound_ns, drift, tie.pairs, tie.basis + via)
            if one not in open_ends or far.bound_ns < open_ends[one].bound_ns:
                open_ends[one] = far
                heappush(queue, (far.bound_ns, one))
    return settled


def _rows(
    files: dict[str, dict[str, str | None]],
    chains: dict[str, Tie],
    references: dict[str, str],
    listed: pl.DataFrame | None,
) -> pl.DataFrame:
    """One row per source: of several nodes in one file the surest, of a source without ties its host's."""
    told = {row["source"]: row for row in listed.iter_rows(named=True)} if listed is not None else {}
    rows: dict[str, dict[str, object]] = {}
    for node, held in files.items():
        for source, host in held.items():
            tie = chains.get(node)
            if source in rows and (tie is None or (rows[source]["bound_s"] or 0.0) <= tie.bound_ns / 1e9):  # type: ignore[operator]
                continue
            reference = min(files[references[node]]) if node in references else None
            rows[source] = _row(source, host, tie, reference, told.get(source), is_log=" " in node)
    timed: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for source, row in rows.items():
        if row["offset_s"] is not None:
            timed.setdefault(_clock_of(told.get(source, {})), []).append(row)
    for source, about in told.items():
        if source not in rows and about["status"] in ("read", "damaged"):
            rows[source] = _by_host(about, timed.get(_clock_of(about), []) if about["host"] is not None else [])
    frame = pl.DataFrame(list(rows.values()), schema=Clock.polars_schema())
    return frame.sort("source")


def _row(
    source: str,
    host: str | None,
    tie: Tie | None,
    reference: str | None,
    about: dict[str, object] | None,
    *,
    is_log: bool,
) -> dict[str, object]:
    zone_ns = 0
    if tie and is_log and (about is None or about["zone_basis"] not in _STATED):
        zone_ns = zone_part(tie.offset_ns)
    return {
        "source": source,
        "host": host,
        "reference": reference if tie else None,
        "offset_s": tie.offset_ns / 1e9 if tie else None,
        "bound_s": tie.bound_ns / 1e9 if tie else None,
        "zone_s": zone_ns / 1e9 if tie else None,
        "drift_ppm": tie.drift_ppm if tie else None,
        "exchanges": tie.pairs if tie else 0,
        "basis": tie.basis if tie else "nothing in it was seen by another source as well",
    }


def _clock_of(about: dict[str, object]) -> tuple[object, ...]:
    return about.get("host"), about.get("zone"), about.get("zone_basis")


def _by_host(about: dict[str, object], alike: list[dict[str, object]]) -> dict[str, object]:
    """A source that saw nothing others saw keeps time by its host's clock, if that is known."""
    row = _row(str(about["source"]), about["host"], None, None, about, is_log=True)  # type: ignore[arg-type]
    if not alike:
        return row | {"basis": "it holds no packets and no DHCP messages that another source has too"}
    best = min(alike, key=lambda other: (other["bound_s"], other["source"]))
    kept = {name: best[name] for name in ("reference", "offset_s", "bound_s", "zone_s", "drift_ppm")}
    return row | kept | {"basis": f"same host and zone as {best['source']}: {best['basis']}"}


def findings(
    clocks: pl.DataFrame | pl.LazyFrame,
    dhcp_messages: pl.DataFrame | pl.LazyFrame | None = None,
    packets: pl.DataFrame | pl.LazyFrame | None = None,
) -> list[Finding]:
    """Name the hosts whose clocks are certainly apart.

    Args:
        clocks: One row per `Clock`.
        dhcp_messages: One row per `DhcpMessage`, to show an exchange as each of two sources saw it.
        packets: One row per `Packet`, for the same.

    Returns:
        One `clock-skew` per host, ``info``: it hurts nobody, yet whoever compares stamps by eye should know.
    """
    rows = clocks.lazy().collect().drop_nulls(["offset_s", "bound_s", "reference"])
    own = (pl.col("offset_s") - pl.col("zone_s").fill_null(0.0)).alias("own_s")
    rows = rows.with_columns(own)
    skewed = rows.filter((pl.col("own_s").abs() > pl.col("bound_s")) & (pl.col("own_s").abs() >= 0.01))
    host = pl.coalesce("host", "source").str.split("/").list.first()
    worst = (
        skewed.with_columns(machine=host, by_host=pl.col("exchanges") == 0)
        .sort("by_host", "bound_s", "source")
        .unique("machine", keep="first")
        .sort("machine")
    )
    if worst.is_empty():
        return []
    held = rows.filter(pl.col("exchanges") > 0)["source"].implode()
    held = pl.concat([held.explode(), worst["reference"]]).unique().implode()
    said = DhcpMessage.empty().lazy() if dhcp_messages is None else dhcp_messages.lazy()
    frames = Packet.empty().lazy() if packets is None else packets.lazy()
    frames = frames.filter(pl.col("source").is_in(held))
    points = frames.select("source", "host").unique().collect(engine="streaming").sort("source", "host")
    messages, owners = _owned(points, _messages(said.filter(pl.col("source").is_in(held))))
    witnesses = Witnesses(packet_keys(frames, owners, located=True), messages, rows)
    return [_skew(row, witnesses.chain(row["source"], row["reference"])) for row in worst.iter_rows(named=True)]


def _skew(row: dict[str, object], chain: tuple[Pair, ...]) -> Finding:
    own_s, bound_s = float(row["own_s"]), float(row["bound_s"])  # type: ignore[arg-type]
    between = [str(row["source"]), str(row["reference"])]
    way = "ahead of" if own_s > 0 else "behind"
    machine, exchanges = str(row["machine"]), int(row["exchanges"])  # type: ignore[call-overload]
    several = exchanges > 2
    return Finding(
        kind="clock-skew",
        title=f"The clock of {machine} is {abs(own_s):.3f} s {way} {between[1]}",
        severity="info",
        confidence="proven",
        start=None,
        end=None,
        entities={"hosts": (machine,)},
        facts={"between": between, "offset_s": own_s, "uncertainty_s": bound_s, "basis": row["basis"]},
        story=tuple(Step(pair.refs[0].at, pair.told(), pair.refs) for pair in chain),
        evidence=tuple(dict.fromkeys(ref for pair in chain for ref in pair.refs)),
        alternatives=(
            Alternative(
                "two different messages were taken for one",
                "ruled out" if several else "open",
                f"{exchanges} pairs fit one offset within {bound_s:.3f} s"
                if several
                else f"only {exchanges} pairs were seen by both",
            ),
        ),
        remedy=(
            "Let all hosts keep time by the same NTP servers, and alert on an offset above 0.1 s.",
            f"Until then subtract {own_s:.3f} s from stamps of {machine} before you compare them with others.",
        ),
        next_evidence=(f"`chronyc tracking` or `ntpq -p` of {machine}, and of the host that wrote {between[1]}",),
    )


__all__ = ["DhcpMessage", "Packet", "clocks", "findings", "series"]
