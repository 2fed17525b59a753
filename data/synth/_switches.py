"""What switches of four vendors say of their ports, and the frames that syslog, ours or theirs, puts around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from data.synth._cloud import MINUTE, SECOND, Clock, Draw

FRAMINGS = {
    "arista": ("traditional", "traditional", "rfc3339"),
    "ios": ("dated", "undated", "relayed"),
    "nxos": ("vdc", "wire"),
    "junos": ("traditional", "iso"),
}
PORTS = {"ios": "Gi1/0/{}", "nxos": "Ethernet1/{}", "junos": "ge-0/0/{}.0"}
MEMBERS = {"ios": "GigabitEthernet1/0/{}", "nxos": "Ethernet1/{}", "junos": "ge-0/0/{}"}
STATES_ZONE = ("rfc3339", "iso", "dated", "wire")
"""Framings whose stamps tell their zone; `dated` and `wire` do so by name, and that name is UTC."""


@dataclass
class Switch:
    """One switch: what it has said, and how it writes it down."""

    name: str
    vendor: str
    framing: str
    clock: Clock
    mac: str
    channels: bool
    lines: list[tuple[int, str, str]] = field(default_factory=list)

    def port(self, number: int) -> str:
        """The port as the guard's line names it."""
        if self.vendor == "arista":
            return f"{'Port-Channel' if self.channels else 'Ethernet'}{number}"
        return PORTS[self.vendor].format(number)

    def member(self, number: int) -> str:
        """The physical port, written out."""
        if self.vendor == "arista":
            return f"Ethernet{number}"
        return MEMBERS[self.vendor].format(number)

    def say(self, at: int, agent: str, text: str) -> None:
        """One line; agents are what EOS and Junos put before it."""
        self.lines.append((at, agent, text))

    # ---- what happens to a port

    def cut(self, number: int, at: int, mac: str, server: str, told_at: int) -> None:
        """The guard shuts a port at an instant, and its link is down at another."""
        port, member = self.port(number), self.member(number)
        if self.vendor == "arista":
            self.say(at, "Stp", f"%SPANTREE-4-BLOCK_BPDUGUARD: Received BPDU packet on {port} with BPDU guard enabled. "
                                f"Disabling interface. (source mac {mac})")  # fmt: skip
            self.say(at, "Ebra", f"%ETH-4-ERRDISABLE: bpduguard error detected on {port}.")
        elif self.vendor == "ios":
            self.say(at, "", f"%SPANTREE-2-BLOCK_BPDUGUARD: Received BPDU on port {port} with BPDU Guard enabled. "
                             "Disabling port.")  # fmt: skip
            self.say(at, "", f"%PM-4-ERR_DISABLE: bpduguard error detected on {port}, putting {port} in "
                             "err-disable state")  # fmt: skip
        elif self.vendor == "nxos":
            self.say(at, "", f"%STP-2-BLOCK_BPDUGUARD: Received BPDU on port {port} with BPDU Guard enabled. "
                             "Disabling port.")  # fmt: skip
            reason = "(Error disabled. Reason:BPDUGuard)"
            self.say(at, "", f"%ETHPORT-5-IF_DOWN_ERROR_DISABLED: Interface {member} is down {reason}")
        else:
            self.say(at, "eswd[2902]", f"ESWD_BPDU_BLOCK_ERROR_DISABLED:{port}: bpdu-block disabled port")
        self.down(number, at, told_at, server)

    def down(self, number: int, at: int, told_at: int, server: str) -> None:
        """A link is lost: the channel says so at once, its member and spanning tree a moment later."""
        port, member = self.port(number), self.member(number)
        if self.vendor == "arista":
            if self.channels:
                self.say(at, "Mlag", f"%MLAG-4-INTF_INACTIVE_LOCAL: Local interface {port} is link down. "
                                     f"MLAG {number} is inactive.")  # fmt: skip
                self._line(at, port, server, "down")
            self.say(told_at, "Stp", f"%SPANTREE-6-INTERFACE_DEL: Interface {port} has been removed from instance MST0")
            self._line(told_at, member, server, "down")
        elif self.vendor == "ios":
            self._line(at + SECOND, member, "", "down")
            self.say(told_at + SECOND, "", f"%LINK-3-UPDOWN: Interface {member}, changed state to down")
        elif self.vendor == "nxos":
            channel = f"port-channel{number}"
            self.say(told_at, "", f"%ETH_PORT_CHANNEL-5-PORT_DOWN: {channel}: {member} is down")
            self.say(told_at, "", f"%ETH_PORT_CHANNEL-5-FOP_CHANGED: {channel}: first operational port changed from "
                                  f"{member} to none")  # fmt: skip
        else:
            self._trap(told_at, number, "DOWN", "ifAdminStatus up(1), ifOperStatus down(2)")

    def up(self, number: int, at: int, server: str) -> None:
        """A link is there again."""
        port, member = self.port(number), self.member(number)
        if self.vendor == "arista":
            self._line(at, member, server, "up")
            if self.channels:
                self._line(at, port, server, "up")
                self.say(at, "Mlag", f"%MLAG-6-INTF_ACTIVE_LOCAL: Local interface {port} is link up. "
                                     f"MLAG {number} is active-partial.")  # fmt: skip
            self.say(at, "Stp", f"%SPANTREE-6-INTERFACE_ADD: Interface {port} has been added to instance MST0")
        elif self.vendor == "ios":
            self.say(at, "", f"%LINK-3-UPDOWN: Interface {member}, changed state to up")
            self._line(at + SECOND, member, "", "up")
        elif self.vendor == "nxos":
            self.say(at, "", f"%ETHPORT-5-IF_UP: Interface {member} is up in mode trunk")
            self.say(at, "", f"%ETH_PORT_CHANNEL-5-FOP_CHANGED: port-channel{number}: first operational port changed "
                             f"from none to {member}")  # fmt: skip
        else:
            self._trap(at, number, "UP", "ifAdminStatus up(1), ifOperStatus up(1)")

    def mirrored(self, number: int, at: int, active: bool) -> None:
        """What the other switch of a pair says of it."""
        if self.vendor == "arista" and self.channels:
            word, link = ("ACTIVE", "up") if active else ("INACTIVE", "down")
            self.say(at, "Mlag", f"%MLAG-{6 if active else 4}-INTF_{word}_PEER: Peer interface {self.port(number)} is "
                                 f"link {link}. MLAG {number} is active-partial.")  # fmt: skip

    def recover(self, number: int, at: int) -> None:
        """The timer of err-disable ends."""
        port = self.port(number)
        if self.vendor == "arista":
            text = "Attempting to recover from bpduguard err-disable state on"
            self.say(at, "Ebra", f"%ETH-4-ERRDISABLE_RECOVERY: {text} {port}")
        elif self.vendor == "ios":
            self.say(at, "", f"%PM-4-ERR_RECOVER: Attempting to recover from bpduguard err-disable state on {port}")
        elif self.vendor == "nxos":
            self.say(at, "", f"%ETHPORT-5-IF_ERRDIS_RECOVERY: Interface {port} is being recovered from error disabled "
                             "state (Last Reason:BPDUGuard)")  # fmt: skip
        else:
            self.say(at, "eswd[2902]", f"ESWD_BPDU_BLOCK_ERROR_ENABLED: {port}: bpdu-block enabled port")

    def configured(self, at: int) -> None:
        """Somebody has typed something."""
        agent = {"arista": "ConfigAgent", "junos": "mgd[4410]"}.get(self.vendor, "")
        text = {
            "ios": "%SYS-5-CONFIG_I: Configured from console by admin on vty0 (192.168.35.9)",
            "arista": "%SYS-5-CONFIG_I: Configured from console by admin on vty4 (192.168.35.9)",
            "nxos": "%VSHD-5-VSHD_SYSLOG_CONFIG_I: Configured from vty by admin on 192.168.35.9@pts/0",
            "junos": "UI_COMMIT: User 'admin' requested 'commit' operation (comment: none)",
        }[self.vendor]
        self.say(at, agent, text)

    def shut(self, number: int, at: int, server: str) -> None:
        """An operator's shutdown."""
        self.configured(at)
        member = self.member(number)
        if self.vendor == "ios":
            self.say(at, "", f"%LINK-5-CHANGED: Interface {member}, changed state to administratively down")
            self._line(at + SECOND, member, "", "down")
        elif self.vendor == "nxos":
            self.say(at, "", f"%ETHPORT-5-IF_DOWN_ADMIN_DOWN: Interface {member} is down (Administratively down)")
        elif self.vendor == "junos":
            self._trap(at, number, "DOWN", "ifAdminStatus down(2), ifOperStatus down(2)")
        else:
            self.down(number, at, at, server)

    def topology(self, at: int) -> None:
        """The tree has another root."""
        if self.vendor == "arista":
            self.say(at, "Stp", "%SPANTREE-6-STABLE_CHANGE: Stp state is now not stable")
            self.say(at, "Stp", "%SPANTREE-6-ROOTCHANGE: Root changed for instance MST0: new root interface is "
                                f"Ethernet48, new root bridge mac address is {self.mac[:-2]}fe")  # fmt: skip
            self.say(at + 20 * SECOND, "Stp", "%SPANTREE-6-STABLE_CHANGE: Stp state is now stable")
        elif self.vendor == "ios":
            self.say(at, "", "%SPANTREE-5-TOPOTRAP: Topology Change Trap for vlan 10")
        elif self.vendor == "nxos":
            self.say(at, "", "%ETHPORT-5-IF_UP: Interface Ethernet1/48 is up in mode trunk")
        else:
            self.say(at, "mib2d[2424]", "SNMP_TRAP_LINK_UP: ifIndex 548, ifAdminStatus up(1), ifOperStatus up(1), "
                                        "ifName xe-0/1/0")  # fmt: skip

    def other_guard(self, number: int, at: int, server: str) -> bool:
        """A port shut for another reason than BPDUs; whether this vendor's words for it are known."""
        if self.vendor == "arista":
            self.say(at, "Ebra", f"%ETH-4-ERRDISABLE: link-flap error detected on {self.port(number)}.")
        elif self.vendor == "ios":
            port = self.port(number)
            self.say(at, "", f"%PM-4-ERR_DISABLE: link-flap error detected on {port}, putting {port} in err-disable "
                             "state")  # fmt: skip
        else:
            return False
        self.down(number, at, at + SECOND, server)
        return True

    def _line(self, at: int, interface: str, server: str, state: str) -> None:
        described = f" ({server})" if server else ""
        text = f"Line protocol on Interface {interface}{described}, changed state to {state}"
        self.say(at, "Ebra" if self.vendor == "arista" else "", f"%LINEPROTO-5-UPDOWN: {text}")

    def _trap(self, at: int, number: int, what: str, state: str) -> None:
        text = f"SNMP_TRAP_LINK_{what}: ifIndex {500 + number}, {state}, ifName {self.member(number)}"
        self.say(at, "mib2d[2424]", text)

    # ---- how it is written down

    def text(self) -> str:
        """The whole log."""
        ordered = sorted(self.lines, key=lambda line: line[0])
        return "".join(self._framed(n, *line) for n, line in enumerate(ordered, 101))

    def _framed(self, number: int, at: int, agent: str, text: str) -> str:
        now = self.clock.local(at)
        plain, fraction = f"{now:%b} {now.day:2d} {now:%H:%M:%S}", f".{now.microsecond // 1000:03d}"
        said = f"{agent}: {text}" if agent else text
        if self.framing == "traditional":
            return f"{plain} {' ' if self.vendor == 'junos' else ''}{self.name} {said}\n"
        if self.framing == "rfc3339":
            return f"{now.isoformat(timespec='microseconds')} {self.name} {agent}: {number}: {text}\n"
        if self.framing == "iso":
            return f"{now.isoformat(timespec='microseconds')} {self.name} {said}\n"
        if self.framing == "dated":
            return f"{number:06d}: {now:%b} {now.day:2d} {now:%Y %H:%M:%S}{fraction} UTC: {text}\n"
        if self.framing == "undated":
            return f"{number:06d}: *{plain}{fraction}: {text}\n"
        if self.framing == "relayed":
            return f"{plain} {self.name} {number}: *{plain}{fraction}: {text}\n"
        if self.framing == "vdc":
            return f"{now:%Y %b} {now.day:2d} {now:%H:%M:%S}{fraction} {self.name} %$ VDC-1 %$ {text}\n"
        return f"{self.name}: {now:%Y %b} {now.day:2d} {now:%H:%M:%S} UTC: {text}\n"


def chatter(switch: Switch, draw: Draw, start: int, end: int) -> None:
    """Lines of an ordinary day: ports of others, that come and go."""
    for _ in range(draw.randrange(2, 8)):
        at = draw.randrange(start, end)
        number = draw.randrange(40, 47)
        switch.down(number, at, at, f"Server{number}")
        switch.up(number, at + draw.randrange(3, 40) * SECOND, f"Server{number}")
    for _ in range(draw.randrange(3)):
        switch.topology(draw.randrange(start, end - MINUTE))
