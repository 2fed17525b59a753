"""The hosts of the incident, their programs, and what happens to them when."""

import os
import re
import signal
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from _lab import cable, wait_until
from faults import FAULTS
from hosts import Host, Virtio

MAC = "fa:16:3e:4b:77:d2"
CONTROLLER_MAC = "00:25:90:3a:5c:10"
SERVER, CLIENT, NAME = "10.0.0.1", "10.0.0.5", "web-3"
LEASE_S = 120  # nova's dhcp_lease_time, and the shortest that dnsmasq grants
ZONE, AHEAD_S = "America/Edmonton", 6.5
AFTERWARDS_S = 150  # the healthy half goes on this long; the others until dhclient has left
LOAD = ("-b", "256K", "-l", "1400", "--repeating-payload", "-t", "86400")
NETWORKS = "/var/lib/nova/networks/nova-br100"


@dataclass(frozen=True)
class Lab:
    """Who takes part; what a fault may lay hands on."""

    controller: Host
    compute: Host
    instance: Host
    card: Virtio
    work: Path
    stack: ExitStack
    """Whatever a fault starts and somebody must end."""

    def serve(self, addresses: str = "10.0.0.2,static", hosts: str = f"{MAC},{NAME}.novalocal,{CLIENT}") -> None:
        """Start dnsmasq as nova-network did (nova/network/linux_net.py, Folsom), its script aside."""
        self.controller.run("sh", "-c", f"echo {hosts} > {NETWORKS}.conf")
        self.controller.run(
            "dnsmasq", "--strict-order", "--bind-interfaces", "--conf-file=", "--domain=novalocal", "--user=root",
            f"--pid-file={NETWORKS}.pid", f"--listen-address={SERVER}", "--except-interface=lo",
            f"--dhcp-range={addresses},{LEASE_S}s", "--dhcp-lease-max=256", f"--dhcp-hostsfile={NETWORKS}.conf",
            f"--dhcp-leasefile={NETWORKS}.leases", "--no-hosts", "--no-resolv",
        )  # fmt: skip

    def unserve(self, how: str = "TERM") -> None:
        """End dnsmasq by a signal."""
        wait = "until grep -q ^State:.Z /proc/$pid/status; do sleep 0.1; done"  # nobody reaps it in its namespace
        self.controller.run("sh", "-c", f"pid=$(cat {NETWORKS}.pid); kill -{how} $pid; {wait}")

    def filter(self, *rule: str) -> None:
        """Put a rule on what the compute host's bridge forwards."""
        self.compute.run("nft", "add", "table", "bridge", "lab")
        hook = "{ type filter hook forward priority 0; }"
        self.compute.run("nft", "add", "chain", "bridge", "lab", "forward", hook)
        self.compute.run("nft", "add", "rule", "bridge", "lab", "forward", *rule)

    def plug(self, name: str, mac: str) -> Host:
        """One more instance on the compute host's bridge."""
        host = self.stack.enter_context(closing(Host(name, self.work)))
        port = f"to-{name}"
        cable(self.compute, port, host, "eth0", theirs=("address", mac))
        self.compute.run("ip", "link", "set", port, "master", "br100", "up")
        host.syslogd()
        return host

    @staticmethod
    def ask(host: Host) -> None:
        """Bring an instance's interface up as ifupdown does; returns as soon as it has a lease."""
        host.run("dhclient", "-1", "-v", "-cf", "/etc/dhcp/dhclient.conf", "-sf", "/etc/dhcp/lab-script",
                 "-pf", "/run/dhclient.eth0.pid", "-lf", "/var/lib/dhcp/dhclient.eth0.leases", "eth0")  # fmt: skip


def incident(half: str, work: Path) -> int:
    """Run one half, leave its logs and captures in `work`; returns when the fault struck, in nanoseconds since 1970."""
    fault = FAULTS[half]
    with ExitStack() as stack:
        controller = stack.enter_context(closing(Host("controller", work, ZONE, AHEAD_S)))
        compute = stack.enter_context(closing(Host("compute", work)))
        instance = stack.enter_context(closing(Host(NAME, work)))
        card = Virtio(compute, instance)
        stack.callback(setattr, card, "ended", True)
        lab = Lab(controller, compute, instance, card, work, stack)
        wire(lab)
        syslogd, _ = controller.syslogd(), instance.syslogd()
        captures = [controller.tcpdump("br100"), instance.tcpdump("eth0")]
        time.sleep(2)
        lab.serve()
        lab.ask(instance)
        load(lab)

        bound = rf"dhclient\[\d+\]: bound to {re.escape(CLIENT)} -- renewal in (\d+) seconds"
        wait_until(lambda: len(instance.said(bound)) > 1, LEASE_S, "the first renewal")
        time.sleep(3)
        (controller.log / "syslog").rename(controller.log / "syslog.1")  # as logrotate does
        os.kill(syslogd, signal.SIGHUP)
        wait_until(lambda: len(instance.said(bound)) > fault.renewals, fault.renewals * LEASE_S, "the last renewal")
        due = time.monotonic() + int(instance.said(bound)[-1][1])
        time.sleep(max(0.0, due - fault.lead_s - time.monotonic()))
        struck = time.time_ns()
        fault.strike(lab)
        if fault.cause == "":
            time.sleep(AFTERWARDS_S)
        elif fault.leaves:
            wait_until(lambda: instance.said("on first try.  Exiting"), 2 * LEASE_S, "the end of dhclient")
            time.sleep(8)
        else:
            time.sleep(LEASE_S - 20)  # past the end of the lease
        for capture in captures:
            os.kill(capture, signal.SIGINT)
        time.sleep(1)
    return struck


def wire(lab: Lab) -> None:
    """Start the virtual card, lay the cable, make both bridges."""
    controller, compute = lab.controller, lab.compute
    lab.card.start()
    if not lab.card.ready.wait(5):
        raise RuntimeError("/dev/net/tun: the taps could not be made. Try: modprobe tun")
    cable(controller, "eth1", compute, "eth1")
    controller.run("ip", "link", "set", "eth1", "address", CONTROLLER_MAC)
    for host, ports in ((controller, ["eth1"]), (compute, ["eth1", "vnet0"])):
        host.run("ip", "link", "add", "br100", "type", "bridge")
        for port in ports:
            host.run("ip", "link", "set", port, "master", "br100", "up")
        host.run("ip", "link", "set", "br100", "up")
    for device in ("eth1", "br100"):
        controller.run("ip", "link", "set", device, "gso_max_segs", "1")
    controller.run("ip", "addr", "add", f"{SERVER}/24", "broadcast", "10.0.0.255", "dev", "br100")
    lab.instance.run("ip", "link", "set", "eth0", "address", MAC, "up")


def load(lab: Lab) -> None:
    """Start the backup towards the instance, and a ping each way."""
    lab.instance.spawn("iperf3", "-s")
    time.sleep(1)
    lab.controller.run("logger", "-t", "backup", f"copying to {CLIENT}")
    lab.controller.spawn("iperf3", "-c", CLIENT, *LOAD)
    lab.controller.spawn("ping", "-n", CLIENT)
    lab.instance.spawn("ping", "-n", "-i", "2", SERVER)
