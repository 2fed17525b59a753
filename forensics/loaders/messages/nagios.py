"""What a monitor says of hosts and services: alerts of Nagios, Icinga and Naemon, and servers that haproxy tests."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.records import ServiceState

_STATES = {
    "OK": "up",
    "UP": "up",
    "RECOVERY": "up",
    "WARNING": "up",  # it answers, if badly
    "CRITICAL": "down",
    "DOWN": "down",
    "UNKNOWN": "unknown",
    "UNREACHABLE": "unknown",  # what lies before it is down
    "PENDING": "unknown",
}


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """The monitor's word for a state in ours."""
    return rows.with_columns(
        state=pl.col("word").replace_strict(_STATES, default="unknown"),
        ts_basis=pl.when(pl.col("ts").is_null()).then(pl.lit("none")).otherwise(pl.lit("stated")),
    )


FORMATS = (
    MessageFormat(
        name="nagios",
        record=ServiceState,
        program=r"^(?:nagios\d?|icinga2?|naemon)$",
        said_by="nagios",
        alone=("SERVICE ALERT: ", "HOST ALERT: ", "SERVICE STATE: ", "HOST STATE: "),
        reference="NagiosEnterprises/nagioscore base/logging.c, log_service_event(), log_host_event()",
        constants={"told_by": "monitor"},
        pattern=r"""
            ^(?:
              (?:SERVICE\x20ALERT|(?:CURRENT|INITIAL)\x20SERVICE\x20STATE):\x20
                (?P<service_host>[^;]+);(?P<service>[^;]+);(?P<word>OK|WARNING|CRITICAL|UNKNOWN|RECOVERY|PENDING);
              |(?:HOST\x20ALERT|(?:CURRENT|INITIAL)\x20HOST\x20STATE):\x20
                (?P<service_host__2>[^;]+);(?P<word__2>UP|DOWN|UNREACHABLE|RECOVERY|PENDING);
            )(?:SOFT|HARD);\d+;
        """,
        shape=_shape,
        samples=(
            Sample(
                "SERVICE ALERT: cc12;nova-compute;CRITICAL;HARD;3;text",
                {"service_host": "cc12", "service": "nova-compute", "state": "down", "told_by": "monitor"},
            ),
            Sample("SERVICE ALERT: cc12;nova-compute;OK;HARD;3;fine; again", {"state": "up"}),
            Sample("SERVICE ALERT: cc12;Current Load;WARNING;SOFT;1;8.1", {"state": "up", "service": "Current Load"}),
            Sample("SERVICE ALERT: cc12;x;UNKNOWN;SOFT;1;(null)", {"state": "unknown"}),
            Sample(
                "HOST ALERT: cc12;DOWN;SOFT;1;PING CRITICAL",
                {"service_host": "cc12", "service": None, "state": "down"},
            ),
            Sample("HOST ALERT: cc12;UNREACHABLE;HARD;10;x", {"state": "unknown"}),
            Sample("CURRENT SERVICE STATE: cc12;nova-compute;OK;HARD;1;x", {"state": "up", "service": "nova-compute"}),
            Sample("INITIAL HOST STATE: cc12;UP;HARD;1;x", {"state": "up", "service": None}),
        ),
    ),
    MessageFormat(
        name="haproxy-server",
        record=ServiceState,
        program=r"^haproxy$",
        said_by="haproxy",
        reference="haproxy src/checks.c, set_server_down(), set_server_up(), 1.4 to 2.8",
        constants={"told_by": "monitor"},
        pattern=r"^(?:\[WARNING\]\x20[^:]*:\x20)?Server\x20(?P<service>[^/\x20]+)/(?P<service_host>\S+)\x20is\x20(?P<word>UP|DOWN)\b",
        shape=_shape,
        samples=(
            Sample(
                'Server keystone_api/ctl1 is DOWN, reason: Layer4 connection problem, info: "Connection refused"',
                {"service": "keystone_api", "service_host": "ctl1", "state": "down"},
            ),
            Sample("Server nova_api/ctl2 is UP, reason: Layer7 check passed, code: 200", {"state": "up"}),
        ),
    ),
)
