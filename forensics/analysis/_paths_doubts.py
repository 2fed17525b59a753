"""What else could explain a fault of a path, what to do about it, and what would settle it."""

from __future__ import annotations

from collections.abc import Sequence

from forensics.analysis._paths_hosts import TAG_BYTES
from forensics.analysis._paths_losses import CHANCE
from forensics.analysis._paths_scene import Scene, cited
from forensics.records.finding import Alternative


def amount(count: int, noun: str) -> str:
    """A count with its noun.

    Examples:
        >>> amount(1, "frame"), amount(2, "frame")
        ('1 frame', '2 frames')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def doubts(scene: Scene) -> list[Alternative]:
    """What else could explain it."""
    main = scene.main
    share = f"{main.chance:.1e}" if main.chance else "less than 1e-300"
    told = [
        Alternative(
            "loss that asks for no size",
            "ruled out" if main.chance < CHANCE else "open",
            f"of {len(main.delivered) + len(main.lost)} packets {main.large + main.small} are lost, all "
            f"{main.large} above {main.largest_delivered} octets among them; by chance that happens in {share} of cases"
            " (exact test)",
        )
    ]
    if main.amid:
        part = max(main.parts, key=lambda one: int(scene.gone(one).sum()))
        gone = part.way.sent_at()[scene.gone(part)]
        sent = part.way.sent_at()
        between = part.delivered & (sent > (gone.min() if len(gone) else 0)) & (sent < (gone.max() if len(gone) else 0))
        refs = cited(scene, part, between, main.far or main.near, 2) if between.any() else ()
        told.append(Alternative("the link was down for a while", "ruled out",
                                "smaller packets came through between the lost ones", refs))  # fmt: skip
    else:
        said = "nothing came through in that direction between the first and the last lost one"
        told.append(Alternative("the link was down for a while", "open", said))
    if main.far is not None and main.assumed:
        told.append(Alternative(
            f"the capture at {main.far.point} had ended, and they are lost behind it", "open",
            "nobody answered them, but nothing was captured there after the first of them, either",
        ))  # fmt: skip
    elif main.far is not None:
        told.append(Alternative(
            f"the capture at {main.far.point} missed them", "ruled out",
            "no later point has them, nobody answered or acknowledged them, and it has smaller ones of the same time",
        ))  # fmt: skip
        told.append(Alternative(
            "the sender's card cut them up behind the capture", "ruled out",
            "segments larger than the connection's MSS, and those whose octets arrive in others, are not counted",
        ))  # fmt: skip
    else:
        told.append(Alternative("the other end does not answer large packets, or a filter drops them", "open",
                                "no capture shows whether they reach it"))  # fmt: skip
    return told


def stack_doubts(scene: Scene, vids: Sequence[int]) -> list[Alternative]:
    """What else could explain the loss, once there are two tags."""
    main, mtu, extra = scene.main, scene.mtu(), TAG_BYTES * (len(vids) - 1)
    exact = main.largest_delivered == mtu - extra
    lacking = f"{mtu} octets are sent and {main.largest_delivered} arrive: {mtu - main.largest_delivered} are lacking"
    return [
        Alternative("a provider's Q-in-Q with room for both tags", "ruled out", "frames that need the room are lost"),
        Alternative(
            "a link with a smaller MTU, whatever the tags",
            "ruled out" if exact else "open",
            f"{lacking}, {'just' if exact else 'and'} {extra} are what is above one tag",
        ),
    ]


def loss_remedy(scene: Scene) -> tuple[str, ...]:
    """Safest first."""
    largest = scene.main.largest_delivered
    near, far = scene.between
    ip = 40 if ":" in scene.parts()[0].way.src else 20
    hop = f"between {near} and {far}" if far else f"behind {near}"
    return (
        f"Confirm it from either end: `ping -M do -s {max(largest - ip - 8, 0)} ADDRESS` is answered, one more is not.",
        f"Compare the MTUs of all interfaces and switch ports {hop} (`ip -d link`, `show interfaces`), tags added.",
        f"Until it is mended, keep packets below it: MTU {largest} on the ends, or MSS clamped to {largest - ip - 20}.",
        'Let ICMP "fragmentation needed" through everywhere, so that senders hear of it.',
    )


def stack_remedy(interface: str, parent: str, below: str | None) -> tuple[str, ...]:
    """Safest first.

    Args:
        interface: The upper VLAN device.
        parent: The VLAN that it lies on.
        below: What that one lies on, where a listing tells.
    """
    device = below or "the bond or card below it"
    setting = f"`vlan_interface={below}`" if below else f"`vlan_interface` with {device}"
    return (
        f"See it on the host: `ip -d link show {interface}` names {parent} as its parent, which is a VLAN itself.",
        f"Name {device} instead of {parent} in nova.conf, on every host: {setting}.",
        f"Then have it made anew, host by host: stop nova-network, `ip link del {interface}`, start nova-network.",
        "Do not raise MTUs here and there: the second tag should not be on the wire at all.",
    )


def wanted(scene: Scene) -> list[str]:
    """What would settle links that are inferred."""
    told = []
    if scene.main.assumed:
        told.append(f"the times at which the capture at {scene.between[1]} was started and stopped")
    if scene.main.far is None:
        told.append(
            f"a capture at the next hop behind {scene.main.near.point}, and one at the other end, at the same time"
        )
    if not scene.main.amid:
        told.append("pings of small and large size in turn, captured at both ends")
    if scene.main.chance >= CHANCE:
        told.append("more pings of each size: `for s in 1400 1472; do ping -c 20 -M do -s $s ADDRESS; done`")
    return told
