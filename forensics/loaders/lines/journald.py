"""What the systemd journal exports, and oslo.log's lines inside it, which have no stamp of their own."""

from forensics.loaders._line_format import DIGITS, LineFormat, Sample

_LEVEL = r"(?P<severity>TRACE|DEBUG|INFO|AUDIT|WARNING|WARN|ERROR|CRITICAL)\x20"
_UUID = r"[0-9A-Fa-f\-]{36}"
_ID = r"[^\x20\]]*"
_MESSAGE = r"(?:\[instance:\x20(?P<instance>[0-9A-Fa-f\-]{32,36})\]\x20?)?(?P<message>(?s:.*))$"
_REQ = "req-fa6f7b36-ad58-4c90-95d5-e0e7ea211774"

FORMATS = (
    LineFormat(
        name="oslo-journal",
        leads="TDIAWEC" + DIGITS,
        reference="openstack/oslo.log formatters without a stamp: what a site gives a service that logs to the journal",
        rank=1,
        inner_only=True,
        context="given",
        pattern=rf"^(?:(?P<pid>\d{{1,10}})\x20)?{_LEVEL}(?P<logger>[A-Za-z_][^\x20]*)\x20\[(?:-|"
        rf"(?:None\x20|(?P<global_request_id>req-{_UUID})\x20)?(?P<request_id>req-{_UUID})"
        rf"(?:\x20(?P<user_id>{_ID})\x20(?P<project_id>{_ID}))?(?:\x20[^\]]*)?)\]\x20?{_MESSAGE}",
        samples=(
            Sample(
                f"Mar 28 12:20:43.570064 c1 nova-api[8526]: INFO nova.api [None {_REQ} u p - - default default] x",
                {"request_id": _REQ, "user_id": "u", "project_id": "p", "message": "x", "pid": 8526},
            ),
            Sample(
                "Mar 28 12:20:43.570064 c1 nova-compute[7]: \x1b[00;32mDEBUG nova.compute [\x1b[00;36m-\x1b[00;32m] "
                "\x1b[01;35m\x1b[00;32mcoloured\x1b[00m",
                {"severity": "DEBUG", "logger": "nova.compute", "message": "coloured"},
            ),
        ),
    ),
    LineFormat(
        name="oslo-journal-devstack",
        leads="TDIAWEC" + DIGITS,
        reference="openstack/devstack functions, logging_context_format_string under systemd, from 2017: project first",
        inner_only=True,
        context="given",
        pattern=rf"^(?:(?P<pid>\d{{1,10}})\x20)?{_LEVEL}(?P<logger>[A-Za-z_][^\x20]*)\x20\["
        rf"(?:None\x20|(?P<global_request_id>req-{_UUID})\x20)?(?P<request_id>req-{_UUID})"
        rf"\x20(?P<project_id>{_ID})\x20(?P<user_id>{_ID})\]\x20?{_MESSAGE}",
        samples=(
            Sample(
                f"Mar 28 12:20:43.570064 c1 devstack@n-api.service[8526]: INFO nova.api [None {_REQ} demo admin] x",
                {"request_id": _REQ, "project_id": "demo", "user_id": "admin", "message": "x", "pid": 8526},
            ),
        ),
    ),
    LineFormat(
        name="oslo-journal-bare",
        leads="TE",
        reference="openstack/devstack, logging_exception_prefix under systemd",
        rank=2,
        inner_only=True,
        context="bare",
        pattern=rf"^(?P<severity>TRACE|ERROR)\x20(?P<logger>[A-Za-z_]\w*(?:\.[\w\-]+)+)(?:\x20{_MESSAGE}|$)",
        samples=(
            Sample(
                "Mar 28 12:20:43.570064 cloud1 nova-compute[7]: ERROR oslo.messaging.rpc Traceback (most recent call):",
                {"severity": "ERROR", "logger": "oslo.messaging.rpc", "message": "Traceback (most recent call):"},
            ),
        ),
    ),
    LineFormat(
        name="journald-json",
        leads="{",
        reference="systemd.journal-fields(7), journalctl -o json",
        pattern=r'^\{.*"__REALTIME_TIMESTAMP"\s*:',
        json={
            "epoch_us": "$.__REALTIME_TIMESTAMP",
            "host": "$._HOSTNAME",
            "program": "$.SYSLOG_IDENTIFIER",
            "pid": "$._PID",
            "pri": "$.PRIORITY",
            "severity": "$.LOGGER_LEVEL",
            "logger": "$.LOGGER_NAME",
            "request_id": "$.REQUEST_ID",
            "user_id": "$.USER_ID",
            "project_id": "$.PROJECT_ID",
            "rest": "$.MESSAGE",
            "octets": "$.MESSAGE[0]",
        },
        samples=(
            Sample(
                '{"__REALTIME_TIMESTAMP":"1518339109220300","_HOSTNAME":"c1","SYSLOG_IDENTIFIER":"nova-compute",'
                '"_PID":"7","PRIORITY":"6","MESSAGE":"VM Started","LOGGER_NAME":"nova.compute.manager"}',
                {
                    "ts": "2018-02-11 08:51:49.220300+00:00",
                    "host": "c1",
                    "program": "nova-compute",
                    "pid": 7,
                    "severity": "INFO",
                    "logger": "nova.compute.manager",
                    "message": "VM Started",
                    "zone_basis": "stated",
                },
            ),
            Sample(
                '{"__REALTIME_TIMESTAMP":"1518339109220300","_HOSTNAME":"c1","MESSAGE":[104,195,164,27,91,48,109]}',
                {"message": "hä", "host": "c1"},
            ),
        ),
    ),
)
