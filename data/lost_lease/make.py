#!/usr/bin/env python3
"""Make the lost lease again: real programs, one fault each, and a healthy twin.

An instance whose virtual network card stops receiving looks like an instance with a DHCP problem: the first thing that
anybody misses is the answer to its next renewal. This script builds that incident out of network namespaces:

    controller                            compute                         web-3 (the instance)
    dnsmasq, rsyslogd, iperf3 client      ┌───── br100 ─────┐             dhclient, rsyslogd, iperf3 server
    br100 10.0.0.1 ── eth1 ── veth ── eth1                 vnet0 ── virtio ── eth0 10.0.0.5, by DHCP

`Virtio` (hosts.py) stands where qemu stood: a thread that carries frames between two tap devices. In the guilty half it
stops reading `vnet0` some seconds before a renewal is due, as virtio-net of 2012 did under load, and goes on carrying
what the instance sends. The healthy half runs the same programs for as long, and its card lives on.

Eight more halves lose the lease in the same place by other faults, at least one for each cause (faults.py). Their card
lives on, so that the link is alive as long as the address:

    server_stopped    dnsmasq is killed; the controller's kernel answers unicast requests with ICMP port unreachable
    server_hung       dnsmasq is stopped (SIGSTOP): its socket takes requests, and nobody reads them
    answers_dropped   an nftables rule on compute's bridge drops what comes from UDP port 67
    requests_dropped  the same for what goes to UDP port 67
    client_ignores    an nftables rule there spoils the UDP checksum of the answers, as an offload does that nobody
                      completes: they reach eth0, and dhclient 4.4 throws them away, at debug level, so without a word
    renumbered        dnsmasq starts again for 10.0.1.0/24: NAK `wrong network`, then `no address available`
    pool_exhausted    dnsmasq starts again with a pool of two addresses, and two new instances (web-4, web-5) take
                      them: NAK `address not available`, then `no address available`
    dhclient_killed   dhclient is killed; the kernel takes the address away when its lifetime ends

What is real: nova-network's dnsmasq command line with its lease of 120 s and without log-dhcp, ifupdown's
`dhclient -1 -v`, Debian's rsyslogd in the traditional format, tcpdump on both sides, TCP at a steady rate from the
controller (the night's backup), a ping each way. What is arranged:

- The controller logs in America/Edmonton, the instance in UTC.
- The controller's clock is 6.5 s ahead: its rsyslogd runs under libfaketime, its capture is moved with `editcap -t`.
- The controller's syslog was rotated once on the way.
- Segmentation offload is off, so that both captures hold the same packets; they keep 400 bytes of each.
- Guilty and healthy have three good renewals before, the other halves one.

How the kernel takes part. Nobody sets a neighbour entry by hand, so log and wire differ in number in the guilty half. A
unicast request leaves the instance only while its kernel knows the controller's hardware address: with no answer to
hear, that lasts 15 to 50 s, and dhclient logs the later requests although only ARP questions leave. An ACK to a renewal
goes through the controller's routing table and depends on ARP likewise: dnsmasq logs DHCPACK at once, the kernel may
send it seconds later or never. What keeps its entry alive are the instance's own broadcast questions, for each tells
the controller the address again. For an OFFER dnsmasq sets the entry itself. The facts count what the programs did (the
logs of dhclient and dnsmasq), `on_the_wire` in the truth file counts what the captures hold (truth.py).

`gave_up_at` is the client's last message, a DISCOVER after the lease had run out (dhclient exits some seconds later),
or the lease's end. `fault_struck_at` is when the fault was put in, by this machine's clock.

Run as root: `python3 make.py [--half NAME|all] [--out FOLDER]`, about six minutes; all halves run side by side.
Everything lives in namespaces that end with this process, however it ends; only FOLDER and a temporary folder are
written.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `python -P` leaves both out
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _lab import FAKETIME, main, pack
from faults import FAULTS
from incident import AHEAD_S, NAME, ZONE, incident
from truth import truth

PACKAGES = {
    "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "logger": "bsdutils",
    "dnsmasq": "dnsmasq-base", "dhclient": "isc-dhcp-client", "tcpdump": "tcpdump", "iperf3": "iperf3",
    "ping": "iputils-ping", "rsyslogd": "rsyslog", "tshark": "tshark", "editcap": "wireshark-common",
    "nft": "nftables", "ethtool": "ethtool", FAKETIME: "libfaketime", f"/usr/share/zoneinfo/{ZONE}": "tzdata",
}  # fmt: skip


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


def make(half: str, out: Path) -> None:
    """Make one half: its evidence, and its truth beside it."""
    with tempfile.TemporaryDirectory(prefix="lost_lease_") as folder:
        struck = incident(half, Path(folder))
        collect(Path(folder), out / half)
    (out / half / "case.toml").write_text(f'title = "{FAULTS[half].title}"\n')
    told = json.dumps(truth(half, out / half, struck), indent=2)
    (out / f"{half}.truth.json").write_text(told + "\n")
    print(f"{half}: {told}")


if __name__ == "__main__":
    what, may = "Make the lost lease again (as root, six minutes).", "make network namespaces and tap devices"
    sys.exit(main(what, tuple(FAULTS), make, PACKAGES, every="all", at_a_time=len(FAULTS), root_may=may))
