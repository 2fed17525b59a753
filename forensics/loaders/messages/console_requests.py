"""Signs that somebody asked for the console log of an instance, from the dashboard down to the hypervisor's driver."""

from __future__ import annotations

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._masked import masked_target, masked_text
from forensics.loaders.messages._operations import parameter, plain_query
from forensics.loaders.messages._requests import ALONE
from forensics.records import ConsoleRequest

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_SHOWN_CHARACTERS = 2_000
_ON_COMPUTE = ["received", "compute", "data", "truncated"]


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the message as it may be shown, and the host that was asked: where it says so, itself."""
    said = masked_text(masked_target(pl.col("message").str.slice(0, _SHOWN_CHARACTERS)))
    asked = pl.when(pl.col("stage").is_in(_ON_COMPUTE)).then("host")
    return rows.with_columns(message=said, compute_host=asked)


def _action(rows: pl.DataFrame) -> pl.DataFrame:
    """The length stands in the body; -1 and null are all lines."""
    length = pl.col("body").str.extract(r"(?s)\blength\\?['\"]?\s*[:=]\s*u?\\?['\"]?(\d{1,9})\b")
    return _told(rows.with_columns(tail_length=length))


def _ec2(rows: pl.DataFrame) -> pl.DataFrame:
    asked = parameter(plain_query(pl.col("query")), r"InstanceId(?:\.1)?")
    whole, micro = (pl.col(name).cast(pl.Float64, strict=False) for name in ("whole", "micro"))
    filtered = whole + micro / 1e6
    elapsed = pl.coalesce(pl.col("span").cast(pl.Float64, strict=False), filtered)
    return _told(rows.with_columns(instance=pl.coalesce(asked, "named", "instance"), elapsed_s=elapsed))


def _compute(rows: pl.DataFrame) -> pl.DataFrame:
    return _told(rows.with_columns(instance=pl.coalesce("instance", "named")))


def _key(name: str, value: str) -> pl.Expr:
    """A value in the text of a Python dictionary, or of JSON inside one; the first of that name."""
    return pl.col("message").str.extract(rf"(?s)['\"]{name}\\?['\"]:\s*u?\\?['\"]?({value})")


def _received(rows: pl.DataFrame) -> pl.DataFrame:
    """The dictionary is not evaluated: only the keys that say who asks for what are looked for."""
    asked = pl.coalesce(
        _key("instance_uuid", _UUID), _key("uuid", _UUID), "instance", _key("instance_id", r"\d{1,10}\b")
    )
    rows = rows.with_columns(
        instance=asked,
        tail_length=_key("tail_length", r"\d{1,9}\b"),
        msg_id=_key("_msg_id", r"[0-9a-f]{32}"),
        request_id=pl.coalesce("request_id", _key("_context_request_id", r"[\w-]{20,40}")),
        user_id=pl.coalesce(
            "user_id", _key("_context_user_id", r"[^'\"\\]+['\"]"), _key("_context_user", r"[^'\"\\]+['\"]")
        ),
        project_id=pl.coalesce(
            "project_id", _key("_context_project_id", r"[^'\"\\]+['\"]"), _key("_context_tenant", r"[^'\"\\]+['\"]")
        ),
    )
    return _told(rows.with_columns(pl.col("user_id", "project_id").str.strip_chars_end("'\"")))


def _driver(rows: pl.DataFrame) -> pl.DataFrame:
    named = pl.col("path").str.extract(rf"/({_UUID}|instance-[0-9a-f]{{8,}})/[^/]*$")
    stage = pl.when(pl.col("ignored_bytes").is_not_null()).then(pl.lit("truncated")).otherwise(pl.lit("data"))
    return _told(rows.with_columns(stage=stage, instance=pl.coalesce("instance", named)))


_I = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
_METHOD = "<bound method ConsoleOutputController.get_console_output of <nova.api.openstack.compute.console_output."
_RECEIVED = (
    "received {u'_context_roles': [u'Member'], u'_context_request_id': u'req-ccac9790-3357-4aa8-84bd-cdaab1aa394e', "
    "u'_context_auth_token': u'0123456789abcdef', u'_context_user_id': u'ebbd729575cb404081a45c9ada0849b7', "
    "u'_context_project_id': u'8175953c209044358ab5e0ec19d52c37', u'_msg_id': u'81e32deb8e8041b68273d89c7c570556', "
)

FORMATS = (
    MessageFormat(
        name="console-dashboard",
        record=ConsoleRequest,
        logger=r"^access$",
        said_by="access",
        alone=ALONE,
        reference="openstack/horizon dashboards/project/instances/urls.py, view `console` (the log's text) and tab "
        "`instance_details__log`, Essex to 2026.1",
        constants={"stage": "dashboard"},
        pattern=rf"""
            "(?:GET|POST)\x20\S*/instances/(?P<instance>{_UUID})/(?:console/?(?:\?(?:\S*&)?length=(?P<tail_length>\d{{1,9}}))?
            |(?:detail)?\?(?:\S*&)?tab=instance_details__log)(?:[?&]\S*)?\x20HTTP/[\d.]+"\x20\d{{3}}\x20
        """,
        shape=_told,
        samples=(
            Sample(
                f'192.0.2.9 - - [02/Mar/2013:10:15:01 +0000] "GET /project/instances/{_I}/console?length=35 HTTP/1.1" '
                '200 2048 "https://cloud/" "Mozilla/5.0"',
                {"stage": "dashboard", "instance": _I, "tail_length": 35, "compute_host": None},
            ),
            Sample(
                f'192.0.2.9 - - [02/Mar/2013:10:15:01 +0000] "GET /project/instances/{_I}/?tab=instance_details__log '
                'HTTP/1.1" 200 2048',
                {"stage": "dashboard", "instance": _I, "tail_length": None},
            ),
        ),
    ),
    MessageFormat(
        name="console-action",
        record=ConsoleRequest,
        logger=r"^nova\.api\.openstack\.wsgi$",
        said_by="nova.api.openstack.wsgi",
        whole=True,
        reference="openstack/nova nova/api/openstack/wsgi.py, _process_stack, 2012.2 to 2026.1, at level DEBUG",
        constants={"stage": "api"},
        # with a body (JSON, its repr, XML) in one line from Icehouse on; before, the method stood on a line of its own
        pattern=r"""
            ^(?:Action:\x20'action',\x20(?:calling\x20method:\x20[^\n]*?,\x20)?body:\x20(?P<body>(?s:
                  (?:u?b?['"])?\s*(?:\{\s*u?\\?['"]os-getConsoleOutput\\?['"].*|(?:<\?xml[^>]*>\s*)?<(?:\w+:)?os-getConsoleOutput\b.*)))
              | Calling\x20method\x20'?<(?:bound\x20method|function)\x20(?:\w+\.)*_?get_console_output\b.*)
        """,
        shape=_action,
        samples=(
            Sample(
                'Action: \'action\', body: {"os-getConsoleOutput": {"length": 35}} _process_stack '
                "/opt/stack/new/nova/nova/api/openstack/wsgi.py:935",
                {"stage": "api", "tail_length": 35, "instance": None},
            ),
            Sample("Action: 'action', body: {u'os-getConsoleOutput': {u'length': u'50'}}", {"tail_length": 50}),
            Sample("Action: 'action', body: {\"os-getConsoleOutput\": {}}", {"tail_length": None}),
            Sample('Action: \'action\', body: {"os-getConsoleOutput": {"length": -1}}', {"tail_length": None}),
            Sample(
                f"Action: 'action', calling method: {_METHOD}ConsoleOutputController object at 0x7f1>>, body: "
                '{"os-getConsoleOutput": {"length": "100"}} _process_stack /usr/lib/nova/api/openstack/wsgi.py:523',
                {"stage": "api", "tail_length": 100},
            ),
            Sample(
                'Action: \'action\', body: <?xml version="1.0" encoding="UTF-8"?>\n<os-getConsoleOutput '
                'xmlns="http://docs.openstack.org/compute/api/v1.1" length="10"/> _process_stack /opt/wsgi.py:935',
                {"tail_length": 10},
            ),
            Sample(
                "Calling method <bound method ConsoleOutputController.get_console_output of <nova.api.openstack."
                "compute.contrib.console_output.ConsoleOutputController object at 0x371dad0>> _process_stack /x.py:936",
                {"stage": "api", "tail_length": None},
            ),
            Sample(f"Calling method '{_METHOD}ConsoleOutputController object at 0x4b05ad0>>' _process_stack /x.py:937"),
        ),
    ),
    MessageFormat(
        name="console-ec2",
        record=ConsoleRequest,
        logger=r"^(?:nova\.ec2|eventlet)\.wsgi\.server$|^nova\.api(?:\.ec2)?(?:\.cloud)?$",
        said_by="nova.ec2.wsgi.server",
        reference="openstack/nova nova/wsgi.py; nova/api/ec2/__init__.py; nova/api/ec2/cloud.py, get_console_output; "
        "2011.2 to 12.0.0",
        constants={"stage": "api"},
        pattern=r"""
            ^(?:\S+\x20(?:-\x20-\x20\[[^\x20\]]+\x20[^\x20\]]+\]\x20)?"[A-Z]+\x20(?P<query>/services/\w+/*\?(?:[^\x20"]*[&;])?Action=GetConsoleOutput(?:[&;][^\x20"]*)?)
                \x20HTTP/[\d.]+"\x20(?:status:\x20\d{3}\x20len:\x20\d+\x20time:|\d{3}\x20\d+)\x20(?P<span>\d{1,9}\.\d{1,9})
              | (?P<whole>\d{1,9}|X)\.(?P<micro>\d{1,6}|X)s\x20\S+\x20[A-Z]+\x20\S*\x20\w+:GetConsoleOutput\x20\w+
                \x20\[.*
              | action:\x20GetConsoleOutput(?:\x20.*)?
              | Get\x20console\x20output\x20for\x20instance\x20(?P<named>\S+)
            )$
        """,
        shape=_ec2,
        samples=(
            Sample(
                '192.0.2.29 "GET /services/Cloud?AWSAccessKeyId=AK1&Action=GetConsoleOutput&InstanceId=i-00000e05&'
                'Version=2009-11-30 HTTP/1.1" status: 200 len: 1109 time: 12.5970151',
                {
                    "stage": "api",
                    "instance": "i-00000e05",
                    "elapsed_s": 12.5970151,
                    "message": '192.0.2.29 "GET /services/Cloud?AWSAccessKeyId=•••&Action=GetConsoleOutput&InstanceId='
                    'i-00000e05&Version=2009-11-30 HTTP/1.1" status: 200 len: 1109 time: 12.5970151',
                },
            ),
            Sample(  # eventlet's own layout, to Folsom
                '192.0.2.29 - - [02/Mar/2013 10:15:01] "GET /services/Cloud?Action=GetConsoleOutput&'
                'InstanceId=i-00000e05 HTTP/1.1" 200 5894304288 49.282888',
                {"stage": "api", "instance": "i-00000e05", "elapsed_s": 49.282888},
            ),
            Sample(
                "0.94826s 10.0.0.9 POST /services/Cloud/ CloudController:GetConsoleOutput 200 [Boto/2.2] text/xml x",
                {"stage": "api", "elapsed_s": 0.094826, "instance": None},
            ),
            Sample("action: GetConsoleOutput __call__ /opt/nova/nova/api/ec2/__init__.py:325", {"stage": "api"}),
            Sample("Get console output for instance i-00000e05", {"stage": "api", "instance": "i-00000e05"}),
        ),
    ),
    MessageFormat(
        name="console-compute",
        record=ConsoleRequest,
        logger=r"^nova\.compute\.manager$",
        said_by="nova.compute.manager",
        reference="openstack/nova nova/compute/manager.py, get_console_output, 2011.2 to 2026.1",
        constants={"stage": "compute"},
        pattern=r"^Get\x20console\x20output(?:\x20for\x20instance\x20(?P<named>\S+))?$",
        shape=_compute,
        samples=(
            Sample("Get console output", {"stage": "compute", "message": "Get console output"}),
            Sample(f"Get console output for instance {_I}", {"instance": _I}),
        ),
    ),
    MessageFormat(
        name="console-rpc",
        record=ConsoleRequest,
        logger=r"^nova\.(?:openstack\.common\.)?rpc(?:\.\w+)?$",
        said_by="nova.openstack.common.rpc.amqp",
        whole=True,
        reference="openstack/nova nova/rpc/amqp.py @ 2011.2, 2012.1; nova/openstack/common/rpc/amqp.py @ 2012.2 to "
        "2014.1, at level DEBUG",
        constants={"stage": "received"},
        pattern=r"^received\x20(?s:\{.*['\x22]method\\?['\x22]:\s*u?\\?['\x22]get_console_output\\?['\x22].*)$",
        shape=_received,
        samples=(
            Sample(
                f"{_RECEIVED}u'args': {{u'instance_uuid': u'{_I}', u'tail_length': None}}, u'method': "
                "u'get_console_output', u'version': u'1.0'} _safe_log /opt/nova/openstack/common/rpc/common.py:276",
                {
                    "stage": "received",
                    "instance": _I,
                    "tail_length": None,
                    "msg_id": "81e32deb8e8041b68273d89c7c570556",
                    "request_id": "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e",
                    "user_id": "ebbd729575cb404081a45c9ada0849b7",
                    "project_id": "8175953c209044358ab5e0ec19d52c37",
                },
            ),
            Sample(
                f"{_RECEIVED}u'method': u'get_console_output', u'args': {{u'tail_length': u'35', u'instance': "
                f"{{u'vm_state': u'active', u'uuid': u'{_I}', u'host': u'cc12'}}}}}}",
                {"instance": _I, "tail_length": 35},
            ),
            Sample(
                "received {u'_msg_id': u'81e32deb8e8041b68273d89c7c570556', u'method': u'get_console_output', u'args': "
                "{u'instance_id': 3589}}",
                {"instance": "3589", "request_id": None, "user_id": None},
            ),
        ),
    ),
    MessageFormat(
        name="console-driver",
        record=ConsoleRequest,
        logger=r"^nova\.virt\.",
        said_by="nova.virt.libvirt.driver",
        whole=True,
        reference="openstack/nova nova/virt/libvirt/connection.py @ 2011.2 to 2012.1; nova/virt/libvirt/driver.py @ "
        "2012.2 to 2026.1 (fc4f4bd09a: MAX_CONSOLE_BYTES)",
        pattern=r"""
            ^(?:data:\x20(?s:.*),\x20fpath:\x20u?['"]?(?P<path>/[^'"\n]*?)['"]?(?:\x20[^\n]*)?
              | Truncated\x20console\x20log\x20returned,\x20(?P<ignored_bytes>\d{1,18})\x20bytes\x20ignored
                (?:\x20[^\n]*)?)$
        """,
        shape=_driver,
        samples=(
            Sample(
                r"data: u'\n[    0.000000] Linux version 3.2.0, fpath: x\n', fpath: "
                "u'/var/lib/nova/instances/instance-00000e05/console.log'",
                {"stage": "data", "instance": "instance-00000e05", "ignored_bytes": None},
            ),
            Sample(
                f"data: '[    0.1] up\n[    0.2] booted', fpath: '/var/lib/nova/instances/{_I}/console.log'",
                {"stage": "data", "instance": _I},
            ),
            Sample(
                "Truncated console log returned, 5905580032 bytes ignored",
                {"stage": "truncated", "ignored_bytes": 5905580032},
            ),
        ),
    ),
)
