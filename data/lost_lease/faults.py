"""What goes wrong in each half, and how it is brought about."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from incident import Lab

TITLE = "An instance disappears from the network"


@dataclass(frozen=True)
class Fault:
    """A half: what strikes, when, and what it is to an analysis."""

    cause: str
    """Of the catalogue; empty where nothing is wrong."""
    strike: Callable[[Lab], object]
    title: str = TITLE
    lead_s: float = 8
    """It strikes this long before the next renewal is due."""
    renewals: int = 1
    """Healthy ones before."""
    leaves: bool = True
    """dhclient gives up by itself in the end."""


def nothing(_: Lab) -> None:
    """All goes well."""


def card_goes_deaf(lab: Lab) -> None:
    """The virtual card stops reading its host's side."""
    lab.card.deaf = True


def server_is_killed(lab: Lab) -> None:
    """The server, dnsmasq, dies without a word, as at the hands of the kernel when memory is short."""
    lab.unserve("KILL")


def server_hangs(lab: Lab) -> None:
    """The server keeps its socket and no longer reads it."""
    lab.controller.run("sh", "-c", "kill -STOP $(cat /var/lib/nova/networks/nova-br100.pid)")


def answers_are_filtered(lab: Lab) -> None:
    """The compute host's bridge drops what comes from a DHCP server's port."""
    lab.filter("udp", "sport", "67", "drop")


def requests_are_filtered(lab: Lab) -> None:
    """The compute host's bridge drops what goes to a DHCP server's port."""
    lab.filter("udp", "dport", "67", "drop")


def checksums_go_wrong(lab: Lab) -> None:
    """Answers arrive with a wrong UDP checksum, as from a host that leaves it to a card which never fills it in.

    The controller's kernel has to compute them first: on a cable without a wire nobody else would.
    """
    lab.controller.run("ethtool", "-K", "eth1", "tx", "off")
    lab.filter("udp", "sport", "67", "udp", "checksum", "set", "0x0bad")


def client_is_killed(lab: Lab) -> None:
    """The client, dhclient, dies without a word."""
    lab.instance.run("sh", "-c", "kill -KILL $(cat /run/dhclient.eth0.pid)")


def network_is_renumbered(lab: Lab) -> None:
    """The server starts again for another network on the same bridge; its host file still names the old address."""
    lab.unserve()
    lab.controller.run("ip", "addr", "add", "10.0.1.1/24", "broadcast", "10.0.1.255", "dev", "br100")
    lab.serve("10.0.1.2,static")


def pool_runs_out(lab: Lab) -> None:
    """The server starts again with a pool of two addresses and no host file; two new instances are quicker."""
    lab.unserve()
    lab.serve("10.0.0.6,10.0.0.7", hosts="")
    new = {"web-4": "fa:16:3e:4b:77:d4", "web-5": "fa:16:3e:4b:77:d5"}
    others = [threading.Thread(target=lab.ask, args=(lab.plug(name, mac),)) for name, mac in new.items()]
    for other in others:
        other.start()
    for other in others:
        other.join()


HEALTHY = "An instance renews its lease under load"
FAULTS = {
    "guilty": Fault("link-dead-before-dhcp", card_goes_deaf, renewals=3),
    "healthy": Fault("", nothing, HEALTHY, renewals=3),
    "server_stopped": Fault("server-silent", server_is_killed),
    "server_hung": Fault("server-silent", server_hangs),
    "answers_dropped": Fault("reply-not-delivered", answers_are_filtered),
    "requests_dropped": Fault("request-not-delivered", requests_are_filtered),
    "client_ignores": Fault("client-deaf", checksums_go_wrong),
    "renumbered": Fault("refused", network_is_renumbered),
    "pool_exhausted": Fault("refused", pool_runs_out, lead_s=25),
    "dhclient_killed": Fault("client-gone", client_is_killed, leaves=False),
}
