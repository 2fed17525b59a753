"""When RabbitMQ starts, is ready, stops, and which of its processes crash."""

import polars as pl

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._rabbitmq import broker_formats, first_line

_MOST_REASON = 400


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """A report of a supervisor or of a crash says so in its severity; from 3.7 on that is ERROR, of progress INFO."""
    reported = pl.col("severity").is_in(["SUPERVISOR", "CRASH", "ERROR"]) & pl.col("report").is_not_null()
    kind = pl.when(pl.col("kind").is_not_null()).then("kind").when(reported).then(pl.lit("crash"))
    return rows.with_columns(kind=kind, reason=first_line("reason").str.head(_MOST_REASON))


FORMATS = broker_formats(
    "rabbitmq-life",
    reference="rabbitmq-server rabbit.erl, rabbit_prelaunch_logging.erl, v2.7 to v4.3; Erlang/OTP sasl_report.erl, "
    "gen_server.erl; basho/lager error_logger_lager_h.erl",
    pattern=r"""
        (?: (?P<startup>Starting\x20RabbitMQ)\x20(?P<version>\d[\w.+~-]*)\x20on\x20Erlang\b(?s:.*)
          | (?P<ready>Server\x20startup\x20complete)\b(?s:.*)
          | (?P<ready__2>Starting\x20broker\.\.\.)\s*completed\x20with\x20\d+\x20plugins\.?
          | (?P<shutdown>Stopping|Stopped|Halting|Successfully\x20stopped|SIGTERM\x20received)
            (?P<reason__5>\x20(?:RabbitMQ|Erlang\x20VM|-\x20shutting\x20down)\b(?s:.*))
          | (?P<shutdown__2>RabbitMQ\x20is\x20asked\x20to\x20stop)\b(?P<reason>(?s:.*))
          | \*\*\x20(?P<crash>Generic\x20server|State\x20machine|gen_event\x20handler)\x20(?P<reason__2>(?s:.*))
          | (?P<crash__2>CRASH\x20REPORT|Ranch\x20listener)\x20(?P<reason__6>(?s:.*))
          | (?P<crash__3>gen_server|gen_statem|gen_fsm|gen_event)\x20
            (?P<reason__3>.*\bterminated\x20with\x20reason:(?s:.*))
          | (?P<crash__4>Error\x20in\x20process)\x20(?P<reason__7>(?s:.*))
          | (?P<crash__5>Supervisor)\x20(?P<reason__8>\S+\x20had\x20child\x20.*\x20exit\x20with\x20reason\x20(?s:.*))
          | (?P<report>Supervisor:|crasher:|supervisor:)(?P<reason__4>(?s:.*))
        )\s*$
    """,
    shape=_shape,
    samples=(
        Sample(
            "\n Starting RabbitMQ 3.8.2 on Erlang 22.2.7\n Copyright (c) 2007-2019 Pivotal Software, Inc.",
            {"kind": "startup", "version": "3.8.2", "reason": None},
        ),
        Sample("Starting RabbitMQ 3.0.4 on Erlang R15B01", {"kind": "startup", "version": "3.0.4"}),
        Sample("Server startup complete; 3 plugins started.\n * rabbitmq_management", {"kind": "ready"}),
        Sample("Starting broker... completed with 3 plugins.", {"kind": "ready"}),
        Sample("RabbitMQ is asked to stop...", {"kind": "shutdown"}),
        Sample("Stopping RabbitMQ", {"kind": "shutdown", "reason": "RabbitMQ"}),
        Sample("Successfully stopped RabbitMQ and its dependencies", {"kind": "shutdown"}),
        Sample("Halting Erlang VM with the following applications:\n    sysmon_handler", {"kind": "shutdown"}),
        Sample("SIGTERM received - shutting down", {"kind": "shutdown"}),
        Sample(
            "** Generic server rabbit_disk_monitor terminating\n** Last message in was update\n"
            "** Reason for termination ==\n** {eacces,[]}",
            {
                "kind": "crash",
                "reason": "rabbit_disk_monitor terminating ** Last message in was update ** Reason for termination == "
                "** {eacces,[]}",
            },
        ),
        Sample(
            "CRASH REPORT Process <0.684.0> with 0 neighbours exited with reason: channel_termination_timeout",
            {
                "kind": "crash",
                "reason": "Process <0.684.0> with 0 neighbours exited with reason: channel_termination_timeout",
            },
        ),
        Sample(
            "gen_server <0.684.0> terminated with reason: {timeout,{gen_server,call,[]}}",
            {"kind": "crash", "reason": "<0.684.0> terminated with reason: {timeout,{gen_server,call,[]}}"},
        ),
        Sample(
            "Supervisor {<0.684.0>,rabbit_channel_sup_sup} had child channel_sup started with "
            "rabbit_channel_sup:start_link() at undefined exit with reason shutdown in context shutdown_error",
            {"kind": "crash"},
        ),
        Sample("Error in process <0.684.0> on node 'rabbit@a' with exit value: {badarg,[]}", {"kind": "crash"}),
    ),
)
