"""What DHCP servers did meanwhile: where their logs were written, how far they reach, whom else they answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.analysis._correlate import SECOND_NS, of_first, on_one_clock
from forensics.analysis._lease_messages import Sighting
from forensics.analysis._lease_rows import DhcpRows
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
    reach: list[tuple[int, int]]
    """From when to when each server's log tells (ns)."""
    answers: pl.DataFrame
    """Acknowledgements in servers' logs that `answer` may have to give: ``client``, ``at``, ``source``, ``position``;
    by time."""
    at: npt.NDArray[np.int64]
    """Their times."""
    starts: pl.DataFrame
    """Lines by which servers start and end: ``at``, ``bound``, ``source``, ``position``, ``pid``, ``starts``."""
    pids: dict[tuple[str, int], int | None]
    """Which process wrote the lines by which clients that lost their lease were served; empty where none starts."""

    @classmethod
    def of(
        cls, rows: DhcpRows, spans: pl.DataFrame, logs: pl.LazyFrame, ties: pl.LazyFrame, attempts: pl.DataFrame
    ) -> Servers:
        """Take together what is known of the servers.

        Args:
            rows: DHCP rows.
            spans: Per ``series`` of files, ``from_at`` and ``to_at`` (ns).
            logs: One row per `LogRecord`.
            ties: One row per `Clock`.
            attempts: One row per failed attempt: the instants from which on `answer` will be asked, ``while_at`` and
                ``before_at`` (ns), and the line by which the client was `served`, ``source`` and ``position``.
        """
        own = rows.places.filter(pl.col("seen_by") == "server")
        reach = spans.filter(pl.col("series").is_in(own["series"].unique().implode()))
        since = np.unique(np.concatenate([attempts[name].to_numpy() for name in ("while_at", "before_at")]))
        answers = _firsts(rows.acknowledged(), since).sort("at", *_LINE)
        starts = _starts(logs, ties)
        lines = attempts.select(_LINE).drop_nulls().unique()
        return cls(
            servers_of(rows),
            reach.select("from_at", "to_at").rows(),
            answers,
            answers["at"].to_numpy(),
            starts,
            {} if starts.is_empty() else _pids(logs, lines),
        )

    def answer(self, client: str, since: int, until: int) -> Reference | None:
        """The first line between two instants, both included, by which any of them answers another client.

        The first instant is one of those that were given to `of`.
        """
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
        by = served(scene, start)
        if by is None or self.starts.is_empty():
            return None
        since = self.starts.filter((pl.col("at") >= by.middle - SECOND_NS) & (stem() == by.series))
        ends = since.filter(pl.col("starts").not_() & (pl.col("at") <= start + pl.col("bound")))
        ends = ends.filter(pl.col("pid").eq_missing(pl.lit(self.pids.get((by.source, by.position)))))
        if ends.is_empty():
            return None
        row = ends.row(0, named=True)
        again = since.filter("starts", pl.col("at") > row["at"])
        return (
            None if again.height else (row["at"], Reference(row["source"], f"line:{row['position']}", iso(row["at"])))
        )


def served(scene: Scene, start: int) -> Sighting | None:
    """The last line of a server's log about a client before an instant (ns)."""
    before = (one for one in scene.sightings("server") if one.middle < start)
    return max(before, key=lambda one: (one.middle, one.source, one.position), default=None)


def servers_of(rows: DhcpRows) -> frozenset[str]:
    """The hosts that servers' logs were written on."""
    return frozenset(machine(name) for name in rows.places.filter(pl.col("seen_by") == "server")["machine"])


def _firsts(answers: pl.LazyFrame, since: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Of each log, between any two of some instants: its first answer, and its first to another client than that one.

    Whoever looks from one of these instants for the first answer to another client finds the same here as among all.
    """

    def stretch(at: pl.Series) -> pl.Series:
        return pl.Series(np.searchsorted(since, at.to_numpy(), side="right"), dtype=pl.Int64)

    def first(rows: pl.LazyFrame) -> pl.DataFrame:
        told = {"client": of_first("client"), "position": of_first("position"), "at": pl.col("at").min()}
        return rows.group_by("stretch", "source").agg(**told).collect(engine="streaming")

    number = pl.col("at").map_batches(stretch, return_dtype=pl.Int64, is_elementwise=True)
    rows = answers.with_columns(stretch=number).filter(pl.col("stretch") > 0)
    one = first(rows)
    of_one = one.lazy().select("stretch", "source", one="client")
    other = first(rows.join(of_one, on=["stretch", "source"]).filter(pl.col("client") != pl.col("one")))
    return pl.concat([one, other]).select("client", "at", *_LINE)


def _starts(logs: pl.LazyFrame, ties: pl.LazyFrame) -> pl.DataFrame:
    """What dnsmasq says when it starts and when it ends."""
    own = pl.col("program") == "dnsmasq"
    told = logs.filter(own & pl.col("message").str.contains(r"^(?:started, version|exiting on receipt of SIGTERM)"))
    starts = pl.col("message").str.starts_with("started")
    rows = on_one_clock(told.select("ts", "host", "source", "position", "pid", starts=starts), ties)
    return rows.collect(engine="streaming").sort("at", "source", "position")


def _pids(logs: pl.LazyFrame, lines: pl.DataFrame) -> dict[tuple[str, int], int | None]:
    own = logs.select(*_LINE, "pid").join(lines.lazy(), on=_LINE, how="semi").collect(engine="streaming")
    return {(source, position): pid for source, position, pid in own.iter_rows()}
