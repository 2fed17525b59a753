"""Which service OpenStack's own logs call down, cut off, started or back."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.records import ServiceState

_AGENTS = {
    "Open vSwitch agent": "neutron-openvswitch-agent",
    "Linux bridge agent": "neutron-linuxbridge-agent",
    "DHCP agent": "neutron-dhcp-agent",
    "L3 agent": "neutron-l3-agent",
    "Metadata agent": "neutron-metadata-agent",
    "Metering agent": "neutron-metering-agent",
    "NIC Switch agent": "neutron-sriov-nic-agent",
    "OVN Controller agent": "ovn-controller",
    "OVN Controller Gateway agent": "ovn-controller",
}
_OF_LOGGER = {
    "dhcp": "neutron-dhcp-agent",
    "dhcp_agent": "neutron-dhcp-agent",
    "l3": "neutron-l3-agent",
    "l3_agent": "neutron-l3-agent",
    "metadata": "neutron-metadata-agent",
    "ovs_neutron_agent": "neutron-openvswitch-agent",
    "linuxbridge_neutron_agent": "neutron-linuxbridge-agent",
}
_PROJECTS = "nova|cinder|neutron|quantum|glance|heat|manila|ironic|ceilometer|watcher|sahara|magnum|octavia|designate"
_SHORT = (
    r"(?:^|/)(server|api|registry|volume|scheduler|backup|conductor|compute|network|cert"
    r"|engine|[a-z0-9]+(?:-[a-z]+)*-agent)\.log[^/]*$"
)
"""Names of logs as RDO and its like spell them, without the project: `neutron/l3-agent.log`, `cinder/volume.log`."""
_DEAD = "Agent healthcheck: found"
_ROW = (
    r"^[ \t]*(?P<type>\w[\w ]*?) +(?P<seen>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)(?:\+00:00)? +(?P<host>\S+)[ \r]*$"
)
"""A line of neutron's table of dead agents: its columns are filled with blanks on the left."""


def _instant(text: pl.Expr) -> pl.Expr:
    """A heartbeat as nova and neutron print it: UTC, mostly without saying so."""
    plain = text.str.extract(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,9})?)", 1).str.replace("T", " ")
    return plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns", time_zone="UTC", strict=False)


def _writer() -> pl.Expr:
    """The service whose log it is: by its tag, its file's name, its logger, or a short file name with a project."""
    source, logger = pl.col("source"), pl.col("logger")
    project = pl.coalesce(
        logger.str.extract(rf"^({_PROJECTS})\.", 1), source.str.extract(rf"(?:^|/)({_PROJECTS})/[^/]*$", 1)
    )
    return pl.coalesce(
        pl.col("program").str.extract(rf"^((?:{_PROJECTS})-[a-z0-9-]+)$", 1),
        source.str.extract(rf"((?:{_PROJECTS})-[a-z]+(?:-[a-z0-9]*[a-z][a-z0-9]*)*)[^/]*$", 1),
        logger.str.extract(r"\.(\w+?)(?:\.agent)?$", 1).replace_strict(_OF_LOGGER, default=None),
        pl.concat_str(project, source.str.extract(_SHORT, 1), separator="-"),
    )


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """Who is meant: another service that the line names, or the one that writes it."""
    word, message = pl.col("word"), pl.col("message")
    itself = _writer()
    table = message.str.extract_all(rf"(?m){_ROW}")
    by_row = (
        rows.with_columns(_row=pl.when(word == _DEAD).then(table))
        .explode("_row", empty_as_null=True, keep_nulls=True)
        .with_columns(pl.col("_row").str.extract_groups(_ROW).struct.rename_fields(["_type", "_seen", "_at"]))
        .unnest("_row")
    )
    topic = pl.col("topic")
    topical = (
        pl.when(topic.str.contains("-"))
        .then(topic)
        .otherwise(pl.concat_str(pl.col("logger").str.extract(r"^(\w+)", 1).fill_null("nova"), topic, separator="-"))
    )
    agent = pl.coalesce("_type", "agent")
    own = pl.col("myself").is_not_null() | topic.is_not_null()
    up = (
        pl.col("myself").str.contains("^(?:Recovered|Successfully)")
        | topic.is_not_null()
        | pl.col("back").is_not_null()
    )
    vague = word.is_in(["is disabled or has not been heard from in a while", "is disabled, reason:"]).fill_null(False)
    state_of = pl.col("host_state").str.extract(r"^\(?(?:host )?u?'?([^\s,':)]+)", 1)
    libvirt = pl.col("libvirt").is_not_null() | pl.col("back").is_not_null()
    in_dict = message.str.extract
    binary = pl.coalesce(
        "binary",
        pl.when(topic.is_not_null()).then(topical).when(own).then(itself),
        pl.when(pl.col("host_state").is_not_null()).then(pl.lit("nova-compute")),
        pl.when(pl.col("dead").is_not_null()).then(in_dict(r"[u{ ]'binary': u?'([^']+)'", 1)),
        pl.when(pl.col("router").is_not_null()).then(pl.lit("neutron-l3-agent")),
        pl.when(pl.col("network").is_not_null()).then(pl.lit("neutron-dhcp-agent")),
        pl.when(libvirt).then(pl.lit("libvirtd")),
        pl.when(pl.col("conductor").is_not_null()).then(pl.lit("nova-conductor")),
        agent.replace_strict(_AGENTS, default=agent),
    )
    local = own | libvirt
    found = by_row.with_columns(
        service=binary,
        service_host=pl.coalesce(
            pl.col("binary_host"),
            pl.col("_at"),
            pl.when(local).then("host"),
            state_of,
            pl.when(pl.col("dead").is_not_null()).then(in_dict(r"[u{ ]'host': u?'([^']+)'", 1)),
        ),
        state=pl.when(up).then(pl.lit("up")).when(vague).then(pl.lit("unknown")).otherwise(pl.lit("down")),
        status=pl.when(word == "is disabled, reason:").then(pl.lit("disabled")),
        seen_at=_instant(pl.coalesce("_seen", "seen")),
        ts_basis=pl.when(pl.col("ts").is_null()).then(pl.lit("none")).otherwise(pl.lit("stated")),
    )
    return found.filter((word != _DEAD).fill_null(True) | pl.col("_at").is_not_null())


_LOST = "Lost connection to nova-conductor for reporting service status."
_TABLE = (
    "Agent healthcheck: found 2 dead agents out of 9:\n"
    "                Type       Last heartbeat host\n"
    "  Open vSwitch agent 2015-10-29 10:53:12 cc12\n"
    "          DHCP agent 2015-10-29 10:51:02 net1"
)
_STATE = "(cc12, cc12.example.org) ram:63488 disk:1 io_ops:0 instances:4"

FORMAT = MessageFormat(
    name="service-heartbeat",
    record=ServiceState,
    logger=r"(?:^|\.)(?:service|servicegroup(?:\.\w+)*|compute_filter|host_manager|filter_scheduler|agents_db"
    r"|agent_?schedulers_db|l3_agentschedulers_db|mech_agent|drivers\.\w*agent|(?:dhcp|l3|metadata)\.agent|(?:dhcp|l3)_agent"
    r"|\w+_neutron_agent|libvirt\.(?:host|driver)|conductor\.api|nova_cluster_data_model_collector|service_monitor)$",
    said_by="nova.servicegroup.drivers.db",
    reference="openstack/nova nova/servicegroup/drivers/db.py, nova/service.py, "
    "nova/scheduler/filters/compute_filter.py @ 2012.1 to 2025.1; openstack/neutron neutron/db/agents_db.py, "
    "neutron/db/agentschedulers_db.py; openstack/cinder cinder/service.py",
    whole=True,
    constants={"told_by": "log"},
    pattern=r"""
        ^(?:
          Seems\x20service\x20(?:(?P<binary>[\w.-]+)\x20on\x20host\x20(?P<binary_host>\S+)\x20)?is\x20down\.\x20
            Last\x20heartbeat\x20was\x20(?P<seen>[^\n]*?)\.\x20Elapsed\x20time\x20is\x20-?[\d.:]+
          |(?P<host_state>[^\n]+?)\x20(?P<word>(?:is\x20disabled\x20or\x20)?has\x20not\x20been\x20heard\x20from\x20in\x20a\x20while)
          |(?P<host_state__2>[^\n]+?)\x20(?P<word__2>is\x20disabled,\x20reason:)\x20(?P<disabled_reason>[^\n]*)
          |(?P<word__3>Agent\x20healthcheck:\x20found)\x20\d+\x20dead\x20agents\x20out\x20of\x20\d+:
          |(?P<dead>Refusing\x20to\x20bind\x20port\x20\S+\x20to\x20dead\x20agent
            |Attempting\x20to\x20bind\x20with\x20dead\x20agent):
          |(?P<router>Rescheduling\x20router)\x20\S+\x20from\x20agent\x20\S+\x20because\x20the\x20agent\x20did\x20not\x20report
          |(?P<network>Removing\x20network)\x20\S+\x20from\x20agent\x20\S+\x20because\x20the\x20agent\x20did\x20not\x20report
          |(?P<agent>[A-Z][\w\x20]*?\x20agent)\x20(?:on\x20host\x20)?(?P<binary_host__2>[\w.-]+)\x20is\x20(?:down|dead|not\x20active)\b
          |Manager\x20for\x20service\x20(?P<binary__2>[\w.-]+)\x20(?P<binary_host__3>\S+)\x20(?:is\x20not|reported\x20problems)
          |Starting\x20(?P<topic>[a-z][a-z_-]*)\x20node\x20\(version\x20
          |(?P<libvirt>Connection\x20to\x20libvirt\x20(?:lost|failed|broke)
            |Connection\x20event\x20'0'\x20reason)
          |(?P<back>Connection\x20event\x20'1'\x20reason)
          |(?P<conductor>Timed\x20out\x20waiting\x20for\x20nova-conductor)
          |(?P<myself>model\x20server\x20went\x20away|Recovered\x20model\x20server\x20connection
            |(?:Lost|Recovered)\x20connection\x20to\x20nova-conductor\x20for\x20reporting\x20service\x20status
            |Unexpected\x20error\x20while\x20reporting\x20service\x20status
            |Recovered\x20from\x20being\x20unable\x20to\x20report\x20status
            |Failed\x20reporting\x20state|Successfully\x20reported\x20state\x20after\x20a\x20previous\x20failure
            |Caught\x20SIG(?:TERM|INT|QUIT),\x20(?:exiting|stopping\x20children))
        )
    """,
    shape=_shape,
    samples=(
        Sample(
            "Seems service is down. Last heartbeat was 2015-10-29 10:53:12. Elapsed time is 63.2 is_up "
            "/usr/lib/python2.7/site-packages/nova/servicegroup/drivers/db.py:80",
            {"state": "down", "service": None, "service_host": None, "told_by": "log", "ts_basis": "none"},
        ),
        Sample(
            "Seems service nova-compute on host cc12 is down. Last heartbeat was 2016-02-01 10:00:00.123456. "
            "Elapsed time is -61.0",
            {"service": "nova-compute", "service_host": "cc12", "state": "down"},
        ),
        Sample(
            f"{_STATE} has not been heard from in a while",
            {"service": "nova-compute", "service_host": "cc12", "state": "down", "status": None},
        ),
        Sample("host 'cc12': free_ram_mb:1 has not been heard from in a while", {"service_host": "cc12"}),
        Sample("cc12 ram:1 disk:2 is disabled or has not been heard from in a while", {"state": "unknown"}),
        Sample(
            f"{_STATE} is disabled, reason: broken NIC",
            {"service_host": "cc12", "state": "unknown", "status": "disabled", "disabled_reason": "broken NIC"},
        ),
        Sample(
            _TABLE, {"service": "neutron-openvswitch-agent", "service_host": "cc12", "state": "down"}, rows=2
        ),
        Sample(
            "Refusing to bind port 7d40 to dead agent: {'binary': u'neutron-openvswitch-agent', 'alive': False, "
            "'topic': u'N/A', 'host': u'cc12'}",
            {"service": "neutron-openvswitch-agent", "service_host": "cc12", "state": "down"},
        ),
        Sample(
            "Attempting to bind with dead agent: {'host': 'cc12', 'binary': 'neutron-linuxbridge-agent'}",
            {"service": "neutron-linuxbridge-agent", "service_host": "cc12"},
        ),
        Sample(
            "Rescheduling router 5 from agent 7 because the agent did not report to the server in the last 150 s",
            {"service": "neutron-l3-agent", "service_host": None, "state": "down"},
        ),
        Sample(
            "Removing network 5 from agent 7 because the agent did not report to the server in the last 150 seconds.",
            {"service": "neutron-dhcp-agent", "state": "down"},
        ),
        Sample("DHCP agent on host net1 is down", {"service": "neutron-dhcp-agent", "service_host": "net1"}),
        Sample(
            'Manager for service cinder-volume c1@lvm is not ready yet, skipping state update routine. Service will '
            'appear "down".',
            {"service": "cinder-volume", "service_host": "c1@lvm", "state": "down"},
        ),
        Sample("model server went away\nTraceback (most recent call last):\n  x", {"state": "down", "service": None}),
        Sample("Recovered model server connection!", {"state": "up"}),
        Sample(_LOST, {"state": "down"}),
        Sample("Recovered connection to nova-conductor for reporting service status.", {"state": "up"}),
        Sample("Unexpected error while reporting service status", {"state": "down"}),
        Sample("Recovered from being unable to report status.", {"state": "up"}),
        Sample("Failed reporting state!\nTraceback (most recent call last):\n  x", {"state": "down"}),
        Sample("Successfully reported state after a previous failure.", {"state": "up"}),
        Sample("Starting compute node (version 2012.2-LOCAL:LOCAL)", {"service": "nova-compute", "state": "up"}),
        Sample("Starting cinder-volume node (version 8.0.0)", {"service": "cinder-volume", "state": "up"}),
        Sample("Caught SIGTERM, exiting", {"state": "down"}),
        Sample("Connection to libvirt lost: 1", {"service": "libvirtd", "state": "down"}),
        Sample("Connection event '0' reason 'Connection to libvirt lost: 0'", {"service": "libvirtd", "state": "down"}),
        Sample("Connection event '1' reason 'None'", {"service": "libvirtd", "state": "up"}),
        Sample("Timed out waiting for nova-conductor. Is it running?", {"service": "nova-conductor", "state": "down"}),
    ),
)  # fmt: skip
