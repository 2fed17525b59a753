"""Section 1 of the reference: lines of oslo.log and its forerunners, release by release."""

import pytest

from forensics.records import BaseFileEvent, InstanceEvent, LogRecord
from tests.formats._met import Line, log, meet, parameters

U, P = "ebbd729575cb404081a45c9ada0849b7", "8175953c209044358ab5e0ec19d52c37"
R, G = "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e", "req-84d16d16-3808-426b-b7af-3b90a11b83b0"
I1 = "b9000564-fe1a-409b-b8cc-1e88b294cd1d"
T = "2013-02-25 20:26:33"
DEBUG = "_process_stack /usr/lib/python3.6/site-packages/nova/api/openstack/wsgi.py:523"
TALE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10"


def _context(bracket: str, **want: str | None) -> Line:
    said = {"severity": "INFO", "logger": "nova.compute", "message": "x", "pid": 7, "instance": None}
    return log("1.context", f"2017-05-16 00:00:04.500 7 INFO nova.compute [{bracket}] x", **(said | want))


LINES = [
    # Grammar; the rest of it in tests/loaders/lines/test_behaviour.py::test_prefixed_tracebacks_join_...
    log("1.grammar", f"{T}.045 7 ERROR nova.compute [{R} {U} {P}] [instance: {I1}] boom: ValueError: no",
        ts=f"{T}.045", pid=7, severity="ERROR", instance=I1, message="boom: ValueError: no", request_id=R),
    log("1.grammar", f"{T}.045 7 ERROR nova.compute [-] a\nsecond line", message="a\nsecond line", n_lines=2),
    # Variants: default format strings, by release
    log("1.release", "2011-04-22 10:24:13,123 INFO nova.api [UZ5-ABCDEFGHIJKLMNO1 admin demo] x from (pid=1) f /a.py:1",
        framing="oslo-cactus", request_id="UZ5-ABCDEFGHIJKLMNO1", user_id="admin", project_id="demo",
        ts="2011-04-22 10:24:13.123"),
    log("1.release", f"2011-09-22 10:24:13,123 INFO nova.api [{R[4:]} {U} {P}] x", framing="oslo-diablo",
        request_id=R[4:], user_id=U, ts="2011-09-22 10:24:13.123"),
    log("1.release", "(nova.compute): TRACE: Traceback (most recent call last):", logger="nova.compute", ts=None,
        message="Traceback (most recent call last):"),
    log("1.release", f"{T} INFO nova.compute [{R} {U} {P}] [instance: {I1}] x", framing="oslo-essex", instance=I1),
    log("1.release", f"{T} INFO nova.compute [-] x", framing="oslo-essex", pid=None, request_id=None),
    log("1.release", f"{T} TRACE nova.compute [instance: {I1}] x", pid=None, instance=I1, severity="TRACE"),
    log("1.release", f"{T} 77 INFO nova.compute [-] x", framing="oslo-folsom", pid=77),
    log("1.release", f"{T} 77 TRACE nova.compute x", pid=77, severity="TRACE"),
    log("1.release", f"{T}.704 INFO nova.compute [{R} {U} {P}] x", framing="oslo-grizzly", pid=None, user_id=U),
    log("1.release", f"{T}.704 77 INFO nova.compute [-] x", pid=77, ts=f"{T}.704"),
    log("1.release", f"{T}.704 77 TRACE nova.compute x", pid=77, severity="TRACE"),
    log("1.release", f"{T}.704 77 AUDIT nova.compute [{R} {U} {P}] x", framing="oslo-havana", severity="AUDIT"),
    log("1.release", f"{T}.704 77 INFO nova.compute [{R} None] x", framing="oslo-juno", request_id=R, user_id=None),
    log("1.release", f"{T}.704 77 INFO nova.compute [{R} {U} {P} - - -] x", framing="oslo-kilo", project_id=P),
    log("1.release", f"{T}.704 77 ERROR oslo_messaging.rpc.server Traceback", severity="ERROR", message="Traceback"),
    log("1.release", f"{T}.704 77 INFO nova.compute [None {R} {U} {P} - - default default] x", framing="oslo-zed",
        global_request_id=None, request_id=R, user_id=U, project_id=P),
    # Variants: context bracket (CTX); devstack's order in tests/loaders/lines/test_generic.py::test_brackets_of_1
    _context("-", request_id=None, user_id=None, project_id=None),
    _context("UZ5-ABCDEFGHIJKLMNO1 admin demo", request_id="UZ5-ABCDEFGHIJKLMNO1", user_id="admin", project_id="demo"),
    _context(f"{R[4:]} {U} {P}", request_id=R[4:], user_id=U, project_id=P),
    _context(f"{R} {U} {P}", request_id=R, user_id=U, project_id=P),
    _context(f"{R} None {P}", request_id=R, user_id=None, project_id=P),
    _context(f"{R} None None", request_id=R, user_id=None, project_id=None),
    _context(f"{R} None", request_id=R, user_id=None, project_id=None),
    _context(f"{R} {U} {P} - - -", request_id=R, user_id=U, project_id=P),
    _context(f"{R} {U} {P} - default default", request_id=R, user_id=U, project_id=P),
    _context(f"{R} - - - - -", request_id=R, user_id=None, project_id=None),
    _context(f"None {R} {U} {P} - - default default", request_id=R, user_id=U, global_request_id=None),
    _context(f"None {R} - - - - - -", request_id=R, user_id=None, global_request_id=None),
    _context(f"{G} {R} {U} {P} - - default default", request_id=R, global_request_id=G, user_id=U, project_id=P),
    _context(f"{R} admin demo", request_id=R, user_id="admin", project_id="demo"),
    _context(f"None {R} demo admin", request_id=R, user_id="admin", project_id="demo"),
    _context(f"{R} {U}{U} 12 - {P} default", user_id=U + U, project_id="12"),
    _context(f"{R} {R[4:]} {P} - - -", user_id=R[4:], project_id=P),
    # Other facts
    *(log("1.facts", f"{T}.704 7 {level} nova.compute [-] x", severity=level)
      for level in ("DEBUG", "INFO", "AUDIT", "WARNING", "WARN", "ERROR", "CRITICAL")),
    log("1.facts", f"{T}.704 7 DEBUG nova.api [{R} {U} {P}] Calling method {DEBUG}",
        message=f"Calling method {DEBUG}"),
    log("1.facts", f"{T}.704 7 CRITICAL nova [-] Unhandled error", severity="CRITICAL", logger="nova"),
    log("1.facts", f"{T}.704 7 CRITICAL nova [-] ValueError: x", severity="CRITICAL", logger="nova"),
    log("1.facts", f"{T}.704 7 INFO cinder.volume.manager [{R} {U} {P} - - -] [instance: {I1}] x", instance=I1),
    log("1.facts", f"{T}     INFO [nova.compute] x", logger="nova.compute", severity="INFO"),
    # Variants: other projects in 2012–2013 (OLDFMT, NAMED, DIABLO_TRACE)
    log("1.others", "(keystone.common.wsgi): 2012-12-19 12:10:59,123 WARNING wsgi __call__ Authorization failed",
        logger="keystone.common.wsgi", ts="2012-12-19 12:10:59.123", severity="WARNING"),
    log("1.others", "2012-12-19 12:10:59     INFO [eventlet.wsgi.server] 10.0.0.1 - - […]",
        logger="eventlet.wsgi.server", ts="2012-12-19 12:10:59", message="10.0.0.1 - - […]"),
    log("1.others", "2012-12-19 12:10:59,123 77    DEBUG [keystone.common] x", pid=77, ts="2012-12-19 12:10:59.123"),
    log("1.others", "(nova.compute): TRACE: ValueError", logger="nova.compute", message="ValueError"),
    # Regex: OSLO in its alternatives of stamp, fraction, offset, length of the instance's id
    log("1.regex", "2013-02-25T20:26:33.123456+08:00 7 INFO nova.x [-] y", ts="2013-02-25 12:26:33.123456",
        zone_basis="stated"),
    log("1.regex", "2013-02-25T20:26:33Z 7 INFO nova.x [-] y", ts=T, zone_basis="stated"),
    log("1.regex", "2013-02-25 20:26:33,123456 INFO nova.x [-] y", ts=f"{T}.123456", pid=None),
    log("1.regex", f"2013-02-25T20:26:33Z 7 INFO nova.x [{R} {U} {P}] y", request_id=R, user_id=U, project_id=P),
    log("1.regex", f"2013-02-25T20:26:33Z 7 INFO nova.x [{R} {U} {P} - - -] y", request_id=R, user_id=U, project_id=P),
    log("1.regex", f"2013-02-25T20:26:33Z 7 INFO nova.x [{G} {R} {U} {P} - - default default] y", request_id=R,
        global_request_id=G, user_id=U, project_id=P),
    log("1.regex", f"2013-02-25T20:26:33Z 7 INFO nova.x [{R} None] y", request_id=R, user_id=None),
    log("1.regex", f"{T} INFO nova.x [-] [instance: {U}] y", instance=U, message="y"),
    log("1.regex", f"{T}.704 7 INFO nova.x [-] [instance: {I1.upper()}] y", message="y"),
    log("1.regex", f"{T}.704 7 INFO nova.x [-]", logger="nova.x", message=""),
    log("1.regex", f"{T}.704 7 INFO nova.x-y_z [-] y", logger="nova.x-y_z"),
    # Example lines
    log("1.examples", f"2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] Removing base file: {TALE}",
        ts="2012-12-19 12:10:59", pid=None, severity="INFO", framing="oslo-essex"),
    Line("1.examples", "2012-11-02 10:24:13 ERROR nova.virt.libvirt.driver [-] [instance: 871e24ab-fc79-4dc9-8071-"
         "7b5dc1b50cd0] During wait destroy, instance disappeared.", InstanceEvent,
         {"instance": "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0", "event": "disappeared", "severity": "ERROR"}),
    log("1.examples", "2013-02-25 20:26:33 6619 ERROR nova.openstack.common.rpc.common [-] AMQP server on "
        "localhost:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in 23 seconds.", pid=6619,
        logger="nova.openstack.common.rpc.common", framing="oslo-folsom",
        message="AMQP server on localhost:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in 23 seconds."),
    log("1.examples", f"2014-01-08 11:15:15.704 INFO nova.ec2.wsgi.server [{R} {U} {P}] …", pid=None, request_id=R,
        user_id=U, project_id=P, framing="oslo-grizzly", message="…"),
    log("1.examples", f"2014-01-10 09:11:45.072 129745 INFO nova.ec2.wsgi.server [{G} 0c6e7dba03c24c6a9bce299747499e8a "
        "7052bd6714e7460caeb16242e68124f9] …", pid=129745, framing="oslo-havana", ts="2014-01-10 09:11:45.072"),
    log("1.examples", "2014-02-27 09:08:17.583 31311 TRACE nova.compute.manager [instance: d0c20c9f-467d-4e20-b987-"
        '08c832aa83af]   File "/usr/lib/…/guestfs.py", line 129, in setup', severity="TRACE", pid=31311,
        instance="d0c20c9f-467d-4e20-b987-08c832aa83af", message='  File "/usr/lib/…/guestfs.py", line 129, in setup'),
    log("1.examples", "2014-12-10 10:48:20.226 9042 INFO neutron.wsgi [req-0a16f579-ceec-4c5a-a03a-0e21683cac00 None] "
        "…",
        request_id="req-0a16f579-ceec-4c5a-a03a-0e21683cac00", user_id=None, project_id=None, framing="oslo-juno"),
    log("1.examples", "2017-05-16 00:00:04.500 2931 INFO nova.compute.manager "
        "[req-3ea4052c-895d-4b64-9e2d-04d64c4d94ab "
        f"- - - - -] [instance: {I1}] VM Started (Lifecycle Event)", instance=I1, framing="oslo-kilo", user_id=None,
        message="VM Started (Lifecycle Event)"),
    log("1.examples", "2017-01-18 15:54:00.467 32552 ERROR oslo_messaging.rpc.server     res = "
        "self.dispatcher.dispatch(message)", message="    res = self.dispatcher.dispatch(message)", request_id=None),
    log("1.examples", "2024-01-31 20:51:05.956 24634 INFO nova.virt.libvirt.driver [None req-fa6f7b36-ad58-4c90-95d5-"
        "e0e7ea211774 428aa10a53ba4ceda4a0912f0e806b31 43fc55cbc983468c964c5946c4a3d1ad - - default default] "
        "Successfully detached device vdh …", framing="oslo-zed", user_id="428aa10a53ba4ceda4a0912f0e806b31",
        project_id="43fc55cbc983468c964c5946c4a3d1ad", request_id="req-fa6f7b36-ad58-4c90-95d5-e0e7ea211774"),
    # Handlers: syslog, journald, JSON, fluentd
    log("1.handlers", f"<134>Feb 25 20:26:33 cc12 {T}.704 77 INFO nova.compute [-] x\0", host="cc12", program=None,
        severity="INFO", message="x", pid=77),
    log("1.handlers", f"Feb 25 20:26:33 cc12 nova-compute {T}.704 77 INFO nova.compute [-] x", program="nova-compute",
        logger="nova.compute", message="x", pid=77),
    log("1.handlers", f"Feb 25 20:26:33 cc12 nova-compute: {T}.704 77 INFO nova.compute [-] x", program="nova-compute",
        message="x", pid=77),
    log("1.handlers", '{"__REALTIME_TIMESTAMP": "1500000000123456", "_HOSTNAME": "ctl", "MESSAGE": "hi", "PRIORITY": '
        f'"6", "LOGGER_NAME": "nova.api", "SYSLOG_IDENTIFIER": "nova-api", "_PID": "7", "REQUEST_ID": "{R}", '
        f'"USER_ID": '
        f'"{U}", "PROJECT_ID": "{P}"}}', host="ctl", message="hi", logger="nova.api", request_id=R, user_id=U,
        project_id=P, ts="2017-07-14 02:40:00.123456", program="nova-api", pid=7),
    log("1.handlers", '{"__REALTIME_TIMESTAMP": "1500000000123456", "_HOSTNAME": "ctl", "MESSAGE": [104, 105], '
        '"SYSLOG_IDENTIFIER": "nova-api"}', message="hi"),
    Line("1.handlers", '{"__REALTIME_TIMESTAMP": "1500000000123456", "_HOSTNAME": "ctl", "MESSAGE": null, '
         '"SYSLOG_IDENTIFIER": "nova-api"}\n{"__REALTIME_TIMESTAMP": "1500000000123457", "MESSAGE": "x"}', LogRecord,
         [{"message": "", "program": "nova-api", "host": "ctl"}, {"message": "x"}]),
    *(log("1.handlers", '{"message": "boom", "asctime": "2017-05-16 00:00:04", "name": "nova.compute.manager", "msg": '
          f'"boom", "args": [], "levelname": "ERROR", "process": 77, "created": 1494892804.123456, "traceback": '
          f'{trace}, '
          f'"hostname": "cc12", "context": {{"request_id": "{R}", "user": "{U}", "tenant": "{P}"}}}}',
          ts="2017-05-16 00:00:04.123456", logger="nova.compute.manager", severity="ERROR", pid=77, host="cc12",
          request_id=R, user_id=U, project_id=P, message="boom\nTraceback:\nValueError")
      for trace in ('["Traceback:", "ValueError"]', '"Traceback:\\nValueError"')),
    log("1.handlers", '{"message": "x", "time": "2017-05-16 00:00:04,123", "name": "nova.api", "level": "INFO", '
        f'"hostname": "cc12", "cmdline": "nova-api", "context": {{"request_id": "{R}"}}}}', message="x",
        logger="nova.api", severity="INFO", host="cc12", request_id=R, ts="2017-05-16 00:00:04.123"),
    # Deployment layouts
    log("1.layouts", '{"Timestamp": "2024-01-31 20:51:05.956", "Pid": "7", "log_level": "INFO", "python_module": '
        f'"nova.compute.manager", "request_id": "{R[4:]}", "user_id": "{U}", "tenant_id": "{P}", "Payload": "x", '
        f'"Hostname": '
        '"cc12", "programname": "nova-compute"}', message="x", pid=7, logger="nova.compute.manager",
        request_id=R, user_id=U, project_id=P, host="cc12", program="nova-compute", severity="INFO"),
    log("1.layouts", "Jan 31 20:51:05 stack devstack@n-api.service[77]: \x1b[00;32mINFO nova.api \x1b[00m[\x1b[01;36m"
        f"None {R} \x1b[00;36mdemo admin\x1b[00m] \x1b[01;35m[instance: {I1}] \x1b[00mx\x1b[00m", logger="nova.api",
        request_id=R, instance=I1, message="x", user_id="admin", project_id="demo", pid=77),
    log("1.layouts", "2024-01-31 20:51:05.956 7 INFO nova.api [-] x", "compute01/var/log/kolla/nova/nova-api.log",
        host="compute01", pid=7),
    # Pitfalls
    Line("1.pitfalls", f"{T} 77 INFO nova.x [-] a\n{T} INFO nova.x [{R} {U} {P}] b\n\n{T} 77 INFO nova.x [-] c\n",
         LogRecord, [{"pid": 77, "n_lines": 1}, {"pid": None, "n_lines": 2, "message": "b"}, {"pid": 77}]),
    log("1.pitfalls", "2013-01-10 12:10:59.5 INFO nova.api [-] x", ts="2013-01-10 12:10:59.005", framing="oslo-other"),
    log("1.pitfalls", f"{T}.704 7 ERROR nova.x [-] ['Traceback (most recent call last):\\n', 'ValueError\\n']",
        message="['Traceback (most recent call last):\\n', 'ValueError\\n']", n_lines=1),
    log("1.pitfalls", f"{T}.704 7 ERROR nova.x [-] u'caf\\xe9' Instanz wurde gelöscht",
        message="u'caf\\xe9' Instanz wurde gelöscht"),
    log("1.pitfalls", f"{T}.704 7 INFO nova.x [\x1b[01;36m{R} \x1b[00;36m{U} {P}\x1b[00m] x", request_id=R, user_id=U,
        project_id=P, message="x"),
    Line("1.pitfalls", f"2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] Removing base file: {TALE}",
         BaseFileEvent, {"action": "removing", "base_file": TALE, "host": None}),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_1(line: Line) -> None:
    meet(line)


# Format as release fingerprint: tests/loaders/test_release.py::test_one_line_of_each_release
