"""What RabbitMQ says of its clients: connections that open, introduce themselves and close, and errors of channels."""

import polars as pl

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._rabbitmq import PROCESS, broker_formats, first_line, seconds_of

_CLIENT = r"(?:\[(?P<src>[0-9A-Fa-f:.%\w]+)\]|(?P<src__2>[^\s()\[\]]+?)):(?P<src_port>\d+)"
_BROKER = r"(?:\[(?P<dst>[0-9A-Fa-f:.%\w]+)\]|(?P<dst__2>[^\s()\[\]]+?)):(?P<dst_port>\d+)"


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """A colon behind a closing line, or an error without a channel, is the end that nobody asked for."""
    said = rows.with_columns(reason=first_line("reason"))
    ended = pl.when(pl.col("colon").is_null()).then(pl.lit("conn_close")).otherwise(pl.lit("conn_abort"))
    kind = (
        pl.when(pl.col("channel_error").is_not_null()).then(pl.lit("channel_error"))
        .when(pl.col("kind").is_not_null()).then("kind")
        .when(pl.col("closing").is_not_null()).then(ended)
        .when(pl.col("granted").is_not_null()).then(pl.lit("conn_auth"))
    )  # fmt: skip
    said = said.with_columns(kind=kind)
    where = said["reason"].str.extract_groups(r"(?:no )?queue '(?P<queue>[^']*)' in vhost '(?P<vhost>[^']*)'").struct
    told = said["vhost"].replace("none", None)
    return said.with_columns(
        queue=where.field("queue"),
        vhost=pl.select(pl.coalesce(told, where.field("vhost"))).to_series(),
        user=said["user"].replace("none", None),
        client_name=pl.coalesce("client_name", "conn_name"),
        duration_s=seconds_of("lasted"),
    )


_C = "(10.0.0.1:41240 -> 10.0.0.2:5672"
_NAME = "nova-compute:7:dc749d8b-15ea-4ae3-b524-22b29b810880"

FORMATS = broker_formats(
    "rabbitmq-connections",
    reference="rabbitmq-server rabbit_reader.erl, rabbit_channel.erl, v2.7 to v4.3",
    # Up to 2.7 only the client's end is named; from 4.0 on neither the process nor the brackets need be there.
    pattern=rf"""
        (?: (?P<conn_open>accepting|starting)\x20(?:AMQP|TCP)\x20
          | (?P<closing>closing)\x20(?:AMQP|TCP)\x20
          | (?P<conn_abort>exception\x20on\x20TCP|[Ee]rror\x20on\x20AMQP)\x20
          | Channel\x20error\x20on\x20 | AMQP\x20
        )?
        [Cc]onnection
        (?:\x20(?P<connection>{PROCESS}))?
        (?:
            \x20(?:from\x20)?\(?{_CLIENT}(?:\x20->\x20{_BROKER})?
            (?:\x20-\x20(?P<client_name>[^\n]*?))?
            (?:,\x20vhost:\x20'(?P<vhost>[^'\n]*)')?
            (?:,\x20user:\x20'(?P<user>[^'\n]*)')?
            (?:,\x20state:\x20\w+)?
            (?:,\x20duration:\x20'(?P<lasted>[^'\n]*)')?
            \)?
        )?
        (?:\x20\(\w+\))?
        (?P<channel_error>,\x20channel\x20\d+)?
        (?:\x20-\x20(?:soft\x20|hard\x20)?error)?
        (?:
            \x20has\x20a\x20client-provided\x20name:\x20(?P<conn_name>.*?)
          | :\x20(?P<granted>user)\x20'(?P<user__2>[^'\n]*)'\x20authenticated\x20and\x20granted\x20access\x20to\x20
            vhost\x20'(?P<vhost__2>[^'\n]*)'
          | (?P<colon>:)(?P<reason>\s(?s:.*))?
          | (?P<reason__2>\n(?s:.*))
        )?\s*$
    """,
    shape=_shape,
    samples=(
        Sample(
            "starting TCP connection <0.1.0> from 10.0.0.1:41240",
            {"kind": "conn_open", "src": "10.0.0.1", "src_port": 41240, "dst": None, "connection": "<0.1.0>"},
        ),
        Sample("closing TCP connection <0.1.0> from 10.0.0.1:41240", {"kind": "conn_close", "src_port": 41240}),
        Sample(
            "exception on TCP connection <0.1.0> from 10.0.0.1:41240\nconnection_closed_abruptly",
            {"kind": "conn_abort", "src": "10.0.0.1", "reason": "connection_closed_abruptly"},
        ),
        Sample(
            f"accepting AMQP connection <0.6042.0> {_C})",
            {
                "kind": "conn_open",
                "connection": "<0.6042.0>",
                "src": "10.0.0.1",
                "src_port": 41240,
                "dst": "10.0.0.2",
                "dst_port": 5672,
                "client_name": None,
                "node": None,
            },
        ),
        Sample(
            "accepting AMQP connection <0.6042.0> ([FD00:0::1]:41240 -> [::1]:5672)",
            {"src": "fd00::1", "src_port": 41240, "dst": "::1", "dst_port": 5672},
        ),
        Sample(
            "accepting AMQP connection <0.6042.0> ([::ffff:10.0.0.1]:41240 -> [::FFFF:10.0.0.2]:5671)",
            {"src": "10.0.0.1", "dst": "10.0.0.2", "dst_port": 5671},
        ),
        Sample(
            "accepting AMQP connection 10.0.0.1:41240 -> 10.0.0.2:5672",
            {"kind": "conn_open", "src": "10.0.0.1", "dst_port": 5672, "connection": None},
        ),
        Sample(
            f"connection <0.684.0> {_C} - {_NAME}): user 'openstack' authenticated and granted access to vhost '/'",
            {"kind": "conn_auth", "user": "openstack", "vhost": "/", "client_name": _NAME, "reason": None},
        ),
        Sample(
            "connection 10.0.0.1:41240 -> 10.0.0.2:5672: user 'nova' authenticated and granted access to vhost 'os'",
            {"kind": "conn_auth", "user": "nova", "vhost": "os", "src_port": 41240},
        ),
        Sample(
            f"Connection <0.6042.0> {_C}) has a client-provided name: neutron-server:25:317888f2-4539-4451-b2f9-"
            "3c26fdcb1c5c",
            {
                "kind": "conn_name",
                "client_name": "neutron-server:25:317888f2-4539-4451-b2f9-3c26fdcb1c5c",
                "connection_id": "317888f2-4539-4451-b2f9-3c26fdcb1c5c",
            },
        ),
        Sample(f"closing AMQP connection <0.684.0> {_C})", {"kind": "conn_close", "reason": None}),
        Sample(
            f"closing AMQP connection <0.684.0> {_C} - {_NAME}, vhost: '/', user: 'openstack')",
            {"kind": "conn_close", "client_name": _NAME, "vhost": "/", "user": "openstack", "duration_s": None},
        ),
        Sample(
            f"closing AMQP connection {_C}, vhost: '/', user: 'openstack', duration: '1D, 2H, 3M, 4s')",
            {"kind": "conn_close", "duration_s": 93784.0, "client_name": None},
        ),
        Sample(f"closing AMQP connection <0.684.0> {_C}, duration: '250ms')", {"duration_s": 0.25}),
        Sample(
            f"closing AMQP connection <0.684.0> {_C}):\nconnection_closed_abruptly",
            {"kind": "conn_abort", "reason": "connection_closed_abruptly"},
        ),
        Sample(
            f"closing AMQP connection <0.5006.0> {_C} - {_NAME}):\nclient unexpectedly closed TCP connection",
            {"kind": "conn_abort", "reason": "client unexpectedly closed TCP connection", "client_name": _NAME},
        ),
        Sample(
            f"closing AMQP connection <0.5006.0> {_C} - {_NAME}, vhost: 'none', user: 'openstack'):\n"
            "missed heartbeats from client, timeout: 60s",
            {"reason": "missed heartbeats from client, timeout: 60s", "vhost": None, "user": "openstack"},
        ),
        Sample(
            f"closing AMQP connection <0.5006.0> {_C}):\n{{heartbeat_timeout,running}}",
            {"kind": "conn_abort", "reason": "{heartbeat_timeout,running}"},
        ),
        Sample(
            f"closing AMQP connection <0.5006.0> {_C}):\n{{writer,send_failed,\n    {{error,timeout}}}}",
            {"kind": "conn_abort", "reason": "{writer,send_failed, {error,timeout}}"},
        ),
        Sample(f"closing AMQP connection <0.5006.0> {_C}):", {"kind": "conn_abort", "reason": None}),
        Sample(
            "error on AMQP connection <0.684.0>: enotconn (socket is not connected)",
            {"kind": "conn_abort", "connection": "<0.684.0>", "reason": "enotconn (socket is not connected)"},
        ),
        Sample(
            f"Error on AMQP connection <0.684.0> {_C}, user: 'nova', state: starting):\n"
            "PLAIN login refused: user 'nova' - invalid credentials",
            {
                "kind": "conn_abort",
                "user": "nova",
                "reason": "PLAIN login refused: user 'nova' - invalid credentials",
            },
        ),
        Sample(
            f"Error on AMQP connection <0.684.0> {_C} - {_NAME}, vhost: '/', user: 'nova', state: running), channel 0:"
            '\n operation none caused a connection exception connection_forced: "broker forced connection closure"',
            {"kind": "channel_error", "client_name": _NAME, "user": "nova"},
        ),
        Sample(
            "connection <0.1.0>, channel 4 - soft error:\n"
            "{amqp_error,precondition_failed,\"unknown delivery tag 1\",'basic.ack'}",
            {
                "kind": "channel_error",
                "connection": "<0.1.0>",
                "reason": "{amqp_error,precondition_failed,\"unknown delivery tag 1\",'basic.ack'}",
            },
        ),
        Sample(
            'AMQP connection <0.6042.0> (running), channel 1 - error:\n{amqp_error,not_found,"no exchange '
            "'reply_54af' in vhost '/'\",\n            'exchange.declare'}",
            {"kind": "channel_error", "queue": None},
        ),
        Sample(
            f"Channel error on connection <0.6042.0> {_C}, vhost: '/', user: 'openstack'), channel 1:\n"
            "operation queue.declare caused a channel exception not_found: no queue 'reply_54af' in vhost '/'",
            {"kind": "channel_error", "queue": "reply_54af", "vhost": "/", "user": "openstack"},
        ),
    ),
)
