"""oslo.log and its ancestors in nova, one grammar for each generation of its default format strings."""

from forensics.loaders._line_format import DIGITS, LineFormat, Sample

_STAMP = r"^(?P<date>\d{4}-\d\d-\d\d)\x20(?P<time>\d\d:\d\d:\d\d)"
# Milliseconds without their zeros are those of trunk in January 2013: `59.5` is 59.005.
_ANY_STAMP = (
    r"^(?P<date>\d{4}-\d\d-\d\d)[T\x20](?P<time>\d\d:\d\d:\d\d)"
    r"(?:\.(?P<millis>\d{1,2})|(?:[.,](?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:?\d\d)?)"
)
_COMMA = r",(?P<fraction>\d{3})\x20"
_MS = r"\.(?P<fraction>\d{3})\x20"
_PID = r"(?P<pid>\d{1,10})\x20"
_NAMES = "TRACE|DEBUG|INFO|AUDIT|WARNING|WARN|ERROR|CRITICAL"
_LEVEL = rf"(?P<severity>{_NAMES})\x20"
_LOGGER = r"(?P<logger>[A-Za-z_][^\x20]*)\x20"
_STRICT_LOGGER = r"(?P<logger>[A-Za-z_][A-Za-z0-9_.\-]{0,63})"
_UUID = r"[0-9A-Fa-f\-]{36}"
_ID = r"[^\x20\]]*"
_REQUEST = rf"(?P<request_id>req-{_UUID})"
_WHO = rf"\x20(?P<user_id>{_ID})\x20(?P<project_id>{_ID})"
_GLOBAL = rf"(?:None|(?P<global_request_id>req-{_UUID}))\x20"
_INSTANCE = r"(?:\[instance:\x20(?P<instance>[0-9A-Fa-f\-]{32,36})\]\x20?)?"
_MESSAGE = rf"{_INSTANCE}(?P<message>(?s:.*))$"
_TAIL = rf"\x20?{_MESSAGE}"
_USUAL = rf"\[(?:-|{_REQUEST}{_WHO})\]{_TAIL}"

_REQ = "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e"
_U, _P = "ebbd729575cb404081a45c9ada0849b7", "8175953c209044358ab5e0ec19d52c37"
_I = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
_BASE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10"


def _utc(text: str) -> str:
    return f"{text}+00:00"


FORMATS = (
    LineFormat(
        name="oslo-cactus",
        leads=DIGITS,
        reference="openstack/nova nova/log.py @ 2011.2: default datefmt, request ids of twenty characters",
        context="given",
        pattern=rf"{_STAMP}{_COMMA}{_LEVEL}{_LOGGER}\[(?P<request_id>[A-Z0-9\-]{{20}}){_WHO}\]{_TAIL}",
        samples=(
            Sample(
                "2011-04-22 10:24:13,123 INFO nova.api.openstack [UZ5-ABCDEFGHIJKLMNO1 admin demo] GET /v1.1/servers",
                {
                    "ts": _utc("2011-04-22 10:24:13.123"),
                    "request_id": "UZ5-ABCDEFGHIJKLMNO1",
                    "user_id": "admin",
                    "project_id": "demo",
                    "severity": "INFO",
                    "message": "GET /v1.1/servers",
                },
            ),
        ),
    ),
    LineFormat(
        name="oslo-diablo",
        leads=DIGITS,
        reference="openstack/nova nova/log.py @ 2011.3; also Cactus where no request is named",
        context="given",
        pattern=rf"{_STAMP}{_COMMA}{_LEVEL}{_LOGGER}\[(?:-|(?P<request_id>{_UUID}){_WHO})\]{_TAIL}",
        samples=(
            Sample(
                f"2011-09-22 10:24:13,123 ERROR nova.compute [5f1d9c1e-7b0a-4a5a-9a3b-0123456789ab {_U} {_P}] Boom",
                {"request_id": "5f1d9c1e-7b0a-4a5a-9a3b-0123456789ab", "user_id": _U, "project_id": _P},
            ),
            Sample(
                "2011-09-22 10:24:13,123 AUDIT nova.service [-] Starting compute node",
                {"severity": "AUDIT", "request_id": None, "message": "Starting compute node", "pid": None},
            ),
            Sample(
                "2011-09-22 10:24:13,123 ERROR nova.compute [-] Boom\n(nova.compute): TRACE: Traceback (most recent):\n"
                "(nova.compute): TRACE:   File x",
                {"n_lines": 3, "message": "Boom\nTraceback (most recent):\n  File x", "severity": "ERROR"},
            ),
        ),
    ),
    LineFormat(
        name="oslo-essex",
        leads=DIGITS,
        reference="openstack/nova nova/log.py @ 2012.1; nova/openstack/common/log.py @ 2012.2 to 2012.2.4",
        context="given",
        pattern=rf"{_STAMP}\x20{_LEVEL}{_LOGGER}{_USUAL}",
        samples=(
            Sample(
                f"2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] Removing base file: {_BASE}",
                {
                    "ts": _utc("2012-12-19 12:10:59"),
                    "pid": None,
                    "severity": "INFO",
                    "logger": "nova.virt.libvirt.imagecache",
                    "message": f"Removing base file: {_BASE}",
                },
            ),
            Sample(
                f"2012-11-02 10:24:13 ERROR nova.virt.libvirt.driver [-] [instance: {_I}] During wait destroy, "
                "instance disappeared.",
                {"instance": _I, "message": "During wait destroy, instance disappeared."},
            ),
            Sample(
                f"2012-11-02 10:24:13 ERROR nova.rpc [{_REQ} {_U} None] [instance: {_I}]",
                {"instance": _I, "message": "", "user_id": _U, "project_id": None},
            ),
        ),
    ),
    LineFormat(
        name="oslo-folsom",
        leads=DIGITS,
        reference="openstack/nova nova/openstack/common/log.py @ 2012.2.1 to 2012.2.4, without context",
        context="given",
        pattern=rf"{_STAMP}\x20{_PID}{_LEVEL}{_LOGGER}{_USUAL}",
        samples=(
            Sample(
                "2013-02-25 20:26:33 6619 ERROR nova.openstack.common.rpc.common [-] AMQP server on localhost:5672 is "
                "unreachable: [Errno 111] ECONNREFUSED. Trying again in 23 seconds.",
                {
                    "pid": 6619,
                    "message": "AMQP server on localhost:5672 is unreachable: [Errno 111] ECONNREFUSED. "
                    "Trying again in 23 seconds.",
                },
            ),
        ),
    ),
    LineFormat(
        name="oslo-grizzly",
        leads=DIGITS,
        reference="openstack/nova nova/openstack/common/log.py @ 2013.1 (f28d1067cc: milliseconds)",
        context="given",
        pattern=rf"{_STAMP}{_MS}{_LEVEL}{_LOGGER}{_USUAL}",
        samples=(
            Sample(
                f"2014-01-08 11:15:15.704 INFO nova.ec2.wsgi.server [{_REQ} {_U} {_P}] 192.0.2.29 "
                '"GET /services/Cloud?Action=RunInstances HTTP/1.1" status: 200 len: 931 time: 3.9426181',
                {
                    "ts": _utc("2014-01-08 11:15:15.704"),
                    "pid": None,
                    "logger": "nova.ec2.wsgi.server",
                    "request_id": _REQ,
                    "user_id": _U,
                    "project_id": _P,
                },
            ),
        ),
    ),
    LineFormat(
        name="oslo-havana",
        leads=DIGITS,
        reference="openstack/nova nova/openstack/common/log.py @ 2013.2 (3e136dea2b: process id); lines without a "
        "request from 2013.1 to this day",
        context="given",
        pattern=rf"{_STAMP}{_MS}{_PID}{_LEVEL}{_LOGGER}{_USUAL}",
        samples=(
            Sample(
                f"2014-01-10 09:11:45.072 129745 INFO nova.ec2.wsgi.server [{_REQ} {_U} {_P}] 192.0.2.29 "
                '"GET /services/Cloud?Action=RunInstances HTTP/1.1" status: 200 len: 1109 time: 138.5970151',
                {"ts": _utc("2014-01-10 09:11:45.072"), "pid": 129745, "request_id": _REQ, "project_id": _P},
            ),
            Sample(
                "2015-10-29 10:51:23.829 3667 INFO neutron.openstack.common.service [-] Caught SIGTERM, exiting\n",
                {"message": "Caught SIGTERM, exiting", "n_lines": 2},
            ),
        ),
    ),
    LineFormat(
        name="oslo-juno",
        leads=DIGITS,
        reference="openstack/nova nova/openstack/common/log.py @ 2014.2 (b29443b7f5): user_identity left unset",
        context="given",
        pattern=rf"{_STAMP}{_MS}{_PID}{_LEVEL}{_LOGGER}\[{_REQUEST}(?:\x20{_ID})?\]{_TAIL}",
        samples=(
            Sample(
                f"2014-12-10 10:48:20.226 9042 INFO neutron.wsgi [{_REQ} None] (9042) accepted",
                {"request_id": _REQ, "user_id": None, "message": "(9042) accepted"},
            ),
            Sample(
                f"2015-10-29 10:51:28.916 27650 INFO oslo.messaging._drivers.impl_rabbit [{_REQ} ] Connecting",
                {"request_id": _REQ, "user_id": None, "message": "Connecting"},
            ),
        ),
    ),
    LineFormat(
        name="oslo-kilo",
        leads=DIGITS,
        reference="openstack/oslo.log 1.0 to 4.7 (Kilo to Yoga): user, tenant, domain, user_domain, project_domain",
        context="given",
        pattern=rf"{_STAMP}{_MS}{_PID}{_LEVEL}{_LOGGER}\[{_REQUEST}{_WHO}(?:\x20{_ID}){{3}}\]{_TAIL}",
        samples=(
            Sample(
                f"2017-05-16 00:00:04.500 2931 INFO nova.compute.manager [{_REQ} - - - - -] [instance: {_I}] "
                "VM Started (Lifecycle Event)",
                {
                    "pid": 2931,
                    "user_id": None,
                    "project_id": None,
                    "instance": _I,
                    "message": "VM Started (Lifecycle Event)",
                },
            ),
            Sample(
                f"2018-10-11 08:00:49.397 16 INFO nova.api.openstack.requestlog [{_REQ} {_U} {_P} - default default] x",
                {"pid": 16, "user_id": _U, "project_id": _P},
            ),
            Sample(
                f"2017-01-18 15:54:00.466 32552 ERROR oslo_messaging.rpc.server [{_REQ} - - - - -] Exception\n"
                "2017-01-18 15:54:00.466 32552 ERROR oslo_messaging.rpc.server Traceback (most recent call last):\n"
                "2017-01-18 15:54:00.466 32552 ERROR oslo_messaging.rpc.server     res = self.dispatch(message)",
                {
                    "n_lines": 3,
                    "message": "Exception\nTraceback (most recent call last):\n    res = self.dispatch(message)",
                },
            ),
        ),
    ),
    LineFormat(
        name="oslo-zed",
        leads=DIGITS,
        reference="openstack/oslo.log 4.8.0 / 5.0.0 and later: global request id first, six fields of identity",
        context="given",
        pattern=rf"{_STAMP}{_MS}{_PID}{_LEVEL}{_LOGGER}\[{_GLOBAL}{_REQUEST}{_WHO}(?:\x20{_ID}){{4}}\]{_TAIL}",
        samples=(
            Sample(
                f"2024-01-31 20:51:05.956 24634 INFO nova.virt.libvirt.driver [None {_REQ} {_U} {_P} - - default "
                "default] Successfully detached device vdh",
                {
                    "request_id": _REQ,
                    "global_request_id": None,
                    "user_id": _U,
                    "project_id": _P,
                    "message": "Successfully detached device vdh",
                },
            ),
            Sample(
                f"2024-01-31 20:51:05.956 7 INFO nova.compute [req-84d16d16-3808-426b-b7af-3b90a11b83b0 {_REQ} "
                "- - - - - -] x",
                {
                    "request_id": _REQ,
                    "global_request_id": "req-84d16d16-3808-426b-b7af-3b90a11b83b0",
                    "user_id": None,
                },
            ),
        ),
    ),
    LineFormat(
        name="oslo-devstack",
        leads=DIGITS,
        reference="openstack/devstack functions (b6753cea: project before user; edec16d5: global id), 2017 and later",
        context="given",
        pattern=rf"{_STAMP}{_MS}{_PID}{_LEVEL}{_LOGGER}\[{_GLOBAL}{_REQUEST}"
        rf"\x20(?P<project_id>{_ID})\x20(?P<user_id>{_ID})\]{_TAIL}",
        samples=(
            Sample(
                f"2018-02-11 08:51:49.101 11 INFO nova.compute [None {_REQ} demo admin] x",
                {"project_id": "demo", "user_id": "admin", "request_id": _REQ},
            ),
        ),
    ),
    LineFormat(
        name="oslo-other",
        leads=DIGITS,
        reference="the same fields in an order that no release has by default (a site's own format strings)",
        rank=2,
        context="given",
        pattern=rf"{_ANY_STAMP}\x20(?:(?P<pid>\d{{1,10}})\x20)?{_LEVEL}{_LOGGER}"
        rf"\[(?:-|(?P<request_id>req-{_UUID}|[A-Z0-9\-]{{20}}|[0-9a-f\-]{{36}})(?:{_WHO}(?:\x20[^\]]*)?|\x20[^\]]*)?"
        rf"|[0-9A-Za-z\-]{{20,36}}\x20{_ID}\x20{_ID})\]{_TAIL}",
        samples=(
            Sample(
                "2016-03-30T13:12:12.123456Z 12 INFO nova.compute [-] hello",
                {"ts": _utc("2016-03-30 13:12:12.123456"), "zone_basis": "stated", "message": "hello"},
            ),
            Sample(
                f"2013-01-10 12:10:59.5 77 INFO nova.compute [{_REQ} {_U} {_P}] hello",
                {"ts": _utc("2013-01-10 12:10:59.005"), "request_id": _REQ, "user_id": _U, "project_id": _P},
            ),
        ),
    ),
    LineFormat(
        name="oslo-other-global",
        leads=DIGITS,
        reference="the same with a global request id; who asked is told where the order of the names is certain",
        rank=1,
        context="given",
        pattern=rf"{_ANY_STAMP}\x20(?:(?P<pid>\d{{1,10}})\x20)?{_LEVEL}{_LOGGER}"
        rf"\[{_GLOBAL}{_REQUEST}(?:{_WHO}\x20[^\]]+|\x20[^\]]*)?\]{_TAIL}",
        samples=(
            Sample(
                f"2024-01-31T20:51:05.956Z 24634 INFO nova.compute [None {_REQ} {_U} {_P} - - default default] x",
                {"request_id": _REQ, "user_id": _U, "project_id": _P, "global_request_id": None},
            ),
        ),
    ),
    LineFormat(
        name="oslo-bare",
        leads=DIGITS,
        reference="lines without a context: tracebacks (TRACE to Kilo, ERROR from oslo.log 1.2), plain logging",
        rank=3,
        context="bare",
        pattern=rf"{_ANY_STAMP}\x20(?:(?P<pid>\d{{1,10}})\x20)?{_LEVEL}{_STRICT_LOGGER}(?:\x20{_MESSAGE}|$)",
        samples=(
            Sample(
                "2014-02-27 09:08:17.583 31311 TRACE nova.compute.manager [instance: "
                f'{_I}]   File "/usr/lib/guestfs.py", line 129, in setup',
                {"pid": 31311, "instance": _I, "message": '  File "/usr/lib/guestfs.py", line 129, in setup'},
            ),
            Sample(
                "2012-12-19 12:10:59 TRACE nova.rpc [Errno 111] ECONNREFUSED",
                {"severity": "TRACE", "logger": "nova.rpc", "message": "[Errno 111] ECONNREFUSED", "pid": None},
            ),
        ),
    ),
)
