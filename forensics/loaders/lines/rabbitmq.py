"""RabbitMQ's own log: reports of Erlang's logger, lager from 3.7, its successor from 3.9 as text or as JSON."""

from forensics.loaders._line_format import DIGITS, LineFormat, Sample

_STAMP = r"(?P<date>\d{4}-\d\d-\d\d)[\x20T](?P<time>\d\d:\d\d:\d\d)\.(?P<fraction>\d{3,6})"
_REST = (
    r"\x20\[(?P<severity>debug|info|notice|warning|error|critical|alert|emergency|none)\]"
    r"\x20(?P<logger><\d+\.\d+\.\d+>|emulator|undefined)?(?:\x20(?P<message>(?s:.*)))?$"
)

FORMATS = (
    LineFormat(
        name="rabbitmq-report",
        leads="=",
        reference="Erlang/OTP error_logger, RabbitMQ to 3.6: rabbit@host.log, rabbit@host-sasl.log",
        pattern=r"^=(?P<severity>[A-Z]+)\x20REPORT====\x20(?P<day>\d{1,2})-(?P<month>[A-Z][a-z]{2})-(?P<year>\d{4})::"
        r"(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,6}))?\x20===$",
        samples=(
            Sample(
                "=WARNING REPORT==== 7-Dec-2016::03:49:18 ===\nclosing AMQP connection <0.5006.0> (10.0.0.1:40004 -> "
                "10.0.0.1:5672):\nclient unexpectedly closed TCP connection\n",
                {
                    "ts": "2016-12-07 03:49:18+00:00",
                    "severity": "WARNING",
                    "n_lines": 4,
                    "message": "closing AMQP connection <0.5006.0> (10.0.0.1:40004 -> 10.0.0.1:5672):\n"
                    "client unexpectedly closed TCP connection",
                },
            ),
        ),
    ),
    LineFormat(
        name="rabbitmq-lager",
        leads=DIGITS,
        reference="RabbitMQ 3.7, 3.8: lager, local time; continuation lines have no prefix",
        pattern=rf"^{_STAMP}{_REST}",
        samples=(
            Sample(
                "2019-09-21 22:14:55.123 [info] <0.684.0> accepting AMQP connection <0.684.0> "
                "(10.0.0.1:1 -> 10.0.0.2:2)",
                {
                    "severity": "INFO",
                    "logger": "<0.684.0>",
                    "message": "accepting AMQP connection <0.684.0> (10.0.0.1:1 -> 10.0.0.2:2)",
                    "zone_basis": "assumed",
                },
            ),
            Sample(
                "2022-02-04 10:29:49.046 [warning]  lager_file_backend dropped 19 messages in the last second that "
                "exceeded the limit of 50 messages/sec",
                {"severity": "WARNING", "logger": None},
            ),
            Sample(
                "2022-02-04 10:29:49.046 [error] emulator Error in process <0.9.0> on node rabbit@c1 with exit value:",
                {
                    "logger": "emulator",
                    "message": "Error in process <0.9.0> on node rabbit@c1 with exit value:",
                },
            ),
        ),
    ),
    LineFormat(
        name="rabbitmq",
        leads=DIGITS,
        rank=-1,  # with T in its stamp, a line looks like one of a container called [info]
        reference="RabbitMQ 3.9 and later, rabbit_logger_text_fmt.erl: offset in each stamp, header before each line",
        context="repeated",
        pattern=rf"^{_STAMP}(?P<zone>Z|[+-]\d\d:\d\d){_REST}",
        samples=(
            Sample(
                "2024-01-01 00:00:00.000001+01:00 [notice] <0.44.0> Application syslog exited",
                {"ts": "2023-12-31 23:00:00.000001+00:00", "severity": "NOTICE", "zone_basis": "stated"},
            ),
            Sample(
                "2024-01-01T00:00:00.000001Z [info] <0.44.0> log.console.formatter.time_format = rfc3339_T",
                {"severity": "INFO", "program": None, "logger": "<0.44.0>"},
            ),
            Sample(
                "2024-01-01 00:00:00.000000+00:00 [warning] <0.684.0> closing AMQP connection <0.684.0>:\n"
                "2024-01-01 00:00:00.000000+00:00 [warning] <0.684.0> client unexpectedly closed TCP connection",
                {
                    "n_lines": 2,
                    "message": "closing AMQP connection <0.684.0>:\nclient unexpectedly closed TCP connection",
                },
            ),
        ),
    ),
    LineFormat(
        name="rabbitmq-json",
        leads="{",
        reference="RabbitMQ 3.9 and later, rabbit_logger_json_fmt.erl: level, msg and meta data side by side",
        pattern=r'^\{(?:.*"level"\s*:\s*"\w+".*"pid"\s*:\s*"<\d+\.|.*"pid"\s*:\s*"<\d+\..*"level"\s*:\s*"\w+").*\}\s*$',
        json={"stamp": "$.time", "severity": "$.level", "logger": "$.pid", "message": "$.msg"},
        samples=(
            Sample(
                '{"time":"2024-01-01 00:00:00.000001+01:00","level":"warning","msg":"closing AMQP connection <0.684.0> '
                '(10.0.0.1:1 -> 10.0.0.2:2):\\nclient unexpectedly closed TCP connection","line":123,"pid":"<0.684.0>",'
                '"file":"rabbit_reader.erl","domain":"rabbitmq.connection","mfa":["rabbit_reader","log",3]}',
                {
                    "ts": "2023-12-31 23:00:00.000001+00:00",
                    "severity": "WARNING",
                    "logger": "<0.684.0>",
                    "message": "closing AMQP connection <0.684.0> (10.0.0.1:1 -> 10.0.0.2:2):\n"
                    "client unexpectedly closed TCP connection",
                    "zone_basis": "stated",
                },
            ),
        ),
    ),
    LineFormat(
        name="kolla-json-infra",
        leads="{",
        reference="openstack/kolla-ansible roles/fluentd conf/input/03-rabbitmq.conf.j2 and its like: no python_module",
        rank=1,
        pattern=r'^\{(?:.*"Payload"\s*:.*"log_level"\s*:|.*"log_level"\s*:.*"Payload"\s*:).*\}\s*$',
        json={
            "stamp": "$.Timestamp",
            "host": "$.Hostname",
            "program": "$.programname",
            "severity": "$.log_level",
            "rest": "$.Payload",
        },
        samples=(
            Sample(
                '{"Timestamp":"2024-01-01 00:00:00.000001+00:00","log_level":"info","Payload":"<0.684.0> accepting '
                'AMQP connection <0.684.0> (10.0.0.1:1 -> 10.0.0.2:2)","Hostname":"c1","programname":"rabbitmq"}',
                {
                    "ts": "2024-01-01 00:00:00.000001+00:00",
                    "severity": "INFO",
                    "host": "c1",
                    "program": "rabbitmq",
                    "message": "<0.684.0> accepting AMQP connection <0.684.0> (10.0.0.1:1 -> 10.0.0.2:2)",
                },
            ),
        ),
    ),
)
