"""The memory of API processes, life by life, against the requests that each served."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._latency_requests import at_home
from forensics.analysis._latency_statistics import Fit, Values, correlation, line, p_of

LEAST_LISTINGS = 8
LEAST_BYTES = 5 << 20
LEAST_SHARE = 0.05
"""Growth below this is what an interpreter takes while it warms up."""
LEAST_CORRELATION = 0.8
LASTING = 0.25
"""Share of the first half's slope that the second half must keep: what levels off is a cache or a heap that is full."""
KEPT = 0.6
"""Share of the growth that must still be there at the end: what is given back is no growth."""
CHANCE = 1e-4
_SERVES = r"(?i)(?:^|[-_])api|^(?:httpd|apache2?|gunicorn)|wsgi|^neutron-server|-registry|^keystone|^placement"
_ANY_PROJECT = re.compile(r"(?i)^(?:uwsgi|httpd|apache2?|gunicorn|mod_wsgi|python[\d.]*)")
_STARTED = r"^\((\d+)\) wsgi starting up on"


@dataclass(frozen=True, slots=True)
class Segment:
    """One life of one process: from its start to its end, or as much of it as the evidence shows."""

    deployment: str
    host: str
    process: str
    pid: int | None
    listings: pl.DataFrame
    """``at``, ``served``, ``resident_bytes``, ``source``, ``position``, in order of time."""
    fit: Fit
    correlation: float
    first: float
    second: float
    """Slopes of both halves."""
    idle: float | None
    """Growth per second without requests, as a share of that with requests; None where it was never idle."""
    interval: float
    """Rank correlation of growth and requests from one listing to the next."""
    own: bool
    """Whether its requests are known by its pid, and not only by service and host."""

    @property
    def served(self) -> int:
        """Requests between the first listing and the last."""
        return int(self.listings["served"][-1] - self.listings["served"][0])

    @property
    def from_bytes(self) -> int:
        """At the first listing."""
        return int(self.listings["resident_bytes"][0])

    @property
    def to_bytes(self) -> int:
        """At the last listing."""
        return int(self.listings["resident_bytes"][-1])

    @property
    def grows(self) -> bool:
        """Whether it grows with the requests, steadily, and keeps what it took."""
        told = self.listings["resident_bytes"].to_numpy()
        least = max(LEAST_BYTES, LEAST_SHARE * self.from_bytes)
        grown = self.fit.slope * self.served
        return (
            min(grown, self.to_bytes - self.from_bytes) >= least
            and self.to_bytes - self.from_bytes >= KEPT * (int(told.max()) - self.from_bytes)
            and self.correlation >= LEAST_CORRELATION
            and p_of(self.correlation, len(told)) <= CHANCE
            and self.fit.low > 0
            and self.second >= LASTING * max(self.first, self.fit.slope)
            and (self.idle is None or self.idle < 0.5)
        )


def segments(
    memory: pl.LazyFrame, requests: pl.DataFrame, logs: pl.LazyFrame, clocks: pl.LazyFrame, owners: pl.DataFrame
) -> list[Segment]:
    """Every life of every API process whose memory was listed while it served requests.

    Args:
        memory: One row per `ProcessMemory`.
        requests: All requests, each once, as `once` gives them.
        logs: One row per `LogRecord`: pids of access lines, starts of services.
        clocks: One row per `Clock`.
        owners: Whose each file is.
    """
    lists = pl.col("process").is_not_null() & pl.col("resident_bytes").is_not_null()
    name = pl.when(pl.col("tool") == "uwsgi").then(pl.lit("uwsgi")).otherwise("process")
    named = memory.filter(lists).with_columns(process=name)
    rows = at_home(on_one_clock(named, clocks), owners).collect().sort("at", "source", "position")
    rows = rows.filter(pl.col("process").str.contains(_SERVES))
    if rows.is_empty() or requests.is_empty():
        return []
    line = ["source", "position"]
    every = requests.select("deployment", pl.col("service", "source").cast(pl.String), "at", "position", "stands_for")
    written = logs.filter(pl.col("pid").is_not_null(), pl.col("source").is_in(every["source"].unique().to_list()))
    pids = written.select(*line, "pid").join(every.lazy().select(line), on=line, how="semi").collect(engine="streaming")
    asked = every.join(pids, on=line, how="left").sort("at", "source", "position")
    begun = at_home(on_one_clock(logs.filter(pl.col("message").str.contains(_STARTED)), clocks), owners)
    starts = begun.select("deployment", "at", id=pl.col("message").str.extract(_STARTED).cast(pl.Int64)).collect()
    found = []
    keys = ["deployment", "host", "process", "pid"]
    for key, group in sorted(rows.group_by(keys, maintain_order=True), key=lambda item: tuple(map(str, item[0]))):
        deployment, host, process, pid = key
        own = asked.filter(pl.col("deployment") == deployment)
        if not _ANY_PROJECT.match(str(process)):
            own = own.filter(pl.col("service").str.split("-").list.first() == re.split(r"[-_]", str(process))[0])
        begun_at = starts.filter(pl.col("deployment") == deployment, pl.col("id") == pid)["at"].sort()
        lives = _lives(group, begun_at.to_list())
        told = (_segment(life, own, str(deployment or ""), host, str(process), pid) for life in lives)
        found += [one for one in told if one is not None]
    return found


def _lives(listings: pl.DataFrame, starts: list[int]) -> list[pl.DataFrame]:
    """Listings of one pid, cut where its processor time begins anew or a log tells of a start."""
    listings = listings.unique("at", keep="first", maintain_order=True)
    again = pl.col("cpu_s").diff() < -1
    number = pl.Series([sum(start <= at for start in starts) for at in listings["at"]], dtype=pl.Int64)
    life = listings.with_columns(life=again.fill_null(value=False).cum_sum() + number.cast(pl.Int64) * 1_000_000)
    return life.partition_by("life", maintain_order=True)


def _segment(
    life: pl.DataFrame, asked: pl.DataFrame, deployment: str, host: object, process: str, pid: object
) -> Segment | None:
    if life.height < LEAST_LISTINGS:
        return None
    own = asked.filter(pl.col("pid") == pid)
    known = own.height > 0
    ends = (own if known else asked).select("at", "stands_for").sort("at")
    upto = np.concatenate([[0.0], ends["stands_for"].cast(pl.Float64).cum_sum().to_numpy()])
    at = life["at"].to_numpy()
    served: Values = upto[np.searchsorted(ends["at"].to_numpy(), at, side="right")]
    first, last = served[0], served[-1]
    if last - first < LEAST_LISTINGS:
        return None
    resident = life["resident_bytes"].to_numpy().astype(np.float64)
    halves = [served <= (first + last) / 2, served >= (first + last) / 2]
    slopes = [
        line(served[half], resident[half]).slope if half.sum() > 2 and np.ptp(served[half]) > 0 else 0.0
        for half in halves
    ]
    steps, asks, spans = np.diff(resident), np.diff(served), np.diff(at) / SECOND_NS
    busy = asks > 0
    idle = None
    if not busy.all() and spans[~busy].sum() >= 0.2 * spans.sum():
        rates = [float(steps[some].sum() / max(spans[some].sum(), 1e-9)) for some in (~busy, busy)]
        idle = rates[0] / rates[1] if rates[1] > 0 else None
    told = life.select("at", "resident_bytes", "source", "position").with_columns(served=pl.Series(served))
    return Segment(
        deployment,
        str(host or deployment),
        process,
        int(str(pid)) if pid is not None else None,
        told,
        line(served, resident),
        correlation(served, resident),
        slopes[0],
        slopes[1],
        idle,
        correlation(asks, steps) if len(steps) > 3 else 0.0,
        known,
    )
