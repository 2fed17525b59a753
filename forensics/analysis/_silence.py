"""Signs of life of hosts, and the silences between them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._parts import in_parts
from forensics.records.finding import Reference, iso

MINUTE_NS = 60 * SECOND_NS
MOST_MINUTES = 500_000
"""Minutes of all hosts together that are counted at once."""
UNSURE_ZONES = ("assumed", "none")
"""Where nothing tells a log's zone, its hours say nothing of other hosts' hours."""
_LINES, _PLACES = 2**40, 2**64
"""More than any file has lines, and than all files of a case have."""
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
        minute ``first_at``, ``first_source``, ``first_position``, ``last_at``, …, by ``machine`` and ``minute``; texts
        as categories.
    """
    named = rows.select("ts", "source", "position", host=pl.coalesce("host", "source"))
    ends = (pl.col("ts").to_physical().min() // MINUTE_NS, pl.col("ts").to_physical().max() // MINUTE_NS)
    seen = named.group_by("host").agg(n=pl.min_horizontal(pl.len(), ends[1] - ends[0] + 1)).collect(engine="streaming")
    machines = seen.with_columns(machine=machine()).group_by("machine").agg("host", pl.col("n").sum()).sort("machine")
    parts = list(in_parts(machines, MOST_MINUTES))
    if len(parts) < 2:
        return _signs(named, clocks)
    return pl.concat(
        _signs(named.filter(pl.col("host").is_in(part.explode("host")["host"].to_list())), clocks) for part in parts
    )


def _signs(rows: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """The same of some hosts, whose minutes are few enough to count them at once."""
    told = on_one_clock(rows, clocks).with_columns(minute=pl.col("at") // MINUTE_NS)
    # A place in the order of time as one number: which row is first or last is known without the rows in order.
    place = pl.col("at").cast(pl.Int128) * _PLACES + pl.col("position")
    short = told.with_columns(pl.col("host", "source").cast(pl.Categorical)).group_by("host", "source", "minute")
    heard = short.agg(n=pl.len(), first=place.min(), last=place.max()).collect(engine="streaming")
    names, files = (heard[name].unique().cast(pl.String).sort() for name in ("host", "source"))
    hosts = pl.DataFrame({"host": names}).with_columns(machine=machine(), name=pl.int_range(pl.len()))
    numbers = pl.DataFrame({"source": files}).with_columns(number=pl.int_range(pl.len()) * _LINES)
    keys, texts = ("machine", "minute"), pl.col(pl.String).cast(pl.Categorical)
    heard = (
        heard.lazy()
        .join(hosts.with_columns(texts).lazy(), on="host")
        .join(numbers.with_columns(texts).lazy(), on="source")
        .group_by(keys)
        .agg(
            pl.col("name").min(),
            pl.col("n").sum(),
            (pl.col("first") + pl.col("number")).min(),
            (pl.col("last") + pl.col("number")).max(),
        )
        .sort(keys)
        .collect(engine="streaming")
    )
    parts = {
        f"{end}_{name}": part
        for end in ("first", "last")
        for name, part in (
            ("at", (pl.col(end) // _PLACES).cast(pl.Int64)),
            ("source", _gathered(files, pl.col(end) % _PLACES // _LINES)),
            ("position", (pl.col(end) % _LINES).cast(pl.Int64)),
        )
    }
    return heard.select(*keys, _gathered(names, pl.col("name")).alias("host"), **parts, n="n")


def _gathered(texts: pl.Series, numbers: pl.Expr) -> pl.Expr:
    """Some of the texts, by their number, as categories."""
    return pl.lit(texts.cast(pl.Categorical)).gather(numbers.cast(pl.UInt32))


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
    after = {f"to_{part}": _beside(f"first_{part}", -1) for part in ("at", "source", "position")}
    renamed = {f"last_{part}": f"from_{part}" for part in ("at", "source", "position")}
    ended = said.with_columns(**after).rename(renamed)
    ordered = ("machine", "host", *renamed.values(), *after)
    return ended.select(*ordered, gap=pl.col("to_at") - pl.col("from_at"))


def _beside(column: str, steps: int) -> pl.Expr:
    """What a machine's row before (1) or after (-1) has; ``shift().over()`` says the same, but sorts into groups."""
    return pl.when(pl.col("machine") == pl.col("machine").shift(steps)).then(pl.col(column).shift(steps))


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
    rows = said.select(
        "machine", "host", "first_at", "last_at", "n", gap=pl.col("first_at") - _beside("last_at", 1)
    )  # fmt: skip
    wont = pl.col("gap").drop_nulls().sort(descending=True).slice(3, 1).first()
    custom = rows.group_by("machine").agg(wont=(wont * 1.5).cast(pl.Int64))
    fresh = pl.col("gap") > pl.max_horizontal(pl.col("wont").fill_null(0), 5 * MINUTE_NS)
    runs = rows.join(custom, on="machine", maintain_order="left").with_columns(
        run=(fresh.fill_null(value=True) | (pl.col("machine") != pl.col("machine").shift())).cum_sum()
    )
    spoke = runs.group_by("machine", "run").agg(
        pl.col("host").cast(pl.String).min(), from_at=pl.col("first_at").min(), to_at=pl.col("last_at").max(),
        lines=pl.col("n").sum(),
    )  # fmt: skip
    seen = spoke.filter((pl.col("to_at") >= since) & (pl.col("from_at") <= until))
    clipped = seen.with_columns(pl.col("from_at").clip(since, until), pl.col("to_at").clip(since, until))
    instants = pl.col("from_at", "to_at").cast(pl.Datetime("ns", "UTC"))
    return clipped.select("host", instants, "lines").sort("host", "from_at")
