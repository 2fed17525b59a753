"""Signs of life of hosts, and the silences between them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.records.finding import Reference, iso

MINUTE_NS = 60 * SECOND_NS
UNSURE_ZONES = ("assumed", "none")
"""Where nothing tells a log's zone, its hours say nothing of other hosts' hours."""
_LINES = 2**48
"""More than any file has."""
_OTHER_SERVICES = "api|cells|cert|conductor|console|consoleauth|network|novncproxy|objectstore|placement|scheduler|wsgi"


@dataclass(frozen=True, slots=True)
class Silence:
    """A host between two signs of life; ``to_at`` is None while it lasts."""

    host: str
    from_at: int
    to_at: int | None
    last: Reference
    first: Reference | None

    def as_fact(self) -> dict[str, str | None]:
        """As findings have it."""
        return {"host": self.host, "from": iso(self.from_at), "to": iso(self.to_at)}

    def references(self) -> tuple[Reference, ...]:
        """The last line before it, and the first one after."""
        return (self.last, self.first) if self.first else (self.last,)


def machine(column: str = "host") -> pl.Expr:
    """A host's short name in lower case: short and full form of one name are one machine; addresses stay whole.

    Examples:
        >>> pl.DataFrame({"host": ["C1.cloud.example.org", "10.0.0.1"]}).select(machine())["host"].to_list()
        ['c1', '10.0.0.1']
    """
    name = pl.col(column).str.to_lowercase()
    return pl.when(name.str.contains(r"^\d|:")).then(name).otherwise(name.str.replace(r"\..*$", ""))


def of_compute() -> pl.Expr:
    """Whether a log record is one of nova-compute: by its program, or by its logger where no program is named."""
    program = pl.col("program").fill_null("").str.to_lowercase()
    logger = pl.col("logger").fill_null("")
    others = program.str.contains(rf"nova-(?:{_OTHER_SERVICES})") | logger.str.contains(
        rf"^nova\.(?:{_OTHER_SERVICES})\b"
    )
    return program.str.contains("nova-compute") | (logger.str.starts_with("nova.") & ~others)


def signs(rows: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """When each machine said something, a row a minute in which it did.

    Args:
        rows: Rows with ``ts``, ``host``, ``source``, ``position``; any number.
        clocks: One row per `Clock`.

    Returns:
        ``machine``, ``host`` (as the evidence names it), ``minute``, ``n``, and for the first and the last row of the
        minute ``first_at``, ``first_source``, ``first_position``, ``last_at``, …, by ``machine`` and ``minute``.
    """
    told = on_one_clock(rows.select("ts", "host", "source", "position"), clocks)
    # A place in the order of time as one number: which row is first or last is known without the rows in order.
    place = pl.col("at").cast(pl.Int128) * _LINES + pl.col("position")
    minute = (pl.col("at") // MINUTE_NS).alias("minute")
    counted = told.group_by("host", "source", minute).agg(n=pl.len(), first=place.min(), last=place.max())
    each = counted.collect(engine="streaming").with_columns(pl.coalesce("host", "source").alias("host"))
    each = each.with_columns(machine=machine())
    keys = ("machine", "minute")
    spoke = each.group_by(keys).agg(pl.col("host").min(), pl.col("n").sum())
    for end in ("first", "last"):
        at = (pl.col(end) // _LINES).cast(pl.Int64).alias(f"{end}_at")
        line = (pl.col(end) % _LINES).cast(pl.Int64).alias(f"{end}_position")
        ordered = each.select(*keys, at, pl.col("source").alias(f"{end}_source"), line).sort(pl.exclude(keys))
        edge = ordered.group_by(keys, maintain_order=True)
        spoke = spoke.join(edge.first() if end == "first" else edge.last(), on=keys)
    return spoke.select(*keys, "host", pl.col("^first_.*$"), pl.col("^last_.*$"), "n").sort(keys)


def with_notifications(logs: pl.LazyFrame, heard: pl.LazyFrame) -> pl.LazyFrame:
    """Log lines and notifications as signs of life of the hosts that have a log in a zone that is known.

    Notifications are stamped in UTC: beside a log whose zone is a guess they would tear holes into it, and without a
    log they are too few to tell a silence.

    Args:
        logs: Rows of `LogRecord`.
        heard: Rows of `Notification`.

    Returns:
        ``ts``, ``host``, ``source``, ``position``.
    """
    columns = ("ts", "host", "source", "position")
    unsure = pl.col("zone_basis").is_in(UNSURE_ZONES).fill_null(value=True)
    hosts = logs.group_by("host").agg(unsure=unsure.any()).collect(engine="streaming").with_columns(machine=machine())
    known = hosts.group_by("machine").agg(pl.col("unsure").any()).filter(~pl.col("unsure")).select("machine")
    sent = heard.with_columns(machine=machine()).join(known.lazy(), on="machine", how="semi")
    return pl.concat([logs.select(columns), sent.select(columns)])


def gaps(said: pl.DataFrame) -> pl.DataFrame:
    """What lies between the signs of each machine.

    Args:
        said: As `signs` gives it.

    Returns:
        ``machine``, ``host``, ``from_at``, ``to_at`` (null after the last sign), ``gap`` in nanoseconds, and where
        both ends stand, by ``machine`` and ``from_at``.
    """
    after = {f"to_{part}": pl.col(f"first_{part}").shift(-1).over("machine") for part in ("at", "source", "position")}
    renamed = {f"last_{part}": f"from_{part}" for part in ("at", "source", "position")}
    ended = said.sort("machine", "minute").with_columns(**after).rename(renamed)
    ordered = ("machine", "host", *renamed.values(), *after)
    return ended.select(*ordered, gap=pl.col("to_at") - pl.col("from_at"))


def reference(source: str, position: int, at: int) -> Reference:
    """Where a line stands."""
    return Reference(source, f"line:{position}", iso(at))


def silence(between: pl.DataFrame, name: str, at: int) -> Silence | None:
    """The stretch without a sign of life that an instant falls in; None before a machine's first sign.

    Args:
        between: As `gaps` gives it.
        name: The machine.
        at: The instant, in nanoseconds on the case's clock.
    """
    open_end = pl.col("to_at").is_null() | (pl.col("to_at") > at)
    row = between.filter((pl.col("machine") == name) & (pl.col("from_at") <= at) & open_end).sort("from_at").tail(1)
    if row.is_empty():
        return None
    one = row.row(0, named=True)
    first = reference(one["to_source"], one["to_position"], one["to_at"]) if one["to_at"] is not None else None
    last = reference(one["from_source"], one["from_position"], one["from_at"])
    return Silence(one["host"], one["from_at"], one["to_at"], last, first)


def usual(between: pl.DataFrame) -> pl.DataFrame:
    """How long each machine is used to say nothing: ``machine``, ``n``, ``median``, ``high`` (nine of ten are shorter).

    Minutes without a pause between them count as the length of a minute.
    """
    length = pl.col("gap").drop_nulls()
    return (
        between.group_by("machine")
        .agg(n=length.len(), median=length.median(), high=length.quantile(0.9, "nearest"))
        .sort("machine")
    )


def stretches(said: pl.DataFrame, since: int, until: int) -> pl.DataFrame:
    """When each machine spoke, its usual pauses left out of account; for charts.

    Args:
        said: As `signs` gives it.
        since: Start of the window, in nanoseconds on the case's clock.
        until: End of the window.

    Returns:
        ``host``, ``from_at``, ``to_at`` (instants) and ``lines``, by ``host`` and ``from_at``.
    """
    rows = said.sort("machine", "minute").with_columns(
        gap=(pl.col("first_at") - pl.col("last_at").shift(1).over("machine"))
    )
    wont = pl.col("gap").drop_nulls().sort(descending=True).slice(3, 1).first()
    custom = rows.group_by("machine").agg(wont=(wont * 1.5).cast(pl.Int64))
    fresh = pl.col("gap") > pl.max_horizontal(pl.col("wont").fill_null(0), 5 * MINUTE_NS)
    runs = rows.join(custom, on="machine").with_columns(run=fresh.fill_null(value=True).cum_sum().over("machine"))
    spoke = runs.group_by("machine", "run").agg(
        pl.col("host").min(), from_at=pl.col("first_at").min(), to_at=pl.col("last_at").max(), lines=pl.col("n").sum()
    )
    seen = spoke.filter((pl.col("to_at") >= since) & (pl.col("from_at") <= until))
    clipped = seen.with_columns(pl.col("from_at").clip(since, until), pl.col("to_at").clip(since, until))
    instants = pl.col("from_at", "to_at").cast(pl.Datetime("ns", "UTC"))
    return clipped.select("host", instants, "lines").sort("host", "from_at")
