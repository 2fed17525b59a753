"""Requests for console logs: the lines of dashboard, API, compute host and broker that tell of one and the same."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock

_ACTION = r"POST .*/servers/\{server_id\}/action$"
_EC2 = "GetConsoleOutput"
_CALL = "get_console_output"
_AFTER_CALL_NS = 120 * SECOND_NS
"""An answer that a compute host sends so long after it was asked is still the answer; nova gave up after 60 s."""
LARGE_BYTES = 1 << 20
"""Ten times what nova sends since it has a cap (MAX_CONSOLE_BYTES = 102,400, nova/virt/libvirt/driver.py, 2013.1)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, on one clock."""

    requests: pl.DataFrame
    """One row a request: ``request`` (its id, or the place of its line), ``instance``, ``at``, ``ended``, ``user_id``,
    ``project_id``, ``compute_host``, ``response_bytes``, ``status``, ``clear`` (its own line says that it was for a
    console), ``source``, ``position`` (the line that tells most), ``answer_source``, ``answer_position``."""
    capped: pl.DataFrame
    """One row for each answer that nova cut: ``instance``, ``ignored_bytes``, ``at``, ``source``, ``position``."""


def names(instances: pl.LazyFrame) -> pl.DataFrame:
    """Every name of an instance: ``name`` (lower case), ``instance`` (its uuid, or the best name there is)."""
    number = pl.col("instance_id")
    uuid = pl.coalesce("instance", "instance_name")
    forms = (
        pl.col("instance"),
        pl.col("instance_name"),
        pl.when(number.is_not_null()).then(pl.format("instance-{}", _hex(number))),
        pl.when(number.is_not_null()).then(number.cast(pl.String)),
        pl.when(pl.coalesce("ec2_id", "instance_id").is_not_null()).then(
            pl.format("i-{}", _hex(pl.coalesce("ec2_id", "instance_id")))
        ),
    )
    parts = [instances.select(name=form.str.to_lowercase(), instance=uuid) for form in forms]
    known = pl.concat(parts).filter(pl.col("name").is_not_null(), pl.col("instance").is_not_null())
    return known.unique().sort("name", "instance").unique("name", keep="first", maintain_order=True).collect()


def _hex(number: pl.Expr) -> pl.Expr:
    """Eight hexadecimal digits, as nova's ``%08x``."""
    digits = [
        (number // 16**place % 16).cast(pl.Int64).replace_strict(dict(enumerate("0123456789abcdef")), default="0")
        for place in range(7, -1, -1)
    ]
    return pl.concat_str(digits)


def _named(rows: pl.LazyFrame, known: pl.DataFrame) -> pl.LazyFrame:
    """The rows with ``instance`` as its uuid, where anything tells that."""
    plain = known.rename({"instance": "uuid"})
    joined = rows.with_columns(name=pl.col("instance").str.to_lowercase()).join(plain.lazy(), on="name", how="left")
    return joined.with_columns(instance=pl.coalesce("uuid", "name")).drop("uuid", "name")


def asked(
    console_requests: pl.LazyFrame, api_requests: pl.LazyFrame, clocks: pl.LazyFrame, known: pl.DataFrame
) -> Asked:
    """Put the lines of each request together.

    A request is known by its id; a line without one is a request of its own, of which the stage that was logged most
    often tells how many there were. An action of the OpenStack API is one for a console only if another line says so:
    by its request id, or by a compute host that read that instance's log while the action lasted.

    Args:
        console_requests: One row per `ConsoleRequest`.
        api_requests: One row per `ApiRequest`.
        clocks: One row per `Clock`.
        known: As `names` gives it.
    """
    said = _named(on_one_clock(console_requests, clocks), known).collect().sort("at", "source", "position")
    api = _answers(api_requests, clocks, known)
    api = _told_apart(api, said)
    rows = pl.concat([_of_lines(said), _of_answers(api)], how="vertical_relaxed")
    by_id = rows.filter(pl.col("has_id")).group_by("request").agg(pl.col("instance").drop_nulls().first())
    filled = rows.join(by_id, on="request", how="left", suffix="_of_id").with_columns(
        instance=pl.coalesce("instance", "instance_of_id")
    )
    counted = _without_echo(filled.filter(pl.col("instance").is_not_null()))
    own = ("source", "position")
    requests = counted.group_by("instance", "request").agg(
        pl.col("at").min(),
        pl.col("ended").max(),
        *(pl.col(name).drop_nulls().first() for name in ("user_id", "project_id", "compute_host", "status")),
        pl.col("response_bytes").max(),
        pl.col("clear").any(),
        *(pl.col(name).sort_by("rank", "at", "source", "position").first() for name in own),
        **{f"answer_{name}": pl.col(name).sort_by(pl.col("response_bytes"), descending=True, nulls_last=True).first()
           for name in own},
    )  # fmt: skip
    cut = said.filter(pl.col("stage") == "truncated").select("instance", "ignored_bytes", "at", *own)
    return Asked(requests.sort("at", "instance", "request"), cut)


def _answers(api_requests: pl.LazyFrame, clocks: pl.LazyFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Access lines that could be about a console, each answer once."""
    maybe = (pl.col("operation") == _EC2) | pl.col("operation").str.contains(_ACTION)
    rows = api_requests.filter(maybe.fill_null(value=False), pl.col("written_by") != "ec2-filter")
    timed = on_one_clock(rows, clocks)
    shift = pl.col("at") - pl.col("own")
    started = pl.col("started_at").to_physical().cast(pl.Int64).fill_null(pl.col("own")) + shift
    span = (pl.col("duration_s").fill_null(0.0) * SECOND_NS).cast(pl.Int64)
    shown = timed.with_columns(started=started, ended=pl.max_horizontal(pl.col("at"), started + span))
    return _named(shown, known).collect().sort("at", "source", "position")


def _told_apart(api: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """The answers that were about a console."""
    ids = said.filter(pl.col("request_id").is_not_null())["request_id"].unique()
    clear = (pl.col("operation") == _EC2) | pl.col("request_id").is_in(ids.implode()).fill_null(value=False)
    api = api.with_columns(clear=clear)
    other = api.filter(~pl.col("clear") & pl.col("request_id").is_null()).with_row_index("line")
    read = said.filter((pl.col("stage") == "compute") & pl.col("request_id").is_null())
    if other.is_empty() or read.is_empty():
        return api.filter("clear")
    pairs = other.join(read.select("instance", seen="at", slack="bound"), on="instance").filter(
        (pl.col("seen") >= pl.col("started") - pl.col("bound") - pl.col("slack"))
        & (pl.col("seen") <= pl.col("ended") + pl.col("bound") + pl.col("slack"))
    )
    near = pairs.sort((pl.col("seen") - pl.col("started")).abs(), "line")
    once = near.unique(["instance", "seen"], keep="first", maintain_order=True).unique("line", keep="first")
    return pl.concat([api.filter("clear"), once.select(api.columns)]).sort("at", "source", "position")


_PLACE = pl.concat_str("source", pl.lit(":"), pl.col("position").cast(pl.String))
_STAGES = ("compute", "received", "api", "call", "dashboard", "reply", "data", "truncated")


def _of_lines(said: pl.DataFrame) -> pl.DataFrame:
    """Lines that speak of a console, as parts of requests."""
    return said.select(
        "instance",
        "at",
        "source",
        "position",
        "user_id",
        "project_id",
        "compute_host",
        "stage",
        request=pl.coalesce("request_id", "msg_id", _PLACE),
        has_id=pl.coalesce("request_id", "msg_id").is_not_null(),
        ended=pl.col("at"),
        response_bytes=pl.lit(None, pl.Int64),
        status=pl.lit(None, pl.UInt16),
        clear=pl.lit(value=True),
        rank=pl.col("stage").replace_strict({stage: n for n, stage in enumerate(_STAGES)}, return_dtype=pl.Int32),
    )


def _of_answers(api: pl.DataFrame) -> pl.DataFrame:
    """Access lines, as parts of requests."""
    return api.select(
        "instance",
        pl.col("started").alias("at"),
        "source",
        "position",
        "user_id",
        "project_id",
        pl.lit(None, pl.String).alias("compute_host"),
        pl.lit("answer").alias("stage"),
        request=pl.coalesce("request_id", _PLACE),
        has_id=pl.col("request_id").is_not_null(),
        ended=pl.col("ended"),
        response_bytes=pl.col("response_bytes"),
        status=pl.col("status"),
        clear=pl.col("clear"),
        rank=pl.lit(len(_STAGES), pl.Int32),
    )


def _without_echo(rows: pl.DataFrame) -> pl.DataFrame:
    """Of lines without an id only those of one stage for each instance: the others tell of the same requests."""
    loose = rows.filter(~pl.col("has_id"))
    if loose.is_empty():
        return rows
    answered = pl.col("stage") == "answer"
    counts = (
        loose.group_by("instance", "stage").len().sort("instance", ~answered, -pl.col("len").cast(pl.Int64), "stage")
    )
    kept = counts.unique("instance", keep="first", maintain_order=True).select("instance", "stage")
    with_id = rows.filter(pl.col("has_id"))
    told = with_id["instance"].unique().implode()
    alone = loose.join(kept, on=["instance", "stage"], how="semi").filter(~pl.col("instance").is_in(told))
    return pl.concat([with_id, alone])


def replies(transfers: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """Answers to calls for a console log that a capture beside the broker holds.

    An answer is known by the call's id (correlation id, or `_msg_id`, which names nova's reply queue); where the
    capture cut that off, a body of `LARGE_BYTES` or more that a host publishes within two minutes of being asked.

    Returns:
        By ``at``: ``at``, ``ended``, ``src``, ``body_bytes``, ``instance``, ``named`` (known by the call's id),
        ``source``, ``position``; and in ``total_bytes`` what was published in the capture altogether.
    """
    columns = ("source", "position", "method", "src", "dst", "exchange", "routing_key", "correlation_id", "msg_id",
               "instance", "rpc_method", "body_bytes", "ts", "ended_at")  # fmt: skip
    rows = on_one_clock(transfers.select(columns), clocks).collect(engine="streaming")
    sent = rows.filter(pl.col("method") == "publish")
    whole = rows if sent.is_empty() else sent
    total = int(whole["body_bytes"].sum() or 0)
    calls = rows.filter(pl.col("rpc_method") == _CALL)
    key = pl.concat_list("correlation_id", "msg_id").list.drop_nulls()
    ids = (
        calls.select(key=key, called="instance")
        .explode("key", empty_as_null=True, keep_nulls=False)
        .drop_nulls("key")
        .unique("key", keep="first", maintain_order=True)
    )
    answer = whole.filter((pl.col("rpc_method") != _CALL).fill_null(value=True)).with_columns(
        key=pl.concat_list("correlation_id", "msg_id", "routing_key", "exchange").list.drop_nulls(),
        ended=pl.coalesce(pl.col("ended_at").to_physical().cast(pl.Int64) - pl.col("own") + pl.col("at"), "at"),
    )
    by_id = answer.explode("key", empty_as_null=True, keep_nulls=False).join(ids, on="key", how="inner")
    place = ["source", "position"]
    named = by_id.unique(place, keep="first", maintain_order=True).with_columns(named=pl.lit(value=True))
    asked_of = calls.filter(pl.col("method") == "deliver").select(src="dst", asked="at").sort("asked")
    rest = answer.join(named, on=place, how="anti").filter(pl.col("body_bytes") >= LARGE_BYTES).sort("at")
    guess = rest.join_asof(
        asked_of, left_on="at", right_on="asked", by="src", strategy="backward", check_sortedness=False
    )
    guess = guess.filter(pl.col("at") - pl.col("asked") <= _AFTER_CALL_NS).with_columns(
        called=pl.lit(None, pl.String), named=pl.lit(value=False)
    )
    shown = ("at", "ended", "src", "body_bytes", "called", "named", *place)
    found = pl.concat([named.select(shown), guess.select(shown)]).rename({"called": "instance"})
    return found.with_columns(total_bytes=pl.lit(total, pl.Int64)).sort("at", *place)
