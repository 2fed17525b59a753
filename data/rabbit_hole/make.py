#!/usr/bin/env python3
"""Make the rabbit hole again: a huge console log goes through a real message broker whenever a user looks at it.

Nova before the cap of 100 KiB read an instance's whole console.log and sent it as one answer over the message broker.
An instance that had failed for months, line after line, and a user who refreshed the page brought the broker down:

    horizon                cloud                       mq1                        cc12, cc07
    curl ── HTTP 8774 ──── nova-api ── AMQP 5672 ───── rabbitmq ── AMQP 5672 ──── nova-compute ── console.log
    10.10.0.9              10.10.0.2, scheduler,       10.10.0.3                  10.10.0.12, 10.10.0.7
                           nova-network

What is real: RabbitMQ, its memory alarm, what it says of it, and that it blocks who publishes; every octet of every
answer, carried by py-amqp; tcpdump beside the broker; eventlet's WSGI server, which words the access lines; curl; the
console logs, and `wc`, `ls` on them. What is rendered: nova itself. `cloud.py` plays its services, with exchanges,
queues and bodies as nova 2012.2 had them and log lines in its words, each written when the thing happens. libvirt's XML
of the instances is rendered, too.

What is arranged:

- All is a 200th of the tale's: the log has 464,452 lines, not 92,890,453, and each answer 31 MB, not 5.5 GiB. The
  broker's memory limit is small likewise (`LIMIT`), and so are the networks: `tc` lets the compute hosts send 100
  Mbit/s and the broker 40, so that answers pile up in the broker, as they do where the API is slow to read them.
- A compute host gives one answer at a time. The limit holds one answer that is half received: the broker, once it
  blocks who publishes, can give away what it has and go on.
- Periodic tasks run every 10 s, not 60. The client's library is of today, so it announces that it understands
  connection.blocked; nova's of 2012 did not.
- Controller and compute hosts log in America/Edmonton. mq1's clock is 4.25 s ahead and cc12's 2.5 s behind: their
  programs run under libfaketime, the capture is moved with `editcap -t`.
- The capture keeps 256 octets of each packet: the frames' headers are all there, of the text only the beginnings. The
  kernel hands packets of up to 64 KiB to tcpdump (segmentation offload); the sequence numbers tell what was carried.

The healthy half has the cap: same hosts, same log on the disk, same requests, and no answer above 100 KiB.

`requests` counts what nova-compute was asked for, by its log; curl and nova-compute's private count agree with it.
`carried_bytes` adds up the sizes in nova-api's access lines, headers included, as eventlet counts; `on_the_wire` has
the octets that tshark counts on either side of the broker.

Run as root: `python3 make.py [--half guilty|healthy|both] [--out FOLDER]`, about four minutes. Everything lives in
namespaces that end with this process, however it ends; only FOLDER and a temporary folder are written.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `python -P` leaves both out
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _lab import FAKETIME, main, pack, wait_until
from hosts import Host, connect
from plan import INSTANCES, LOUD, libvirt_xml, plan
from truth import truth

HERE = Path(__file__).resolve().parent
ADDRESSES = {
    "mq1": "10.10.0.3",
    "cloud": "10.10.0.2",
    "horizon": "10.10.0.9",
    "cc12": "10.10.0.12",
    "cc07": "10.10.0.7",
}
ZONE = "America/Edmonton"
ZONES = {"cloud": ZONE, "cc12": ZONE, "cc07": ZONE}
AHEAD_S = {"mq1": 4.25, "cc12": -2.5}
SPEEDS = {"mq1": "40mbit", "cc12": "100mbit", "cc07": "100mbit"}
LIMIT = "195MB"  # of which RabbitMQ itself needs 130
SNAPLEN = "256"
LINES = 92_890_453 // 200
QUIET_S = 15  # before the first request and after the last answer
TITLES = {"guilty": "Instances launch slowly, or not at all", "healthy": "A user reads a console log again and again"}

DEBIAN_PYTHON = "/usr/bin/python3"  # knows Debian's packages, whichever Python runs this
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
PACKAGES = {
    "ip": "iproute2", "tc": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount",
    "tcpdump": "tcpdump", "curl": "curl", "tshark": "tshark", "editcap": "wireshark-common",
    RABBITMQ: "rabbitmq-server",
    "/usr/lib/python3/dist-packages/amqp": "python3-amqp", DEBIAN_PYTHON: "python3",
    "/usr/lib/python3/dist-packages/eventlet": "python3-eventlet",
    FAKETIME: "libfaketime", f"/usr/share/zoneinfo/{ZONE}": "tzdata",
}  # fmt: skip
CONFIGURATION = f"""listeners.tcp.default = {ADDRESSES["mq1"]}:5672
loopback_users = none
vm_memory_high_watermark.absolute = {LIMIT}
disk_free_limit.absolute = 50MB
log.console = false
"""


def incident(half: str, work: Path) -> None:
    """Run one half and leave its logs, captures and counts in `work`."""
    names = "".join(f"{address} {name}\n" for name, address in ADDRESSES.items())
    with ExitStack() as stack:
        switch = stack.enter_context(closing(Host("switch", work)))
        switch.run("ip", "link", "add", "br0", "type", "bridge")
        switch.run("ip", "link", "set", "br0", "up")
        hosts = {}
        for name, address in ADDRESSES.items():
            host = Host(name, work, ZONES.get(name, "UTC"), AHEAD_S.get(name, 0), names)
            hosts[name] = stack.enter_context(closing(host))
            mac = f"00:25:90:3a:5c:{int(address.rpartition('.')[2]):02x}"
            connect(switch, host, mac, address, SPEEDS.get(name, ""))
        instances(hosts)
        broker = hosts["mq1"]
        (broker.folder / "rabbitmq" / "rabbitmq.conf").write_text(CONFIGURATION)
        (broker.folder / "rabbitmq" / "enabled_plugins").write_text("[].\n")
        capture = broker.spawn("tcpdump", "-i", "eth0", "-n", "-U", "-Z", "root", "-s", SNAPLEN, "-B", "8192",
                               "-w", "/var/log/eth0.pcap", "port 5672", true_time=True)  # fmt: skip
        broker.spawn(RABBITMQ, RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none")
        log = broker.log / "rabbitmq" / "rabbit@mq1.log"
        ready = "Server startup complete"
        wait_until(lambda: log.exists() and ready in log.read_text(), 90, "mq1: RabbitMQ")
        services(half, hosts, work)
        transcript(hosts["cc12"], work / "session.txt")
        os.kill(capture, signal.SIGINT)
        time.sleep(1)


def services(half: str, hosts: dict[str, Host], work: Path) -> None:
    """Start nova, let the users look at it, and wait for the last answer."""
    told = work / "plan.json"
    addresses = {"broker": ADDRESSES["mq1"], "api": ADDRESSES["cloud"]}
    told.write_text(json.dumps(plan(work, capped=half == "healthy") | addresses))
    roles = [("cloud", "network"), ("cloud", "scheduler"), ("cc12", "compute"), ("cc07", "compute"), ("cloud", "api")]
    for name, role in [*roles, ("horizon", "browsers")]:
        if role == "browsers":
            time.sleep(QUIET_S)
        command = [DEBIAN_PYTHON, "-B", str(HERE / "cloud.py"), role, name, str(told), f"/var/log/nova-{role}.log"]
        hosts[name].spawn(*command)
        time.sleep(0.5)
    wait_until(lambda: broken(hosts) or (work / "done").exists(), 330, "the last answer")
    if broken(hosts):
        raise RuntimeError(broken(hosts))
    time.sleep(QUIET_S)


def broken(hosts: dict[str, Host]) -> str:
    """How a service came to its end; nothing while all live."""
    files = {name: host.folder / "stderr" for name, host in hosts.items()}
    said = {name: file.read_text(errors="replace") for name, file in files.items() if file.exists()}
    return next((f"{name}: {text[-600:].strip()}" for name, text in said.items() if "Traceback" in text), "")


def instances(hosts: dict[str, Host]) -> None:
    """Write the console logs; one of them has failed for months."""
    chance = random.Random(5)
    for one in INSTANCES:
        loud = one["uuid"] == LOUD["uuid"]
        at, process, lines = 8.0, 700, []
        for _ in range(LINES if loud else chance.randrange(300, 700)):
            at += chance.random() * (19 if loud else 2)
            process += 1
            words = ("exited with status 1", "killed by TERM signal") if loud else ("started", "ready", "stopped")
            lines.append(f"[{at:14.6f}] init: statd process ({process % 30000 + 300}) {chance.choice(words)}\n")
        folder = hosts[one["host"]].folder / "nova" / "instances" / f"instance-{one['id']:08x}"
        folder.mkdir(parents=True)
        (folder / "console.log").write_text("".join(lines))


def transcript(host: Host, path: Path) -> None:
    """What the operator typed on the compute host, and what it said."""
    place = f"/var/lib/nova/instances/instance-{LOUD['id']:08x}"
    said = ""
    for command in ("date", "wc -l console.log", "ls -sh console.log", "ls -l console.log"):
        answer = host.run(*command.split(), cwd=place, true_time=command != "date")
        said += f"adm@{host.name}:{place}# {command}\n{answer}"
    path.write_text(said)


def collect(work: Path, evidence: Path) -> None:
    """Write the folder that an operator would hand over."""
    shutil.rmtree(evidence, ignore_errors=True)
    files = [("cloud", "nova-api.log"), ("cc12", "nova-compute.log"), ("cc07", "nova-compute.log")]
    for host, name in [*files, ("mq1", "rabbitmq/rabbit@mq1.log")]:
        target = evidence / host / Path(name).name
        target.parent.mkdir(parents=True)
        shutil.copyfile(work / host / "log" / name, target)
    shutil.copyfile(work / "session.txt", evidence / "cc12" / "session.txt")
    for one in INSTANCES:
        folder = evidence / one["host"] / "etc" / "libvirt" / "qemu"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"instance-{one['id']:08x}.xml").write_text(libvirt_xml(one))
    raw, moved = work / "mq1" / "log" / "eth0.pcap", work / "moved.pcap"
    subprocess.run(["editcap", "-F", "pcap", "-t", str(AHEAD_S["mq1"]), raw, moved], check=True)
    pack(moved, evidence / "mq1" / "eth0.pcap.gz")


def make(half: str, out: Path) -> None:
    """Make one half: its evidence, and its truth beside it."""
    with tempfile.TemporaryDirectory(prefix="rabbit_hole_") as folder:
        incident(half, Path(folder))
        collect(Path(folder), out / half)
        (out / half / "case.toml").write_text(f'title = "{TITLES[half]}"\n')
        told = json.dumps(truth(half, out / half, Path(folder), ADDRESSES, AHEAD_S, ZONES), indent=2)
    (out / f"{half}.truth.json").write_text(told + "\n")
    print(f"{half}: {told}")


if __name__ == "__main__":
    sys.exit(main("Make the rabbit hole again (as root, four minutes).", tuple(TITLES), make, PACKAGES, at_a_time=2))
