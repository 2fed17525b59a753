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
SERVED = pl.col("status").is_between(200, 399) | pl.col("status").is_null()
"""Requests that did their work: a refusal or a failure lasts as long as it takes to refuse or to give up."""
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
    parts = pl.collect_all([frame.select("source", "host").unique() for frame in frames], engine="streaming")
    return homes(pair for part in parts for pair in part.rows())


def at_home(rows: pl.LazyFrame, owners: pl.DataFrame) -> pl.LazyFrame:
    """Rows with ``deployment``."""
    return rows.join(owners.lazy(), on=["source", "host"], how="left", nulls_equal=True)


def once(requests: pl.LazyFrame, logs: pl.LazyFrame, clocks: pl.LazyFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """Every request once, with the deployment that answered it.

    What a second copy of a log says again is left out, and of several layers that a request passed (the server, a
    filter inside, a proxy before it) the one nearest to the work speaks.

    Args:
        requests: One row per `ApiRequest`.
        logs: One row per `LogRecord`: which lines are copies.
        clocks: One row per `Clock`.
        owners: As `homes` gives them.

    Returns:
        Rows by ``at``: ``deployment``, ``host``, ``operation``, ``at`` (ns, of the line's stamp), ``start`` (ns),
        ``duration_s``, ``response_bytes``, ``status``, ``service``, ``source``, ``position``; texts as categories.
    """
    timed = requests.filter(pl.col("operation").is_not_null(), pl.col("duration_s").is_not_null(), ~pl.col("malformed"))
    asked = timed.select(pl.col("source").unique()).collect(engine="streaming")["source"].to_list()
    copies = logs.filter(pl.col("duplicate_of").is_not_null(), pl.col("source").is_in(asked))
    told = at_home(on_one_clock(timed.select(_COLUMNS), clocks), owners)
    fresh = told.join(copies.select("source", "position"), on=["source", "position"], how="anti")
    lasted = (pl.col("duration_s") * 1e9).round().cast(pl.Int64)
    layer, second = pl.col("written_by").cast(pl.String).alias("layer"), (pl.col("at") // SECOND_NS).alias("second")
    few = {"layer": layer, "project": pl.col("service").str.split("-").list.first()}
    few |= {name: pl.col(name) for name in ("deployment", "host", "operation", "service", "source")}
    rows = fresh.select(
        *("at", "duration_s", "response_bytes", "status", "position"),
        *(text.cast(pl.Categorical).alias(name) for name, text in few.items()),
        start=pl.when(pl.col("stamped") == "start").then("at").otherwise(pl.col("at") - lasted),
        same=pl.struct(*_SAME, second, layer).hash(),
    ).collect(engine="streaming")
    rows = rows.sort("at", "source", "position")
    nth = pl.int_range(pl.len()).over("source", "same")
    first = rows.select("same", nth=nth).with_row_index().unique(["same", "nth"], keep="first", maintain_order=True)
    return _one_layer(rows if first.height == rows.height else rows[first["index"]]).select(
        *("deployment", "host", "operation", "at", "start", "duration_s", "response_bytes", "status", "service"),
        *("source", "position"),
    )


def _one_layer(rows: pl.DataFrame) -> pl.DataFrame:
    """Where two layers tell of one operation at one time, the one that tells of more requests, then the nearest."""
    of = ["deployment", "project", "operation"]
    spans = rows.group_by(*of, "layer").agg(n=pl.len(), from_at=pl.col("at").min(), to_at=pl.col("at").max())
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
    return rows.join(beaten, on=[*of, "layer"], how="anti", nulls_equal=True)
