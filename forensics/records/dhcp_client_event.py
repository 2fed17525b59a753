"""DhcpClientEvent: what a DHCP client says of itself, beyond the messages it sends."""

from __future__ import annotations

from forensics.records._record import Observed, address, choice, mac_address, number, seconds, text


class DhcpClientEvent(Observed):
    """One change of a DHCP client's state, or of the link that it runs on, from the client's own log."""

    event = choice(
        "what happened",
        "started",  # a client process came up
        "bound",  # it has a lease and uses it
        "renewing",  # it says that it renews (clients that do not log each message)
        "rebinding",  # it says that the renewal failed and asks any server
        "expired",  # the lease ran out, the address is taken off
        "refused",  # it was told NAK
        "no_offers",  # nobody offered an address
        "send_failed",  # the system would not take its packet
        "exited",  # the process ended
        "carrier_lost",
        "carrier_gained",
    )
    interface = text("interface named in the line", nullable=True)
    mac = mac_address("hardware address named in the line")
    ip = address("address named in the line")
    server = address("server named in the line")
    pid = number("process that wrote the line", nullable=True)
    lease_s = seconds("lease named in the line", nullable=True)
    renewal_s = seconds("until the next renewal, as the line says", nullable=True)
    message = text("the line's message")
