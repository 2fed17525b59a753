#!/usr/bin/env python3
"""Make the lost lease again: real programs, one dead receive path, and a healthy twin.

An instance whose virtual network card stops receiving looks like an instance with a DHCP problem: the first thing that
anybody misses is the answer to its next renewal. This script builds that incident out of network namespaces:

    controller                            compute                         web-3 (the instance)
    dnsmasq, rsyslogd, iperf3 client      ┌───── br100 ─────┐             dhclient, rsyslogd, iperf3 server
    br100 10.0.0.1 ── eth1 ── veth ── eth1                 vnet0 ── virtio ── eth0 10.0.0.5, by DHCP

`Virtio` (hosts.py) stands where qemu stood: a thread that carries frames between two tap devices. In the guilty half it
stops reading `vnet0` some seconds before a renewal is due, as virtio-net of 2012 did under load, and goes on carrying
what the instance sends. The healthy half runs the same programs for as long, and its card lives on.

What is real: nova-network's dnsmasq command line with its lease of 120 s and without log-dhcp, ifupdown's
`dhclient -1 -v`, Debian's rsyslogd in the traditional format, tcpdump on both sides, TCP at a steady rate from the
controller (the night's backup), a ping each way. What is arranged:

- The controller logs in America/Edmonton, the instance in UTC.
- The controller's clock is 6.5 s ahead: its rsyslogd runs under libfaketime, its capture is moved with `editcap -t`.
- The controller's syslog was rotated once on the way.
- Segmentation offload is off, so that both captures hold the same packets; they keep 400 bytes of each.

How the kernel takes part. Nobody sets a neighbour entry by hand, so log and wire differ in number. A unicast request
leaves the instance only while its kernel knows the controller's hardware address: with no answer to hear, that lasts
15 to 50 s, and dhclient logs the later requests although only ARP questions leave. An ACK to a renewal goes through the
controller's routing table and depends on ARP likewise: dnsmasq logs DHCPACK at once, the kernel may send it seconds
later or never. What keeps its entry alive are the instance's own broadcast questions, for each tells the controller the
address again. For an OFFER dnsmasq sets the entry itself. The facts count what the programs did (the logs of dhclient
and dnsmasq), `on_the_wire` in the truth file counts what the captures hold.

`gave_up_at` is the client's last message, a DISCOVER after the lease had run out; dhclient exits some seconds later.

Run as root: `python3 make.py [--half guilty|healthy|both] [--out FOLDER]`, about six minutes. Everything lives in
namespaces that end with this process, however it ends; only FOLDER and a temporary folder are written.
"""

import argparse
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out

from hosts import FAKETIME, PATH, Host, Virtio, wait_until

MAC = "fa:16:3e:4b:77:d2"
CONTROLLER_MAC = "00:25:90:3a:5c:10"
SERVER, CLIENT, NAME = "10.0.0.1", "10.0.0.5", "web-3"
LEASE_S = 120  # nova's dhcp_lease_time, and the shortest that dnsmasq grants
ZONE, AHEAD_S = "America/Edmonton", 6.5
RENEWALS = 3  # healthy ones before the death
DEATH_LEAD_S = 8  # the death comes this long before the next renewal is due
AFTERWARDS_S = 150  # the healthy half goes on this long; the guilty one until dhclient has left
LOAD = ("-b", "256K", "-l", "1400", "--repeating-payload", "-t", "86400")
TITLES = {"guilty": "An instance disappears from the network", "healthy": "An instance renews its lease under load"}

PACKAGES = {
    "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "logger": "bsdutils",
    "dnsmasq": "dnsmasq-base", "dhclient": "isc-dhcp-client", "tcpdump": "tcpdump", "iperf3": "iperf3",
    "ping": "iputils-ping", "rsyslogd": "rsyslog", "tshark": "tshark", "editcap": "wireshark-common",
    FAKETIME: "libfaketime", f"/usr/share/zoneinfo/{ZONE}": "tzdata",
}  # fmt: skip


def incident(half: str, work: Path) -> None:
    """Run one half and leave its logs and captures in `work`."""
    with ExitStack() as stack:
        controller = stack.enter_context(closing(Host("controller", work, ZONE, AHEAD_S)))
        compute = stack.enter_context(closing(Host("compute", work)))
        instance = stack.enter_context(closing(Host(NAME, work)))
        card = Virtio(compute, instance)
        stack.callback(setattr, card, "ended", True)
        card.start()
        if not card.ready.wait(5):
            raise RuntimeError("/dev/net/tun: the taps could not be made. Try: modprobe tun")
        cable = ["ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", str(compute.pid)]
        subprocess.run(["nsenter", "--target", str(controller.pid), "--net", *cable], check=True)
        controller.run("ip", "link", "set", "eth1", "address", CONTROLLER_MAC)
        for host, ports in ((controller, ["eth1"]), (compute, ["eth1", "vnet0"])):
            host.run("ip", "link", "add", "br100", "type", "bridge")
            for port in ports:
                host.run("ip", "link", "set", port, "master", "br100", "up")
            host.run("ip", "link", "set", "br100", "up")
        for device in ("eth1", "br100"):
            controller.run("ip", "link", "set", device, "gso_max_segs", "1")
        controller.run("ip", "addr", "add", f"{SERVER}/24", "broadcast", "10.0.0.255", "dev", "br100")
        instance.run("ip", "link", "set", "eth0", "address", MAC, "up")

        syslogd, _ = controller.syslogd(), instance.syslogd()
        captures = [controller.tcpdump("br100"), instance.tcpdump("eth0")]
        time.sleep(2)
        serve(controller)
        instance.run("dhclient", "-1", "-v", "-cf", "/etc/dhcp/dhclient.conf", "-sf", "/etc/dhcp/lab-script",
                     "-pf", "/run/dhclient.eth0.pid", "-lf", "/var/lib/dhcp/dhclient.eth0.leases", "eth0")  # fmt: skip
        load(controller, instance)

        bound = rf"dhclient\[\d+\]: bound to {re.escape(CLIENT)} -- renewal in (\d+) seconds"
        wait_until(lambda: len(instance.said(bound)) > 1, LEASE_S, "the first renewal")
        time.sleep(3)
        (controller.log / "syslog").rename(controller.log / "syslog.1")  # as logrotate does
        os.kill(syslogd, signal.SIGHUP)
        wait_until(lambda: len(instance.said(bound)) > RENEWALS, RENEWALS * LEASE_S, f"renewal {RENEWALS}")
        time.sleep(int(instance.said(bound)[-1][1]) - DEATH_LEAD_S)
        if half == "guilty":
            card.deaf = True
            wait_until(lambda: instance.said("on first try.  Exiting"), 2 * LEASE_S, "the end of dhclient")
            time.sleep(8)
        else:
            time.sleep(AFTERWARDS_S)
        for capture in captures:
            os.kill(capture, signal.SIGINT)
        time.sleep(1)


def serve(controller: Host) -> None:
    """Start dnsmasq as nova-network did (nova/network/linux_net.py, Folsom), its script aside."""
    networks = "/var/lib/nova/networks/nova-br100"
    controller.run("sh", "-c", f"echo {MAC},{NAME}.novalocal,{CLIENT} > {networks}.conf")
    controller.run(
        "dnsmasq", "--strict-order", "--bind-interfaces", "--conf-file=", "--domain=novalocal", "--user=root",
        f"--pid-file={networks}.pid", f"--listen-address={SERVER}", "--except-interface=lo",
        f"--dhcp-range=10.0.0.2,static,{LEASE_S}s", "--dhcp-lease-max=256", f"--dhcp-hostsfile={networks}.conf",
        f"--dhcp-leasefile={networks}.leases", "--no-hosts", "--no-resolv",
    )  # fmt: skip


def load(controller: Host, instance: Host) -> None:
    """Start the backup towards the instance, and a ping each way."""
    instance.spawn("iperf3", "-s")
    time.sleep(1)
    controller.run("logger", "-t", "backup", f"copying to {CLIENT}")
    controller.spawn("iperf3", "-c", CLIENT, *LOAD)
    controller.spawn("ping", "-n", CLIENT)
    instance.spawn("ping", "-n", "-i", "2", SERVER)


def collect(work: Path, evidence: Path) -> None:
    """Write the folder that an operator would hand over."""
    shutil.rmtree(evidence, ignore_errors=True)
    for host in ("controller", NAME):
        (evidence / host).mkdir(parents=True)
        shutil.copyfile(work / host / "log" / "syslog", evidence / host / "syslog")
    pack(work / "controller" / "log" / "syslog.1", evidence / "controller" / "syslog.1.gz")
    raw, moved = work / "controller" / "log" / "br100.pcap", work / "moved.pcap"
    subprocess.run(["editcap", "-F", "pcap", "-t", str(AHEAD_S), raw, moved], check=True)
    pack(moved, evidence / "controller" / "br100.pcap.gz")
    pack(work / NAME / "log" / "eth0.pcap", evidence / NAME / "eth0.pcap.gz")


def pack(plain: Path, packed: Path) -> None:
    """Compress a file; the result names neither the file nor the time."""
    with open(packed, "wb") as target, gzip.GzipFile("", "wb", 9, target, mtime=0) as zipped:
        zipped.write(plain.read_bytes())


FIELDS = ("frame.time_epoch", "eth.src", "ip.dst", "dhcp.option.dhcp", "dhcp.option.ip_address_lease_time")
REQUEST, ACK = "3", "5"


def read(capture: Path, what: str = "") -> list[dict[str, str]]:
    """A capture's packets as tshark reads them; `frame.time_epoch` in whole nanoseconds."""
    columns = [part for field in FIELDS for part in ("-e", field)]
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "occurrence=f", *columns]
    command += ["-Y", what] if what else []
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    packets = [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]
    for packet in packets:
        whole, fraction = packet["frame.time_epoch"].split(".")
        packet["frame.time_epoch"] = whole + fraction.ljust(9, "0")
    return packets


def instant(nanoseconds: int) -> str:
    """ISO 8601 in UTC."""
    whole = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"


def logged(evidence: Path, host: str, pattern: str) -> int:
    """How many lines of a host's syslog fit."""
    text = b"".join(gzip.decompress(p.read_bytes()) for p in sorted((evidence / host).glob("syslog.*.gz")))
    text += (evidence / host / "syslog").read_bytes()
    return len(re.findall(pattern, text.decode(), re.MULTILINE))


def truth(half: str, evidence: Path) -> dict[str, object]:
    """What is true of a half, from what was done and from tshark's reading of the captures."""
    capture = evidence / NAME / "eth0.pcap.gz"
    near, far = read(capture, "dhcp"), read(evidence / "controller" / "br100.pcap.gz", "dhcp")
    heard = [p for p in near if p["dhcp.option.dhcp"] == ACK]
    last_ack = int(heard[-1]["frame.time_epoch"])
    after = [p for p in near if int(p["frame.time_epoch"]) > last_ack]
    asked = [p for p in after if p["dhcp.option.dhcp"] == REQUEST]
    ahead = {"offset_s": AHEAD_S, "zone": "UTC"}
    clocks = {
        "controller/syslog": {"offset_s": AHEAD_S, "zone": ZONE},
        "controller/syslog.1.gz": {"offset_s": AHEAD_S, "zone": ZONE},
        "controller/br100.pcap.gz": ahead,
        f"{NAME}/syslog": {"offset_s": 0, "zone": "UTC"},
        f"{NAME}/eth0.pcap.gz": {"offset_s": 0, "zone": "UTC"},
    }
    acks = logged(evidence, "controller", r"DHCPACK\(br100\)")
    if logged(evidence, NAME, r"bound to") <= RENEWALS or bool(asked) != (half == "guilty"):
        raise RuntimeError("the run went another way than told; please run it again")
    if half == "healthy":
        if not acks == len(heard) == logged(evidence, NAME, r"DHCPREQUEST for"):
            raise RuntimeError("an answer went missing")
        return {"findings": [], "clocks": clocks}
    ours = "dhclient[^\n]*: "
    log = (evidence / NAME / "syslog").read_text().rpartition("bound to")[2]
    first, last = (int(p["frame.time_epoch"]) for p in (asked[0], after[-1]))
    reached = [int(p["frame.time_epoch"]) for p in read(capture) if p["eth.src"] != MAC]
    end = last_ack + LEASE_S * 10**9
    facts = {
        "cause": "link-dead-before-dhcp",
        "mac": MAC,
        "ip": CLIENT,
        "server": SERVER,
        "unicast_attempts": len(re.findall(rf"{ours}DHCPREQUEST for \S+ on eth0 to {re.escape(SERVER)} ", log)),
        "broadcast_attempts": len(re.findall(rf"{ours}DHCPREQUEST for \S+ on eth0 to 255\.255\.255\.255 ", log)),
        "server_replies": acks - len(heard),
        "first_unanswered_at": instant(first),
        "silence_at": instant(reached[-1]),
        "lead_s": (first - reached[-1]) / 1e9,
        "gave_up_at": instant(max(last, end)),
        "lease_s": int(heard[-1]["dhcp.option.ip_address_lease_time"]),
    }
    heard_until = last_ack + round(AHEAD_S * 1e9) + 10**8  # by the controller's clock, and past that ACK
    at_server = [p for p in far if int(p["frame.time_epoch"]) > heard_until]
    wire = {
        "unicast_requests_left_the_client": sum(p["ip.dst"] == SERVER for p in asked),
        "broadcast_requests_left_the_client": sum(p["ip.dst"] != SERVER for p in asked),
        "requests_reached_the_server": sum(p["dhcp.option.dhcp"] == REQUEST for p in at_server),
        "acks_left_the_server": sum(p["dhcp.option.dhcp"] == ACK for p in at_server),
        "lease_ended_at": instant(end),
    }
    return {
        "findings": [{"kind": "dhcp-renewal-failure", "facts": facts}],
        "on_the_wire": wire,
        "clocks": clocks,
    }


def make(half: str, out: Path) -> None:
    """Make one half: its evidence, and its truth beside it."""
    with tempfile.TemporaryDirectory(prefix="lost_lease_") as folder:
        incident(half, Path(folder))
        collect(Path(folder), out / half)
    (out / half / "case.toml").write_text(f'title = "{TITLES[half]}"\n')
    told = json.dumps(truth(half, out / half), indent=2)
    (out / f"{half}.truth.json").write_text(told + "\n")
    print(f"{half}: {told}")


def make_both(out: Path) -> int:
    """Make the halves side by side, each in a process of its own; returns the exit status."""
    command = [sys.executable, __file__, "--out", str(out), "--half"]
    running = [subprocess.Popen([*command, half], start_new_session=True) for half in TITLES]
    try:
        statuses = [process.wait() for process in running]
        return int(any(statuses))
    finally:
        for process in running:
            process.terminate()
            process.wait()


def main() -> int:
    """Read the arguments, check what is needed, make what was asked for."""
    parser = argparse.ArgumentParser(description="Make the lost lease again (as root, six minutes).")
    parser.add_argument("--half", choices=(*TITLES, "both"), default="both")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="default: beside this script")
    arguments = parser.parse_args()
    if os.geteuid():
        print("make.py: only root may make network namespaces and tap devices\nHint: sudo make lab", file=sys.stderr)
        return 1
    os.environ["PATH"] = PATH
    missing = [name for name in PACKAGES if not (shutil.which(name) or Path(name).exists())]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        print(f"make.py: not found: {', '.join(missing)}\nHint: apt install {packages}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that everything is put away
    try:
        if arguments.half == "both":
            return make_both(arguments.out)
        make(arguments.half, arguments.out)
    except RuntimeError as error:
        print(f"make.py: {arguments.half}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
