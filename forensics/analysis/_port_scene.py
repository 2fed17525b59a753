"""Everything that the evidence shows of ports that were down, on one clock: who was cut, and by whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._port_clocks import AGREE_NS, match, shifts
from forensics.analysis._port_cuts import Cut, corroborated, cuts, reference, sides, with_reasons
from forensics.analysis._port_hosts import (
    Changes,
    by_cable,
    by_capture,
    by_changes,
    by_description,
    by_neighbour,
    by_start,
    by_twin,
    find_bystanders,
    map_senders,
)
from forensics.analysis._port_names import is_guest, machine_of, short
from forensics.analysis._port_outages import outages, port_rows
from forensics.records import Bpdu, Clock, Edge
from forensics.records.finding import Reference, iso

TRAIN_NS = 10 * SECOND_NS
"""BPDUs come every two seconds (802.1D, hello time): a longer silence ends a series."""
_BPDUS = {
    "machine": pl.String,
    "eth_src": pl.String,
    "is_guest": pl.Boolean,
    "at": pl.Int64,
    "own": pl.Int64,
    "off": pl.Int64,
    "tied": pl.String,
    "source": pl.String,
    "position": pl.Int64,
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What happened to the ports."""

    spans: pl.DataFrame
    """Outages of all ports, see `outages`."""
    cuts: list[Cut]
    bpdus: pl.DataFrame
    """BPDUs of captures: ``machine``, ``eth_src``, ``is_guest``, ``at``, ``own``, ``source``, ``position``."""
    shifts: dict[str, int]
    """What was subtracted from the instants of a machine (its short name), ns."""
    edges: pl.DataFrame


def survey(
    port_events: pl.LazyFrame,
    bpdus: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> Scene:
    """Outages, cuts and who is behind them, all on one clock.

    Args:
        port_events: One row per `PortEvent`.
        bpdus: One row per `Bpdu`.
        edges: One row per `Edge`.
        clocks: One row per `Clock`.

    Returns:
        The scene; clocks that nothing else ties are compared by what both ends of a cable saw.
    """
    ties = rows_of(clocks, Clock)
    rows = port_rows(port_events.lazy(), ties)
    told = rows_of(edges, Edge).collect()
    wire = _wire(rows_of(bpdus, Bpdu), ties, rows, told)
    spans, found, fell = _looked_at(rows, wire, told, {})
    anchors = _anchored(rows, wire, ties) if found else []
    moved = _shifts(rows, wire, found, fell, anchors) if found else {}
    if moved:
        wire = _moved(wire, moved)
        spans, found, _ = _looked_at(_moved(rows, moved), wire, told, moved if anchors else {})
    by_capture(found, wire)
    by_twin(found)
    by_neighbour(found)
    map_senders(found, told)
    by_start(found, told)
    by_twin(found)
    find_bystanders(found, told)
    return Scene(spans, found, wire, moved, told)


def _wire(bpdus: pl.LazyFrame, ties: pl.LazyFrame, rows: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """BPDUs of captures, with the machine at which each was seen."""
    seen = (
        on_one_clock(bpdus.select("ts", "host", "eth_src", "source", "position"), ties)
        .select(
            *("host", "eth_src", "at", "own", "source", "position"), off=pl.col("off").fill_null(0), tied="reference"
        )
        .collect(engine="streaming")
    )
    ends = [edges.filter(pl.col(f"{end}_kind") == "host")[end] for end in ("subject", "object")]
    machines = sorted({*rows["machine"].unique(), *(name for end in ends for name in end.unique())})
    owners = edges.filter((pl.col("subject_kind") == "instance") & (pl.col("object_kind") == "mac"))
    senders = seen["eth_src"].drop_nulls().unique()
    known = set(owners.filter(pl.col("object").is_in(senders.to_list()))["object"])
    points = seen["host"].fill_null("").unique()
    named = pl.DataFrame(
        {"host": points, "machine": [machine_of(point, machines) for point in points]},
        schema={"host": pl.String, "machine": pl.String},
    )
    guests = [mac for mac in senders if is_guest(mac, known)]
    return (
        seen.with_columns(pl.col("host").fill_null(""), is_guest=pl.col("eth_src").is_in(guests).fill_null(value=False))
        .join(named, on="host", how="left")
        .select(*_BPDUS)
        .sort("at", "source", "position")
    )


def _looked_at(
    rows: pl.DataFrame, wire: pl.DataFrame, edges: pl.DataFrame, moved: dict[str, int]
) -> tuple[pl.DataFrame, list[Cut], Changes]:
    """Outages, cuts, and the hosts behind them as far as names, cables and changes tell.

    Databases are asked by the switch's own clock: that it was moved to a reference's does not move theirs.
    """
    spans = corroborated(outages(rows))
    found = cuts(spans)
    bonds = pl.col("said").list.contains("no_active_member")
    hosts = spans.filter(~pl.col("is_switch") & ~bonds)
    fell: Changes = {}
    for row in hosts.iter_rows(named=True) if found else ():
        own = fell.setdefault(row["machine"], {}).setdefault(row["key"], [])
        own.append((row["from_at"] + row["half"], True, reference(row, row["from_at"])))
        if row["to_at"] is not None:
            own.append((row["to_at"] + row["half"], False, reference(row, row["from_at"])))
    for cut in found:
        cut.asked_at = cut.at + moved.get(short(cut.switch), 0)
    map_senders(found, edges)
    by_cable(found, edges)
    by_description(found, [*fell, *edges.filter(pl.col("object_kind") == "host")["object"].unique()])
    by_twin(found)
    by_changes(found, _changes(found), _seen_there(fell, wire, rows))
    by_twin(found)
    return with_reasons(spans, found), found, fell


def _changes(found: list[Cut]) -> dict[tuple[str, str], list[tuple[int, bool]]]:
    """When each port that was shut went down and came back."""
    changes: dict[tuple[str, str], list[tuple[int, bool]]] = {}
    for port, own in sides(found):
        changes[port] = [(cut.at + cut.half, True) for cut in own]
        changes[port] += [(cut.restored + cut.half, False) for cut in own if cut.restored is not None]
    return changes


def _seen_there(fell: Changes, wire: pl.DataFrame, rows: pl.DataFrame) -> Changes:
    """Changes of hosts, and, where a host has no log, the BPDUs that its guests sent: each may be the one that cut."""
    switches = rows.filter("is_switch")["machine"].unique().to_list()
    logged = {short(name) for name in fell}
    seen = {host: dict(cards) for host, cards in fell.items()}
    sent = wire.filter(pl.col("is_guest") & pl.col("machine").is_in(switches).not_())
    for row in sent.iter_rows(named=True):
        if short(row["machine"]) not in logged:
            ref = Reference(row["source"], f"frame:{row['position']}", iso(row["at"]))
            seen.setdefault(row["machine"], {}).setdefault(row["source"], []).append((row["at"], True, ref))
    return seen


def _anchored(rows: pl.DataFrame, wire: pl.DataFrame, clocks: pl.LazyFrame) -> list[str]:
    """Machines (and captures) whose instants are on the clock of a reference that ties several machines."""
    tied = clocks.filter(pl.col("reference").is_not_null() & pl.col("host").is_not_null()).select("reference", "host")
    machines = sorted(rows["machine"].unique())
    company: dict[str, set[str]] = {}
    for name, host in tied.unique().collect().iter_rows():
        company.setdefault(name, set()).add(short(machine_of(host, machines)))
    several = {name: own for name, own in company.items() if len(own) > 1}
    if not several:
        return []
    main = min(several, key=lambda name: (-len(several[name]), name))
    logs = rows.filter(pl.col("tied") == main)["machine"].unique()
    captures = wire.filter(pl.col("tied") == main)["machine"].unique()
    return sorted({*(short(name) for name in logs), *(_capture(name) for name in captures)})


def _capture(machine: str) -> str:
    """The name under which a machine's captures are compared: their clock is corrected on its own."""
    return f"{short(machine)} capture"


def _shifts(
    rows: pl.DataFrame, wire: pl.DataFrame, found: list[Cut], fell: Changes, anchors: list[str]
) -> dict[str, int]:
    """What to subtract from the instants of each machine, see `shifts`."""
    ties = _tied_by_cards(found, {short(name): cards for name, cards in fell.items()})
    sent = wire.filter("is_guest")
    for machine in sent["machine"].unique().sort():
        ties |= _tied_by_bpdus(machine, sent.filter(pl.col("machine") == machine), found)
    machines = {
        short(name): off for name, off in rows.select("machine", "off").unique("machine", keep="first").iter_rows()
    }
    for name, off in wire.select("machine", "off").unique("machine", keep="first", maintain_order=True).iter_rows():
        if short(name) in machines:
            ties[(short(name), _capture(name))] = off - machines[short(name)]  # one kernel's clock
    switches = sorted({short(name) for name in rows.filter("is_switch")["machine"].unique()})
    return shifts(ties, anchors, switches)


def _tied_by_cards(found: list[Cut], logs: Changes) -> dict[tuple[str, str], int]:
    """Each host's clock minus that of each of its switches. A card has one cable, and so one port at most."""
    apart = {host: _apart(host, logs, found) for host in logs}
    changes = _changes(found)
    fitting = []
    for port, own in sides(found):
        host = short(next((cut.host for cut in own if cut.host), None) or "")
        for card, moments in logs.get(host, {}).items() if host != short(port[0]) else ():
            fit = match(changes[port], [row[:2] for row in moments], apart[host])
            if fit and 2 * fit.score >= fit.of:
                fitting.append((-fit.score, abs(fit.offset - apart[host]), port, host, card, fit.offset))
    ties: dict[tuple[str, str], int] = {}
    taken: set[object] = set()
    for *_, port, host, card, offset in sorted(fitting):
        if port not in taken and (host, card) not in taken:
            taken |= {port, (host, card)}
            ties.setdefault((host, short(port[0])), offset)
    return ties


def _apart(host: str, logs: Changes, found: list[Cut]) -> int:
    """A host's clock minus that of its switches, all their ports taken together: a bond loses its cards in turn."""
    own = [cut for cut in found if cut.host and short(cut.host) == host]
    cards = [row[:2] for moments in logs[host].values() for row in moments]
    fit = match([moment for moments in _changes(own).values() for moment in moments], cards, width=AGREE_NS)
    return fit.offset if fit else 0


def _tied_by_bpdus(machine: str, sent: pl.DataFrame, found: list[Cut]) -> dict[tuple[str, str], int]:
    """A capture's clock minus that of each switch: the first BPDU of a series is the one that cuts first."""
    macs = set(sent["eth_src"])
    own = [
        cut for cut in found
        if (cut.mac in macs if cut.mac else cut.host is not None and short(cut.host) == short(machine))
        and short(cut.switch) != short(machine)
    ]  # fmt: skip
    if not own:
        return {}
    times = np.sort(np.asarray(sent["at"].to_list(), dtype=np.int64))
    starts = times[np.concatenate([[True], np.diff(times) > TRAIN_NS])]
    firsts = [cut for n, cut in enumerate(own) if n == 0 or cut.at - own[n - 1].at > TRAIN_NS]
    fit = match([(cut.at + cut.half, True) for cut in firsts], [(int(at), True) for at in starts])
    if fit is None:
        return {}
    told: dict[tuple[str, str], int] = {}
    for switch in sorted({cut.switch for cut in own}):
        apart = np.concatenate([times - cut.at - cut.half for cut in own if cut.switch == switch])
        close = apart[np.abs(apart - fit.offset) <= 3 * SECOND_NS // 2]
        if close.size:
            told[(_capture(machine), short(switch))] = int(np.median(close))
    return told


def _moved(rows: pl.DataFrame, moved: dict[str, int]) -> pl.DataFrame:
    """The same with the instants of some machines moved."""
    names = rows["machine"].unique()
    of_captures = "eth_src" in rows.columns
    back = {name: moved.get(_capture(name) if of_captures else short(name), 0) for name in names}
    shift = pl.col("machine").replace_strict(back, default=0, return_dtype=pl.Int64)
    return rows.with_columns(at=pl.col("at") - shift).sort(
        *(("at", "source", "position") if of_captures else ("machine", "key", "at", "source", "position"))
    )
