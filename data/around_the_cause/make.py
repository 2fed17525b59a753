#!/usr/bin/env python3
"""Make what stands around a cause again: rivals, alarms, tags and a torn capture, with the real programs.

None of these is an incident of its own as a rule, all of them are what an incident is mistaken for. One small cloud
out of network namespaces has them at once:

    controller                          compute                              instances
    dnsmasq 10.0.0.1, tcpdump on eth1   tcpdump on eth1
    br100 ─┬─ eth1 ── veth ── eth1 ── br100 ── vnet… ──────────────────────── web-3 .. web-6   dhclient
           │                                                                  db-1, db-2       10.0.0.20
           └─ eth2 ── veth ── eth1 ── br100 ── vnet32 ─ (compute-2) ───────── build-1          dnsmasq 192.168.122.1

`mq1` is a broker's host of its own.

What happens in the guilty half, and its look-alike in the healthy one:

- DHCP: `build-1` has bridged libvirt's default network to its own card, so its dnsmasq answers its neighbours. Healthy:
  it is a second server of the cloud, with the same list of hosts.
- Addresses: `db-2` was made from a snapshot of `db-1` and has its address too, so both answer. Healthy: `db-1` hands
  its address over and is silent from then on.
- Broker: memory and disk alarms, since limits are lowered and raised by `rabbitmqctl`. Healthy: none.
- Tags: vlan100 (802.1Q) on vlan20 (802.1Q), no octet to spare. Healthy: vlan20 is a service tag (802.1ad).
- Evidence: a block of compute's capture was unreadable, and the copy has zeros there (`dd conv=noerror,sync`). Healthy:
  it is whole.

What is real: dnsmasq as nova-network and libvirt start it, dhclient, the kernel's ARP, tcpdump, RabbitMQ's own log, the
host's own part of `ip -d link`. What is arranged: the controller asks for db-1's hardware address anew every few
seconds; libvirt's definitions of the instances are written by hand; the tagged devices are two entries added to
`ip -d link`, for not every kernel that this runs on knows 802.1Q; captures keep 400 bytes of each packet.

Run as root: `python3 make.py [--half NAME|both] [--out FOLDER]`, about three minutes; both halves run side by side.
Everything lives in namespaces that end with this process, however it ends; only FOLDER and a temporary folder are
written.
"""

import json
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `python -P` leaves both out
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _lab import cable, main, pack, wait_until
from hosts import Host
from truth import truth

GUESTS = {  # name -> uuid, hardware address, number
    "web-3": ("3f0c9a52-7d1e-4b86-a2f4-51c8d07e9b13", "fa:16:3e:5a:10:03", 0x2A03),
    "web-4": ("b8e4d176-20c9-4f35-8e6b-94a7c1f3d204", "fa:16:3e:5a:10:04", 0x2A04),
    "web-5": ("5d7b1f68-e3a4-4c92-b0d5-27f6a98c1e35", "fa:16:3e:5a:10:05", 0x2A05),
    "web-6": ("c96a3e07-8b5f-4d21-97ec-0d4b7f2a8156", "fa:16:3e:5a:10:06", 0x2A06),
    "db-1": ("0e85f2c4-6a97-4310-bd78-e1c39f5b2a47", "fa:16:3e:c4:77:20", 0x2A11),
    "db-2": ("71d3b9ae-f04c-4e68-8a15-6b2e8d9c0f58", "fa:16:3e:c4:9b:21", 0x2A12),
    "build-1": ("a42e6c19-95d8-4b07-b3fa-8c1f7e0d3b69", "fa:16:3e:e0:31:7c", 0x2A20),
}
SERVER, SECOND, ROGUE, TWICE = "10.0.0.1", "10.0.0.3", "192.168.122.1", "10.0.0.20"
LEASE = "10m"
COMPUTE = ("compute", "compute-2")
CLIENTS = [name for name in GUESTS if name.startswith("web")]
TITLES = {"guilty": "Instances lose the network now and then", "healthy": "Instances came up late this morning"}
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"  # /usr/sbin has one that asks as another user
CONFIGURATION = """listeners.tcp.local = 127.0.0.1:5672
vm_memory_high_watermark.absolute = 2GB
disk_free_limit.absolute = 50MB
log.console = false
"""
HOLE, BLOCK = 5 * 4096, 4096
"""Where the unreadable block of compute's disk lies in the capture."""
PACKAGES = {
    "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "dnsmasq": "dnsmasq-base",
    "dhclient": "isc-dhcp-client", "tcpdump": "tcpdump", "ping": "iputils-ping", "tshark": "tshark",
    RABBITMQ: "rabbitmq-server", CONTROL: "rabbitmq-server",
}  # fmt: skip


def incident(half: str, work: Path) -> None:
    """Run one half, leave its logs and captures in `work`."""
    guilty = half == "guilty"
    with ExitStack() as stack:
        hosts = {name: stack.enter_context(closing(Host(name, work)))
                 for name in (*COMPUTE, "controller", "mq1", *GUESTS)}  # fmt: skip
        controller, broker = hosts["controller"], hosts["mq1"]
        log = serve_messages(broker)
        for n, name in enumerate(COMPUTE, 1):
            cable(controller, f"eth{n}", hosts[name], "eth1")
            hosts[name].bridge("eth1")
        controller.bridge("eth1", "eth2")
        for name, (_, mac, number) in GUESTS.items():
            hosts[host_of(name)].plug(hosts[name], mac, f"vnet{number & 0xFF}")
        controller.run("ip", "addr", "add", f"{SERVER}/24", "broadcast", "+", "dev", "br100")
        leases = "".join(f"{GUESTS[name][1]},{name}.novalocal,10.0.0.{n}\n" for n, name in enumerate(CLIENTS, 5))
        for host in (controller, hosts["build-1"]):
            (host.folder / "dhcp" / "nova-br100.conf").write_text(leases)
        captures = [controller.tcpdump("eth1"), hosts["compute"].tcpdump("eth1")]
        time.sleep(2)
        controller.dnsmasq(SERVER, "10.0.0.2,static", LEASE, "/etc/dhcp/nova-br100.conf")
        hosts["db-1"].run("ip", "addr", "add", f"{TWICE}/24", "dev", "eth0")
        controller.spawn("ping", "-n", "-i", "3", TWICE)
        controller.spawn("sh", "-c", f"while sleep 4; do ip neigh flush to {TWICE}; done")

        for name in CLIENTS[:2]:  # all is well
            hosts[name].ask()
            time.sleep(5)
        rival(hosts["build-1"], guilty=guilty)
        for round_ in range(3):
            for name in CLIENTS[2:] if round_ == 0 else CLIENTS:
                hosts[name].forget()
                hosts[name].ask()
                time.sleep(4)
            if round_ == 0:
                twin(hosts["db-1"], hosts["db-2"], guilty=guilty)
            if guilty:
                squeeze(broker, log, ("memory", 6), ("disk", 14)) if round_ else squeeze(broker, log, ("memory", 3))
            else:
                time.sleep(10)
        time.sleep(5)
        listed = hosts["compute"].run("ip", "-d", "link") + tagged("802.1Q" if guilty else "802.1ad")
        (work / "ip_-d_link.txt").write_text(listed)
        for capture in captures:
            os.kill(capture, signal.SIGINT)
        time.sleep(1)
        broker.run(CONTROL, "stop")


def host_of(guest: str) -> str:
    """Where an instance runs; the rival is elsewhere, so that what it says comes by the captures."""
    return COMPUTE[guest == "build-1"]


def rival(guest: Host, *, guilty: bool) -> None:
    """A second dnsmasq: libvirt's for its default network, or one more of the cloud's own."""
    address, offered = (ROGUE, "192.168.122.2,192.168.122.254") if guilty else (SECOND, "10.0.0.2,static")
    guest.run("ip", "addr", "add", f"{address}/24", "broadcast", "+", "dev", "eth0")
    guest.dnsmasq(address, offered, LEASE, "" if guilty else "/etc/dhcp/nova-br100.conf")


def twin(first: Host, second: Host, *, guilty: bool) -> None:
    """The second machine takes the address; what is healthy is that the first one has left it."""
    if not guilty:
        first.run("ip", "addr", "del", f"{TWICE}/24", "dev", "eth0")
    second.run("ip", "addr", "add", f"{TWICE}/24", "dev", "eth0")


def serve_messages(broker: Host) -> Path:
    """Start RabbitMQ; returns its log."""
    (broker.folder / "rabbitmq" / "rabbitmq.conf").write_text(CONFIGURATION)
    (broker.folder / "rabbitmq" / "enabled_plugins").write_text("[].\n")
    broker.spawn(RABBITMQ, RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none")
    log = broker.log / "rabbitmq" / "rabbit@mq1.log"
    wait_until(lambda: log.exists() and "Server startup complete" in log.read_text(), 90, "mq1: RabbitMQ")
    return log


def squeeze(broker: Host, log: Path, *alarms: tuple[str, int]) -> None:
    """Lower a limit until the alarm is raised, and raise it again some seconds later."""
    limits = {"memory": ("set_vm_memory_high_watermark", ("absolute", "40MB"), ("absolute", "2GB")),
              "disk": ("set_disk_free_limit", ("900000GB",), ("50MB",))}  # fmt: skip
    for kind, lasts_s in alarms:
        before, (command, low, high) = log.read_text(), limits[kind]
        for state, limit, wait_s in (("set", low, lasts_s), ("cleared", high, 0)):
            words = f"{kind} resource limit alarm {state} on node"
            broker.run(CONTROL, command, *limit)
            wait_until(partial(more_of, words, log, before), 60, f"the {kind} alarm is {state}")
            time.sleep(wait_s)


def more_of(words: str, log: Path, before: str) -> bool:
    """Whether a log says something more often than it did."""
    return log.read_text().count(words) > before.count(words)


def collect(half: str, work: Path, evidence: Path) -> dict[str, int] | None:
    """Write the folder that an operator would hand over; returns where the capture of compute is torn."""
    shutil.rmtree(evidence, ignore_errors=True)
    for host in (*COMPUTE, "controller", "mq1"):
        (evidence / host).mkdir(parents=True)
    pack(work / "controller" / "log" / "eth1.pcap", evidence / "controller" / "eth1.pcap.gz")
    pack(work / "mq1" / "log" / "rabbitmq" / "rabbit@mq1.log", evidence / "mq1" / "rabbit@mq1.log.gz")
    shutil.copyfile(work / "ip_-d_link.txt", evidence / "compute" / "ip_-d_link.txt")
    for name in GUESTS:
        folder = evidence / host_of(name) / "etc" / "libvirt" / "qemu"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"instance-{GUESTS[name][2]:08x}.xml").write_text(libvirt_xml(name))
    packets = (work / "compute" / "log" / "eth1.pcap").read_bytes()
    torn = damage(packets) if half == "guilty" else None
    if torn:
        packets = packets[:HOLE] + bytes(BLOCK) + packets[HOLE + BLOCK :]
    (evidence / "compute" / "eth1.pcap").write_bytes(packets)
    return torn


def damage(packets: bytes) -> dict[str, int]:
    """Which packets the block takes away: their octets from the first one's start to the last one's end."""
    at, hurt = 24, []
    while at < len(packets):
        after = at + 16 + struct.unpack_from("<I", packets, at + 8)[0]
        if after > HOLE and at < HOLE + BLOCK:
            hurt.append((at, after))
        at = after
    return {"first_gap_offset_bytes": hurt[0][0], "lost_bytes": hurt[-1][1] - hurt[0][0], "packets": len(hurt)}


def tagged(outer: str) -> str:
    """Two tagged devices as `ip -d link` lists them (iproute2 6.1)."""
    rest = "numtxqueues 1 numrxqueues 1 gso_max_size 65536 gso_max_segs 65535"
    flags = "<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default qlen 1000"
    return "".join(
        f"{n}: {name}@{below}: {flags}\n    link/ether 00:25:90:3a:5c:31 brd ff:ff:ff:ff:ff:ff promiscuity 0 "
        f"minmtu 0 maxmtu 65535 \n    vlan protocol {protocol} id {tag} <REORDER_HDR> addrgenmode eui64 {rest} \n"
        for n, name, below, protocol, tag in (
            (41, "vlan20", "eth1", outer, 20),
            (42, "vlan100", "vlan20", "802.1Q", 100),
        )
    )


def libvirt_xml(name: str) -> str:
    """What libvirt keeps of an instance, as far as it says what belongs to it."""
    uuid, mac, number = GUESTS[name]
    return f"""<domain type='kvm'>
  <name>instance-{number:08x}</name>
  <uuid>{uuid}</uuid>
  <memory unit='KiB'>2097152</memory>
  <vcpu placement='static'>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc-1.0'>hvm</type>
    <boot dev='hd'/>
  </os>
  <devices>
    <emulator>/usr/bin/kvm</emulator>
    <interface type='bridge'>
      <mac address='{mac}'/>
      <source bridge='br100'/>
      <target dev='vnet{number & 0xFF}'/>
      <model type='virtio'/>
    </interface>
  </devices>
</domain>
"""


def make(half: str, out: Path) -> None:
    """Make one half: its evidence, and its truth beside it."""
    with tempfile.TemporaryDirectory(prefix="around_the_cause_") as folder:
        incident(half, Path(folder))
        torn = collect(half, Path(folder), out / half)
    (out / half / "case.toml").write_text(f'title = "{TITLES[half]}"\n')
    macs = {name: mac for name, (_, mac, _) in GUESTS.items()}
    told = json.dumps(truth(out / half, macs, torn, guilty=half == "guilty"), indent=2)
    (out / f"{half}.truth.json").write_text(told + "\n")
    print(f"{half}: {told}")


if __name__ == "__main__":
    what = "Make what stands around a cause again (as root, three minutes)."
    sys.exit(main(what, tuple(TITLES), make, PACKAGES, at_a_time=2))
