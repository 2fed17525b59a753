"""Hosts made of namespaces: what they log, capture and run is their own."""

from pathlib import Path

from _lab import PATH, Machine, cable, wait_until

SNAPLEN = "400"  # a DHCP message with its options fits

# A host of its own: nothing that it writes to /run, /var/lib, /var/log, /etc/dhcp or /etc/rabbitmq reaches the
# machine's.
ENTER = """set -e
echo "$1" > /proc/sys/kernel/hostname
mount --bind "$2/hosts" /etc/hosts
mount -t tmpfs lab /run; mount -t tmpfs lab /var/lib; mkdir -p /var/lib/dhcp /var/lib/rabbitmq
for folder in log dhcp rabbitmq; do
    case $folder in log) to=/var/log ;; *) to=/etc/$folder ;; esac
    mount --bind "$2/$folder" "$to"
done
for which in all default; do echo 1 > "/proc/sys/net/ipv6/conf/$which/disable_ipv6" || true; done
ip link set lo up
echo ready
exec cat
"""

# Debian's dhclient-script without resolv.conf, hooks and routes.
DHCLIENT_SCRIPT = """#!/bin/sh
case "$reason" in
PREINIT) ip link set dev "$interface" up ;;
BOUND|RENEW|REBIND|REBOOT)
    ip -4 addr flush dev "$interface"
    ip -4 addr add "$new_ip_address/24" broadcast + dev "$interface" ;;
EXPIRE|FAIL|RELEASE|STOP) ip -4 addr flush dev "$interface" ;;
esac
exit 0
"""


class Host(Machine):
    """A host, or an instance."""

    def __init__(self, name: str, work: Path) -> None:
        self.folder, self.log = work / name, work / name / "log"
        for folder in ("log", "dhcp", "rabbitmq"):
            (self.folder / folder).mkdir(parents=True)
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost {name}\n")
        (self.folder / "dhcp" / "dhclient.conf").write_text(
            f'send host-name "{name}";\nrequest subnet-mask, broadcast-address, routers, domain-name-servers;\n'
        )
        script = self.folder / "dhcp" / "lab-script"
        script.write_text(DHCLIENT_SCRIPT)
        script.chmod(0o755)
        env = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/var/lib/rabbitmq", "TZ": "UTC"}
        super().__init__(name, ENTER, name, str(self.folder), env=env, kinds=("--net", "--uts"))

    def bridge(self, *ports: str) -> None:
        """Make br100 out of cables that are laid."""
        self.run("ip", "link", "add", "br100", "type", "bridge")
        for port in ports:
            self.run("ip", "link", "set", port, "master", "br100", "up")
        self.run("ip", "link", "set", "br100", "up")

    def plug(self, guest: "Host", mac: str, tap: str) -> None:
        """Give an instance its eth0, on this host's br100."""
        cable(self, tap, guest, "eth0", theirs=("address", mac))
        self.run("ip", "link", "set", tap, "master", "br100", "up")
        guest.run("ip", "link", "set", "eth0", "up")

    def tcpdump(self, interface: str) -> int:
        """Start a capture of ARP, DHCP and ICMP, flushed packet by packet."""
        path = f"/var/log/{interface}.pcap"
        pid = self.spawn("tcpdump", "-i", interface, "-n", "-U", "-Z", "root", "-s", SNAPLEN, "-w", path,
                         "arp or icmp or udp port 67 or udp port 68")  # fmt: skip
        wait_until(lambda: (self.log / f"{interface}.pcap").exists(), 10, f"{self.name}: tcpdump")
        return pid

    def dnsmasq(self, address: str, addresses: str, lease: str, hosts: str = "", **env: str) -> None:
        """Serve DHCP on the interface that has an address."""
        self.run(
            "dnsmasq", "--strict-order", "--bind-interfaces", "--conf-file=", "--user=root", "--no-hosts",
            "--no-resolv", "--pid-file=/run/dnsmasq.pid", f"--listen-address={address}", "--except-interface=lo",
            f"--dhcp-range={addresses},{lease}", "--dhcp-leasefile=/run/dnsmasq.leases", "--no-ping",
            *([f"--dhcp-hostsfile={hosts}"] if hosts else []), **env,
        )  # fmt: skip

    def ask(self) -> None:
        """Bring eth0 up as ifupdown does; returns as soon as there is a lease, which dhclient then keeps."""
        self.run("dhclient", "-1", "-cf", "/etc/dhcp/dhclient.conf", "-sf", "/etc/dhcp/lab-script",
                 "-pf", "/run/dhclient.pid", "-lf", "/var/lib/dhcp/dhclient.leases", "eth0")  # fmt: skip

    def forget(self) -> None:
        """Take dhclient and its lease away, as a restart of the instance does."""
        self.tried("sh", "-c", "kill $(cat /run/dhclient.pid)")
        self.run("sh", "-c", "rm -f /var/lib/dhcp/dhclient.leases; ip -4 addr flush dev eth0")
