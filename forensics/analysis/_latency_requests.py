"""Requests of API services, each once, and the deployment that answered."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock

GENERIC = frozenset(
    (
        *("var", "log", "logs", "rsyslog", "syslog", "journal", "kolla", "nova", "api", "nova-api", "containers"),
        *("pods", "archive", "old", "backup", "backups", "evidence", "data", "db", "database", "dump", "dumps"),
        *("sql", "mysql", "metrics", "ps", "memory", "etc", "home", "root", "tmp", "srv", "opt", "usr", "remote"),
    )
)
"""Folders that say what lies in them, not whose it is."""
LAYERS = ("eventlet", "requestlog", "uwsgi", "apache", "http.server", "ec2-filter")
"""What writes a line about a request, the one that is nearest to the work first."""
MOST_REQUESTS = 1_000_000
"""Requests that are held. Where there are more, the busiest operations are judged by a sample: ten thousand requests
of one already tell its median to a hundredth part, and rank correlations to the second decimal."""
_COLUMNS = (
    *("ts", "source", "position", "host", "service", "operation", "status", "response_bytes", "duration_s"),
    *("request_id", "path", "client", "started_at", "stamped", "written_by"),
)

_SAME = ("deployment", "request_id", "path", "client", "status", "response_bytes", "duration_s")


def short(name: str) -> str:
    """A host without its domain, in lower case.

    Examples:
        >>> short("API01.example.org"), short("10.0.0.1")
        ('api01', '10.0.0.1')
    """
    return name.lower() if name[:1].isdigit() and name.count(".") == 3 else name.lower().partition(".")[0]


def homes(places: Iterable[tuple[str, str | None]]) -> pl.DataFrame:
    """Whose each file is: the folder of a deployment, or the host where folders do not tell.

    Folders that all files share say nothing, nor do those named after what they hold. In a file that several hosts
    write into, each line's host decides.

    Args:
        places: ``(source, host)`` of the rows, host null where no line and no path names one.

    Returns:
        One row per place: ``source``, ``host``, ``deployment`` (empty where nothing tells).

    Examples:
        >>> homes([("a/var/log/nova-api.log", "a"), ("rsyslog/b/nova.log", None)])["deployment"].to_list()
        ['a', 'b']
    """
    pairs = sorted(set(places), key=lambda pair: (pair[0], pair[1] or ""))
    folders = {source: source.replace("!", "/").split("/")[:-1] for source, _ in pairs}
    shared = 0
    while folders and all(len(parts) > shared + 1 for parts in folders.values()):
        if len({parts[shared] for parts in folders.values()}) > 1:
            break
        shared += 1
    writers: dict[str, set[str]] = {}
    for source, host in pairs:
        writers.setdefault(source, set()).update([short(host)] if host else [])
    rows = []
    for source, host in pairs:
        named = [part for part in folders[source][shared:] if not _is_generic(part)]
        told = named[0] if named and len(writers[source]) < 2 else host or (named[0] if named else "")
        told = host if host and short(host) == short(told) else told
        rows.append((source, host, told))
    keys: dict[str, str] = {}
    for _, _, told in rows:
        keys.setdefault(short(told), told)
    schema = {"source": pl.String, "host": pl.String, "deployment": pl.String}
    return pl.DataFrame([(s, h, keys[short(told)]) for s, h, told in rows], schema=schema, orient="row")


def _is_generic(folder: str) -> bool:
    """Whether a folder's name says what or when, and not whose: `log`, `2014-01-10`; an IPv4 address is a host."""
    if folder.lower() in GENERIC:
        return True
    return not any(letter.isalpha() for letter in folder) and folder.count(".") != 3


def places(*frames: pl.LazyFrame) -> pl.DataFrame:
    """`homes` of all rows of some records."""
    parts = (frame.group_by("source", "host").agg().collect(engine="streaming") for frame in frames)
    return homes(pair for part in parts for pair in part.rows())


def at_home(rows: pl.LazyFrame, owners: pl.DataFrame) -> pl.LazyFrame:
    """Rows with ``deployment``."""
    return rows.join(owners.lazy(), on=["source", "host"], how="left", nulls_equal=True)


def once(requests: pl.LazyFrame, logs: pl.LazyFrame, clocks: pl.LazyFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """Every request once, with the deployment that answered it.

    What a second copy of a log says again is left out, and of several layers that a request passed (the server, a
    filter inside, a proxy before it) the one nearest to the work speaks.

    Of more than `MOST_REQUESTS` only a part is taken: of the busiest operations one request in so many, which a hash
    of what it says picks, the same ones each time; of the others all.

    Args:
        requests: One row per `ApiRequest`.
        logs: One row per `LogRecord`: which lines are copies.
        clocks: One row per `Clock`.
        owners: As `homes` gives them.

    Returns:
        Rows by ``at``: ``deployment``, ``operation``, ``at`` (ns, of the line's stamp), ``start`` (ns), ``duration_s``,
        ``response_bytes``, ``served`` (whether it did its work: a refusal or a failure lasts as long as it takes to
        refuse or to give up), ``stands_for`` (how many requests it is one of), ``service``, ``source``, ``position``;
        texts as categories.
    """
    timed = requests.filter(
        pl.col("operation").is_not_null(), pl.col("duration_s").is_not_null(), ~pl.col("malformed"),
        pl.col("ts").is_not_null(),
    )  # fmt: skip
    counts = timed.group_by("source", "operation").agg(n=pl.len()).collect(engine="streaming")
    told = at_home(on_one_clock(timed.select(_COLUMNS), clocks), owners)
    lasted = (pl.col("duration_s") * 1e9).round().cast(pl.Int64)
    layer, second = pl.col("written_by").cast(pl.String).alias("layer"), (pl.col("at") // SECOND_NS).alias("second")
    few = {"layer": layer, "project": pl.col("service").str.split("-").list.first()}
    few |= {name: pl.col(name) for name in ("deployment", "operation", "service")}
    sources = counts["source"].unique().sort()
    rows = told.join(_shares(counts).lazy(), on="operation", how="left").select(
        *("at", "duration_s", "response_bytes", "position", "stands_for"),
        *(text.cast(pl.Categorical).alias(name) for name, text in few.items()),
        source=pl.col("source").cast(pl.Enum(sources)),
        served=pl.col("status").is_between(200, 399) | pl.col("status").is_null(),
        start=pl.when(pl.col("stamped") == "start").then("at").otherwise(pl.col("at") - lasted),
        same=pl.struct(*_SAME, second, layer).hash(),
    )
    held = rows.filter(pl.col("same") % pl.col("stands_for") == 0).collect(engine="streaming")
    copies = logs.filter(pl.col("duplicate_of").is_not_null(), pl.col("source").is_in(sources.to_list()))
    if not copies.head(1).collect(engine="streaming").is_empty():
        held = _without(held, copies.select("source", "position"))
    held = held.sort("at", "source", "position")
    held = _one_layer(_first_told(held)).drop("layer", "project", "same")
    return held.with_columns(pl.col("source").cast(pl.Categorical))


def _shares(counts: pl.DataFrame) -> pl.DataFrame:
    """One in how many requests of each operation is taken: ``operation``, ``stands_for``; rare ones are whole."""
    sizes = counts.group_by("operation").agg(pl.col("n").sum().cast(pl.UInt64)).sort("n", "operation")
    left, each = MOST_REQUESTS, 1
    for place, size in enumerate(sizes["n"]):
        each = max(left // (sizes.height - place), 1)
        left -= min(size, each)
    return sizes.select("operation", stands_for=((pl.col("n") + (each - 1)) // each).cast(pl.UInt32))


def _without(rows: pl.DataFrame, copies: pl.LazyFrame) -> pl.DataFrame:
    """Rows that no copy of a log says again: of the copies, which may be many, only what is held is looked up."""
    place = ["source", "position"]
    held = rows.lazy().select(pl.col("source").cast(pl.String), "position")
    twice = copies.join(held, on=place, how="semi").collect(engine="streaming")
    return rows.join(twice.cast({"source": rows.schema["source"]}), on=place, how="anti")


def _first_told(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows without what a second source tells of the same requests again."""
    ordered = rows["same"].sort()
    repeated = ordered.filter(ordered == ordered.shift()).unique()
    several = rows.select("source", "same", row=pl.int_range(pl.len())).filter(pl.col("same").is_in(repeated.implode()))
    nth = pl.int_range(pl.len()).over("source", "same")
    again = several.filter(~pl.struct("same", nth.alias("nth")).is_first_distinct())["row"]
    return rows if again.is_empty() else rows.filter(~pl.int_range(pl.len()).is_in(again.implode()))


def _one_layer(rows: pl.DataFrame) -> pl.DataFrame:
    """Where two layers tell of one operation at one time, the one that tells of more requests, then the nearest."""
    of = ["deployment", "project", "operation"]
    spans = rows.group_by(*of, "layer").agg(
        n=pl.col("stands_for").sum(), from_at=pl.col("at").min(), to_at=pl.col("at").max()
    )
    if spans.group_by(of).len()["len"].max() in (None, 1):
        return rows
    places = {name: n for n, name in enumerate(LAYERS)}
    place = pl.col("layer").cast(pl.String).replace_strict(places, default=len(LAYERS))
    spans = spans.with_columns(place=place)
    pairs = spans.join(spans, on=of, suffix="_b", nulls_equal=True).filter(pl.col("layer") != pl.col("layer_b"))
    meets = (pl.col("from_at") <= pl.col("to_at_b")) & (pl.col("from_at_b") <= pl.col("to_at"))
    fewer = pl.col("n") < pl.col("n_b")
    further = (pl.col("n") == pl.col("n_b")) & (pl.col("place") > pl.col("place_b"))
    beaten = pairs.filter(meets & (fewer | further)).select(*of, "layer").unique()
    return rows.join(beaten, on=[*of, "layer"], how="anti", nulls_equal=True, maintain_order="left")
