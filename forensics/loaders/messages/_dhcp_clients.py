"""What the formats of DHCP clients share: program names, and how a pattern says which event it saw."""

import polars as pl

DHCLIENT = r"^dhclient[34]?(?:[-.@](?:[0-9A-Za-z]|$)[\w.@:-]*)?$"
"""`dhclient`, `dhclient3`, and the names that scripts give it for each interface, such as `dhclient-eth0`."""
DHCPCD = r"^dhcpcd(?:-\S*)?$"
UDHCPC = r"^udhcpc$"
NETWORKD = r"^systemd-networkd$"
NETWORK_MANAGER = r"^NetworkManager$"

EVENTS = (
    *("started", "bound", "renewing", "rebinding", "expired", "refused", "no_offers", "send_failed", "exited"),
    *("carrier_lost", "carrier_gained"),
)
"""Words of `DhcpClientEvent.event`: a group of a pattern that bears such a name says that this is what happened."""


def event_of_group(rows: pl.DataFrame) -> pl.DataFrame:
    """The event is the name of the group that matched."""
    seen = [pl.when(pl.col(word).is_not_null()).then(pl.lit(word)) for word in EVENTS if word in rows.columns]
    return rows.with_columns(event=pl.coalesce(seen))
