"""Services, agents and hypervisors as clients list them (formats.md 7.4, 10.4, appendix A15)."""

from datetime import UTC, datetime

import pytest

from forensics.records import Instance, ServiceState
from tests.loaders.documents._boxes import as_csv, as_json, box
from tests.loaders.documents._said import likeness, said

SEEN = datetime(2013, 2, 15, 8, 39, 41, tzinfo=UTC)
AGENT = "5f1b3f7e-1234-4321-9999-aabbccddeeff"
TOLD = ("service", "service_host", "state", "status", "zone", "seen_at")
DOWN = ("nova-compute", "cc12", "down", "enabled", "nova", SEEN)
STAMP = "2013-02-15T08:39:41.000000"


def test_the_table_of_the_paper() -> None:  # 10.4
    text = """\
+----+------------------+------------+----------+---------+-------+----------------------------+
| Id | Binary           | Host       | Zone     | Status  | State | Updated At                 |
+----+------------------+------------+----------+---------+-------+----------------------------+
|  7 | nova-compute     | controller | nova     | enabled | up    | 2016-08-18T12:16:58.000000 |
+----+------------------+------------+----------+---------+-------+----------------------------+
"""
    found = said("openstack_list", text, taken_ns=1, taken_basis="command")
    seen = datetime(2016, 8, 18, 12, 16, 58, tzinfo=UTC)
    assert (found.rejects, found.format) == ([], "openstack-listing")
    assert found.of(ServiceState, *TOLD, "told_by", "position", "ts_basis") == [
        ("nova-compute", "controller", "up", "enabled", "nova", seen, "listing", 4, "command")
    ]


GENERATIONS = [
    ("Binary|Host|Zone|Status|State|Updated_at", ["nova-compute", "cc12", "nova", "enabled", "down", STAMP]),
    (
        "Binary|Host|Zone|Status|State|Updated_at|Disabled Reason",
        ["nova-compute", "cc12", "nova", "enabled", "down", STAMP, "-"],
    ),
    (
        "Id|Binary|Host|Zone|Status|State|Updated_at|Disabled Reason|Forced down",
        ["7", "nova-compute", "cc12", "nova", "enabled", "down", STAMP, "None", "False"],
    ),
    ("ID|Binary|Host|Zone|Status|State|Updated At", ["7", "nova-compute", "cc12", "nova", "enabled", "down", STAMP]),
]


@pytest.mark.parametrize(("headings", "row"), GENERATIONS)
@pytest.mark.parametrize("draw", [box, as_csv, as_json])
def test_all_generations_and_forms_say_the_same(draw, headings: str, row: list[str]) -> None:  # 7.4
    found = said("openstack_list", draw(headings, row))
    assert (found.rejects, found.format) == ([], "openstack-listing")
    assert found.of(ServiceState, *TOLD) == [DOWN]
    assert found.of(ServiceState, "disabled_reason") == [None]
    assert found.of(ServiceState, "forced_down") == [False if "Forced" in headings else None]


def test_why_a_service_is_disabled() -> None:
    reason = "AUTO: Connection to libvirt lost: 1 | see log"
    row = ["nova-compute", "cc12", "nova", "disabled", "up", STAMP, reason]
    found = said("openstack_list", box("Binary|Host|Zone|Status|State|Updated_at|Disabled Reason", row))
    assert found.of(ServiceState, "state", "status", "disabled_reason") == [("up", "disabled", reason)]


def test_a_reason_that_was_wrapped() -> None:
    rows = (["7", "nova-compute", "cc12", "disabled", "up", "a long"], ["", "", "", "", "", "reason"])
    found = said("openstack_list", box("ID|Binary|Host|Status|State|Disabled Reason", *rows))
    assert found.of(ServiceState, "service", "disabled_reason") == [("nova-compute", "a long\nreason")]
    assert found.rejects == []


@pytest.mark.parametrize(
    ("headings", "row", "told"),
    [
        (
            "id|agent_type|host|alive|admin_state_up|binary",
            [AGENT, "Open vSwitch agent", "cc12", "xxx", "True", "neutron-openvswitch-agent"],
            ("neutron-openvswitch-agent", "cc12", "down", "enabled"),
        ),
        (
            "ID|Agent Type|Host|Availability Zone|Alive|State|Binary",
            [AGENT, "DHCP agent", "net1", "nova", ":-)", "DOWN", "neutron-dhcp-agent"],
            ("neutron-dhcp-agent", "net1", "up", "disabled"),
        ),
        ("id|agent_type|host|alive|admin_state_up", [AGENT, "DHCP agent", "net1", ":-)", "True"],
         ("DHCP agent", "net1", "up", "enabled")),
        ("ID|Hypervisor hostname|State|Status", ["1", "cc12.example.org", "down", "enabled"],
         ("nova-compute", "cc12.example.org", "down", "enabled")),
        ("ID|Hypervisor Hostname|Hypervisor Type|Host IP|State", ["1", "cc12", "QEMU", "192.0.2.12", "up"],
         ("nova-compute", "cc12", "up", None)),
        ("Binary|Host|Zone|Status|State|Updated_at", ["cinder-volume", "c1@lvm", "nova", "enabled", "up", STAMP],
         ("cinder-volume", "c1@lvm", "up", "enabled")),
        ("hostname|binary|engine_id|host|updated_at|status", ["h1", "heat-engine", AGENT, "h1", STAMP, "down"],
         ("heat-engine", "h1", "down", None)),
        ("id|host|binary|state|disabled|disabled_reason", ["1", "m1", "magnum-conductor", "up", "False", "-"],
         ("magnum-conductor", "m1", "up", "enabled")),
    ],
)  # fmt: skip
def test_agents_and_hypervisors(headings: str, row: list[str], told: tuple[str | None, ...]) -> None:  # 7.4
    for draw in (box, as_csv, as_json):
        found = said("openstack_list", draw(headings, row))
        assert (found.rejects, found.format) == ([], "openstack-listing")
        assert found.of(ServiceState, "service", "service_host", "state", "status") == [told]


def test_an_agent_as_json_has_flags() -> None:
    text = (
        f'[{{"ID": "{AGENT}", "Agent Type": "DHCP agent", "Host": "n", "Alive": false, "State": true, "Binary": "b"}}]'
    )
    assert said("openstack_list", text).of(ServiceState, "state", "status") == [("down", "enabled")]


def test_values_alone_need_the_command() -> None:
    command = "openstack compute service list -f value -c State -c Host"  # printed in the listing's own order
    assert said("openstack_list", "cc12 down\ncc13 up\n", command=command).of(
        ServiceState, "service_host", "state", "position"
    ) == [("cc12", "down", 1), ("cc13", "up", 2)]
    row = f"7 nova-compute cc12 nova enabled down {STAMP}\n"
    assert said("openstack_list", row, command="openstack compute service list -f value").of(ServiceState, *TOLD) == [
        DOWN
    ]
    assert likeness("openstack_list", row) == 0


NOVA_MANAGE = """\
2013-02-15 08:40:00.123 9 DEBUG nova.utils [-] backend <module> __get_backend
Binary           Host                                 Zone             Status     State Updated_At
nova-compute     cc12                                 nova             enabled    XXX   2013-02-15 08:39:41
nova-cert        cc01                                 internal         disabled   :-)   2013-02-15 08:39:41
nova-compute     cc13                                 nova             enabled    XXX   None
"""


def test_nova_manage_service_list() -> None:  # 7.4, 10.4
    found = said("nova_manage", NOVA_MANAGE)
    assert (found.rejects, found.format) == ([], "nova-manage")
    assert found.of(ServiceState, *TOLD) == [
        DOWN, ("nova-cert", "cc01", "up", "disabled", "internal", SEEN), ("nova-compute", "cc13", *DOWN[2:5], None),
    ]  # fmt: skip
    assert said("nova_manage", "".join(NOVA_MANAGE.splitlines(keepends=True)[2:4])).format == "nova-manage"


@pytest.mark.parametrize("text", ["++\n++\n++\n", "++\n||\n++\n++\n"])
@pytest.mark.parametrize("command", ["nova list", "nova service-list", None])
def test_nothing_to_list(text: str, command: str | None) -> None:  # A15
    found = said("openstack_list", text, command=command)
    assert (found.rejects, found.rows, found.format) == ([], {}, "openstack-listing")


def test_headings_without_rows() -> None:
    text = box("ID|Name|Status|Networks").rstrip("\n").rpartition("\n")[0] + "\n"
    for table in (text, box("ID|Name|Status|Networks")):
        found = said("openstack_list", table)
        assert (found.rejects, found.of(Instance, "instance")) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        box("Field|Type|Null", ["id", "int(11)", "NO"]),
        box("table_name|table_rows", ["instances", "300000"]),
        box("count(*)", ["1"]),
        box("ID|Name|Status", [AGENT, "x", "active"]),
        as_csv("time|table|rows", ["2013-02-15", "instances", "1"]),
        as_csv("Host|Port", ["cc12", "1"]),
        '[{"a": 1}]',
        '{"event_type": "compute.instance.create.end", "payload": {"state": "active"}}',
        '["monitor.info", {"Status": 1}]',
        "+++++\n",
        "| a | b |\n",
    ],
)
def test_other_tables_are_left_alone(text: str) -> None:
    assert likeness("openstack_list", text) == 0
    assert likeness("nova_manage", text) == 0
