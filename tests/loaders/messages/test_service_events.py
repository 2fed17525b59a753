"""Services up and down as logs and monitors tell (formats.md 7.4)."""

from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest

from forensics.loaders._message_format import leaves
from forensics.records import ServiceState
from tests.loaders.messages._logs import rows_in, rows_of
from tests.loaders.messages.test_samples import log_records

HEAD = "2015-10-29 10:53:08.147 29022 {} {} [-] "


def said(message: str, logger: str, source: str = "ctl1/nova-scheduler.log", level: str = "WARNING") -> pl.DataFrame:
    """Rows of one message of a log on the host ctl1."""
    return rows_of(ServiceState, f"{HEAD.format(level, logger)}{message}\n", source, host="ctl1")


def test_a_heartbeat_that_is_too_old() -> None:
    """The instant of the heartbeat is UTC, whatever the zone of the log."""
    rows = rows_of(
        ServiceState,
        HEAD.format("DEBUG", "nova.servicegroup.drivers.db")
        + "Seems service nova-compute on host cc12 is down. Last heartbeat was 2015-10-29 16:51:08. Elapsed time is "
        "120.1 _is_up /usr/lib/python2.7/site-packages/nova/servicegroup/drivers/db.py:80\n",
        zone="America/Edmonton",
    )
    (row,) = rows.to_dicts()
    assert row["ts"] == datetime(2015, 10, 29, 16, 53, 8, 147000, UTC)
    assert row["seen_at"] == datetime(2015, 10, 29, 16, 51, 8, tzinfo=UTC)
    assert (row["service"], row["service_host"], row["state"]) == ("nova-compute", "cc12", "down")
    assert (row["told_by"], row["ts_basis"]) == ("log", "stated")


@pytest.mark.parametrize(
    ("beat", "seen_at"),
    [
        ("2015-10-29 10:51:08.123456", datetime(2015, 10, 29, 10, 51, 8, 123456, UTC)),
        ("2015-10-29 10:51:08+00:00", datetime(2015, 10, 29, 10, 51, 8, tzinfo=UTC)),
        ("2015-10-29T10:51:08.5", datetime(2015, 10, 29, 10, 51, 8, 500000, UTC)),
        ("None", None),
        ("2015-13-45 10:51:08", None),
    ],
)
@pytest.mark.parametrize("elapsed", ["61.0", "-61.0", "0:01:03.5"])
def test_how_heartbeats_are_printed(beat: str, seen_at: datetime | None, elapsed: str) -> None:
    """A clock that runs ahead gives a negative span, and marks the service down as well."""
    rows = said(
        f"Seems service is down. Last heartbeat was {beat}. Elapsed time is {elapsed}", "nova.servicegroup.drivers.db"
    )
    assert rows.select("state", "seen_at").rows() == [("down", seen_at)]


@pytest.mark.parametrize(
    ("state", "host"),
    [
        ("(cc12, cc12.example.org) ram:63488 disk:1 io_ops:0 instances:4", "cc12"),
        ("(cc12, cc12.example.org) ram: 63488MB disk: 1MB io_ops: 0 instances: 4", "cc12"),
        ("cc12 ram:63488 disk:1 io_ops:0 instances:4", "cc12"),
        ("host 'cc12': free_ram_mb:1 free_disk_mb:2", "cc12"),
        ("(cc12.example.org, cc12.example.org) ram: 1MB", "cc12.example.org"),
    ],
)
def test_a_scheduler_that_misses_a_host(state: str, host: str) -> None:
    rows = said(f"{state} has not been heard from in a while", "nova.scheduler.filters.compute_filter")
    assert rows.select("service", "service_host", "state").rows() == [("nova-compute", host, "down")]


@pytest.mark.parametrize(
    ("message", "logger", "source", "expected"),
    [
        ("model server went away", "nova.service", "cc12/nova-compute.log", ("nova-compute", "down")),
        ("Recovered model server connection!", "nova.service", "cc12/nova-compute.log.1", ("nova-compute", "up")),
        ("model server went away", "nova.servicegroup.drivers.db", "ctl1/nova-scheduler.log-20151030",
         ("nova-scheduler", "down")),
        ("Lost connection to nova-conductor for reporting service status.", "nova.servicegroup.drivers.db",
         "cc12/nova/nova-compute.log.2.gz", ("nova-compute", "down")),
        ("Recovered from being unable to report status.", "nova.servicegroup.drivers.db", "cc12/nova-compute.log",
         ("nova-compute", "up")),
        ("Caught SIGTERM, exiting", "cinder.openstack.common.service", "cinder/volume.log", ("cinder-volume", "down")),
        ("Caught SIGTERM, exiting", "oslo_service.service", "net1/neutron/l3-agent.log", ("neutron-l3-agent", "down")),
        ("Caught SIGTERM, stopping children", "neutron.openstack.common.service", "neutron/server.log",
         ("neutron-server", "down")),
        ("Failed reporting state!", "neutron.agent.dhcp.agent", "x.log", ("neutron-dhcp-agent", "down")),
        ("Failed reporting state!", "neutron.plugins.openvswitch.agent.ovs_neutron_agent", "x.log",
         ("neutron-openvswitch-agent", "down")),
        ("Starting compute node (version 2012.2-LOCAL)", "nova.service", "x.log", ("nova-compute", "up")),
        ("Starting consoleauth node (version 2012.2-LOCAL)", "nova.service", "x.log", ("nova-consoleauth", "up")),
        ("Caught SIGTERM, exiting", "oslo_service.service", "x.log", (None, "down")),
    ],
)  # fmt: skip
def test_a_service_that_speaks_of_itself(
    message: str, logger: str, source: str, expected: tuple[str | None, str]
) -> None:
    """Its name is in the name of the file; its host is that of the line."""
    rows = said(message, logger, source)
    assert rows.select("service", "state").rows() == [expected]
    assert rows["service_host"].to_list() == ["ctl1"]


def test_a_table_of_dead_agents() -> None:
    """One row an agent; the table's lines belong to the record above them."""
    text = (
        HEAD.format("WARNING", "neutron.db.agents_db")
        + "Agent healthcheck: found 3 dead agents out of 9:\n"
        + f"{'Type':>20} {'Last heartbeat':>20} host\n"
        + f"{'Open vSwitch agent':>20} {'2015-10-29 10:50:12':>20} cc12\n"
        + f"{'DHCP agent':>20} {'2015-10-29 10:51:02':>20} net1.example.org\n"
        + f"{'Brand new agent':>20} {'2015-10-29 10:51:03.5':>20} net2\n"
        + HEAD.format("DEBUG", "neutron.db.agents_db")
        + "Agent healthcheck: found 6 active agents\n"
    )
    rows = rows_of(ServiceState, text, "ctl1/neutron-server.log")
    assert rows.select("service", "service_host", "state").rows() == [
        ("neutron-openvswitch-agent", "cc12", "down"),
        ("neutron-dhcp-agent", "net1.example.org", "down"),
        ("Brand new agent", "net2", "down"),
    ]
    assert [str(at)[11:19] for at in rows["seen_at"]] == ["10:50:12", "10:51:02", "10:51:03"]
    assert set(rows["position"]) == {1}


@pytest.mark.parametrize("agents", ["", "gibberish\n", "                Type       Last heartbeat host\n"])
def test_a_table_without_agents_gives_none(agents: str) -> None:
    text = f"{HEAD.format('WARNING', 'neutron.db.agents_db')}Agent healthcheck: found 2 dead agents out of 9:\n{agents}"
    assert rows_of(ServiceState, text).is_empty()


@pytest.mark.parametrize(
    ("message", "logger"),
    [
        ("Recovered model server connection!", "myapp.other"),
        ("Service nova-compute is fine", "nova.service"),
        ("Agent healthcheck: found 6 active agents", "neutron.db.agents_db"),
        ("Caught SIGHUP, exiting", "oslo_service.service"),
        ("Child caught SIGTERM, exiting", "oslo_service.service"),
    ],
)
def test_lines_that_tell_of_no_service(message: str, logger: str) -> None:
    assert said(message, logger).is_empty()


NAGIOS = """\
[1360892418] SERVICE ALERT: cc12;nova-compute;CRITICAL;HARD;3;CRITICAL: service down; see wiki
[1360892419] SERVICE NOTIFICATION: admin;cc12;nova-compute;CRITICAL;notify-by-email;text
[1360892420] HOST ALERT: cc12;DOWN;SOFT;1;PING CRITICAL - Packet loss = 100%
[1360892421] Warning: Return code of 127 for check of service 'x' on host 'y' was out of bounds.
[1360896018] SERVICE ALERT: cc12;nova-compute;OK;HARD;3;OK
[1360896019] HOST FLAPPING ALERT: cc12;STARTED; Host appears to have started flapping
"""


def test_the_log_of_nagios() -> None:
    """7.4: the stamp is seconds since 1970; what is no change of state gives no row."""
    rows = rows_of(ServiceState, NAGIOS, "mon1/nagios.log", zone="America/Edmonton")
    assert rows.select("service", "service_host", "state").rows() == [
        ("nova-compute", "cc12", "down"),
        (None, "cc12", "down"),
        ("nova-compute", "cc12", "up"),
    ]
    assert rows["ts"][0] == datetime(2013, 2, 15, 1, 40, 18, tzinfo=UTC)
    assert set(rows["told_by"]) == {"monitor"}
    assert rows["position"].to_list() == [1, 3, 5]


def test_nagios_through_syslog() -> None:
    rows = rows_of(ServiceState, f"Feb 15 01:40:18 mon1 nagios: {NAGIOS.splitlines()[0][13:]}\n", "syslog", year=2013)
    assert rows.select("service", "service_host", "state", "host").rows() == [("nova-compute", "cc12", "down", "mon1")]


def test_alerts_in_another_program_s_words() -> None:
    assert ServiceState not in leaves(log_records("SERVICE ALERT: cc12;x;OK;HARD;1;x", program="rsnapshot"))


def test_haproxy_in_syslog() -> None:
    line = "Feb 15 01:40:18 ctl1 haproxy[7]: Server keystone_api/ctl2 is DOWN, reason: Layer4 timeout.\n"
    rows = rows_of(ServiceState, line, "syslog", year=2013)
    assert rows.select("service", "service_host", "state").rows() == [("keystone_api", "ctl2", "down")]


def test_the_restarts_of_a_public_cloud() -> None:
    """Starts as many as `grep` finds; agents say when they could not report."""
    folder = "logs/openstack/live-migration/hp-ms-01-c29"
    for name, ups in (("nova-compute", 1), ("nova-scheduler", 2), ("nova-conductor", 8)):
        rows = rows_in(ServiceState, f"{folder}/nova/{name}.log")
        assert set(rows["service"]) == {name}
        assert Counter(rows["state"])["up"] == ups, name
    rows = rows_in(ServiceState, f"{folder}/neutron/dhcp-agent.log")
    assert set(rows["service"]) == {"neutron-dhcp-agent"}
    assert set(rows["state"]) == {"down"}
