"""When ports were down: the lines of switches and kernels, port by port, as spans."""

from __future__ import annotations

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._port_names import port_key

DOWN = ("link_down", "protocol_down", "member_down", "no_active_member", "error_disabled", "bpdu_received")
UP = ("link_up", "protocol_up", "member_up", "first_member", "active")
BESIDE = ("inactive", "stp_removed", "recovering")
"""What is said of a port beside its state."""
TOGETHER_NS = 10 * SECOND_NS
"""Lines about one change come within this time: agents of a switch log on their own, members follow their channel."""
AGAIN_NS = 30 * SECOND_NS
"""A port that is shut cannot receive: a BPDU so long after the last says that it was open in between."""
_MLAG = r"^MLAG "


def port_rows(port_events: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """What is said of the state of ports, on one clock.

    Args:
        port_events: One row per `PortEvent`.
        clocks: One row per `Clock`.

    Returns:
        ``machine``, ``is_switch``, ``name`` (port as this line has it), ``key`` (one spelling for each), ``event``,
        ``down`` (true, false, null for what is said beside), ``guard`` (a BPDU, or shut because of one), ``cause``,
        ``description``, ``master``, ``mac``, ``at``, ``bound``, ``own``, ``half`` (ns; half of what its stamps
        cannot tell), ``off``, ``tied`` (reference of its clock), ``source``, ``position``, ``message``; by machine,
        port and time. What two files tell alike is there once.
    """
    told = port_events.filter(pl.col("event").is_in((*DOWN, *UP, *BESIDE)))
    is_switch = (pl.col("vendor").fill_null("other") != "linux") & (pl.col("event") != "own_address")
    rows = (
        on_one_clock(told, clocks)
        .with_columns(machine=pl.coalesce("host", "source"))
        .with_columns(is_switch=is_switch.any().over("machine"))
        .select(
            *("machine", "is_switch", "interface", "event", "cause", "description", "master", "mac", "vendor"),
            *("at", "bound", "own", "source", "position", "message"),
            off=pl.col("off").fill_null(0),
            tied="reference",
        )
        .collect(engine="streaming")
        .with_columns(
            half=pl.when((pl.col("own") % SECOND_NS == 0).all().over("source")).then(SECOND_NS // 2).otherwise(0)
        )
    )
    # a bridge of Linux that shuts one of its own ports spares the uplink, and its line says so of a tap
    rows = rows.filter((pl.col("vendor") != "linux").fill_null(value=True) | (pl.col("event") != "bpdu_received"))
    bundle = pl.when(pl.col("master").str.contains(_MLAG).not_()).then("master")
    of_master = rows.filter(bundle.is_not_null() & pl.col("event").is_in(UP) & pl.col("interface").is_not_null())
    rows = rows.with_columns(name=pl.coalesce("interface", bundle))
    rows = pl.concat([rows, of_master.with_columns(name=pl.col("master"), description=pl.lit(None, dtype=pl.String))])
    rows = rows.filter(pl.col("name").is_not_null())
    names = rows["name"].unique()
    keys = pl.DataFrame({"name": names, "key": [port_key(name) for name in names]}, schema_overrides={"key": pl.String})
    state = pl.when(pl.col("event").is_in(DOWN)).then(True).when(pl.col("event").is_in(UP)).then(False)
    by_bpdu = (pl.col("event") == "bpdu_received") | (
        (pl.col("event") == "error_disabled") & pl.col("cause").str.contains("(?i)bpdu").fill_null(value=False)
    )
    return (
        rows.join(keys, on="name", how="left")
        .with_columns(down=state, guard=by_bpdu, cause=pl.when(pl.col("cause") != "None").then("cause"))
        .sort("machine", "key", "at", "source", "position")
        .with_columns(second=pl.col("own") // SECOND_NS)
        .unique(["machine", "key", "event", "message", "second"], keep="first", maintain_order=True)
        .drop("interface", "second", "vendor")
    )


def outages(rows: pl.DataFrame) -> pl.DataFrame:
    """Spans in which a port was down.

    Args:
        rows: As `port_rows` gives them.

    Returns:
        One row a span: ``machine``, ``is_switch``, ``key``, ``name`` (as the line that says down has it), ``from_at``,
        ``to_at`` (null while it lasts), ``reason`` (as the switch words it), ``guarded`` (shut for a BPDU),
        ``guard_name``, ``said`` (events in it), ``mac``, ``description``, ``masters``, ``bound``, ``own``, ``tied``,
        ``source``, ``position``, then ``to_source`` and ``to_position``, ``back`` (how it came up again), and ``rows``,
        what was said of it (``at``, ``event``, ``message``, ``source``, ``position``); by machine, port and time.
    """
    port = ["machine", "key"]
    stated = rows.filter(pl.col("down").is_not_null())
    shut = pl.col("event").is_in(("error_disabled", "bpdu_received"))
    since = pl.col("at") - pl.when(shut).then("at").forward_fill().over(port)
    # what comes up so soon after is the word of an earlier change that was held back: no timer is as short
    stated = stated.filter((pl.col("down") | (since > TOGETHER_NS)).fill_null(value=True))
    before = pl.col("down").shift().over(port)
    reopened = pl.col("guard") & (pl.col("at") - pl.col("at").shift().over(port) > AGAIN_NS)
    begins = pl.col("down") & (before.is_null() | before.not_() | reopened)
    stated = stated.with_columns(span=begins.cast(pl.Int64).cum_sum().over(port)).filter(pl.col("span") > 0)
    first = pl.col("down")
    near = pl.col("at") - pl.col("at").first() <= TOGETHER_NS

    def cause(kind: pl.Expr) -> pl.Expr:
        return pl.col("cause").filter(first & near & kind & pl.col("cause").is_not_null()).first()

    line = pl.struct("at", "event", "message", "source", "position", "name")
    plain = pl.col("event").is_in(("error_disabled", "bpdu_received")).not_()
    spans = stated.group_by("machine", "key", "span", maintain_order=True).agg(
        pl.col("is_switch").first(),
        name=pl.coalesce(pl.col("name").filter(first & plain).first(), pl.col("name").first()),
        from_at=pl.col("at").first(),
        to_at=pl.col("at").filter(~first).first(),
        reason=pl.coalesce(
            cause(pl.col("event") == "error_disabled"), cause(pl.col("event") == "bpdu_received"), cause(plain)
        ),
        guarded=(pl.col("guard") & near).any(),
        guard_name=pl.col("name").filter(pl.col("guard")).first(),
        said=pl.col("event").filter(first & near).unique().sort(),
        mac=pl.col("mac").filter(pl.col("guard")).drop_nulls().first(),
        description=pl.col("description").drop_nulls().first(),
        masters=pl.col("master").drop_nulls().unique().sort(),
        bound=pl.col("bound").first(),
        own=pl.col("own").first(),
        half=pl.col("half").first(),
        tied=pl.col("tied").first(),
        source=pl.col("source").first(),
        position=pl.col("position").first(),
        to_source=pl.col("source").filter(~first).first(),
        to_position=pl.col("position").filter(~first).first(),
        rows=line.filter(first),
    )
    return _reopened(spans, rows.filter(pl.col("down").is_null()), port)


def _reopened(spans: pl.DataFrame, beside: pl.DataFrame, port: list[str]) -> pl.DataFrame:
    """The same with what was said beside; a port that was shut again was open before, since the timer's line."""
    spans = spans.with_columns(until=pl.col("from_at").shift(-1).over(port)).sort(*port, "from_at")
    tried = beside.filter(pl.col("event") == "recovering").select(
        *port, pl.col("at").alias("tried_at"), tried_source="source", tried_position="position"
    )
    if tried.height:
        spans = spans.sort("from_at").join_asof(
            tried.sort("tried_at"), left_on="from_at", right_on="tried_at", by=port, strategy="forward",
            check_sortedness=False,
        )  # fmt: skip
    else:
        kinds = {"tried_at": pl.Int64, "tried_source": pl.String, "tried_position": pl.Int64}
        spans = spans.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in kinds.items())
    by_timer = pl.col("tried_at") < pl.coalesce("to_at", "until")
    use = pl.col("to_at").is_null() & pl.col("until").is_not_null() & by_timer
    supports = beside.filter(pl.col("event") != "recovering").select(*port, "at", also="event").sort("at")
    spans = spans.sort("from_at")
    if supports.height:
        spans = spans.join_asof(
            supports, left_on="from_at", right_on="at", by=port, strategy="nearest", tolerance=TOGETHER_NS,
            check_sortedness=False,
        )  # fmt: skip
    else:
        spans = spans.with_columns(also=pl.lit(None, dtype=pl.String))
    timer = pl.when(by_timer.fill_null(value=False))
    return (
        spans.with_columns(
            to_at=pl.when(use).then("tried_at").otherwise("to_at"),
            to_source=pl.when(use).then("tried_source").otherwise("to_source"),
            to_position=pl.when(use).then("tried_position").otherwise("to_position"),
            tried_at=timer.then("tried_at"),
            tried_source=timer.then("tried_source"),
            tried_position=timer.then("tried_position"),
            back=timer.then(pl.lit("timer")),
        )
        .sort("machine", "key", "from_at")
        .drop("until", "span")
    )
