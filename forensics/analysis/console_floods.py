"""Whose console log floods the message broker?"""

from __future__ import annotations

from typing import Any

import polars as pl

from forensics.analysis._broker_alarms import alarms
from forensics.analysis._console_requests import LARGE_BYTES, Asked, asked, names, replies
from forensics.analysis._console_story import Flood, told
from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._given import rows_of
from forensics.records import (
    ApiRequest,
    BrokerEvent,
    BrokerTransfer,
    Clock,
    ConsoleRequest,
    FileSize,
    Finding,
    Instance,
    Source,
)

NEEDS = ()
NEEDS_ANY = (ConsoleRequest, ApiRequest, BrokerTransfer)
USES = (BrokerEvent, FileSize, Instance, Clock, Source)
KINDS = {
    "console-log-flood": ("requests for console logs (logs of nova-api or nova-compute), or a capture of the broker",),
}

CARRIED_BYTES = 16 << 20
"""Less than this altogether is no flood for a broker, whose memory alarm is set at hundreds of MiB at least."""
_LEAST, _MOST = 0.85, 1.6
"""An answer over its file: a file in rounded figures, one that grew since; base64 is 4 octets for 3, and line ends."""
LISTED_BYTES = 256 << 20
"""A log so large hurts a broker with each answer, whose memory alarm is set at 40 % of a machine's memory."""
_UNCAPPED = ("Austin", "Bexar", "Cactus", "Diablo", "Essex", "Folsom")
"""Releases before nova 2013.1, the first that cuts an answer (nova/virt/libvirt/driver.py, MAX_CONSOLE_BYTES)."""
AFTER_NS = 600 * SECOND_NS
"""An alarm so long after the last answer may still be of what it left in the queues."""


def findings(
    console_requests: pl.LazyFrame,
    api_requests: pl.LazyFrame | None = None,
    broker_transfers: pl.LazyFrame | None = None,
    broker_events: pl.LazyFrame | None = None,
    file_sizes: pl.LazyFrame | None = None,
    instances: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
    sources: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Find every instance whose console log went through the broker whole, at a size that hurts.

    Before nova 2013.1 (Grizzly) an answer is the whole file; since then it is the last 100 KiB. So a flood is told by
    answers of more than `LARGE_BYTES` that add up to `CARRIED_BYTES`, or that an alarm of the broker accompanies. A
    large file that nobody looks at, many small answers, capped answers and alarms by themselves are none.

    Args:
        console_requests: One row per `ConsoleRequest`.
        api_requests: One row per `ApiRequest`: how large the answers were, as the API counted them.
        broker_transfers: One row per `BrokerTransfer`: how large they were on their way through the broker.
        broker_events: One row per `BrokerEvent`: its alarms.
        file_sizes: One row per `FileSize`: console.log as somebody listed it.
        instances: One row per `Instance`: which directory and EC2 id is whose.
        clocks: One row per `Clock`.
        sources: One row per `Source`: the release that wrote a log.

    Returns:
        One `console-log-flood` an instance, most severe first.

    Examples:
        >>> findings(ConsoleRequest.empty().lazy())
        []
    """
    given = _floods(
        console_requests, api_requests, broker_transfers, broker_events, file_sizes, instances, clocks, sources
    )
    return sorted((told(flood) for flood in given), key=Finding.order)


def _floods(*given: pl.LazyFrame | None) -> list[Flood]:
    """Every flood, by instance."""
    order = (*NEEDS_ANY, *USES)
    console, api, transfers, events, sizes, instances, clocks, sources = (
        rows_of(rows, record) for rows, record in zip(given, order, strict=True)
    )
    known = names(instances)
    lines = asked(console, api, clocks, known)
    captured = replies(transfers, clocks)
    raised = alarms(events, clocks)
    listed = _guessed(_recognised(_listed(sizes, clocks, known), lines.requests), lines.requests, raised)
    if _caps(sources):
        listed = listed.filter(pl.col("instance").is_in(_large(lines.requests).implode()))
    floods = [_of_instance(name, lines, captured, listed, raised) for name in _suspects(lines, listed)]
    if not any(flood and flood.measured == "api" for flood in floods):
        floods.append(_of_capture(captured, lines, raised))
    return [flood for flood in floods if flood is not None]


def _listed(sizes: pl.LazyFrame, clocks: pl.LazyFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Listings of console logs: ``instance``, ``bytes`` (as printed), ``exact``, ``lines`` and their place."""
    own = sizes.filter(pl.col("path").str.contains(r"(?:^|/)console\.log$"))
    timed = on_one_clock(own.with_columns(pl.col("ts").fill_null(pl.lit(0).cast(pl.Datetime("ns", "UTC")))), clocks)
    name = pl.coalesce("instance", "instance_name").str.to_lowercase()
    rows = timed.with_columns(name=name).join(known.rename({"instance": "uuid"}).lazy(), on="name", how="left")
    return (
        rows.select(
            "at", "source", "position", "host", "lines",
            instance=pl.coalesce("uuid", "name"),
            bytes=pl.coalesce("size_bytes", "allocated_bytes"),
            exact=(pl.col("size_bytes").is_not_null() & (pl.col("low_bytes") == pl.col("high_bytes"))).fill_null(False),
        )
        .filter(pl.col("instance").is_not_null())
        .sort("at", "source", "position")
        .collect()
    )  # fmt: skip


def _recognised(listed: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Listings under a directory's name that nothing else explains, given to the one instance whose answers fit.

    An answer that was not cut is the file, with its line ends written as two characters (JSON) or all of it in
    base64, and the headers of HTTP.
    """
    strange = listed.filter(pl.col("instance").str.starts_with("instance-"), pl.col("bytes") >= LARGE_BYTES)
    whole = requests.filter(pl.col("response_bytes") >= LARGE_BYTES)
    answers = whole.group_by("instance").agg(
        pl.col("response_bytes").max(), hosts=_short("compute_host").drop_nulls().unique()
    )
    pairs = strange.select("bytes", folder="instance", host=_short("host")).join(answers, how="cross")
    ratio = pl.col("response_bytes") / pl.col("bytes")
    here = (pl.col("hosts").list.len() == 0) | pl.col("host").is_null() | pl.col("hosts").list.contains(pl.col("host"))
    fits = pairs.filter(ratio.is_between(_LEAST, _MOST), here).select("folder", "instance").unique()
    sure = fits.filter(pl.len().over("folder") == 1, pl.len().over("instance") == 1)
    uuids = dict(sure.rows())
    return listed.with_columns(pl.col("instance").replace(uuids))


def _guessed(listed: pl.DataFrame, requests: pl.DataFrame, raised: pl.DataFrame) -> pl.DataFrame:
    """A huge listing under a directory's name that nothing else explains, while the broker raised its alarm.

    It is taken for that of the one instance whose console that host was asked for, where it is the host's only one.

    Returns:
        The listings with ``guessed``.
    """
    asked_for = (
        requests.filter(pl.col("compute_host").is_not_null())
        .group_by(host=_short("compute_host"))
        .agg(pl.col("instance").unique(), pl.col("response_bytes").max(), pl.col("at").min(), pl.col("ended").max())
        .filter(pl.col("instance").list.len() == 1, pl.col("response_bytes").is_null())
        .with_columns(pl.col("instance").list.first())
        .filter(~pl.col("instance").is_in(listed["instance"].implode()))
    )
    near = [
        host for host, start, end in asked_for.select("host", "at", "ended").rows()
        if _near(raised, start, end).height
    ]  # fmt: skip
    huge = listed.filter(pl.col("instance").str.starts_with("instance-"), pl.col("bytes") >= LISTED_BYTES)
    folders = huge.select(folder="instance", host=_short("host")).unique().filter(pl.len().over("host") == 1)
    pairs = folders.join(asked_for.filter(pl.col("host").is_in(near)), on="host", how="inner")
    uuids = dict(pairs.select("folder", "instance").rows())
    own = pl.col("instance")
    return listed.with_columns(own.replace(uuids), guessed=own.is_in(list(uuids)))


def _large(requests: pl.DataFrame) -> pl.Series:
    return requests.filter(pl.col("response_bytes") >= LARGE_BYTES)["instance"].unique()


def _caps(sources: pl.LazyFrame) -> bool:
    """Whether nova's logs tell that it cuts what it sends: then a large file is no large answer."""
    told = sources.select("release").drop_nulls().collect()["release"]
    return len(told) > 0 and not any(name.startswith(_UNCAPPED) for name in told.to_list())


def _short(column: str) -> pl.Expr:
    """A host without its domain: prompts and nova name it differently."""
    return pl.col(column).str.split(".").list.first().str.to_lowercase()


def _suspects(lines: Asked, listed: pl.DataFrame) -> list[str]:
    """Instances whose console was asked for and is large by any measure."""
    requests = lines.requests
    unmeasured = requests.filter(pl.col("response_bytes").is_null())["instance"].unique()
    huge = listed.filter(pl.col("bytes") >= CARRIED_BYTES)["instance"]
    capped = lines.capped["instance"].drop_nulls()
    open_ones = (set(huge) & set(unmeasured)) - set(capped)
    return sorted(set(_large(requests)) | open_ones)


def _near(raised: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
    """Alarms that were raised while answers were carried, or soon after."""
    slack = pl.col("bound") + 2 * SECOND_NS
    return raised.filter((pl.col("at") >= start - slack) & (pl.col("at") <= end + AFTER_NS + slack))


def _of_instance(
    name: str,
    lines: Asked,
    captured: pl.DataFrame,
    listed: pl.DataFrame,
    raised: pl.DataFrame,
) -> Flood | None:
    """What is known of one instance's console, if it was a flood."""
    requests = lines.requests.filter(pl.col("instance") == name)
    sizes = listed.filter(pl.col("instance") == name)
    start, end = int(requests["at"].min()), int(requests["ended"].max())  # type: ignore[arg-type]
    near = _near(raised, start, end)
    answers = requests["response_bytes"].drop_nulls()
    own = captured.filter(
        (pl.col("instance") == name) | (pl.col("instance").is_null() & pl.col("at").is_between(start, end))
    )
    whole = own.filter(pl.col("body_bytes") >= LARGE_BYTES)
    if len(answers):
        measured, carried, largest = "api", int(answers.sum()), int(answers.max())  # type: ignore[arg-type]
    elif whole.height:
        measured, carried, largest = "capture", int(whole["body_bytes"].sum()), int(whole["body_bytes"].max())  # type: ignore[arg-type]
    else:
        measured, carried, largest = "listing", None, None
    if largest is not None and (largest < LARGE_BYTES or ((carried or 0) < CARRIED_BYTES and near.is_empty())):
        return None
    size, count = _size(sizes)
    hosts = {*requests["compute_host"].drop_nulls(), *sizes["host"].drop_nulls()}
    return Flood(
        instance=name,
        hosts=tuple(sorted(hosts)),
        requests=requests,
        replies=whole,
        sizes=sizes,
        alarms=near,
        start=start,
        end=end,
        measured=measured,
        carried_bytes=carried,
        console_bytes=size if size is not None else largest,
        console_lines=count,
        guessed=bool(sizes["guessed"].any()),
    )


def _size(sizes: pl.DataFrame) -> tuple[int | None, int | None]:
    """Size and lines of a console log, by the newest listing, an exact one before a rounded one."""
    told = sizes.filter(pl.col("bytes").is_not_null()).sort("exact", "at", "bytes", descending=True)
    lines = sizes["lines"].drop_nulls()
    return (int(told["bytes"][0]) if told.height else None), (int(lines[-1]) if len(lines) else None)


def _of_capture(captured: pl.DataFrame, lines: Asked, raised: pl.DataFrame) -> Flood | None:
    """A flood that only a capture beside the broker shows."""
    whole = captured.filter(pl.col("body_bytes") >= LARGE_BYTES)
    if whole.is_empty() or lines.requests.filter(pl.col("response_bytes").is_not_null()).height:
        return None
    start, end = int(whole["at"].min()), int(whole["ended"].max())  # type: ignore[arg-type]
    near = _near(raised, start, end)
    carried = int(whole["body_bytes"].sum())
    known = whole["instance"].drop_nulls().unique()
    if (carried < CARRIED_BYTES and near.is_empty()) or len(known) > 1:
        return None
    logged = lines.requests.filter(pl.col("at").is_between(start - 120 * SECOND_NS, end))["instance"].unique()
    name = str(known[0]) if len(known) else None
    if name is not None and name in logged:
        return None  # told already, from the lines that name it
    return Flood(
        instance=name,
        hosts=tuple(sorted(set(whole["src"].drop_nulls()))),
        requests=lines.requests.head(0),
        replies=whole,
        sizes=pl.DataFrame(schema={"at": pl.Int64, "source": pl.String, "position": pl.Int64, "bytes": pl.Int64,
                                   "lines": pl.Int64}),
        alarms=near,
        start=start,
        end=end,
        measured="capture",
        carried_bytes=carried,
        console_bytes=int(whole["body_bytes"].max()),  # type: ignore[arg-type]
        console_lines=None,
    )  # fmt: skip


def explained(cause: Finding, findings: list[Finding]) -> list[str]:
    """The broker's alarms that came with a flood."""
    if cause.kind != "console-log-flood":
        return []
    nodes = {alarm["node"] for alarm in cause.facts["broker_alarms"]}
    return [one.id for one in findings if one.kind == "broker-alarm" and one.facts.get("node") in nodes]


def chart_frames(finding: Finding, *given: pl.LazyFrame) -> dict[str, Any] | None:
    """What `forensics.charts.console_broker.console_broker` needs: requests, answers, alarms and traffic.

    Args:
        finding: A `console-log-flood`.
        given: The records that `findings` takes.

    Returns:
        ``finding``; ``answers``, one row a request: ``at``, ``size_bytes``, ``source``, ``position``; ``others``, the
        same for other instances; ``alarms``, one row an alarm: ``at``, ``until``, ``node``, ``kind``; ``traffic``, one
        row per span of time: ``at``, ``published_bytes``, empty without a capture. Instants are Datetime, UTC.
    """
    order = (*NEEDS_ANY, *USES)
    console, api, transfers, events, _, instances, clocks, _ = (
        rows_of(rows, record) for rows, record in zip(given, order, strict=True)
    )
    known = names(instances)
    lines = asked(console, api, clocks, known).requests
    name = (finding.entities.get("instances") or (None,))[0]
    place = {name: pl.coalesce(f"answer_{name}", name) for name in ("source", "position")}
    sized = lines.select("at", "instance", "user_id", size_bytes="response_bytes", **place)
    if sized.filter((pl.col("instance") == name) & pl.col("size_bytes").is_not_null()).is_empty():
        sized = replies(transfers, clocks).filter(pl.col("body_bytes") >= LARGE_BYTES).select(
            "at", instance=pl.lit(name, pl.String), user_id=pl.lit(None, pl.String), size_bytes="body_bytes",
            source="source", position="position")  # fmt: skip
    instant = pl.col("at").cast(pl.Datetime("ns", "UTC"))
    mine = (pl.col("instance") == name) if name is not None else pl.lit(value=True)
    moved = on_one_clock(transfers.filter(pl.col("method") == "publish"), clocks).select("at", "body_bytes").collect()
    until = pl.col("until").cast(pl.Datetime("ns", "UTC"))
    return {
        "finding": finding,
        "answers": sized.filter(mine.fill_null(value=False)).with_columns(instant),
        "others": sized.filter(~mine.fill_null(value=False)).with_columns(instant),
        "alarms": alarms(events, clocks).with_columns(instant, until),
        "traffic": moved.sort("at").with_columns(instant).rename({"body_bytes": "published_bytes"}),
    }


CHARTS = {"console_broker": chart_frames}
