"""Section 9 of the reference: who asked for a console log, and how large the files are."""

import pytest

from forensics.records import ApiRequest, ConsoleRequest, FileSize, LogRecord, ShellCommand
from tests.formats._met import Line, Wanted, meet, parameters

UUID = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
MSG = "317888f245394451b2f93c26fdcb1c5c"
REQ = "req-9a1b2c3d-0000-4000-8000-000000000001"
BY = f"[{REQ} u p]"
WHO = {"request_id": REQ, "user_id": "u", "project_id": "p"}
AT = "2013-03-02 10:15:01"
WSGI = f"{AT} DEBUG nova.api.openstack.wsgi {BY} Action: 'action',"
BODY = 'body: {"os-getConsoleOutput": {"length": 35}} _process_stack /nova/api/openstack/wsgi.py:942'
BOUND = "calling method: <bound method ConsoleOutputController.get_console_output of <x object at 0x7f>>,"
RECEIVED = (
    f"received {{u'_context_roles': [u'admin'], u'_msg_id': u'{MSG}', u'_context_request_id': u'{REQ}', u'args': "
    f"{{u'instance_uuid': u'{UUID}', u'tail_length': None}}, u'_context_auth_token': '<SANITIZED>', "
    "u'method': u'get_console_output', u'_context_timestamp': u'2013-03-02T10:15:00.123'} _safe_log /rpc/common.py:195"
)
LIBVIRT = "/var/lib/nova/instances/instance-00000e05/console.log"
GIB = 1 << 30


def asked(text: str, *want: Wanted, name: str = "cc12/var/log/nova/nova-compute.log") -> Line:
    return Line("9.1", text, ConsoleRequest, want, name)


def request(text: str, **want: object) -> Line:
    at = f"{AT}.123 7 INFO nova.osapi_compute.wsgi.server {BY} 10.0.0.9 "
    return Line("9.1", f'{at}"{text} HTTP/1.1" status: 200 len: 1109 time: 1.5', ApiRequest,
                {"client": "10.0.0.9", "status": 200, "response_bytes": 1109, "duration_s": 1.5, **WHO, **want},
                "ctl/nova-api.log")  # fmt: skip


FOLDER = "/var/lib/nova/instances/instance-00000e05"
CONSOLE = {"path": f"{FOLDER}/console.log", "instance_name": "instance-00000e05", "host": "cc12"}
EXACT = {"size_bytes": 5905580032, "low_bytes": 5905580032, "high_bytes": 5905580032}
ROUNDED = {"low_bytes": 5798205850, "high_bytes": 5905580032}  # (5.4, 5.5] GiB
LONG = "-rw-rw---- 1 libvirt-qemu kvm"
KNOWN = {"modified_ns": 1_362_219_301_000_000_000, "zone": "UTC"}


def sized(command: str, output: str, *want: Wanted, section: str = "9.2") -> Line:
    """What a command printed below the prompt of cc12, a folder of Essex."""
    return Line(section, f"adm@cc12:{FOLDER}# {command}\n{output}\n", FileSize, want, "notes.txt", KNOWN)


def prompt(text: str, **want: object) -> Line:
    return Line("9.2", f"{text}\n5.5G console.log\n", ShellCommand,
                {"command": "ls -sh console.log", "shell": "shell", "n_lines": 1, **want}, "notes.txt")  # fmt: skip


LINES = [
    # 9.1: API; the body is not logged at INFO
    request(f"POST /v2/7052bd6714e7460caeb16242e68124f9/servers/{UUID}/action", method="POST",
            operation="POST /v2/{project_id}/servers/{server_id}/action"),
    request(f"POST /v2.1/servers/{UUID}/action", operation="POST /v2.1/servers/{server_id}/action"),
    request("GET /services/Cloud?Action=GetConsoleOutput&InstanceId=i-00000e05", operation="GetConsoleOutput"),
    asked(f"{WSGI} {BODY}", {"stage": "api", "tail_length": 35, "ts": AT, **WHO}, name="ctl/nova-api.log"),
    asked(f"{WSGI} {BOUND} {BODY}", {"stage": "api", "tail_length": 35, **WHO}, name="ctl/nova-api.log"),
    # compute
    asked(f"{AT} AUDIT nova.compute.manager {BY} Get console output for instance {UUID}",
          {"stage": "compute", "instance": UUID, "compute_host": "cc12", **WHO}),
    asked(f"{AT} AUDIT nova.compute.manager {BY} [instance: {UUID}] Get console output",
          {"stage": "compute", "instance": UUID, "ts": AT, **WHO}),
    asked(f"2018-03-02 10:15:01.123 7 INFO nova.compute.manager {BY} [instance: {UUID}] Get console output",
          {"stage": "compute", "instance": UUID, "pid": 7}),
    *(asked(f"{AT} DEBUG {logger} [-] {RECEIVED}", {"stage": "received", "instance": UUID, "msg_id": MSG,
            "tail_length": None, "request_id": REQ, "compute_host": "cc12"})
      for logger in ("nova.rpc.amqp", "nova.openstack.common.rpc.amqp")),
    asked(f"{AT} DEBUG nova.rpc.amqp {BY} unpacked context: {{'user_id': u'u', 'roles': []}} _safe_log /x.py:195"),
    # calls do not say what for; they are log records that share ids
    *(asked(f"2014-03-02 10:15:00.123 7 DEBUG {text}", name="ctl/nova-api.log") for text in (
        f"nova.openstack.common.rpc.amqp {BY} Making asynchronous call on compute.cc12 ...",
        f"nova.openstack.common.rpc.amqp {BY} Making synchronous call on compute.cc12 ... multicall /amqp.py:354",
        f"nova.openstack.common.rpc.amqp {BY} MSG_ID is {MSG} multicall /amqp.py:357",
        f"oslo_messaging._drivers.amqpdriver {BY} CALL msg_id: {MSG} exchange 'nova' topic 'compute.cc12' _send /x:448",
        f"oslo_messaging._drivers.amqpdriver [-] received reply msg_id: {MSG} __call__ /x.py:296",
        f"oslo_messaging._drivers.amqpdriver {BY} sending reply msg_id: {MSG} reply queue: reply_ab time elapsed: 1.5s",
    )),
    # the driver; embedded console text is no record of its own
    asked(f"{AT} INFO nova.virt.libvirt.connection {BY} data: '[ 0.1] Linux#012[ 0.2] x \x1b[1m', fpath: '{LIBVIRT}'",
          {"stage": "data", "instance": "instance-00000e05", **WHO}),
    Line("9.1", f"{AT} INFO nova.virt.libvirt.connection {BY} data: '[    0.1] Linux\n[    0.2] Kernel\n2012-01-01 x\n"
         f"', fpath: '{LIBVIRT}'\n{AT} AUDIT nova.compute.manager [-] next\n", LogRecord,
         [{"logger": "nova.virt.libvirt.connection", "n_lines": 4}, {"message": "next"}]),
    asked(f"{AT}.123 INFO nova.virt.libvirt.driver {BY} [instance: {UUID}] Truncated console log returned, 123456 "
          "bytes ignored", {"stage": "truncated", "instance": UUID, "ignored_bytes": 123456, **WHO}),
    # 9.2: every tool, below a prompt that gives host and folder
    sized("wc -l a b", "   10 a\n 2000 b\n 2010 total", {"path": f"{FOLDER}/a", "lines": 10},
          {"path": f"{FOLDER}/b", "lines": 2000}, {"kind": "total", "lines": 2010}),
    sized("wc console.log", "      1       2      30 console.log", {"lines": 1, "size_bytes": 30, **CONSOLE}),
    sized("ls -sh console.log", "9.1M console.log", {"low_bytes": 9437185, "high_bytes": 9542041, "size_bytes": None}),
    sized("ls -sh console.log", "11K console.log", {"low_bytes": 10241, "high_bytes": 11264, **CONSOLE}),
    sized("ls -s console.log", "5767168 console.log", {"allocated_bytes": 5905580032, "tool": "ls", **CONSOLE}),
    sized("ls -l", f"total 5767172\n{LONG} 5905580032 Mar  2 10:15 console.log\n-rw-r--r-- 1 nova nova 1234 Dec  2  "
          "2011 libvirt.xml", {**EXACT, **CONSOLE, "modified_at": "2013-03-02 10:15:00", "allocated_bytes": None},
          {"path": f"{FOLDER}/libvirt.xml", "modified_at": "2011-12-02 00:00:00", "owner": "nova"}),
    sized("ls -l console.log", f"{LONG} 5905580032 Dec 30 10:15 console.log", {"modified_at": "2012-12-30 10:15:00"}),
    sized("ls -lh console.log", f"{LONG} 5.5G Mar  2 10:15 console.log", {**ROUNDED, "size_bytes": 5905580032}),
    sized("ls -la --time-style=full-iso console.log", f"{LONG} 5905580032 {AT}.123456789 +0000 console.log",
          {**EXACT, "modified_at": f"{AT}.123456789", "kind": "file", "links": 1}),
    sized("ls -lash console.log", f"5.5G {LONG} 5.5G Mar  2 10:15 console.log",
          {"size_bytes": 5905580032, "allocated_bytes": 5905580032, **ROUNDED}),
    *(sized(f"du {option}console.log", "5767168\tconsole.log", {"allocated_bytes": 5905580032, "size_bytes": None})
      for option in ("", "-k ")),
    sized("du -h console.log", "5.5G\tconsole.log", {**ROUNDED, "tool": "du", "size_bytes": None, **CONSOLE}),
    sized("du -b console.log", "5905580032\tconsole.log", {**EXACT, "allocated_bytes": None}),
    sized("du -a", "4\t./libvirt.xml\n5767172\t.", {"path": f"{FOLDER}/libvirt.xml", "allocated_bytes": 4096},
          {"path": FOLDER, "kind": "folder"}),
    sized("find . -size +1G -ls", f"1234567 5767168 {LONG}      5905580032 Mar  2 10:15 ./my\\ console.log",
          {**EXACT, "path": f"{FOLDER}/my console.log", "inode": 1234567, "allocated_bytes": 5905580032}),
    sized("find . -size +1G -printf '%s %p\\n'", "5905580032 ./console.log", {**EXACT, **CONSOLE, "tool": "find"}),
    sized("stat console.log", "  File: `console.log'\n  Size: 5905580032\tBlocks: 11534336   IO Block: 4096   regular "
          "file\nDevice: fc00h/64512d\tInode: 1234567     Links: 1\nAccess: (0660/-rw-rw----)  Uid: (  107/libvirt)"
          f"   Gid: (  107/     kvm)\nAccess: {AT}.123456789 -0700\nModify: {AT}.123456789 -0700\nChange: "
          f"{AT}.123456789 -0700", {**EXACT, **CONSOLE, "modified_at": "2013-03-02 17:15:01.123456789",
                                    "allocated_bytes": 11534336 * 512, "inode": 1234567, "kind": "file"}),
    sized("stat -c '%n %s %Y' console.log", "console.log 5905580032 1362219301", {**EXACT, "modified_at": AT}),
    sized("df -h", "Filesystem            Size  Used Avail Use% Mounted on\n/dev/mapper/cc12-instances_with_long_name\n"
          "                      1.8T  1.1T  700G  62% /var/lib/nova/instances",
          {"kind": "mount", "path": "/var/lib/nova/instances", "low_bytes": (1 << 40) + 1, "tool": "df"}),
    sized("df -k", "Filesystem     1K-blocks     Used Available Use% Mounted on\n/dev/sda1      100000000 60000000  "
          "40000000  60% /", {"path": "/", "size_bytes": 102400000000, "allocated_bytes": 61440000000}),
    # paths of Folsom and before (in hexadecimal), of Grizzly, of virtlogd
    *(Line("9.2", f"{4 * GIB}\t/var/lib/nova/instances/{path}\n", FileSize, {"instance_name": name, "instance": uuid},
           "x", {"command": "du -b"}) for path, name, uuid in (
        ("instance-00000e05/console.log", "instance-00000e05", None), (f"{UUID}/console.log", None, UUID),
        (f"{UUID}/console.log.0", None, UUID))),
    # prompts
    prompt(f"adm@cc12:{FOLDER}# ls -sh console.log", user="adm", host="cc12", directory=FOLDER),
    prompt("root@cc12.example.org:~$ ls -sh console.log", user="root", host="cc12.example.org", directory="/root"),
    prompt("[root@cc12 instances]# ls -sh console.log", user="root", host="cc12"),
    prompt("$ ls -sh console.log", user=None, host=None),
    prompt("# ls -sh console.log", user=None),
    Line("9.2", "mysql> show tables;\n", ShellCommand, {"shell": "mysql", "command": "show tables;"}),
    # 9.3
    sized("wc -l console.log", "92890453 console.log", {"lines": 92890453, "tool": "wc", **CONSOLE}, section="9.3"),
    sized("ls -sh console.log", "5.5G console.log", {**ROUNDED, "allocated_bytes": 5905580032, "size_bytes": None},
          section="9.3"),
    Line("9.3", f"2013-03-02 10:15:00 DEBUG nova.openstack.common.rpc.amqp {BY} Making synchronous call on compute.cc12"
         " ... multicall /usr/lib/python2.7/dist-packages/nova/openstack/common/rpc/amqp.py:354", LogRecord,
         {"severity": "DEBUG", "request_id": REQ, "logger": "nova.openstack.common.rpc.amqp"}),
    # a dictionary of Python is searched, never evaluated:
    # tests/loaders/messages/test_console_requests.py::test_a_dictionary_is_searched_and_not_evaluated
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_9(line: Line) -> None:
    meet(line)


def test_section_9_lines_of_the_seed_are_plausible() -> None:
    """5.5 GiB in 92,890,453 lines make about 64 bytes a line."""
    assert 62 < ROUNDED["low_bytes"] / 92_890_453 < ROUNDED["high_bytes"] / 92_890_453 < 65
