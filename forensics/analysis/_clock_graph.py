"""Which source keeps whose time: ties between sources as a graph, and from each the surest way to a reference."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from heapq import heappop, heappush

from forensics.analysis._alignment import off_zone, zone_part
from forensics.analysis._clock_messages import Messages
from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._pieces import Tie

Ties = dict[str, dict[str, Tie]]
"""Node -> other node -> the other's clock minus this one's."""
MACHINE = "machine "
"""Node of a host's own clock; it has no files."""
_SAME = "same machine"
SAME_MACHINE_NS = 10_000_000
"""From the program's line to the stamp, on one machine."""
QUARTER_NS = 900 * SECOND_NS
WEST_NS, EAST_NS = -12 * 3600 * SECOND_NS, 14 * 3600 * SECOND_NS
"""The zones that there are."""


def put(ties: Ties, one: str, other: str, tie: Tie) -> None:
    """Add a tie, one's clock minus the other's; of two ties of one pair the surer stays."""
    known = ties.get(other, {}).get(one)
    if known is None or tie.sure_ns < known.sure_ns:
        ties.setdefault(other, {})[one] = tie
        ties.setdefault(one, {})[other] = tie.turned()


def anchored(
    nodes: list[str], ties: Ties, messages: Messages, captures: Collection[str], zoned: Collection[str]
) -> tuple[dict[str, Tie], dict[str, str]]:
    """Node -> its surest chain to a reference, and which: what no chain ties to the rest has one of its own.

    Args:
        nodes: Nodes that have files, by name.
        ties: What ties them.
        messages: DHCP messages, to find the capture nearest to the server.
        captures: Which nodes are captures: of them comes the reference, if any is tied.
        zoned: Of the logs, those whose zone is known: of them comes the reference where there is no capture.
    """
    latency = messages.waits()
    rows = dict(messages.nodes.select("node", "n").iter_rows())

    def partners(node: str) -> int:
        """With how many others it shares something."""
        return sum(bool(tie.pairs) for tie in ties.get(node, {}).values())

    def reference(some: list[str]) -> str:
        """The node whose clock counts as right."""
        own = [node for node in some if node in captures]
        if best := [node for node in own if node in ties] or own:
            most = max(map(partners, best))
            set_often = {node: sum(bool(tie.pieces) for tie in ties.get(node, {}).values()) for node in best}
            near = {node: latency.get(node, float("inf")) for node in best}
            return min(best, key=lambda node: (partners(node) < most, set_often[node], near[node], node))
        paired = {node: sum(tie.pairs for tie in ties.get(node, {}).values()) for node in some}
        return min(
            some, key=lambda node: (not paired[node], node not in zoned, -paired[node], -rows.get(node, 0), node)
        )

    chains: dict[str, Tie] = {}
    references: dict[str, str] = {}
    measured = {node for node in nodes if partners(node)}
    if measured or set(nodes) & set(captures):
        first = reference(nodes)
        chains = chains_to(first, ties)
        references = dict.fromkeys(chains, first)
    for node in sorted(measured):
        if node in chains:
            continue
        own = reference(sorted(set(chains_to(node, ties)) & set(nodes)))
        found = chains_to(own, ties)
        chains |= found
        references |= dict.fromkeys(found, own)
    return chains, references


def chains_to(reference: str, ties: Ties) -> dict[str, Tie]:
    """The surest chain of ties from each node to the reference (Dijkstra over bounds)."""
    settled: dict[str, Tie] = {}
    open_ends = {reference: Tie(0, 0, 0.0, 0, "the reference")}
    queue = [(0, reference)]
    while queue:
        _, node = heappop(queue)
        if node in settled:
            continue
        here = settled[node] = open_ends[node]
        for one, tie in sorted(ties.get(node, {}).items()):
            if one in settled:
                continue
            far = tie.then(here, _basis(tie, here, node, first=node == reference))
            if one not in open_ends or far.sure_ns < open_ends[one].sure_ns:
                open_ends[one] = far
                heappush(queue, (far.sure_ns, one))
    return settled


def _basis(tie: Tie, here: Tie, node: str, *, first: bool) -> str:
    """What a chain rests on, in words; a tie without words is another name for the same clock."""
    name = node.partition(" ")[0]
    if not tie.basis:
        return here.basis
    if tie.basis == _SAME:
        return f"same machine as {name}" + ("" if here.basis == "the reference" else f": {here.basis}")
    return tie.basis if first or here.basis == "the reference" else f"{tie.basis}; through {name}: {here.basis}"


def same_machine(ties: Ties, members: Mapping[str, tuple[str, int]]) -> None:
    """Tie all that one machine's clock stamped, except where measured ties contradict that.

    Args:
        ties: Measured ties; added to.
        members: Node -> machine, and the zone of its stamps that was not yet taken out, ns.
    """
    machines: dict[str, list[str]] = {}
    for node, (machine, _) in sorted(members.items()):
        machines.setdefault(machine, []).append(node)
    for machine, nodes in machines.items():
        kept: list[str] = []
        for node in sorted(nodes, key=lambda one: (-len(ties.get(one, {})), one)):
            if all(_agree(ties, node, other, members) for other in kept[:1]):
                kept.append(node)
        for node in kept:
            tie = Tie(members[node][1], SAME_MACHINE_NS, 0.0, 0, _SAME)
            ties.setdefault(MACHINE + machine, {})[node] = Tie(tie.offset_ns, SAME_MACHINE_NS, 0.0, 0, "")
            ties.setdefault(node, {})[MACHINE + machine] = tie.turned()


def beside_captures(
    ties: Ties, members: Mapping[str, tuple[str, int]], logs: Mapping[str, str]
) -> dict[str, tuple[str, int]]:
    """Zones of logs from captures that the same machine took: a loose tie tells the zone, the machine the rest.

    Args:
        ties: Measured ties.
        members: As `same_machine` has them; captures of these are used.
        logs: Node -> machine, of logs whose zone nobody tells.

    Returns:
        Node -> machine and zone, of those whose measured offset is a whole zone as far as it is known.
    """
    found: dict[str, tuple[str, int]] = {}
    for node, machine in sorted(logs.items()):
        near = [tie for other, tie in sorted(ties.get(node, {}).items()) if members.get(other) == (machine, 0)]
        if not near:
            continue
        tie = min(near, key=lambda one: one.bound_ns).turned()
        zone_ns, rest = zone_part(tie.offset_ns), abs(off_zone(tie.offset_ns))
        alone = rest + tie.bound_ns < QUARTER_NS - rest and not tie.pieces
        if alone and rest <= tie.bound_ns + 2 * SAME_MACHINE_NS and WEST_NS <= zone_ns <= EAST_NS:
            found[node] = (machine, zone_ns)
    return found


def _agree(ties: Ties, one: str, other: str, members: Mapping[str, tuple[str, int]]) -> bool:
    """Whether what was measured lets two nodes have one clock."""
    if one not in ties or other not in ties:
        return True
    measured = chains_to(other, ties).get(one)
    apart = members[one][1] - members[other][1]
    return measured is None or abs(measured.offset_ns - apart) <= measured.bound_ns + 2 * SAME_MACHINE_NS


def machine(host: str) -> str:
    """A host's name without its domain, however it is written.

    Examples:
        >>> machine("CC12.cloud.example.org"), machine("10.0.0.5")
        ('cc12', '10.0.0.5')
    """
    return host if re.fullmatch(r"[\d.]+|.*:.*", host) else host.partition(".")[0].lower()
