"""What two sources tell of one event beside packets and DHCP: a line kept twice, a request, a connection.

Each kind of event says by how its parts follow from each other where an offset can lie; nothing is tied by likeness of
time alone. A tie is made of pairs that name the same thing (an id, a port, a text that stands once), several of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from forensics.analysis._correlate import SECOND_NS, named
from forensics.analysis._parts import in_parts
from forensics.analysis._pieces import Tie, settled
from forensics.analysis._sieve import Sieve
from forensics.analysis._ties import set_back
from forensics.records import (
    ApiRequest,
    BrokerEvent,
    BrokerTransfer,
    ConsoleRequest,
    LogRecord,
    Packet,
    Record,
)

FEWEST = 3
"""Fewer pairs of a kind make no tie: one id may be chance, two may be a mistake."""
LONGEST_RELAY_NS = 2 * SECOND_NS
"""From a program's line to the stamp that a log server gives it, where the two stamps differ at all."""
LONGEST_FIRST_NS = 10 * SECOND_NS
"""Of several requests the fastest reaches the service that does the work no later than this."""
FAST_SHARE = 0.1
"""So many of all requests take no longer than that more than the fastest."""
JITTER_NS = 10_000_000
MOST_REQUESTS = 500_000
"""Requests that two logs or captures name, as many as are compared; of more, a part."""
MOST_NAMED = 500_000
"""Lines and packets that name them, at a time."""
MOST_LINES = 200_000
"""Lines that are looked for at a time, all of a host together."""
MOST_OF_HOST = 1_000_000
"""Of a host whose logs may have more in common, a part of the lines is looked for, the same in each log."""
SYNCHRONOUS = ("get_console_output", "get_vnc_console", "get_spice_console")
"""Calls that nova-api waits for (nova/compute/rpcapi.py: ``call``, not ``cast``)."""
_ACCEPTED = r"accepted \('([0-9a-fA-F.:]+)', (\d+)"
_SIDES = ("node_a", "node_b")
_MOST_NODES = 64

Rows = Callable[[type[Record]], pl.LazyFrame]


def event_ties(rows: Rows, log_node: pl.Expr, capture_nodes: Mapping[str, str]) -> dict[tuple[str, str], Tie]:
    """Ties by shared events.

    Args:
        rows: Gives the rows of a record; those of a record that is not there are none.
        log_node: The node of a log's row, from ``source`` and ``host``.
        capture_nodes: Source -> node of captures.

    Returns:
        (one node, another) -> the first clock minus the second; the surest of each pair.
    """
    stamps = _stamps(rows, log_node)
    in_capture = named("source", capture_nodes)
    found = [
        *_copies(rows(LogRecord), log_node),
        *_requests(rows, stamps, log_node, in_capture),
        *_connections(rows, log_node, in_capture),
    ]
    best: dict[tuple[str, str], Tie] = {}
    for pair, tie in found:
        if pair[0] > pair[1]:
            pair, tie = pair[::-1], tie.turned()
        if pair not in best or tie.sure_ns < best[pair].sure_ns:
            best[pair] = tie
    return best


def _stamps(rows: Rows, log_node: pl.Expr) -> dict[str, int]:
    """How coarse the stamps of each log are, ns: a second where none has a fraction."""
    own = pl.col("ts").to_physical().cast(pl.Int64)
    logs = rows(LogRecord).filter(pl.col("ts").is_not_null()).select(node=log_node, whole=own % SECOND_NS == 0)
    coarse = logs.group_by("node").agg(pl.col("whole").all()).collect(engine="streaming")
    return {str(node): SECOND_NS if whole else 1_000_000 for node, whole in coarse.iter_rows()}


def _tie(pairs: pl.DataFrame, basis: str, *, steps: bool = True) -> Tie | None:
    """One tie of the pairs of two nodes.

    Args:
        pairs: ``at`` (by A), ``upper``, ``lower`` (ns, either may be null), and for the witness ``source_a``,
            ``locator_a``, ``at``, the same of B, and ``what``.
        basis: In words; ``{}`` is the number of pairs.
        steps: Whether the pairs are close enough to see that a clock was set.
    """
    if set_back(pairs["at"], pairs["at_b"]):
        swapped = {"at": "at_b", "source": "source_b", "locator": "locator_b"}
        other = pairs.rename({one: f"{then}?" for one, then in (swapped | {b: a for a, b in swapped.items()}).items()})
        other = other.rename({name: name.rstrip("?") for name in other.columns if name.endswith("?")})
        turned = _tie(other.with_columns(upper=-pl.col("lower"), lower=-pl.col("upper")), basis, steps=steps)
        return turned.turned() if turned else None
    high, low = pairs.drop_nulls("upper"), pairs.drop_nulls("lower")
    if high.is_empty() or low.is_empty() or pairs.height < FEWEST:
        return None
    found, pieces = settled(
        high["at"].to_numpy(), high["upper"].to_numpy(), low["at"].to_numpy(), low["lower"].to_numpy()
    )
    if found.strain_ns > 2 * SECOND_NS and not pieces:
        return None  # the pairs contradict each other: they are none
    middle = np.abs((pairs["at"] - pairs["at_b"] - found.offset_ns).to_numpy())
    row = pairs.row(int(middle.argmin()), named=True)
    witnesses = tuple((row[f"source{n}"], row[f"locator{n}"], row[f"at{n}"], row["what"]) for n in ("", "_b"))
    tie = Tie(
        found.offset_ns, found.bound_ns, found.drift_ppm, pairs.height, basis.format(pairs.height),
        pieces if steps else (), witnesses, found.line,
    )  # fmt: skip
    return tie.wider(JITTER_NS)


def _each(pairs: pl.DataFrame) -> list[tuple[tuple[str, str], pl.DataFrame]]:
    """The pairs of each two nodes, in order."""
    order = ("at", "at_b", "source", "position", "source_b", "position_b")
    parts = pairs.sort("node", "node_b", *order).partition_by("node", "node_b", as_dict=True)
    return [((str(one), str(other)), part) for (one, other), part in sorted(parts.items())]


def _copies(logs: pl.LazyFrame, log_node: pl.Expr) -> list[tuple[tuple[str, str], Tie]]:
    """A line of one host in two logs: its own and the log server's.

    A log server keeps the sender's stamp (rsyslog's TIMESTAMP) or gives its own (timegenerated). Where all pairs are
    equally far apart the stamp was kept; else the line was on its way in between.
    """
    stamped = logs.filter(pl.col("ts").is_not_null() & pl.col("host").is_not_null())
    files = stamped.group_by("source", "host").agg(n=pl.len()).collect(engine="streaming").with_columns(node=log_node)
    nodes = files.group_by("host", "node").agg(pl.col("n").sum()).sort("host", "n", "node")
    # A line in two logs of a host stands in one that is not its largest: that one says what to look for in the largest.
    largest = nodes.group_by("host", maintain_order=True).last()
    lesser = nodes.join(largest, on="node", how="anti")
    kinds = {name: pl.Enum(files[name].unique().sort()) for name in ("source", "node")}

    def once(some: pl.DataFrame, every: int, like: pl.DataFrame | None = None) -> pl.DataFrame:
        """Lines that stand once in one of some logs, of so many one; where told, of those that are like others."""
        of = {name: pl.col(name).is_in(some[name].unique().implode()) for name in ("source", "host", "node")}
        rows = stamped.filter(of["source"] & of["host"] & (pl.col("message").str.len_bytes() >= 16)).select(
            "source", "position",
            node=log_node,
            at=pl.col("ts").to_physical().cast(pl.Int64),
            key=pl.struct("host", "pid", "message").hash(),
        )  # fmt: skip
        held = rows.filter(of["node"] & (pl.col("key") % every == 0)).with_columns(
            pl.col(name).cast(kind) for name, kind in kinds.items()
        )
        if like is not None:
            held = held.join(like.lazy().select("key"), on="key", how="semi")
        each = held.group_by("node", "key").agg(pl.len(), pl.col("source", "position", "at").first())
        return each.filter(pl.col("len") == 1).drop("len").collect(engine="streaming")

    found = []
    for hosts in in_parts(lesser.group_by("host").agg(pl.col("n").sum()).sort("host"), MOST_LINES):
        every = max(1, int(hosts["n"].sum()) // MOST_OF_HOST)
        mine = files.join(hosts, on="host", how="semi")
        few = once(mine.join(lesser, on="node", how="semi"), every)
        if few.is_empty():
            continue
        found += _copied(pl.concat([few, once(mine.join(largest, on="node", how="semi"), every, few)]))
    return found


def _copied(once: pl.DataFrame) -> list[tuple[tuple[str, str], Tie]]:
    """Ties by lines that each stand once in several logs."""
    pairs = once.join(once, on="key", suffix="_b").filter(pl.col("node") < pl.col("node_b"))
    pairs = pairs.with_columns(
        away=pl.col("at") - pl.col("at_b"),
        what=pl.lit("One line"),
        locator=pl.format("line:{}", "position"),
        locator_b=pl.format("line:{}", "position_b"),
    )
    found = []
    for names, part in _each(pairs):
        seconds = (part["at"] // SECOND_NS).n_unique()
        if part.height < FEWEST or seconds < FEWEST:
            continue
        whole = [bool((part[name] % SECOND_NS == 0).all()) for name in ("at", "at_b")]
        kept = part["away"].n_unique() == 1
        if kept and whole[0] == whole[1]:
            # One stamp, kept: two clocks would fall into different seconds every now and then.
            by = min(SECOND_NS, 5 * SECOND_NS // seconds) if all(whole) else 0
            high = low = by
            basis = "{} lines that both hold, with one stamp"
        else:
            high, low = (SECOND_NS if one else 1_000_000 for one in whole)
            high, low = high + LONGEST_RELAY_NS, low + LONGEST_RELAY_NS
            basis = "{} lines that both hold, each with a stamp of its own"
        part = part.with_columns(upper=pl.col("away") + high, lower=pl.col("away") - low)
        if (tie := _tie(part, basis)) is not None:
            found.append((names, tie))
    return found


def _requests(
    rows: Rows, stamps: Mapping[str, int], log_node: pl.Expr, in_capture: pl.Expr
) -> list[tuple[tuple[str, str], Tie]]:
    """A request: its service had it before others did, and answered after those that it waited for.

    A service makes the id of a request when it comes in (oslo.middleware.request_id); whoever names the id did so
    later.
    """
    at = pl.col("ts").to_physical().cast(pl.Int64)
    asked = rows(ApiRequest).filter(
        pl.col("request_id").is_not_null() & pl.col("ts").is_not_null() & pl.col("started_at").is_not_null()
    )
    naming = _naming(rows, log_node, in_capture)
    places = [told.select(key="request_id", place="node") for told in naming]
    sieve = Sieve(asked.select(key="request_id", place=log_node), places[:2], MOST_REQUESTS)
    start = pl.col("started_at").to_physical().cast(pl.Int64)
    ended = pl.when(pl.col("stamped") == "end").then(at).otherwise(
        start + (pl.col("duration_s") * 1e9).round().cast(pl.Int64)
    )  # fmt: skip
    served = (
        asked.filter(sieve.passes("request_id"))
        .select("request_id", "source", "position", node=log_node, start=start, end=ended, own=at)
        .group_by("node", "request_id")
        .agg(
            pl.col("start").min(), pl.col("end").max(), pl.col("source", "position", "own").sort_by("own").last(),
            spread=pl.col("own").max() - pl.col("own").min(),
        )
        .filter(pl.col("spread") < 3600 * SECOND_NS)
        .collect(engine="streaming")
    )  # fmt: skip
    if served.is_empty():
        return []
    wanted = served["request_id"].unique().implode()
    files = pl.concat(
        told.filter(sieve.passes("request_id")).group_by("node", "source").agg(n=pl.len()) for told in naming[:2]
    ).collect(engine="streaming")
    found: list[tuple[tuple[str, str], Tie]] = []
    for nodes in in_parts(files.group_by("node").agg(pl.col("n").sum()).sort("node"), MOST_NAMED):
        mine = files.join(nodes, on="node", how="semi")
        kept = pl.all_horizontal(pl.col(name).is_in(mine[name].unique().implode()) for name in ("source", "node"))
        told = _tellers(*(some.filter(pl.col("request_id").is_in(wanted) & kept) for some in naming))
        pairs = told.join(served, on="request_id", suffix="_b").filter(pl.col("node") != pl.col("node_b"))
        found += _waited(pairs, stamps)
    return found


def _waited(pairs: pl.DataFrame, stamps: Mapping[str, int]) -> list[tuple[tuple[str, str], Tie]]:
    """Ties by requests, of who names them and who serves them."""
    coarse = {name: pl.col(name).replace_strict(dict(stamps), default=0, return_dtype=pl.Int64) for name in
              ("node", "node_b")}  # fmt: skip
    pairs = pairs.with_columns(
        at=pl.col("first"),
        at_b=pl.col("own"),
        upper=pl.col("first") + coarse["node"] - pl.col("start"),
        lower=pl.col("within") - pl.col("end") - coarse["node_b"],
        late=pl.col("first") - pl.col("start") - coarse["node_b"] - LONGEST_FIRST_NS,
        what=pl.concat_str(pl.lit("Request "), "request_id"),
        locator_b=pl.format("line:{}", "position_b"),
    )
    found = []
    for names, part in _each(pairs):
        waited = part.drop_nulls("lower").height
        fastest = part["late"].min()
        if waited < FEWEST:
            alike = int((part["late"] <= fastest + LONGEST_FIRST_NS).sum())  # type: ignore[operator]
            if alike < max(2, part.height * FAST_SHARE):
                continue  # no service is that slow for nearly all: the ids mean something else
            part = part.with_columns(lower=pl.when(pl.col("late") == fastest).then("late"))
            basis = "{} requests that both name; the fastest took no longer than 10 s"
        else:
            basis = f"{{}} requests that both name, {waited} of which one waited for the other"
        if (tie := _tie(part, basis, steps=waited >= FEWEST)) is not None:
            found.append((names, tie))
    return found


def _naming(rows: Rows, log_node: pl.Expr, in_capture: pl.Expr) -> tuple[pl.LazyFrame, pl.LazyFrame, pl.LazyFrame]:
    """Lines that name a request, calls that do, and lines of those who waited for an answer."""
    at = pl.col("ts").to_physical().cast(pl.Int64)
    known = pl.col("ts").is_not_null() & pl.col("request_id").is_not_null()
    own = ("request_id", "source", "position")
    logs = rows(LogRecord).filter(known).select(*own, node=log_node, at=at)
    carried = rows(BrokerTransfer).filter(known & (pl.col("method") == "publish"))
    sync = pl.col("rpc_method").is_in(SYNCHRONOUS)
    wire = carried.select(*own, node=in_capture, at=at, sync=pl.when(sync).then(at))
    console = rows(ConsoleRequest).filter(known & pl.col("stage").is_in(["received", "compute"]))
    return logs, wire.filter(pl.col("node").is_not_null()), console.select(*own, node=log_node, at=at)


def _tellers(logs: pl.LazyFrame, wire: pl.LazyFrame, console: pl.LazyFrame) -> pl.DataFrame:
    """Who names a request beside its service: ``first`` time, and a time ``within`` it where the service waited."""
    by = ["node", "request_id"]
    first = pl.col("source", "position", "at").sort_by("at", "source", "position").first()
    waited = console.group_by(by).agg(within=pl.col("at").max())
    of_logs = (
        logs.group_by(by)
        .agg(first)
        .join(waited, on=by, how="left")
        .with_columns(locator=pl.format("line:{}", "position"))
    )
    of_wire = (
        wire.group_by(by)
        .agg(first, within=pl.col("sync").min())
        .with_columns(locator=pl.format("frame:{}", "position"))
    )
    shown = [*map(pl.col, by), pl.col("source", "position"), pl.col("at").alias("first"), pl.col("within", "locator")]
    return pl.concat([of_logs.select(shown), of_wire.select(shown)]).collect(engine="streaming")


def _connections(rows: Rows, log_node: pl.Expr, in_capture: pl.Expr) -> list[tuple[tuple[str, str], Tie]]:
    """A TCP connection that a server's log names by its client's port.

    The server accepts after the client's SYN and before its own first octet of payload: RabbitMQ's reader and
    eventlet's server log the connection first (rabbit_reader.erl ``start_connection``, eventlet/wsgi.py ``server``).
    """
    at = pl.col("ts").to_physical().cast(pl.Int64)
    opened = rows(BrokerEvent).filter(
        (pl.col("kind") == "conn_open") & pl.col("ts").is_not_null() & pl.col("src_port").is_not_null()
    )
    port = pl.col("src_port").cast(pl.Int64)
    lines = [opened.select("source", "position", "src", node=log_node, at=at, port=port)]
    said = rows(LogRecord).filter(
        pl.col("message").str.contains("accepted (", literal=True) & pl.col("ts").is_not_null()
    )
    groups = pl.col("message").str.extract_groups(_ACCEPTED)
    spoken = said.select(
        "source", "position", src=groups.struct[0], node=log_node, at=at, port=groups.struct[1].cast(pl.Int64)
    )
    lines.append(spoken.drop_nulls(["src", "port"]))
    by_client = (
        pl.concat(lines).group_by("node", "src", "port").agg(pl.len(), pl.col("source", "position", "at").first())
    )
    accepted = by_client.filter(pl.col("len") == 1).drop("len").collect(engine="streaming")
    if accepted.is_empty():
        return []
    ports, clients = (accepted[name].unique().implode() for name in ("port", "src"))
    packets = rows(Packet).filter(pl.col("ts").is_not_null() & (pl.col("protocol") == 6))
    flags = pl.col("tcp_flags") & 0x12
    client = packets.filter((flags == 0x02) & pl.col("src_port").is_in(ports) & pl.col("src").is_in(clients))
    server = packets.filter(
        (pl.col("payload_bytes") > 0) & pl.col("dst_port").is_in(ports) & pl.col("dst").is_in(clients)
    )
    syn = client.select(
        "src", "source", "position", "dst", "dst_port", node=in_capture, port=pl.col("src_port").cast(pl.Int64), at=at
    ).group_by("node", "src", "port").agg(
        pl.col("source", "position", "dst", "dst_port", "at").sort_by("at", "position").first(),
        spread=pl.col("at").max() - pl.col("at").min(), peers=pl.struct("dst", "dst_port").n_unique(),
    ).filter((pl.col("spread") < 10 * SECOND_NS) & (pl.col("peers") == 1))  # fmt: skip
    spoke = server.select(
        node=in_capture, src="dst", port=pl.col("dst_port").cast(pl.Int64), dst="src", dst_port="src_port", spoke=at
    ).group_by("node", "src", "port", "dst", "dst_port").agg(pl.col("spoke").min())  # fmt: skip
    seen = (
        syn.join(spoke, on=["node", "src", "port", "dst", "dst_port"], how="left")
        .filter(pl.col("node").is_not_null() & (pl.col("spoke") >= pl.col("at")))
        .collect(engine="streaming")
    )
    coarse = pl.when((pl.col("at") % SECOND_NS == 0).all().over("node")).then(SECOND_NS).otherwise(1_000_000)
    pairs = accepted.with_columns(coarse=coarse).join(seen, on=["src", "port"], suffix="_b").with_columns(
        upper=pl.col("at") + pl.col("coarse") - pl.col("at_b"),
        lower=pl.col("at") - pl.col("spoke"),
        what=pl.format("The connection from {}:{}", "src", "port"),
        locator=pl.format("line:{}", "position"),
        locator_b=pl.format("frame:{}", "position_b"),
    )  # fmt: skip
    basis = "{} connections: accepted after the SYN and before the server's first payload"
    return [(names, tie) for names, part in _each(pairs) if (tie := _tie(part, basis)) is not None]
