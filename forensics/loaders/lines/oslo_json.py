"""Log records as JSON lines: oslo.log's formatter, rsyslog's template, Kolla's export, container runtimes."""

from forensics.loaders._line_format import LineFormat, Sample

_REQ = "req-fa6f7b36-ad58-4c90-95d5-e0e7ea211774"

FORMATS = (
    LineFormat(
        name="oslo-json",
        leads="{",
        reference="openstack/oslo.log oslo_log/formatters.py, JSONFormatter; in nova from Essex on",
        context="given",
        pattern=r'^\{(?:.*"levelname".*"created".*|.*"created".*"levelname".*)\}\s*$',
        json={
            "epoch_s": "$.created",
            "host": "$.hostname",
            "program": "$.process_name",
            "pid": "$.process",
            "severity": "$.levelname",
            "logger": "$.name",
            "request_id": "$.context.request_id",
            "global_request_id": "$.context.global_request_id",
            "user_id": ("$.context.user_id", "$.context.user"),
            "project_id": ("$.context.project_id", "$.context.tenant", "$.context.project"),
            "message": "$.message",
            "traceback": "$.traceback",
        },
        samples=(
            Sample(
                '{"message": "VM Started", "asctime": "2018-02-11 08:51:49", "name": "nova.compute.manager", '
                '"levelname": "INFO", "created": 1518339109.2203, "process": 7, "hostname": "c1", '
                f'"traceback": null, "context": {{"request_id": "{_REQ}", "user_id": "u", "project_id": "p"}}}}',
                {
                    "ts": "2018-02-11 08:51:49.220300+00:00",
                    "host": "c1",
                    "pid": 7,
                    "severity": "INFO",
                    "logger": "nova.compute.manager",
                    "request_id": _REQ,
                    "user_id": "u",
                    "project_id": "p",
                    "message": "VM Started",
                },
            ),
            Sample(
                '{"message": "Boom", "name": "nova.x", "levelname": "ERROR", "created": 1518339109, "traceback": '
                f'["Traceback:", "ValueError"], "context": {{"request_id": "{_REQ}", "user": "u", "tenant": "p"}}}}',
                {"message": "Boom\nTraceback:\nValueError", "user_id": "u", "project_id": "p"},
            ),
        ),
    ),
    LineFormat(
        name="oslo-fluentd",
        leads="{",
        reference="openstack/oslo.log oslo_log/formatters.py, FluentFormatter",
        context="given",
        pattern=r'^\{(?:.*"time".*"level".*"cmdline".*|.*"cmdline".*"level".*"time".*)\}\s*$',
        json={
            "stamp": "$.time",
            "host": "$.hostname",
            "program": "$.process_name",
            "severity": "$.level",
            "logger": "$.name",
            "request_id": "$.context.request_id",
            "global_request_id": "$.context.global_request_id",
            "user_id": ("$.context.user_id", "$.context.user"),
            "project_id": ("$.context.project_id", "$.context.tenant", "$.context.project"),
            "message": "$.message",
            "traceback": "$.traceback",
        },
        samples=(
            Sample(
                '{"message": "Boom", "time": "2018-02-11 08:51:49,220", "name": "nova.x", "level": "ERROR", "hostname":'
                f' "c1", "cmdline": "nova-api", "traceback": "ValueError", "context": {{"request_id": "{_REQ}"}}}}',
                {"ts": "2018-02-11 08:51:49.220+00:00", "message": "Boom\nValueError", "request_id": _REQ},
            ),
        ),
    ),
    LineFormat(
        name="rsyslog-json",
        leads="{",
        reference="rsyslog RSYSLOG_StdJSONFmt",
        pattern=r'^\{"message":.*"timereported"\s*:',
        json={"stamp": "$.timereported", "host": "$.fromhost", "program": "$.programname", "rest": "$.message"},
        samples=(
            Sample(
                '{"message":"link down","fromhost":"c1","facility":"kern","priority":"warning",'
                '"timereported":"2020-11-20T18:14:19.159524+01:00","timegenerated":"2020-11-20T18:14:19.2+01:00"}',
                {"ts": "2020-11-20 17:14:19.159524+00:00", "host": "c1", "message": "link down"},
            ),
        ),
    ),
    LineFormat(
        name="kolla-json",
        leads="{",
        reference="openstack/kolla-ansible roles/fluentd conf/input/00-global.conf.j2: keys in Elasticsearch",
        context="given",
        pattern=r'^\{(?:.*"Payload".*"python_module".*|.*"python_module".*"Payload".*)\}\s*$',
        json={
            "stamp": "$.Timestamp",
            "host": "$.Hostname",
            "program": "$.programname",
            "pid": "$.Pid",
            "severity": "$.log_level",
            "logger": "$.python_module",
            "request_id": "$.request_id",
            "global_request_id": "$.global_request_id",
            "user_id": "$.user_id",
            "project_id": "$.tenant_id",
            "message": "$.Payload",
        },
        samples=(
            Sample(
                '{"Timestamp":"2024-01-31 20:51:05.956","Pid":"7","log_level":"INFO","python_module":"nova.compute",'
                '"tenant_id":"p","Payload":"Detached","Hostname":"c1","programname":"nova-compute"}',
                {"ts": "2024-01-31 20:51:05.956+00:00", "pid": 7, "logger": "nova.compute", "project_id": "p"},
            ),
            Sample(
                f'{{"Timestamp":"2024-01-31 20:51:05.956","python_module":"x","request_id":"{_REQ[4:]}","Payload":""}}',
                {"request_id": _REQ},
            ),
        ),
    ),
    LineFormat(
        name="docker-json",
        leads="{",
        reference="moby daemon/logger/jsonfilelog",
        pattern=r'^\{"log":".*"stream":"std(?:out|err)".*"time":"[^"]+"\}\s*$',
        json={"stamp": "$.time", "rest": "$.log"},
        samples=(
            Sample(
                '{"log":"2024-01-31 20:51:05.956 7 INFO nova.compute [-] up\\n","stream":"stdout",'
                '"time":"2024-01-31T20:51:05.957123456Z"}',
                {
                    "ts": "2024-01-31 20:51:05.956+00:00",
                    "outer_at": "2024-01-31 20:51:05.957123456+00:00",
                    "message": "up",
                    "framing": "docker-json+oslo-havana",
                },
            ),
        ),
    ),
    LineFormat(
        name="wrapped-json",
        leads="{",
        reference="log shippers that keep the line as `message` beside its source and host",
        pattern=r'^\{"timestamp":"[^"]*","source":"[^"]*","message":"',
        json={"stamp": "$.timestamp", "host": "$.host", "rest": "$.message"},
        samples=(
            Sample(
                '{"timestamp":"2007-11-03 06:24:38.000","source":"x.0","message":"Nov  3 09:23:38 veridian '
                'automount[7998]: lookup failed","host":"veridian"}',
                {"host": "veridian", "program": "automount", "pid": 7998, "message": "lookup failed"},
            ),
        ),
    ),
)
