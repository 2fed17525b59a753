"""Section 3 of the reference: access lines of API services."""

import pytest

from forensics.records import ApiRequest, LogRecord
from tests.formats._met import Line, meet, parameters

U, P = "ebbd729575cb404081a45c9ada0849b7", "54fadb412c4e40cdbaed9335e4c35a9e"
R = "req-84d16d16-3808-426b-b7af-3b90a11b83b0"
OSAPI = "nova.osapi_compute.wsgi.server"
CLF = "[10/Dec/2014 10:48:20]"
CLOUD = "GET /services/Cloud?AWSAccessKeyId=[something]&Action=RunInstances&ClientToken=[something]&ImageId={}&"
CLOUD += "InstanceInitiatedShutdownBehavior=terminate... HTTP/1.1"
A2 = f"2014-01-10 09:11:45.072 129745 INFO nova.ec2.wsgi.server [{R} 0c6e7dba03c24c6a9bce299747499e8a 7052bd6714e7460c"
A2 += f'aeb16242e68124f9] 117.103.103.29 "{CLOUD.format("ami-00000001")}" status: 200 len: 1109 time: 138.5970151'


def said(section: str, logger: str, message: str, **want: object) -> Line:
    """What a logger said in a line of Havana."""
    return Line(section, f"2014-12-10 10:48:20.226 7 INFO {logger} [{R} {U} {P}] {message}", ApiRequest, want)


def bare(section: str, text: str, name: str | None = None, **want: object) -> Line:
    """A line without a logger."""
    return Line(section, text, ApiRequest, want, name)


STATUS = {"status": 200, "response_bytes": 1893, "duration_s": 0.2477829, "written_by": "eventlet"}
LINES = [
    # 3.1: which logger says it, and in which format
    *(said("3.1", logger, f'10.0.0.1 - - {CLF} "GET /x HTTP/1.1" 200 354 0.025684', service=service, status=200,
           duration_s=0.025684, written_by="eventlet", client="10.0.0.1", response_bytes=354)
      for logger, service in ((OSAPI, "nova-osapi_compute"), ("nova.ec2.wsgi.server", "nova-ec2"),
                              ("nova.metadata.wsgi.server", "nova-metadata"), ("neutron.wsgi", "neutron"),
                              ("nova.osapi_volume.wsgi.server", "nova-osapi_volume"),
                              ("glance.wsgi.server", "glance"), ("eventlet.wsgi.server", "wsgi"))),
    *(said("3.1", logger, '10.0.0.1 "GET /x HTTP/1.1" status: 200 len: 1893 time: 0.2477829', service=service, **STATUS)
      for logger, service in ((OSAPI, "nova-osapi_compute"), ("nova.ec2.wsgi.server", "nova-ec2"),
                              ("nova.metadata.wsgi.server", "nova-metadata"))),
    *(said("3.1", logger, '10.0.0.1 "GET /x HTTP/1.1" status: 200  len: 1893 time: 0.2477829', **STATUS)
      for logger in ("neutron.wsgi", "eventlet.wsgi.server", "cinder.eventlet.wsgi.server")),
    said("3.1", "nova.api.openstack.requestlog", '10.0.0.1 "GET /x" status: 200 len: 5 microversion: 2.1 time: '
        '0.001091',
         microversion="2.1", duration_s=0.001091, http_version=None, written_by="requestlog"),
    *(said("3.1", logger, '10.0.0.1 "GET /x" status: 200 len: 5 microversion: 1.28', microversion="1.28",
           duration_s=None, service="placement", written_by="requestlog")
      for logger in ("nova.api.openstack.placement.requestlog", "placement.requestlog")),
    # the lines of nova.api.openstack.wsgi tell of a request that has its own access line
    *(Line("3.1", f"2014-12-10 10:48:20.226 7 INFO nova.api.openstack.wsgi [{R} {U} {P}] {text}", ApiRequest, [])
      for text in ("GET http://host:8774/v2/x", "http://host:8774/v2/x returned with HTTP 200",
                   "http://host:8774/v2/x returned a fault: y", "HTTP exception thrown: y", "Fault thrown: y")),
    # 3.2 ACCESS_NOVA
    said("3.2", OSAPI, '10.0.0.1 "GET /x HTTP/1.1" status: 200 len: None time: 0.5', response_bytes=None),
    said("3.2", OSAPI, '10.0.0.1 "GET /x HTTP/1.1" status: 200 len: - microversion: - time: 0.5', response_bytes=None,
         microversion=None, duration_s=0.5),
    said("3.2", OSAPI, '10.0.0.1 "GET /x HTTP/1.1" status: 200 len: 7', duration_s=None, response_bytes=7),
    # ACCESS_EVENTLET
    said("3.2", "eventlet.wsgi.server", f'10.0.0.1 - - {CLF} "GET /x HTTP/1.0" - 354 0.5', status=None),
    said("3.2", "eventlet.wsgi.server", f'10.0.0.1 - - {CLF} "GET /x HTTP/1.1" 200 -', response_bytes=None,
         duration_s=None),
    # REQLINE
    *(said("3.2", OSAPI, f'10.0.0.1 "{line}" status: 200 len: 1 time: 0.5', method=method, path=path,
        http_version=proto)
      for line, method, path, proto in (
          ("GET /a HTTP/1.1", "GET", "/a", "HTTP/1.1"), ("POST /a HTTP/2", "POST", "/a", "HTTP/2"),
          ("GET /a", "GET", "/a", None), ("OPTIONS * HTTP/1.0", "OPTIONS", "*", "HTTP/1.0"),
          ("PROPFIND /a b HTTP/1.1", "PROPFIND", "/a b", "HTTP/1.1"))),
    # ACCESS_EC2LOG, WSGI_LIFECYCLE, HTTPSERVER_STDERR
    said("3.2", "nova.api.ec2", "0.94826s 10.0.0.9 GET /services/Cloud/ None:None 403 [None] None text/html",
        status=403,
         operation="GET /services/Cloud", user_agent=None, written_by="ec2-filter"),
    *(Line("3.2", f"2014-12-10 10:48:20.226 7 INFO {OSAPI} [-] (18) {text}", ApiRequest, [])
      for text in ("wsgi starting up on http://10.0.0.1:8774", "accepted ('10.0.0.1', 52210)",
          "wsgi exited, is_accepting=F",
                   "accepted ('::1', 52210, 0, 0)")),
    bare("3.2", f"10.0.0.1 - - {CLF} code 414, message Request-URI Too Long\n", status=414, malformed=True),
    # ACCESS_UWSGI: unit, way out, no user
    bare("3.2", "[pid: 7|app: -1|req: -/3] 10.0.0.1 (bob) {62 vars in 1256 bytes} [Tue May 16 00:00:00 2017] GET "
        "/v2.1/x "
         "=> generated 9 bytes in 1500 micros via sendfile() (HTTP/1.1 404) 9 headers in 403 bytes (1 switches on "
         "core 0)",
         status=404, duration_s=0.0015, stamped="start", response_bytes=9, ts="2017-05-16 00:00:00"),
    # ACCESS_APACHE: common, combined, devstack, Kolla
    *(bare("3.2", f'10.0.0.1 - - [10/Dec/2014:10:48:20 -0700] "GET /v3/users HTTP/1.1" {rest}', status=200,
           ts="2014-12-10 17:48:20", written_by="apache", response_bytes=354, **want)
      for rest, want in (
          ("200 354", {"duration_s": None}),
          ('200 354 "-" "curl/7 \\"x\\""', {"user_agent": r'curl/7 \"x\"'}),
          ('200 354 "-" "curl/7" 1500(us)', {"user_agent": "curl/7", "duration_s": 0.0015}),
          ('200 354 1500 "-" "curl/7"', {"user_agent": "curl/7", "duration_s": 0.0015}))),
    bare("3.2", '- - bob [10/Dec/2014:10:48:20 +0000] "GET /v3 HTTP/1.1" 200 - 1500 "-" "curl/7"', client=None,
         response_bytes=0, duration_s=0.0015, stamped="start"),
    # 3.3 example lines
    said("3.3", "nova.ec2.wsgi.server", f'117.103.103.29 "{CLOUD.format("ami-00000001")}" status: 200 len: 1109 time: '
         "138.5970151", client="117.103.103.29", operation="RunInstances", image="ami-00000001", client_token=None,
         status=200, response_bytes=1109, duration_s=138.5970151, service="nova-ec2", request_id=R),
    said("3.3", OSAPI, f'10.11.10.1 "GET /v2/{P}/servers/detail HTTP/1.1" status: 200 len: 1893 time: 0.2477829',
        **STATUS,
         method="GET", path=f"/v2/{P}/servers/detail", operation="GET /v2/{project_id}/servers/detail"),
    said("3.3", "nova.metadata.wsgi.server", '10.11.21.122,10.11.10.1 "GET /openstack/2012-08-10/meta_data.json '
        'HTTP/1.1" '
         "status: 200 len: 264 time: 0.2451560", client="10.11.10.1", forwarded_for=["10.11.21.122"]),
    said("3.3", OSAPI, '10.91.126.38,10.0.0.1 "GET /v2.1/b1ad1df9062a4fc682904c6c9b0f4e98/extensions HTTP/1.1" '
        'status: 200 '
         "len: 23011 time: 0.4711170", client="10.0.0.1", forwarded_for=["10.91.126.38"],
         operation="GET /v2.1/{project_id}/extensions"),
    said("3.3", "eventlet.wsgi.server", '::ffff:192.168.129.66 "POST / HTTP/1.1" status: 200  len: 211 time: 0.0146325',
         client="::ffff:192.168.129.66", operation="POST /", duration_s=0.0146325),
    said("3.3", "neutron.wsgi", '192.168.8.211 "POST /v2.0/networks HTTP/1.1" status: 503  len: 369 time: 1.1541748',
         status=503, service="neutron", client="192.168.8.211"),
    said("3.3", "neutron.wsgi", f'10.224.147.162 - - {CLF} "POST /v2.0/subnets.json HTTP/1.1" 400 354 0.025684',
         status=400, path="/v2.0/subnets.json", duration_s=0.025684),
    said("3.3", "nova.api.openstack.requestlog", '192.168.24.1 "OPTIONS /" status: 200 len: 405 microversion: - time: '
         "0.001091", microversion=None, duration_s=0.001091, method="OPTIONS", http_version=None),
    Line("3.3", "10.224.147.162 - - [13/Dec/2014 17:12:23] code 400, message Bad request syntax ('0')\n10.224.147.162 "
        "- - "
         '[13/Dec/2014 17:12:23] "0" 400 -\n', ApiRequest, {"malformed": True, "status": 400, "method": None}),
    Line("3.3", "2014-12-10 10:48:20.226 7 INFO nova.wsgi [-] (18) wsgi starting up on http://10.0.0.1:8774", LogRecord,
         {"message": "(18) wsgi starting up on http://10.0.0.1:8774"}),
    said("3.3", "nova.api.ec2", "0.94826s 10.0.0.9 GET /services/Cloud/ CloudController:DescribeInstances 200 "
        "[Boto/2.2.2 "
         "(linux2)] application/x-www-form-urlencoded text/xml", duration_s=0.094826, operation="DescribeInstances",
         client="10.0.0.9", status=200, user_agent="Boto/2.2.2 (linux2)", service="nova-ec2-filter"),
    bare("3.3", "[pid: 2931|app: 0|req: 1/1] 10.0.0.1 () {62 vars in 1256 bytes} [Tue May 16 00:00:00 2017] GET "
         "/v2.1/servers => generated 1893 bytes in 247 msecs (HTTP/1.1 200) 9 headers in 403 bytes (1 switches on "
         "core 0)",
         status=200, response_bytes=1893, duration_s=0.247, client="10.0.0.1", method="GET", path="/v2.1/servers",
         ts="2017-05-16 00:00:00", stamped="start", http_version="HTTP/1.1", written_by="uwsgi"),
    # 3.4: start, query of the EC2 API, ids
    Line("3.4", A2, ApiRequest, {"ts": "2014-01-10 09:11:45.072", "started_at": "2014-01-10 09:09:26.4749849",
         "stamped": "end", "user_id": "0c6e7dba03c24c6a9bce299747499e8a", "request_id": R,
         "project_id": "7052bd6714e7460caeb16242e68124f9", "image": "ami-00000001"}),
    said("3.4", "nova.ec2.wsgi.server", '10.0.0.1 "GET '
        '/services/Cloud?Action=TerminateInstances&InstanceId.1=i-00000e05&'
         'Signature=abc%3D&Timestamp=2014-01-10T09%3A11%3A45Z HTTP/1.1" status: 200 len: 1 time: 0.5',
         operation="TerminateInstances", instance="i-00000e05"),
    said("3.4", "nova.ec2.wsgi.server", '10.0.0.1 "GET /services/Cloud?Action=RunInstances&ClientToken=abc-1 HTTP/1.1" '
         "status: 200 len: 1 time: 0.5", client_token="abc-1"),
    # 3.5 pitfalls
    *(said("3.5", "nova.api.ec2", f"{span}s 10.0.0.9 GET /services/Cloud/ CloudController:X 200 [b] a b",
        duration_s=exact)
      for span, exact in (("0.94826", 0.094826), ("1.5", 1.000005), ("0.5", 0.000005), ("138.597015", 138.597015))),
    said("3.5", OSAPI, '10.1.1.1,10.2.2.2,10.3.3.3,10.4.4.4 "GET /x HTTP/1.1" status: 200 len: 1 time: 0.5',
         client="10.4.4.4", forwarded_for=["10.1.1.1", "10.2.2.2", "10.3.3.3"]),
    said("3.5", OSAPI, '2001:db8::5,fe80::1 "GET /x HTTP/1.1" status: 200 len: 1 time: 0.5', client="fe80::1",
         forwarded_for=["2001:db8::5"]),
    said("3.5", OSAPI, '10.0.0.1 "GET /x?a="b c" status: 9 HTTP/1.1" status: 200 len: 1 time: 0.5', status=200,
         path='/x?a="b c" status: 9', malformed=False),
    said("3.5", OSAPI, '10.0.0.1 "\\x16\\x03\\x01\\x02" status: 400 len: 0 time: 0.0001', malformed=True, path=None),
    said("3.5", OSAPI, '10.0.0.1 "GET /x" status: 200 len: 1 time: 0.5', http_version=None, method="GET"),
    Line("3.5", f"10.0.0.1 - - {CLF} code 400, message Bad request version ('\\x02')\n", ApiRequest,
        {"malformed": True}),
    Line("3.5", f'2014-12-10 10:48:20 INFO {OSAPI} [{R} {U} {P}] 10.0.0.1 - - {CLF} "GET /x HTTP/1.1" 200 1 0.5\n\n'
         f'2014-12-10 10:48:21 INFO {OSAPI} [{R} {U} {P}] 10.0.0.1 - - [10/Dec/2014 10:48:21] "GET /y HTTP/1.1" 200 1 '
         f'0.5\n',
         ApiRequest, [{"ts": "2014-12-10 10:48:20", "path": "/x"}, {"ts": "2014-12-10 10:48:21", "path": "/y"}]),
    Line("3.5", f"2014-01-10 09:11:45.070 7 INFO nova.api.ec2 [{R} {U} {P}] 0.5s 10.0.0.9 POST /services/Cloud/ "
         f"CloudController:RunInstances 200 [b] a b\n2014-01-10 09:11:45.072 7 INFO nova.ec2.wsgi.server [{R} {U} {P}] "
         '10.0.0.9 "POST /services/Cloud/ HTTP/1.1" status: 200 len: 1 time: 0.5\n', ApiRequest,
         [{"service": "nova-ec2-filter", "operation": "RunInstances"}, {"service": "nova-ec2",
             "operation": "RunInstances"}]),
    Line("3.5", "2014-12-10 10:48:20.226 7 INFO nova.metadata.wsgi.server [-] 10.0.0.5 \"GET /2009-04-04/ HTTP/1.1\" "
        "status: "
         "200 len: 1 time: 0.5", ApiRequest, {"request_id": None, "service": "nova-metadata"}),
    # Appendix A2, A3; the ratio of the two: test_api_requests.py::test_the_two_clouds_of_havana_and_grizzly
    Line("3.A2", A2, LogRecord, {"pid": 129745, "framing": "oslo-havana", "request_id": R}),
    Line("3.A3", "2014-01-08 11:15:15.704 INFO nova.ec2.wsgi.server [req-ccac9790-3357-4aa8-84bd-cdaab1aa394e "
         f'{U} 8175953c209044358ab5e0ec19d52c37] 117.103.103.29 "{CLOUD.format("ami-00000007")}" status: 200 len: 931 '
         f'time: '
         "3.9426181", ApiRequest, {"duration_s": 3.9426181, "image": "ami-00000007", "response_bytes": 931,
         "ts": "2014-01-08 11:15:15.704", "started_at": "2014-01-08 11:15:11.7613819"}),
    Line("3.A3", "2014-01-08 11:15:15.704 INFO nova.ec2.wsgi.server [req-ccac9790-3357-4aa8-84bd-cdaab1aa394e "
         f"{U} 8175953c209044358ab5e0ec19d52c37] x", LogRecord, {"pid": None, "framing": "oslo-grizzly"}),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_3(line: Line) -> None:
    meet(line)
