"""uWSGI's own request log, and the memory that it reports there of the worker that served the request."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._requests import ALONE, requests
from forensics.loaders.messages._services import services
from forensics.records import ApiRequest, ProcessMemory


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """The stamp inside is the start; a transport's own stamp in front of it is the end."""
    unit = pl.when(pl.col("unit") == "micros").then(1_000).otherwise(1_000_000)
    rows = rows.with_columns(
        duration_ns=pl.col("took").cast(pl.Int64, strict=False) * unit,
        malformed=pl.lit(False),
        written_by=pl.lit("uwsgi"),
    )
    return requests(rows, "uwsgi", pl.col("framing").str.ends_with("uwsgi"))


def _memory(rows: pl.DataFrame) -> pl.DataFrame:
    """The process is named as the service that it serves."""
    basis = pl.when(pl.col("ts").is_null()).then(pl.lit("none")).otherwise(pl.lit("stated"))
    rows = rows.with_columns(path=pl.lit(None, dtype=pl.String), ts_basis=basis)
    return services(rows, "uwsgi").rename({"service": "process"})


REQUESTS = MessageFormat(
    name="uwsgi",
    record=ApiRequest,
    logger=r"^uwsgi$",
    said_by="uwsgi",
    alone=ALONE,
    reference="unbit/uwsgi core/logging.c, log_request(): msecs, or micros with log-micros; 1.9 to 2.0.28",
    pattern=r"""
        ^(?:\{address\x20[^}]*\}\x20\{rss\x20[^}]*\}\x20)?\[pid:\x20\d+\|app:\x20[-\d]+\|req:\x20[\d-]+/[\d-]+\]\x20(?P<clients>.*?)\x20\([^)]*\)\x20
        \{\d+\x20vars\x20in\x20\d+\x20bytes\}\x20\[[A-Z][a-z]{2}\x20[A-Z][a-z]{2}\x20[\x20\d]\d\x20\d\d:\d\d:\d\d\x20\d{4}\]\x20
        (?P<method>\S+)\x20(?P<path>.*)\x20=>\x20generated\x20(?P<response_bytes>\d+)\x20bytes\x20
        in\x20(?P<took>\d{1,12})\x20(?P<unit>msecs|micros)(?:\x20via\x20\S+)?\x20
        \((?P<http_version>HTTP/[\d.]+)\x20(?P<status>\d{3})\)
    """,
    shape=_shape,
    samples=(
        Sample(
            "[pid: 2931|app: 0|req: 1/1] 10.0.0.1 () {62 vars in 1256 bytes} [Tue May 16 00:00:00 2017] GET "
            "/v2.1/servers => generated 1893 bytes in 247 msecs (HTTP/1.1 200) 9 headers in 403 bytes (1 switches on "
            "core 0)",
            {
                "client": "10.0.0.1",
                "method": "GET",
                "operation": "GET /v2.1/servers",
                "status": 200,
                "response_bytes": 1893,
                "duration_s": 0.247,
                "http_version": "HTTP/1.1",
                "written_by": "uwsgi",
            },
        ),
        Sample(
            "[pid: 24|app: -1|req: -/17] 192.0.2.9, 10.0.0.1 (admin) {62 vars in 1256 bytes} [Tue May  2 00:00:00 2017]"
            " POST /identity/v3/auth/tokens => generated 0 bytes in 1250 micros via sendfile() (HTTP/1.0 201) 9 "
            "headers in 403 bytes (0 switches on core 0)",
            {
                "client": "10.0.0.1",
                "forwarded_for": ["192.0.2.9"],
                "service": "keystone",
                "duration_s": 0.00125,
                "operation": "POST /identity/v3/auth/tokens",
            },
        ),
    ),
)

MEMORY = MessageFormat(
    name="uwsgi-memory",
    record=ProcessMemory,
    logger=r"^uwsgi$",
    said_by="uwsgi",
    alone=ALONE,
    reference="unbit/uwsgi core/logging.c, log_request(), option memory-report; 0.9.9 to 2.0.28",
    constants={"tool": "uwsgi"},
    pattern=r"""
        ^\{address\x20space\x20usage:\x20(?P<virtual_bytes>\d+)\x20bytes/[^}]*\}\x20
        \{rss\x20usage:\x20(?P<resident_bytes>\d+)\x20bytes/[^}]*\}\x20\[pid:\x20(?P<pid>\d+)\|
    """,
    shape=_memory,
    samples=(
        Sample(
            "{address space usage: 359067648 bytes/342MB} {rss usage: 107823104 bytes/102MB} [pid: 11266|app: -|req: "
            "-/-] 192.0.2.170 (-) {48 vars in 1249 bytes} [Thu Feb 15 16:28:43 2018] GET /v3 => generated 4 bytes in 7 "
            "msecs (HTTP/1.1 200) 3 headers in 80 bytes (1 switches on core 0)",
            {
                "process": "uwsgi",
                "pid": 11266,
                "resident_bytes": 107823104,
                "virtual_bytes": 359067648,
                "tool": "uwsgi",
            },
        ),
    ),
)

FORMATS = (REQUESTS, MEMORY)
