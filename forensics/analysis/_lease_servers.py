"""What DHCP servers did meanwhile: where their logs were written, how far they reach, whom else they answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._lease_messages import Message
from forensics.analysis._lease_scene import Scene, machine
from forensics.analysis._rotation import stem
from forensics.records.finding import Reference, iso

_ROWS = 1024
"""Answers looked at together: another client's is among the first few."""
_LINE = ("source", "position")


@dataclass(frozen=True, slots=True)
class Servers:
    """What is the same for every lost lease of a case."""

    machines: frozenset[str]
    """Hosts of the servers' logs."""
    shared: set[str]
    """Capture points that several clients' unicast messages pass."""
    reach: list[tuple[int, int]]
    """From when to when each server's log tells (ns)."""
    answers: pl.DataFrame
    """Acknowledgements in servers' logs: ``client``, ``at``, ``source``, ``position``; by time."""
    at: npt.NDArray[np.int64]
    """Their times."""
    starts: pl.DataFrame
    """Lines by which servers start and end: ``at``, ``bound``, ``source``, ``position``, ``pid``, ``starts``."""
    pids: dict[tuple[str, int], int | None]
    """Which process wrote the servers' lines about the clients that lost their lease; empty where none starts."""

    @classmethod
    def of(
        cls,
        rows: pl.DataFrame,
        spans: pl.DataFrame,
        logs: pl.LazyFrame,
        ties: pl.LazyFrame,
        told: Iterable[Sequence[Message]],
    ) -> Servers:
        """Take together what is known of the servers.

        Args:
            rows: DHCP rows of all clients, as `forensics.analysis._lease_messages.normalised` gives them.
            spans: Per ``series`` of files, ``from_at`` and ``to_at`` (ns).
            logs: One row per `LogRecord`.
            ties: One row per `Clock`.
            told: The messages of each client that lost its lease.
        """
        own = rows.filter(pl.col("seen_by") == "server")
        reach = spans.filter(pl.col("series").is_in(own["series"].unique().to_list()))
        direct = rows.filter((pl.col("seen_by") == "capture") & pl.col("unicast"))
        several = direct.group_by("point").agg(n=pl.col("chaddr").n_unique()).filter(pl.col("n") > 1)
        acknowledged = own.filter((pl.col("message_type") == "ACK") & pl.col("client").is_not_null())
        answers = acknowledged.select("client", "at", *_LINE).sort("at", *_LINE)
        starts = _starts(logs, ties)
        return cls(
            servers_of(rows),
            set(several["point"]),
            reach.select("from_at", "to_at").rows(),
            answers,
            answers["at"].to_numpy(),
            starts,
            {} if starts.is_empty() else _pids(logs, told),
        )

    def answer(self, client: str, since: int, until: int) -> Reference | None:
        """The first line between two instants, both included, by which any of them answers another client."""
        first = int(np.searchsorted(self.at, since))
        count = int(np.searchsorted(self.at, until, side="right")) - first
        for rows in self.answers.slice(first, max(count, 0)).iter_slices(_ROWS):
            for row in rows.filter(pl.col("client") != client).head(1).iter_rows(named=True):
                return Reference(row["source"], f"line:{row['position']}", iso(row["at"]))
        return None

    def stopped(self, scene: Scene, start: int) -> tuple[int, Reference] | None:
        """The line by which the client's server ended before an attempt, if it did not start again.

        A network host runs one dnsmasq per network: the process that answered the client is the one that counts.
        """
        served = max(
            (one for one in scene.sightings("server") if one.middle < start),
            key=lambda one: (one.middle, one.source, one.position),
            default=None,
        )
        if served is None or self.starts.is_empty():
            return None
        since = self.starts.filter((pl.col("at") >= served.middle - SECOND_NS) & (stem() == served.series))
        ends = since.filter(pl.col("starts").not_() & (pl.col("at") <= start + pl.col("bound")))
        ends = ends.filter(pl.col("pid").eq_missing(pl.lit(self.pids.get((served.source, served.position)))))
        if ends.is_empty():
            return None
        row = ends.row(0, named=True)
        again = since.filter("starts", pl.col("at") > row["at"])
        return (
            None if again.height else (row["at"], Reference(row["source"], f"line:{row['position']}", iso(row["at"])))
        )


def servers_of(rows: pl.DataFrame) -> frozenset[str]:
    """The hosts that servers' logs were written on."""
    return frozenset(machine(name) for name in rows.filter(pl.col("seen_by") == "server")["machine"].unique())


def _starts(logs: pl.LazyFrame, ties: pl.LazyFrame) -> pl.DataFrame:
    """What dnsmasq says when it starts and when it ends."""
    own = pl.col("program") == "dnsmasq"
    told = logs.filter(own & pl.col("message").str.contains(r"^(?:started, version|exiting on receipt of SIGTERM)"))
    starts = pl.col("message").str.starts_with("started")
    rows = on_one_clock(told.select("ts", "host", "source", "position", "pid", starts=starts), ties)
    return rows.collect(engine="streaming").sort("at", "source", "position")


def _pids(logs: pl.LazyFrame, told: Iterable[Sequence[Message]]) -> dict[tuple[str, int], int | None]:
    seen = (one for messages in told for message in messages for one in message.sightings if one.seen_by == "server")
    kinds = logs.collect_schema()
    schema = {name: kinds[name] for name in _LINE}
    lines = pl.DataFrame(list({(one.source, one.position) for one in seen}), schema=schema, orient="row")
    own = logs.select(*_LINE, "pid").join(lines.lazy(), on=_LINE, how="semi").collect(engine="streaming")
    return {(source, position): pid for source, position, pid in own.iter_rows()}
