"""Access lines of every server in front of an API, in public evidence and in lines made here: formats.md 3."""

import gzip
import json
from datetime import UTC, datetime

import polars as pl
import pytest

from forensics.loaders._message_format import MessageReader, leaves
from forensics.records import ApiRequest, ProcessMemory
from tests._evidence import evidence_root
from tests.loaders.lines._reading import read
from tests.loaders.messages.test_samples import log_records

U = "a18a5824-4215-4e24-bcfc-cb9f89f6bcbd"
H = "54fadb412c4e40cdbaed9335e4c35a9e"
EC2 = "nova.ec2.wsgi.server"
OSAPI = "nova.osapi_compute.wsgi.server"
REQ = "req-84d16d16-3808-426b-b7af-3b90a11b83b0"
CLOUD = (
    "GET /services/Cloud?AWSAccessKeyId=[something]&Action=RunInstances&ClientToken=[something]&ImageId=ami-0000000{}"
    "&InstanceInitiatedShutdownBehavior=terminate... HTTP/1.1"
)


def requests(*messages: str, **columns: object) -> pl.DataFrame:
    """What log records of these messages say of requests."""
    found = leaves(log_records(*messages, **columns), [ApiRequest])
    return ApiRequest.validate(found.get(ApiRequest, ApiRequest.empty()))


def of(text: str, **origin: object) -> pl.DataFrame:
    """What a log of this text says of requests."""
    found = leaves(read(text, **origin), [ApiRequest])
    return ApiRequest.validate(found.get(ApiRequest, ApiRequest.empty()))


def only(frame: pl.DataFrame) -> dict[str, object]:
    assert frame.height == 1
    return frame.row(0, named=True)


def nanoseconds(frame: pl.DataFrame, column: str) -> list[int]:
    return frame[column].dt.epoch("ns").to_list()


# formats.md appendix A2, A3
def test_the_two_clouds_of_havana_and_grizzly() -> None:
    who = "0c6e7dba03c24c6a9bce299747499e8a 7052bd6714e7460caeb16242e68124f9"
    found = of(
        f"2014-01-08 11:15:15.704 INFO {EC2} [req-ccac9790-3357-4aa8-84bd-cdaab1aa394e {who}] 117.103.103.29 "
        f'"{CLOUD.format(7)}" status: 200 len: 931 time: 3.9426181\n\n'
        f"2014-01-10 09:11:45.072 129745 INFO {EC2} [{REQ} {who}] 117.103.103.29 "
        f'"{CLOUD.format(1)}" status: 200 len: 1109 time: 138.5970151\n\n'
    )
    assert found.select("client", "service", "operation", "status", "client_token", "malformed").unique().rows() == [
        ("117.103.103.29", "nova-ec2", "RunInstances", 200, None, False)
    ]
    assert found["image"].to_list() == ["ami-00000007", "ami-00000001"]
    assert found["response_bytes"].to_list() == [931, 1109]
    assert found["duration_s"].to_list() == [3.9426181, 138.5970151]
    assert round(found["duration_s"][1] / found["duration_s"][0], 2) == 35.15
    assert found["request_id"].to_list()[1] == REQ
    assert found["user_id"].to_list() == ["0c6e7dba03c24c6a9bce299747499e8a"] * 2
    finished = int(datetime(2014, 1, 10, 9, 11, 45, 72_000, tzinfo=UTC).timestamp() * 1000) * 10**6
    assert nanoseconds(found, "ts")[1] == finished
    assert nanoseconds(found, "started_at")[1] == finished - 138_597_015_100
    assert str(found["started_at"][1])[:23] == "2014-01-10 09:09:26.474"
    assert set(found["stamped"]) == {"end"}


@pytest.mark.parametrize(
    ("span", "ns"),
    [
        ("0.0000001", 100),
        ("138.5970151", 138_597_015_100),
        ("1", 10**9),
        ("0.1234567", 123_456_700),
        ("99999999.9999999", 99_999_999_999_999_900),
    ],
)
def test_the_start_is_exact(span: str, ns: int) -> None:
    at = datetime(2017, 5, 16, tzinfo=UTC)
    found = requests(f'10.0.0.1 "GET / HTTP/1.1" status: 200 len: 7 time: {span}', logger=OSAPI, ts=at)
    assert nanoseconds(found, "started_at") == [int(at.timestamp()) * 10**9 - ns]
    assert found["duration_s"][0] == float(span)


# formats.md 3.1
@pytest.mark.parametrize(
    ("logger", "program", "source", "target", "service"),
    [
        (OSAPI, None, "x.log", "/", "nova-osapi_compute"),
        (EC2, None, "x.log", "/", "nova-ec2"),
        ("nova.metadata.wsgi.server", "nova-api", "x.log", "/", "nova-metadata"),
        ("nova.osapi_volume.wsgi.server", None, "x.log", "/", "nova-osapi_volume"),
        ("neutron.wsgi", "neutron-server", "x.log", "/", "neutron"),
        ("quantum.wsgi", None, "x.log", "/", "neutron"),
        ("glance.wsgi.server", None, "glance/api.log", "/", "glance"),
        ("glance.wsgi.server", "glance-registry", "messages", "/", "glance-registry"),
        ("eventlet.wsgi.server", "glance-registry", "messages", "/", "glance-registry"),
        ("eventlet.wsgi.server", None, "var/log/glance/registry.log", "/", "glance-registry"),
        ("glance.wsgi.server", None, "var/log/glance/registry.log-20140110", "/", "glance-registry"),
        ("glance.wsgi.server", None, "var/log/nova/nova-api.log", "/", "glance"),
        (None, "neutron-server", "var/log/messages", "/", "neutron"),
        ("eventlet.wsgi.server", None, "ctl1/var/log/keystone/keystone.log.1.gz", "/", "keystone"),
        ("eventlet.wsgi.server", None, "kolla/heat/heat-api-cfn.log-20240101", "/", "heat-cfn"),
        ("eventlet.wsgi.server", None, "screen-c-api.txt.gz", "/", "cinder"),
        ("eventlet.wsgi.server", "devstack@g-api.service", "journal", "/", "glance"),
        ("eventlet.wsgi.server", "/usr/bin/neutron-metadata-agent", "x", "/", "neutron-metadata-agent"),
        ("eventlet.wsgi.server", None, "nova/nova-api.log", f"/v1.1/{H}/servers", "nova-osapi_compute"),
        ("eventlet.wsgi.server", None, "nova/nova-api.log", "/services/Cloud", "nova-ec2"),
        ("eventlet.wsgi.server", "nova-api-metadata", "x", "/latest/meta-data", "nova-metadata"),
        ("eventlet.wsgi.server", "nova-api", "x", "/2009-04-04/meta-data", "nova-metadata"),
        ("eventlet.wsgi.server", "nova-api-os-compute", "x", "/", "nova-osapi_compute"),
        ("eventlet.wsgi.server", None, "x.log", "/", "wsgi"),
        ("nova.api.openstack.requestlog", None, "x.log", "/", "nova-osapi_compute"),
        ("nova.api.openstack.placement.requestlog", None, "x.log", "/", "placement"),
        ("werkzeug", "ironic-inspector", "x.log", "/", "ironic-inspector"),
        (None, None, "kolla/nova/nova-api.log", f"/v2.1/servers/{U}", "nova-osapi_compute"),
    ],
)
def test_who_answered(logger: str | None, program: str | None, source: str, target: str, service: str) -> None:
    said = f'10.0.0.1 "GET {target} HTTP/1.1" status: 200  len: 7 time: 0.5'
    assert requests(said, logger=logger, program=program, source=source)["service"].to_list() == [service]


# formats.md 3.2, WSGI_LIFECYCLE, and what else the same loggers say
def test_what_the_server_says_of_itself_is_no_request() -> None:
    said = (
        "(18) wsgi starting up on http://10.0.0.1:8774", "(2791) accepted ('127.0.0.1', 52210)",
        "(7) accepted ('::1', 52210, 0, 0)", "(4559) wsgi exited, is_accepting=True", "Stopping WSGI server.",
        'http://10.12.27.29:9696/v2.0/extensions.json returned with HTTP 200 __call__ /neutron/wsgi.py:1228', "",
        'Starting request: 10.0.0.1 "GET /resource_providers"', '"GET / HTTP/1.1" status: 200', "status: 200 len: 7",
        "Traceback (most recent call last):", 'HTTP exception thrown: Instance not found',
    )  # fmt: skip
    for logger in (OSAPI, "neutron.wsgi", "placement.requestlog", "eventlet.wsgi.server", None):
        assert requests(*said, logger=logger).is_empty(), logger


# formats.md appendix C7
def test_clients_with_and_without_proxies() -> None:
    said = [
        f'{clients} "GET / HTTP/1.1" status: 200 len: 7 time: 0.5'
        for clients in (
            "::ffff:192.0.2.66",
            "fe80::1%eth0",
            "203.0.113.9,10.0.0.2,2001:db8::7,10.0.0.1",
            "10.1.2.3,<local>",
        )
    ]
    assert requests(*said, logger=OSAPI).select("client", "forwarded_for").rows() == [
        ("::ffff:192.0.2.66", None),
        ("fe80::1%eth0", None),
        ("10.0.0.1", ["203.0.113.9", "10.0.0.2", "2001:db8::7"]),
        ("<local>", ["10.1.2.3"]),
    ]


@pytest.mark.parametrize(
    ("line", "method", "path", "version", "malformed"),
    [
        (
            'GET /v2/images?name="a b" status: 200 HTTP/1.1',
            "GET",
            '/v2/images?name="a b" status: 200',
            "HTTP/1.1",
            False,
        ),
        ("GET /v2.1/", "GET", "/v2.1/", None, False),
        ("OPTIONS *", "OPTIONS", "*", None, False),
        ("M-SEARCH * HTTP/1.1", "M-SEARCH", "*", "HTTP/1.1", False),
        ("\x16\x03\x01\x00\xa5", None, None, None, True),
        (r"\x16\x03\x01", None, None, None, True),
        ("0", None, None, None, True),
        ("", None, None, None, True),
    ],
)
def test_request_lines_however_they_look(
    line: str, method: str | None, path: str | None, version: str | None, malformed: bool
) -> None:
    row = only(requests(f'10.0.0.1 "{line}" status: 400  len: 0 time: 0.1', logger=OSAPI))
    assert (row["method"], row["path"], row["http_version"], row["malformed"]) == (method, path, version, malformed)
    assert row["status"] == 400
    assert (row["operation"] is None) == malformed


# formats.md 3.3: one request that was none, told twice by Python's http.server
def test_octets_that_are_no_http_count_once() -> None:
    stamp = "[13/Dec/2014 17:12:23]"
    found = requests(
        f"10.224.147.162 - - {stamp} code 400, message Bad request syntax ('0')",
        f'10.224.147.162 - - {stamp} "0" 400 -',
        f"10.0.0.1 - - {stamp} code 400, message Bad HTTP/0.9 request type ('\x16\x03\x01')",
        f'10.0.0.1 - - {stamp} "\x16\x03\x01 x" 400 -',
        f"10.0.0.1 - - {stamp} code 400, message Bad request version ('RTSP/1.0')",
        f'10.0.0.1 - - {stamp} "OPTIONS / RTSP/1.0" 400 -',
        f"10.0.0.1 - - {stamp} code 414, message Request-URI Too Long",
        f'10.0.0.1 - - {stamp} "" 414 -',
        f"10.0.0.1 - - {stamp} code 404, message File not found",
        f'10.0.0.1 - - {stamp} "GET /x HTTP/1.1" 404 -',
        f'10.0.0.1 - - {stamp} "GET /x HTTP/1.1" 400 -',
        logger="eventlet.wsgi.server",
    )
    assert found.select("position", "status", "malformed").rows() == [
        (1, 400, True), (3, 400, True), (5, 400, True), (7, 414, True), (10, 404, False), (11, 400, False),
    ]  # fmt: skip
    assert set(found["written_by"]) == {"http.server"}


def test_the_same_where_no_logger_frames_it() -> None:
    found = of(
        "10.224.147.162 - - [13/Dec/2014 17:12:23] code 400, message Bad request syntax ('0')\n"
        '10.224.147.162 - - [13/Dec/2014 17:12:23] "0" 400 -\n'
        '10.224.147.162 - - [10/Dec/2014 10:48:20] "POST /v2.0/subnets.json HTTP/1.1" 400 354 0.025684\n',
        source="host1/neutron/server.log",
    )
    assert found.select("service", "status", "malformed", "written_by", "stamped").rows() == [
        ("neutron", 400, True, "http.server", "end"),
        ("neutron", 400, False, "eventlet", "end"),
    ]
    assert (nanoseconds(found, "ts")[1] - nanoseconds(found, "started_at")[1]) == 25_684_000


# formats.md 3.5: the outer stamp counts, the inner one repeats it
def test_folsom_has_two_stamps() -> None:
    found = of(
        f"2012-12-19 12:11:00 INFO {OSAPI} [{REQ} u p] 10.0.0.1 - - [19/Dec/2012 12:10:59] "
        f'"GET /v2/{H}/servers/detail HTTP/1.1" 200 1893 0.247783\n\n'
        "2012-12-19 12:10:59     INFO [eventlet.wsgi.server] 10.0.0.1 - - [19/Dec/2012 12:10:59] "
        '"GET /v1/images/detail HTTP/1.1" 200 - 0.000001\n',
        source="host1/glance/api.log",
    )
    assert [str(ts)[:19] for ts in found["ts"]] == ["2012-12-19 12:11:00", "2012-12-19 12:10:59"]
    assert found["service"].to_list() == ["nova-osapi_compute", "glance"]
    assert found["duration_s"].to_list() == [0.247783, 0.000001]
    assert found["response_bytes"].to_list() == [1893, None]


def test_lines_behind_a_tag_and_in_json() -> None:
    access = f'10.0.0.1 "GET /v2/{H}/servers/detail HTTP/1.1" status: 200  len: 18 time: 0.5'
    found = of(
        f"Jan 10 09:11:45 ctl1 nova-api: 2014-01-10 09:11:45.072 1297 INFO {OSAPI} [-] {access}\n"
        f"Mar 28 12:20:43.570064 c1 devstack@c-api.service[85]: INFO eventlet.wsgi.server [None {REQ} a b] {access}\n"
        '{"Timestamp":"2024-01-31 20:51:05.956","Pid":"7","log_level":"INFO","python_module":"eventlet.wsgi.server",'
        f'"tenant_id":"p","Payload":{json.dumps(access)},"Hostname":"c1","programname":"heat-api"}}\n'
    )
    assert found["service"].to_list() == ["nova-osapi_compute", "cinder", "heat"]
    assert found["host"].to_list() == ["ctl1", "c1", "c1"]
    assert set(found["duration_s"]) == {0.5}


# formats.md 3.1: requestlog
def test_requestlog_has_neither_version_nor_always_a_length() -> None:
    found = requests(
        '192.0.2.1 "GET /v2.1/servers" status: 200 len: None microversion: 2.79 time: 0.001091',
        '192.0.2.1 "GET /resource_providers" status: 200 len: - microversion: -',
        logger="nova.api.openstack.placement.requestlog",
    )
    assert found.select("response_bytes", "microversion", "duration_s", "http_version", "written_by").rows() == [
        (None, "2.79", 0.001091, None, "requestlog"),
        (None, None, None, None, "requestlog"),
    ]


# formats.md 3.5: seconds and unpadded microseconds; the action of a POST
FILTER = [
    ("nova.api.ec2", "action: DescribeInstances __call__ /nova/api/ec2/__init__.py:325", REQ),
    ("nova.api.ec2", "arg: InstanceId.1 \t\tval: i-00000e05 __call__ /nova/api/ec2/__init__.py:328", REQ),
    ("nova.api.ec2", "0.94826s 10.0.0.9 POST /services/Cloud/ CloudController:DescribeInstances 200 [B] a b", REQ),
    (EC2, '10.0.0.9 "POST /services/Cloud/ HTTP/1.1" status: 200 len: 9 time: 0.0949000', REQ),
    (EC2, '10.0.0.9 "POST /services/Cloud/ HTTP/1.1" status: 200 len: 9 time: 0.1', "req-0"),
    ("nova.api.ec2", "0.5s 10.0.0.9 GET /2009-04-04/meta-data/ami-id None:None 200 [B] a b", None),
    (
        "nova.metadata.wsgi.server",
        '10.0.0.9 "GET /2009-04-04/meta-data/ami-id HTTP/1.1" status: 200 len: 9 time: 0.1',
        None,
    ),
]


def filtered() -> pl.DataFrame:
    return pl.concat(
        log_records(said, logger=logger, request_id=request, position=n)
        for n, (logger, said, request) in enumerate(FILTER, 1)
    )


def test_a_post_gets_its_action_from_the_filter_and_counts_once() -> None:
    found = ApiRequest.validate(leaves(filtered(), [ApiRequest])[ApiRequest])
    assert found.select("position", "service", "operation", "duration_s", "instance").rows() == [
        (3, "nova-ec2-filter", "DescribeInstances", 0.094826, None),
        (4, "nova-ec2", "DescribeInstances", 0.0949, "i-00000e05"),
        (5, "nova-ec2", "POST /services/Cloud", 0.1, None),
        (6, "nova-metadata-filter", "GET /{version}/meta-data/ami-id", 0.000005, None),
        (7, "nova-metadata", "GET /{version}/meta-data/ami-id", 0.1, None),
    ]


@pytest.mark.parametrize("logger", ["nova.api", "nova.api.ec2"])
def test_the_filter_speaks_under_two_names(logger: str) -> None:
    said = "1.5s 10.0.0.9 POST /services/Admin/ AdminController:DescribeHosts 200 [Boto] None text/xml"
    assert requests(said, logger=logger).select("service", "operation", "duration_s").rows() == [
        ("nova-ec2-filter", "DescribeHosts", 1.000005)
    ]


def test_the_action_is_remembered_however_the_source_is_cut() -> None:
    frame, whole = filtered(), leaves(filtered(), [ApiRequest])[ApiRequest]
    for size in range(1, frame.height):
        reader = MessageReader([ApiRequest])
        parts = [reader.leaves(frame.slice(start, size)) for start in range(0, frame.height, size)]
        assert pl.concat([part[ApiRequest] for part in parts if ApiRequest in part]).equals(whole), size


# formats.md 3.2: Apache and uWSGI stamp the start
def test_what_stamps_the_start() -> None:
    found = of(
        '192.0.2.7, 192.0.2.8, 10.0.0.1 - - [16/May/2017:02:00:04 +0200] "POST /v3/auth/tokens HTTP/1.1" 201 - '
        '138597015 "-" "keystoneauth1/2.4"\n'
        '- - - [16/May/2017:00:00:05 +0000] "GET /v3/users/' + H + ' HTTP/1.1" 200 12 740 "-" "-"\n'
        "[pid: 2931|app: 0|req: 1/1] 10.0.0.1 () {62 vars in 1256 bytes} [Tue May 16 00:00:06 2017] GET /v3/projects "
        "=> generated 1893 bytes in 247 msecs (HTTP/1.1 200) 9 headers in 403 bytes (1 switches on core 0)\n",
        source="kolla/keystone/keystone-apache-access.log",
    )
    assert set(found["stamped"]) == {"start"}
    assert found["ts"].equals(found["started_at"], check_names=False)
    assert [str(ts)[11:19] for ts in found["ts"]] == ["00:00:04", "00:00:05", "00:00:06"]
    assert found["duration_s"].to_list() == [138.597015, 0.00074, 0.247]
    assert found["response_bytes"].to_list() == [0, 12, 1893]
    assert found["client"].to_list() == ["10.0.0.1", None, "10.0.0.1"]
    assert found["forwarded_for"].to_list() == [["192.0.2.7", "192.0.2.8"], None, None]
    assert found["written_by"].to_list() == ["apache", "apache", "uwsgi"]
    assert set(found["service"]) == {"keystone"}


def test_memory_that_a_worker_reports_with_a_request() -> None:
    line = (
        "{address space usage: 359067648 bytes/342MB} {rss usage: 107823104 bytes/102MB} [pid: 77|app: 0|req: 9/17] "
        "10.0.0.1 () {48 vars in 1249 bytes} [Thu Feb 15 16:28:43 2018] GET /v2.1/servers => generated 4 bytes in 7 "
        "msecs (HTTP/1.1 200) 3 headers in 80 bytes (1 switches on core 0)\n"
    )
    found = leaves(read(line, source="ctl1/kolla/nova/nova-api-uwsgi.log"), [ApiRequest, ProcessMemory])
    assert only(found[ApiRequest])["service"] == "nova-osapi_compute"
    memory = only(ProcessMemory.validate(found[ProcessMemory]))
    assert (memory["process"], memory["pid"], memory["resident_bytes"]) == ("nova", 77, 107823104)
    assert memory["ts"] == found[ApiRequest]["ts"][0]


def test_behind_a_tag_the_stamp_is_the_end() -> None:
    found = of(
        "Mar 28 12:20:43 c1 devstack@n-api.service[85]: [pid: 85|app: 0|req: 1/1] 10.0.0.1 () {62 vars in 1256 bytes} "
        "[Thu Mar 28 12:20:41 2019] GET /v2.1/servers => generated 18 bytes in 1500 msecs (HTTP/1.1 200) 9 headers in "
        "4 bytes (1 switches on core 0)\n",
        year=2019,
    )
    row = only(found)
    assert (row["stamped"], row["service"], row["duration_s"]) == ("end", "nova-osapi_compute", 1.5)
    assert str(row["started_at"])[11:21] == "12:20:41.5"


@pytest.mark.parametrize(
    ("source", "target", "service", "stamped"),
    [
        ("apache2/access.log", "/identity/v3/auth/tokens", "keystone", "start"),
        ("apache2/access.log", "/image/v2/images", "glance", "start"),
        ("apache2/access.log", "/x", "apache", "start"),
        ("apache2/horizon_access.log", "/x", "horizon", "start"),
        ("apache2/10-keystone_wsgi_main_access_ssl.log", "/v3", "keystone", "start"),
        ("nginx/access.log", "/placement/usages", "placement", "end"),
    ],
)
def test_a_web_server_in_front_of_them(source: str, target: str, service: str, stamped: str) -> None:
    line = f'10.0.0.1 - - [16/May/2017:00:00:04 +0000] "GET {target} HTTP/1.1" 200 9 "-" "curl"\n'
    row = only(of(line, source=source))
    assert (row["service"], row["stamped"], row["written_by"]) == (service, stamped, "apache")


def test_storage_servers_of_swift_and_odd_lines_are_left() -> None:
    stamp = "[09/Jun/2014:15:41:42 +0000]"
    others = (
        f'2014-06-09T15:41:42Z stdout F 127.0.0.1 - - {stamp} "GET / HTTP/1.0" 404 46210',
        f'127.0.0.1 - - {stamp} "PUT /sdb1/1/AUTH_{H}" 201 - "PUT http://x" "tx7" "proxy-server 32605" 0.0853 "-"',
        f'192.0.2.254 {stamp} "GET /vmw/vmkboot.gz HTTP/1.0" 404 46210 "-" "gPXE/0.9.7"',
        f'[client 10.0.0.1] {stamp} "GET /"',
    )
    assert requests(*others, program="object-server").is_empty()
    assert requests(*others, framing="access-log").is_empty()


# formats.md 3.4
def test_what_a_target_names() -> None:
    frame = requests(
        *[
            f'10.0.0.1 "GET {target} HTTP/1.1" status: 200 len: 7 time: 0.5'
            for target in (
                f"/v2/{H}/servers/{U}/action",
                "/services/Cloud?Action=TerminateInstances&InstanceId.1=i-00000e05&ClientToken=abc-1&Signature=s3cret",
                f"/v2.0/ports.json?tenant_id={H}&device_id={U}",
                f"/v2.0/ports.json?device_owner=network%3Arouter_interface&device_id={U}",
                f"/v2/{H}/images/{U}?servers/{U}",
                f"/v2/{H}/servers/detail?image={U}",
                "/services/Cloud?Action=RunInstances&ImageId=ami-0000...",
            )
        ],
        logger=EC2,
    )
    assert frame.select("instance", "image", "client_token").rows() == [
        (U, None, None),
        ("i-00000e05", None, "abc-1"),
        (U, None, None),
        (None, None, None),
        (None, U, None),
        (None, U, None),
        (None, None, None),
    ]
    assert "s3cret" not in frame["path"][1]


def test_a_hostile_line_costs_itself() -> None:
    long = '10.0.0.1 "GET /' + 'a" status: 200 len: ' * 20_000
    assert requests(long, long + '7 time: 1"', logger=OSAPI).is_empty()
    endless = '10.0.0.1 "GET /' + "a/" * 200_000 + ' HTTP/1.1" status: 200 len: 9 time: 0.5'
    assert requests(endless, logger=OSAPI).height == 1
    assert requests('10.0.0.1 "GET / HTTP/1.1" status: 999 len: 99999999999999999999 time: 0.5', logger=OSAPI)[
        "response_bytes"
    ].to_list() == [None]


def evidence(name: str) -> pl.DataFrame:
    path = evidence_root() / "logs" / name
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return ApiRequest.validate(leaves(read(data, source=name), [ApiRequest])[ApiRequest])


def sums(frame: pl.DataFrame) -> dict[str, tuple[int, float]]:
    told = frame.group_by("service").agg(pl.len(), pl.col("duration_s").sum().round(4))
    return {service: (count, total) for service, count, total in told.rows()}


def test_loghub_openstack() -> None:
    frame = evidence("openstack/loghub/OpenStack_2k.log")
    assert sums(frame) == {"nova-osapi_compute": (809, 209.9346), "nova-metadata": (208, 28.505)}
    assert dict(frame["status"].value_counts().rows()) == {200: 933, 404: 41, 204: 22, 202: 21}
    slowest = frame.sort("duration_s").row(-1, named=True)
    assert (slowest["duration_s"], slowest["operation"]) == (0.7116742, "POST /v2/{project_id}/servers")
    assert str(slowest["ts"])[11:23] == "00:03:16.800"
    assert frame["operation"].n_unique() == 25
    assert frame["malformed"].sum() == frame["client"].null_count() == 0


def test_a_gate_job_of_havana() -> None:
    frame = evidence("openstack/os-loganalyze/screen-n-api.txt.gz")
    answered = frame.filter(written_by="eventlet")
    assert sums(answered) == {
        "nova-ec2": (762, 178.0202),
        "nova-osapi_compute": (396, 75.5025),
        "nova-metadata": (36, 24.1216),
    }
    assert dict(answered["status"].value_counts().rows()) == {200: 1106, 202: 40, 404: 27, 204: 20, 400: 1}
    assert answered["duration_s"].max() == 2.1970038
    filtered = frame.filter(written_by="ec2-filter")
    assert dict(filtered["service"].value_counts().rows()) == {"nova-ec2-filter": 762, "nova-metadata-filter": 36}
    cloud = answered.filter(service="nova-ec2")
    assert cloud.filter(pl.col("operation").str.contains(" ")).is_empty(), "each POST has its action"
    pairs = cloud.join(filtered, on="request_id", how="inner")
    assert pairs.height == 762
    assert (pairs["duration_s"] >= pairs["duration_s_right"]).all(), "the filter is inside the server"
    assert (pairs["operation"] == pairs["operation_right"]).all()


def test_a_live_migration_of_juno() -> None:
    nova = evidence("openstack/live-migration/hp-ms-01-c29/nova/nova-api.log")
    assert sums(nova) == {"nova-osapi_compute": (15, 50.4864)}
    slowest = nova.sort("duration_s").row(-1, named=True)
    assert (slowest["duration_s"], slowest["instance"]) == (12.2088718, U)
    neutron = evidence("openstack/live-migration/hp-ms-01-c29/neutron/server.log")
    assert sums(neutron) == {"neutron": (75, 28.5342)}
    assert neutron.filter(operation="PUT /v2.0/ports/{id}").height == 2
    assert set(neutron["instance"].drop_nulls()) == {U}
    merged = evidence("openstack/live-migration/mergedlogs.log")
    assert sums(merged) == sums(nova) | sums(neutron)


def test_a_requestlog_and_two_of_apache() -> None:
    found = evidence("openstack/os-log-merger-functional/02-var-log-messages/in/nova-api.log")
    assert found.select("operation", "service", "written_by").unique().rows() == [
        ("OPTIONS /", "nova-osapi_compute", "requestlog")
    ]
    assert evidence("syslog/lnav/logfile_access_log.0").height == 3
    assert evidence("syslog/lnav/logfile_bad_access_log.0").height == 2
