"""Compute hosts, their links to two switches, and what their kernels say of the bond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data.synth._cloud import MINUTE, SECOND, Clock
from data.synth._switches import Switch

MS = 10**6


@dataclass
class Host:
    """A compute host: its number is that of its ports."""

    name: str
    port: int
    switches: list[Switch]
    clock: Clock
    mac: str

    def card(self, switch: Switch) -> str:
        """The card behind a switch's port."""
        return f"eth{2 + self.switches.index(switch)}"


@dataclass(frozen=True)
class Link:
    """A host's link to one switch goes down or up."""

    at: int
    host: Host
    switch: Switch
    up: bool
    reason: str | None = None


def kernel_log(host: Host, links: Sequence[Link], start: int, end: int) -> str:
    """A host's syslog: cron every ten minutes, its cards and its bond when something happens to them."""
    lines = [
        (start + n * 10 * MINUTE, f"CRON[{2000 + n}]: (root) CMD (test -x /usr/sbin/anacron)")
        for n in range((end - start) // (10 * MINUTE))
    ]
    year = host.clock.local(start).year
    old, new = year < 2015, year > 2019  # Linux 3.x, and 5.3 and later
    bond, down = "bonding: bond0: " if old else "bond0: ", set[str]()
    for link in sorted(links, key=lambda one: one.at):
        card = host.card(link.switch)
        driver = f"ixgbe 0000:04:00.{card[-1]}: {card}: NIC Link is "
        alone = len(down) == len(host.switches)
        down = down - {card} if link.up else down | {card}
        status = f"{bond}(slave {card}): link status definitely " if new else f"{bond}link status definitely "
        of = "" if new else f" for interface {card}"
        if link.up:
            said = [
                f"{driver}Up 10 Gbps, Flow Control: RX/TX",
                f"{status}up{of}, 10000 Mbps full duplex{'.' * (not new)}",
            ]
            said += [f"{bond}{'' if new else 'first '}active interface up!"] if alone else []
        else:
            said = [f"{driver}Down", f"{status}down{of}, disabling {'slave' if new else 'it'}"]
            last = len(down) == len(host.switches)
            said += [f"{bond}now running without any active interface{' ' * old}!"] if last else []
        up_s = (link.at - start) / SECOND + 90000
        lines += [(link.at + n * MS, f"kernel: [{up_s:.6f}] {text}") for n, text in enumerate(said)]
    text = ""
    for at, line in sorted(lines, key=lambda one: one[0]):
        now = host.clock.local(at)
        text += f"{now:%b} {now.day:2d} {now:%H:%M:%S} {host.name} {line}\n"
    return text
