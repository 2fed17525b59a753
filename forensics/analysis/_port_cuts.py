"""Ports that a switch shut because of a BPDU: one cut for each port, with the members that went down with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from forensics.analysis._port_names import is_logical, last_number, port_key
from forensics.analysis._port_outages import TOGETHER_NS
from forensics.records.finding import Reference, iso


@dataclass(slots=True)
class Cut:
    """One port of one switch, shut once."""

    switch: str
    port: str
    key: str
    at: int
    bound: int
    own: int
    half: int
    restored: int | None
    reason: str | None
    mac: str | None
    description: str | None
    by_timer: bool
    refs: list[Reference]
    """The lines that say that it was shut, the guard's first."""
    names: list[str]
    """The port and its members, in every spelling."""
    members: set[str]
    up_ref: Reference | None = None
    timer_ref: Reference | None = None
    tied: str | None = None
    host: str | None = None
    host_basis: str | None = None
    host_refs: list[Reference] = field(default_factory=list)
    mac_basis: str | None = None
    mac_refs: list[Reference] = field(default_factory=list)
    instance: str | None = None
    user: str | None = None
    image: str | None = None
    project: str | None = None
    name: str | None = None
    map_refs: list[Reference] = field(default_factory=list)
    bystanders: dict[str, Reference] = field(default_factory=dict)
    started_at: int | None = None
    """Since when the sender was there."""
    asked_at: int = 0
    """The instant at which databases are asked what belonged to what."""

    @property
    def named(self) -> tuple[str, str]:
        """Switch and port."""
        return self.switch, self.port


def reference(row: dict[str, Any], at: int | None = None) -> Reference:
    """Where a line is."""
    return Reference(row["source"], f"line:{row['position']}", iso(at if at is not None else row.get("at")))


def corroborated(spans: pl.DataFrame) -> pl.DataFrame:
    """Outages less those that nothing but the guard's word speaks for, at a switch that tells of links otherwise.

    A guard that only warns, or shuts one VLAN, logs its line and leaves the link as it was.
    """
    alone = (pl.col("said").list.len() == 1) & pl.col("said").list.contains("bpdu_received") & pl.col("also").is_null()
    plain = pl.col("said").list.set_difference(["bpdu_received"]).list.len() > 0
    tells = spans.filter(plain)["machine"].unique().to_list()
    if not tells:
        return spans
    suspects = spans.filter(alone & pl.col("machine").is_in(tells)).select("machine", "key", "from_at", "name")
    if suspects.is_empty():
        return spans
    with_members = suspects.join(spans.filter(plain), on="machine", suffix="_of").filter(
        (pl.col("from_at_of") - pl.col("from_at")).is_between(-TOGETHER_NS // 5, TOGETHER_NS)
        & pl.col("name").is_in([name for name in suspects["name"].unique() if is_logical(name)])
    )
    hollow = suspects.join(with_members, on=["machine", "key", "from_at"], how="anti")
    return spans.join(hollow, on=["machine", "key", "from_at"], how="anti")


def cuts(spans: pl.DataFrame) -> list[Cut]:
    """The cuts among outages.

    Args:
        spans: As `outages` and `corroborated` give them.

    Returns:
        By time, switch and port. Members of a bundle belong to its cut.
    """
    guarded = spans.filter(pl.col("guarded") & pl.col("is_switch"))
    if guarded.is_empty():
        return []
    near = _near(spans, guarded)
    found: list[Cut] = []
    by_switch: dict[str, list[Cut]] = {}
    for row in sorted(guarded.iter_rows(named=True), key=_rank):
        known = next((cut for cut in reversed(by_switch.get(row["machine"], [])) if _belongs(row, cut)), None)
        if known:
            _join(known, row)
            continue
        cut = _cut(row)
        for other in near.get(row["machine"], ()):
            if other["key"] != row["key"] and not other["guarded"] and _belongs(other, cut):
                _join(cut, other)
        found.append(cut)
        by_switch.setdefault(row["machine"], []).append(cut)
    return sorted(found, key=lambda cut: (cut.at, cut.switch, cut.key))


def _near(spans: pl.DataFrame, guarded: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """By switch, the outages that began when a port of it was shut."""
    moments = guarded.select("machine", cut_at="from_at").unique().sort("cut_at")
    begun = spans.filter(pl.col("is_switch")).sort("from_at").join_asof(
        moments, left_on="from_at", right_on="cut_at", by="machine", strategy="nearest", tolerance=TOGETHER_NS,
        check_sortedness=False,
    )  # fmt: skip
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in begun.filter(pl.col("cut_at").is_not_null()).sort("from_at", "key").iter_rows(named=True):
        grouped.setdefault(row["machine"], []).append(row)
    return grouped


def _rank(row: dict[str, Any]) -> tuple[bool, int, bool, str]:
    """Ports that the guard itself names come first, bundles before their members."""
    return ("bpdu_received" not in row["said"], row["from_at"], not is_logical(row["name"]), row["key"])


def _cut(row: dict[str, Any]) -> Cut:
    return Cut(
        switch=row["machine"],
        port=row["guard_name"] or row["name"],
        key=row["key"],
        at=row["from_at"],
        bound=row["bound"],
        own=row["own"],
        half=row["half"],
        restored=row["to_at"],
        reason=row["reason"],
        mac=row["mac"],
        description=row["description"],
        by_timer=row["back"] == "timer",
        refs=_lines(row),
        names=list(dict.fromkeys([row["guard_name"] or row["name"], row["name"]])),
        members={row["key"]},
        up_ref=_place(row, "to") if row["to_at"] is not None else None,
        timer_ref=_place(row, "tried") if row["tried_at"] is not None else None,
        tied=row["tied"],
    )


def _place(row: dict[str, Any], prefix: str) -> Reference | None:
    source, position = row[f"{prefix}_source"], row[f"{prefix}_position"]
    return Reference(source, f"line:{position}", iso(row[f"{prefix}_at"])) if source else None


def _lines(row: dict[str, Any]) -> list[Reference]:
    """The lines of a span, those of the guard first; no more than its first few."""
    order = {"bpdu_received": 0, "error_disabled": 1}
    lines = [line for line in row["rows"] if line["at"] - row["from_at"] <= TOGETHER_NS]
    return [reference(line) for line in sorted(lines, key=lambda line: order.get(line["event"], 2))[:6]]


def _belongs(row: dict[str, Any], cut: Cut) -> bool:
    """Whether an outage is that of a member (or of the bundle) of a port that was shut."""
    if not -TOGETHER_NS // 5 <= row["from_at"] - cut.at <= TOGETHER_NS or row["key"] == cut.key:
        return False
    masters = {port_key(name) for name in row["masters"]}
    bundles = is_logical(row["name"]) != is_logical(cut.port)
    if masters & cut.members or (row["description"] and row["description"] == cut.description):
        return True
    if bundles and last_number(row["name"]) == last_number(cut.port):
        return True
    return bool(row["guarded"] and "bpdu_received" not in row["said"] and is_logical(cut.port) and bundles)


def _join(cut: Cut, row: dict[str, Any]) -> None:
    cut.members.add(row["key"])
    cut.names = list(dict.fromkeys([*cut.names, row["guard_name"] or row["name"], row["name"]]))
    cut.refs = list(dict.fromkeys([*cut.refs, *_lines(row)]))
    cut.mac = cut.mac or row["mac"]
    cut.description = cut.description or row["description"]
    if row["to_at"] is not None and (cut.restored is None or row["to_at"] < cut.restored):
        cut.restored, cut.up_ref = row["to_at"], _place(row, "to")


def with_reasons(spans: pl.DataFrame, found: list[Cut]) -> pl.DataFrame:
    """Outages of switches, members with the reason for which their bundle was shut."""
    said = [
        (cut.switch, key, cut.at, cut.reason) for cut in found for key in sorted(cut.members)
    ]  # fmt: skip
    if not said:
        return spans
    kinds = {"machine": pl.String, "key": pl.String, "cut_at": pl.Int64, "shut_for": pl.String}
    shut = pl.DataFrame(said, schema=kinds, orient="row").sort("cut_at")
    joined = spans.sort("from_at").join_asof(
        shut, left_on="from_at", right_on="cut_at", by=["machine", "key"], strategy="nearest", tolerance=TOGETHER_NS,
        check_sortedness=False,
    )  # fmt: skip
    return joined.with_columns(reason=pl.coalesce("reason", "shut_for")).drop("cut_at", "shut_for")


def sides(found: list[Cut]) -> Iterator[tuple[tuple[str, str], list[Cut]]]:
    """Cuts of each switch's port."""
    ports: dict[tuple[str, str], list[Cut]] = {}
    for cut in found:
        ports.setdefault((cut.switch, cut.key), []).append(cut)
    yield from sorted(ports.items())
