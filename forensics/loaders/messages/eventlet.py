"""Access lines of eventlet's WSGI server and of nova's and placement's requestlog, in all their generations."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from forensics.loaders._message_format import Memory, MessageFormat, Sample, remembered
from forensics.loaders.messages._ec2_filter import ACTION, FILTERED, LOGGER
from forensics.loaders.messages._requests import ALONE, SPAN, nanoseconds, parsed, requests
from forensics.records import ApiRequest

_ARGUMENT = r"^(?:(action):\s+|arg:\s+(InstanceId(?:\.1)?|ImageId(?:\.1)?|ClientToken)\s+val:\s+)(\S+)"


class Actions(Memory):
    """What nova's EC2 filter (and, at level DEBUG, its executor) said of the request that an access line ends."""

    heeds: ClassVar = LOGGER
    _STATE: ClassVar = {"request_id": pl.String, "key": pl.String, "value": pl.String}

    def __init__(self) -> None:
        self._state = pl.DataFrame(schema=self._STATE)

    def observe(self, candidates: pl.DataFrame) -> None:
        """Take in a further chunk of lines."""
        told = candidates.lazy().filter(pl.col("logger").str.contains(LOGGER) & pl.col("request_id").is_not_null())
        said = pl.col("said")
        filtered = said.str.extract(FILTERED, ACTION)
        key = pl.coalesce(
            pl.when(filtered.is_not_null() | said.str.extract(_ARGUMENT, 1).is_not_null()).then(pl.lit("action")),
            said.str.extract(_ARGUMENT, 2).str.replace(".1", "", literal=True),
        )
        found = told.select("request_id", key=key, value=pl.coalesce(filtered, said.str.extract(_ARGUMENT, 3)))
        named = found.filter(pl.col("key").is_not_null() & (pl.col("value") != "None")).collect()
        known = pl.concat([self._state, named])
        self._state = remembered(known.unique(["request_id", "key"], keep="first", maintain_order=True))

    def fill(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give the requests to the EC2 API what their lines do not name."""
        if self._state.is_empty() or "nova-ec2" not in rows["service"]:
            return rows
        cloud = pl.col("service") == "nova-ec2"
        for key, column in (("action", "operation"), ("InstanceId", "instance"), ("ImageId", "image"),
                            ("ClientToken", "client_token")):  # fmt: skip
            of = self._state.filter(pl.col("key") == key).select("request_id", told="value")
            rows = rows.join(of, on="request_id", how="left", maintain_order="left")
            known = pl.coalesce("told", column) if column == "operation" else pl.coalesce(column, "told")
            rows = rows.with_columns(pl.when(cloud).then(known).otherwise(column).alias(column)).drop("told")
        return rows


_STATUS = rf"""
    "(?P<request>.*)"\x20status:\x20(?P<status>\d{{3}})\x20{{1,2}}len:\x20(?P<response_bytes>\d+|None|-)
    (?:\x20microversion:\x20(?P<microversion>\S+))?(?:\x20time:\x20(?P<span>{SPAN}))?$
"""
_STAMP = r"\[\d\d/[A-Z][a-z]{2}/\d{4}\x20\d\d:\d\d:\d\d\]"
_ANSWERED = ["400", "414", "431"]
"""What http.server answers before it has a request: ``code 400, message …``, then the line that it could not read."""


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    rows = parsed(rows)
    bare = pl.col("span").is_null()
    requestlog = pl.col("logger").fill_null("").str.ends_with("requestlog") | pl.col("microversion").is_not_null()
    plain = requestlog.not_() & bare
    broken = pl.col("malformed") | pl.col("http_version").is_null() | pl.col("path").str.contains(" ", literal=True)
    echo = plain & (pl.col("response_bytes") == "-") & pl.col("status").is_in(_ANSWERED) & broken
    rows = rows.filter(echo.fill_null(False).not_()).with_columns(
        written_by=pl.when(requestlog).then(pl.lit("requestlog"))
        .when(plain).then(pl.lit("http.server"))
        .otherwise(pl.lit("eventlet")),
        duration_ns=nanoseconds("span"),
        microversion=pl.col("microversion").replace("-", None),
    )  # fmt: skip
    return requests(rows, "wsgi")


_P, _I = "54fadb412c4e40cdbaed9335e4c35a9e", "a18a5824-4215-4e24-bcfc-cb9f89f6bcbd"
_CLF_TIME = "[10/Dec/2014 10:48:20]"

FORMATS = (
    MessageFormat(
        name="eventlet",
        record=ApiRequest,
        # nova's own servers, neutron.wsgi, glance.wsgi.server, eventlet.wsgi.server of all the others; werkzeug
        logger=rf"(?:^|\.)wsgi\.server$|^\w+\.wsgi$|^werkzeug$|{LOGGER}",
        said_by="nova.osapi_compute.wsgi.server",
        alone=ALONE,
        reference="eventlet/eventlet eventlet/wsgi.py @ 0.9.16 to 0.36 (DEFAULT_LOG_FORMAT); openstack/nova "
        "nova/wsgi.py, wsgi_log_format, Grizzly to 2024; openstack/oslo.service wsgi_log_format (two blanks before "
        "len); CPython Lib/http/server.py, log_message; pallets/werkzeug serving.py",
        # A request line may hold quotes and blanks: the tail is the anchor. Lines that tell of the server itself,
        # `(18) accepted ('192.0.2.1', 52210)`, have neither.
        pattern=rf"""
            ^(?:(?P<clients>[^\x20"]+)\x20)?
            (?:{_STATUS}
             | -\x20-\x20{_STAMP}\x20(?:
                 "(?P<request__2>.*)"\x20(?P<status__2>\d{{3}}|-)\x20(?P<response_bytes__2>\d+|-)(?:\x20(?P<span__2>{SPAN}))?
               | code\x20(?P<status__3>\d{{3}}),\x20message\x20Bad\x20.*
               | code\x20(?P<status__4>414|431),\x20message\x20.*
               )$
            )
        """,
        shape=_shape,
        remembers=Actions,
        samples=(
            Sample(
                '192.0.2.29 "GET /services/Cloud?AWSAccessKeyId=[something]&Action=RunInstances&ClientToken=[something]'
                '&ImageId=ami-00000001&InstanceInitiatedShutdownBehavior=terminate... HTTP/1.1" status: 200 len: 1109 '
                "time: 138.5970151",
                {
                    "client": "192.0.2.29",
                    "method": "GET",
                    "operation": "RunInstances",
                    "image": "ami-00000001",
                    "client_token": None,
                    "status": 200,
                    "response_bytes": 1109,
                    "duration_s": 138.5970151,
                    "stamped": "end",
                    "http_version": "HTTP/1.1",
                    "malformed": False,
                    "written_by": "eventlet",
                },
            ),
            Sample(
                f'10.11.10.1 "GET /v2/{_P}/servers/detail HTTP/1.1" status: 200 len: 1893 time: 0.2477829',
                {
                    "service": "nova-osapi_compute",
                    "operation": "GET /v2/{project_id}/servers/detail",
                    "duration_s": 0.2477829,
                    "forwarded_for": None,
                    "instance": None,
                },
            ),
            Sample(
                '10.11.21.122,10.11.10.1 "GET /openstack/2012-08-10/meta_data.json HTTP/1.1" status: 200 len: 264 '
                "time: 0.2451560",
                {
                    "client": "10.11.10.1",
                    "forwarded_for": ["10.11.21.122"],
                    "operation": "GET /openstack/{version}/meta_data.json",
                },
            ),
            Sample(
                '::ffff:192.0.2.66 "POST / HTTP/1.1" status: 200  len: 211 time: 0.0146325',
                {"client": "::ffff:192.0.2.66", "operation": "POST /", "duration_s": 0.0146325},
            ),
            Sample(
                '192.0.2.211 "POST /v2.0/networks HTTP/1.1" status: 503  len: 369 time: 1.1541748',
                {"status": 503, "operation": "POST /v2.0/networks"},
            ),
            Sample(
                f'10.1.2.3,<local> "GET /v2.1/servers/{_I}?x="a b" HTTP/1.1" status: 404 len: - time: 1',
                {"client": "<local>", "instance": _I, "response_bytes": None, "duration_s": 1.0, "malformed": False},
            ),
            Sample(
                f'10.224.147.162 - - {_CLF_TIME} "POST /v2.0/subnets.json HTTP/1.1" 400 354 0.025684',
                {"operation": "POST /v2.0/subnets", "status": 400, "response_bytes": 354, "duration_s": 0.025684},
            ),
            Sample(
                f"10.224.147.162 - - {_CLF_TIME} code 400, message Bad request syntax ('0')",
                {"malformed": True, "status": 400, "method": None, "operation": None, "written_by": "http.server"},
            ),
            Sample(
                f'10.0.0.1 - - {_CLF_TIME} "GET /v2/meters HTTP/1.1" 404 -',
                {"status": 404, "response_bytes": None, "duration_s": None, "written_by": "http.server"},
            ),
            Sample('10.0.0.1 "GET /" status: 200 len: 7 time: 0.5', {"http_version": None, "path": "/"}),
            Sample(
                r'10.0.0.1 "\x16\x03\x01\x02" status: 400 len: 0 time: 0.0001',
                {"malformed": True, "path": None, "service": "nova-osapi_compute"},
            ),
        ),
    ),
    MessageFormat(
        name="requestlog",
        record=ApiRequest,
        logger=r"\brequestlog$",
        said_by="placement.requestlog",
        reference="openstack/nova nova/api/openstack/requestlog.py @ aa45a6f3ab (Pike) to 2026.1; "
        "openstack/placement placement/requestlog.py, Newton on, without time",
        pattern=rf"^(?:(?P<clients>[^\x20\"]+)\x20)?{_STATUS}",
        shape=_shape,
        samples=(
            Sample(
                '192.0.2.1 "OPTIONS /" status: 200 len: 405 microversion: - time: 0.001091',
                {"microversion": None, "http_version": None, "duration_s": 0.001091, "written_by": "requestlog"},
            ),
            Sample(
                f'192.0.2.1 "GET /allocations/{_I}" status: 200 len: None microversion: 1.28',
                {
                    "service": "placement",
                    "operation": "GET /allocations/{id}",
                    "microversion": "1.28",
                    "response_bytes": None,
                    "duration_s": None,
                    "started_at": None,
                },
            ),
        ),
    ),
)
