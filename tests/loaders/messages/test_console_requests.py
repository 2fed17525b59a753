"""Who asked for a console log, in every form in which a cloud says so: formats.md 9.1."""

import gzip

import polars as pl
import pytest

from forensics.loaders._message_format import leaves
from forensics.records import ApiRequest, ConsoleRequest
from tests._evidence import evidence_root
from tests.loaders.lines._reading import read
from tests.loaders.messages.test_samples import log_records

U = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
REQ = "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e"
WHO = "ebbd729575cb404081a45c9ada0849b7 8175953c209044358ab5e0ec19d52c37"
MSG = "81e32deb8e8041b68273d89c7c570556"
RECEIVED = (
    f"received {{u'_context_roles': [u'Member'], u'_context_request_id': u'{REQ}', u'_context_auth_token': u'T0KEN', "
    f"u'args': {{u'instance': {{u'vm_state': u'active', u'info_cache': {{u'instance_uuid': u'{U}'}}, "
    f"u'uuid': u'{U}'}}, u'tail_length': 35}}, u'_msg_id': u'{MSG}', u'_context_user_id': u'u1', "
    "u'_context_project_id': u'p1', u'method': u'get_console_output'}"
)


def console(*messages: str, **columns: object) -> pl.DataFrame:
    found = leaves(log_records(*messages, **columns), [ConsoleRequest])
    return ConsoleRequest.validate(found.get(ConsoleRequest, ConsoleRequest.empty()))


def test_one_request_from_the_dashboard_to_the_driver() -> None:
    context = f"[{REQ} {WHO}]"
    frame = read(
        f"2013-03-02 10:15:00.100 DEBUG nova.api.openstack.wsgi {context} Action: 'action', body: "
        '{"os-getConsoleOutput": {"length": 35}} _process_stack /usr/lib/nova/api/openstack/wsgi.py:935\n'
        f"2013-03-02 10:15:00.101 DEBUG nova.openstack.common.rpc.amqp {context} Making synchronous call on "
        "compute.cc12 ... multicall /usr/lib/nova/openstack/common/rpc/amqp.py:553\n"
        f"2013-03-02 10:15:00.102 DEBUG nova.openstack.common.rpc.amqp {context} MSG_ID is {MSG} multicall /x.py:556\n"
        f"2013-03-02 10:15:00.200 77 DEBUG nova.openstack.common.rpc.amqp [-] {RECEIVED} _safe_log /x/common.py:276\n"
        f"2013-03-02 10:15:01.000 AUDIT nova.compute.manager {context} [instance: {U}] Get console output\n"
        f"2013-03-02 10:15:02.000 INFO nova.virt.libvirt.driver {context} [instance: {U}] Truncated console log "
        "returned, 5905477632 bytes ignored\n"
        f"2013-03-02 10:15:09.000 INFO nova.osapi_compute.wsgi.server {context} 10.0.0.1 \"POST "
        f'/v2/p/servers/{U}/action HTTP/1.1" status: 200 len: 102600 time: 9.1\n',
        host="cc12",
    )  # fmt: skip
    found = leaves(frame, [ConsoleRequest, ApiRequest])
    rows = ConsoleRequest.validate(found[ConsoleRequest])
    assert rows["stage"].to_list() == ["api", "received", "compute", "truncated"]
    assert rows["instance"].to_list() == [None, U, U, U]
    assert rows["tail_length"].to_list() == [35, 35, None, None]
    assert rows["compute_host"].to_list() == [None, "cc12", "cc12", "cc12"]
    assert rows["ignored_bytes"].to_list() == [None, None, None, 5905477632]
    assert set(rows["request_id"]) == {REQ}
    assert rows["user_id"].to_list() == [WHO.split()[0], "u1", *[WHO.split()[0]] * 2]
    assert rows["msg_id"].to_list() == [None, MSG, None, None]
    assert rows["pid"].to_list() == [None, 77, None, None]
    assert "T0KEN" not in "".join(rows["message"].to_list())
    assert found[ApiRequest].select("operation", "instance", "request_id").rows() == [
        ("POST /v2/{project_id}/servers/{server_id}/action", U, REQ)
    ]


@pytest.mark.parametrize(
    ("logger", "said"),
    [
        ("nova.api.openstack.wsgi", "Action: 'action', body: {\"os-getVNCConsole\": {\"type\": \"novnc\"}}"),
        ("nova.api.openstack.wsgi", 'Action: \'create\', body: {"server": {"name": "os-getConsoleOutput"}}'),
        ("nova.api.openstack.wsgi", "Action: 'action', body: {\"reboot\": {\"os-getConsoleOutput\": 1}}"),
        ("nova.api.openstack.wsgi", "Calling method <bound method ConsolesController.get_vnc_console of <x>>"),
        ("nova.api.openstack.extensions", "Loaded extension: os-console-output"),
        ("nova.api.ec2.cloud", "Get console output of nobody"),
        ("nova.api.ec2", "action: GetConsoleOutputs"),
        ("nova.ec2.wsgi.server", '::1 "GET /services/Cloud?x=Action=GetConsoleOutput HTTP/1.1" status: 200 len: 1'),
        ("nova.openstack.common.rpc.amqp", "Making synchronous call on compute.cc12 ... multicall /x/amqp.py:553"),
        ("nova.openstack.common.rpc.amqp", f"MSG_ID is {MSG} multicall /x/amqp.py:556"),
        ("nova.openstack.common.rpc.amqp", "unpacked context: {'user_id': u'u1'}"),
        ("nova.openstack.common.rpc.amqp", "received {u'method': u'get_vnc_console', u'x': u'get_console_output'}"),
        ("oslo.messaging._drivers.amqpdriver", f"CALL msg_id: {MSG} exchange 'nova' topic 'compute.cc12'"),
        ("nova.compute.manager", "Get console output of"),
        ("nova.virt.libvirt.driver", "Truncated console log returned"),
        ("nova.virt.libvirt.driver", "data: x, fpath: relative"),
        (None, f"Get console output for instance {U}"),
    ],
)  # fmt: skip
def test_what_does_not_say_that_it_is_about_a_console_log(logger: str | None, said: str) -> None:
    assert console(said, logger=logger).is_empty()


def test_a_dictionary_is_searched_and_not_evaluated() -> None:
    said = [
        "received {u'method': u'get_console_output', u'args': {u'instance_id': 3589}}",
        f'received {{"oslo.message": "{{\\"method\\": \\"get_console_output\\", \\"_msg_id\\": \\"{MSG}\\"}}"}}',
        "received {u'method': u'get_console_output', u'args': {u'tail_length': u'-1'}, u'x': __import__('os')}",
    ]
    rows = console(*said, logger="nova.rpc.amqp", host="cc12")
    assert rows["instance"].to_list() == ["3589", None, None]
    assert rows["msg_id"].to_list() == [None, MSG, None]
    assert rows["tail_length"].null_count() == 3
    assert set(rows["compute_host"]) == {"cc12"}


# formats.md 9.1: console text inside a record of nova's own log
def test_console_text_is_cut_and_no_record_of_its_own() -> None:
    text = "[    0.000000] Linux version 3.2.0\n2013-01-01 00:00:00 guest said so\n" * 5_000
    rows = console(f"data: '{text}', fpath: '/var/lib/nova/instances/instance-00000e05/console.log'",
                   logger="nova.virt.libvirt.connection", host="cc12")  # fmt: skip
    assert rows.select("stage", "instance", "compute_host").rows() == [("data", "instance-00000e05", "cc12")]
    assert rows["message"].str.len_chars().to_list() == [2_000]


def test_the_prefix_of_a_line_names_the_instance_first() -> None:
    rows = console(
        "Get console output", "Get console output for instance 3589", logger="nova.compute.manager", instance=U
    )
    assert rows["instance"].to_list() == [U, U]
    assert console("Get console output", logger="nova.compute.manager")["instance"].to_list() == [None]


@pytest.mark.parametrize("logger", ["nova.api.cloud", "nova.api.ec2.cloud"])
def test_the_cloud_controller_speaks_under_two_names(logger: str) -> None:
    rows = console("Get console output for instance i-00000e05", logger=logger)
    assert rows.select("stage", "instance").rows() == [("api", "i-00000e05")]


def test_the_ec2_api_names_the_instance_by_its_own_id() -> None:
    rows = console(
        '192.0.2.9 "GET /services/Cloud/?Action=GetConsoleOutput&InstanceId%2E1=i-00000e05&Signature=abc HTTP/1.1" '
        "status: 200 len: 5905580032 time: 138.5970151",
        logger="nova.ec2.wsgi.server", request_id=REQ,
    )  # fmt: skip
    assert rows.select("stage", "instance", "elapsed_s", "request_id").rows() == [
        ("api", "i-00000e05", 138.5970151, REQ)
    ]
    assert "Signature=abc" not in rows["message"][0]


@pytest.mark.parametrize(
    ("target", "length", "counts"),
    [
        (f"/project/instances/{U}/console?length=35", 35, True),
        (f"/project/instances/{U}/console/", None, True),
        (f"/dashboard/nova/instances_and_volumes/instances/{U}/console?x=1&length=100", 100, True),
        (f"/admin/instances/{U}/detail?tab=instance_details__log", None, True),
        (f"/project/instances/{U}/?tab=instance_details__console", None, False),
        (f"/project/instances/{U}/vnc", None, False),
        (f"/project/instances/{U}/", None, False),
    ],
)
def test_the_page_that_a_user_refreshes(target: str, length: int | None, counts: bool) -> None:
    line = f'192.0.2.9 - - [02/Mar/2013:10:15:01 +0000] "GET {target} HTTP/1.1" 200 2048 "-" "Mozilla/5.0"\n'
    found = leaves(read(line, source="ctl/apache2/horizon-access.log"), [ConsoleRequest])
    assert (ConsoleRequest in found) == counts
    if counts:
        rows = found[ConsoleRequest]
        assert rows.select("stage", "instance", "tail_length").rows() == [("dashboard", U, length)]


def test_hostile_lines_take_no_longer_than_others() -> None:
    said = [
        "received {" + "u'method': " * 50_000,
        "data: " + ", fpath: '" * 50_000,
        "Action: 'action', body: " + "{" * 200_000,
    ]
    for logger in ("nova.rpc.amqp", "nova.virt.libvirt.driver", "nova.api.openstack.wsgi"):
        assert console(*said, logger=logger).is_empty()


def test_public_logs_have_no_such_request() -> None:
    root = evidence_root() / "logs/openstack"
    for name in ("os-loganalyze/screen-n-api.txt.gz", "live-migration/hp-ms-01-c29/nova/nova-api.log",
                 "live-migration/hp-ms-01-c29/nova/nova-compute.log", "loghub/OpenStack_2k.log"):  # fmt: skip
        data = (root / name).read_bytes()
        frame = read(gzip.decompress(data) if name.endswith(".gz") else data)
        assert ConsoleRequest not in leaves(frame, [ConsoleRequest]), name
