"""What a path tells: host, capture point, and the place in a rotation."""

import random
from datetime import UTC, datetime

import pytest

from forensics.evidence import capture_point, host_of, series_of

HOSTS = {
    "dair-ua-c03/nova.log": "dair-ua-c03",
    "logs/compute01/var/log/nova/nova-compute.log": "compute01",
    "var/log/rsyslog/alberta/syslog.log": "alberta",
    "rsyslog/compute01.example.org/nova.log-20130101.gz": "compute01.example.org",
    "controller/syslog": "controller",
    "cloud-controller/nova-api.log": "cloud-controller",
    "mercury/var/log/syslog": "mercury",
    "10.0.0.5/syslog": "10.0.0.5",
    "10.0.0.5.log": "10.0.0.5",
    "incident-0215/compute01/nova.log": "compute01",
    "compute01-2013-02-15/nova.log": "compute01",
    "compute01-logs/nova.log": "compute01",
    "region1/controller/nova-api.log": "controller",
    "sosreport-compute01-2024-05-01-abcdefg/var/log/messages": "compute01",
    "sosreport-ctl-1-0123456-2024-05-01-xyz/etc/nova/nova.conf": "ctl-1",
    "sosreport-compute01.12345-20130215123456-abcd/var/log/messages": "compute01",
    "compute01/var/lib/nova/instances/5f1b3f7e-1234-4321-9999-aabbccddeeff/console.log": "compute01",
    "live-migration/hp-ms-01-c29/neutron/dhcp-agent.log": "hp-ms-01-c29",
    "compute01/var/log/kolla/nova/nova-compute.log": "compute01",
    "rabbit@juju-04f1e3-1-lxd-5.log": "juju-04f1e3-1-lxd-5",
    "rabbitmq/rabbit@ctl01-sasl.log.1": "ctl01",
    "monitor01/ens3.pcap": "monitor01",
    "compute47-bond0.pcap1.gz": "compute47",
    "controller.pcap": "controller",
    "compute47-ip-a.txt": "compute47",
    "ip_addr_compute47.txt": "compute47",
    "ip-a.compute47": "compute47",
    "nova-compute-compute01.log": "compute01",
    "compute01-nova-compute.log.2.gz": "compute01",
    "compute-01-syslog.gz": "compute-01",
    "tor-switch-1.log": "tor-switch-1",
    "Arista-sw1/syslog.msg": "Arista-sw1",
    # sosreport, all generations of its names
    "sosreport-compute01-20130215123456-abcd/etc/hosts": "compute01",
    "sosreport-compute01.12345-550427-b8ac/var/log/messages": "compute01",
    "sosreport-compute01-886f5e/etc/hosts": "compute01",
    "sosreport-compute01/etc/hosts": "compute01",
    "sosreport-compute01.example.org-2024-05-01-abcdefg/sos_commands/date/date": "compute01.example.org",
    "sosreport-compute01-2024-05-01-abcdefg-obfuscated/var/log/messages": "compute01",
    "sosreport-compute01-2024-05-01-abcdefg.tar.xz/x": "compute01",
    "sos-collector-2024-05-01-abcde/sosreport-compute02-2024-05-01-abcdefg/etc/hosts": "compute02",
    "sosreport-juju-04f1e3-1-lxd-5-2024-05-01-abcdefg/var/log/syslog": "juju-04f1e3-1-lxd-5",
    "sosreport-overcloud-controller-0-2017-05-16-xyzabc/var/log/containers/nova/nova-api.log": "overcloud-controller-0",
    # OpenStack-Ansible: the machine that the container runs on
    "infra1_nova_api_container-1a2b3c4d/var/log/nova/nova-api.log": "infra1",
    "openstack/log/infra1_nova_api_container-1a2b3c4d/nova/nova-api.log": "infra1",
    "openstack/log/infra1-nova-container-1a2b3c4d/nova-api.log": "infra1",
    "infra2_galera_container-12345678/mysql.log": "infra2",
    "openstack/log/dc1-infra-3_repo_container-12345678/x.log": "dc1-infra-3",
    "x/rabbit@aio1-rabbit-mq-container-9f8e7d6c.log": "aio1",
    # TripleO
    "overcloud-controller-0/var/log/containers/nova/nova-api.log": "overcloud-controller-0",
    "overcloud-compute-1.local/var/log/containers/nova/nova-compute.log": "overcloud-compute-1.local",
    "overcloud-controller-0/var/log/containers/httpd/nova-api/error_log": "overcloud-controller-0",
    # juju
    "nova-compute-3/var/log/nova/nova-compute.log": "nova-compute-3",
    "nova-compute-3/nova-compute.log": "nova-compute-3",
    "rabbitmq-server-0/startup_log": "rabbitmq-server-0",
    "juju-04f1e3-1-lxd-5/var/log/keystone/keystone.log": "juju-04f1e3-1-lxd-5",
    "var/log/juju/unit-nova-compute-3.log": "nova-compute-3",
    "machine-2/var/log/juju/unit-nova-compute-3.log": "machine-2",
    # Kolla, devstack, collectd, Fuel
    "control01/kolla/nova/nova-api.log": "control01",
    "kolla_logs/control01/nova/nova-api.log": "control01",
    "control01/docker-logs/nova_compute.txt": "control01",
    "controller/logs/screen-n-cpu.txt": "controller",
    "var/lib/collectd/csv/cc12.example.org/memory/memory-used-2014-01-10": "cc12.example.org",
    "fuel-snapshot/node-3.domain.tld/var/log/messages": "node-3.domain.tld",
    # names of files after commands
    "cc12-ps-auxww.txt": "cc12",
    "sar-r-cc12.txt": "cc12",
    "nova.conf.cc12": "cc12",
    "cc12/sos_commands/memory/free_-m": "cc12",
}
NO_HOSTS = [
    "syslog",
    "nova.log",
    "nova-compute.log",
    "compute.log",
    "neutron-dhcp-agent.log",
    "l3-agent.log",
    "var/log/kolla/nova/nova-api.log",
    "var/log/nova/nova-compute.log.1.gz",
    "glance/api.log",
    "keystone/keystone.log",
    "cinder-volume.log",
    "var/log/apache2/error.log",
    "var/log/rabbitmq/startup_log",
    "openvswitch/ovs-vswitchd.log",
    "libvirt/qemu/instance-0000abcd.log",
    "mysql/mysql-slow.log",
    "var/log/libvirt/qemu/instance-0000abcd.log",
    "instances/5f1b3f7e-1234-4321-9999-aabbccddeeff/console.log",
    "2013-02-15/nova.log",
    "incident-0215/nova.log",
    "region1/nova-api.log",
    "nova-2013.1/nova-api.log",
    "pcap/ens3.pcap",
    "br-int.pcap",
    "tap0a1b2c3d-4e.pcap",
    "ip-a.txt",
    "nova-2013-02-15.sql.gz",
    "database/nova.sql",
    "screen-n-api.txt.gz",
    "run2/part3/events.json",
    "ps_aux.txt",
    "sar10",
    "sysstat/sa10",
    "nova-service-list.txt",
    "openstack-server-list.json",
    "docker/nova_compute.log",
    "opt/stack/logs/screen-n-cpu.log",
    "k8s/x.log",
    "_nova_api_container-1a2b3c4d/x.log",
]


def test_hosts():
    assert {source: host_of(source) for source in HOSTS} == HOSTS
    assert [source for source in NO_HOSTS if host_of(source)] == []


POINTS = {
    "monitor01/ens3": [
        "monitor01/ens3.pcap", "evidence/pcap/monitor01/ens3.pcap.gz", "monitor01/captures/ens3.pcapng.zst",
    ],
    "compute47-bond0": [
        "pcap/compute47-bond0.pcap", "captures/compute47-bond0.pcap1", "compute47-bond0.pcap2.gz",
        "tmp/compute47-bond0.pcap00", "compute47-bond0-2013-02-15_014018.pcap",
        "compute47-bond0_00001_20130215014018.pcap", "Captures/compute47-bond0.cap",
        "compute47-bond0_20130215014018_00001.pcapng", "compute47-bond0-20130215.pcap.xz",
        "compute47-bond0.pcap.1.gz", "compute47-bond0-1360892418.pcap",
        "var/tmp/compute47-bond0.2013-02-15T01:40:18.pcap3", "compute47-bond0_00012.pcap",
    ],
    "compute47-bond0.100": ["compute47-bond0.100.pcap"],
    "a/ens3": ["a/ens3.dmp", "a/ens3"],
    "any": ["any.pcap", "/var/log/any.pcap", "logs/any.pcapng"],
}  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_capture_points(point):
    assert {source: capture_point(source) for source in POINTS[point]} == dict.fromkeys(POINTS[point], point)


def ns(*fields: int) -> int:
    return int(datetime(*fields, tzinfo=UTC).timestamp()) * 10**9


DATES = {
    "nova-api.log-20130101": ("nova-api.log", ns(2013, 1, 1)),
    "nova-api.log-20130101.gz": ("nova-api.log", ns(2013, 1, 1)),
    "nova-api.log-2013010123.gz": ("nova-api.log", ns(2013, 1, 1, 23)),
    "nova-api.log-20130101-1357002000.gz": ("nova-api.log", ns(2013, 1, 1, 1)),
    "nova-api.log.2013-01-01": ("nova-api.log", ns(2013, 1, 1)),
    "nova-api.log.2013-01-01_00-00-00": ("nova-api.log", ns(2013, 1, 1)),
    "nova-api.log.2013-01-01_13-05": ("nova-api.log", ns(2013, 1, 1, 13, 5)),
    "nova-api.log.1.2017-05-16_13:53:08": ("nova-api.log", ns(2017, 5, 16, 13, 53, 8)),
    "nova-api-20130101.log": ("nova-api.log", ns(2013, 1, 1)),
    "messages-20130101": ("messages", ns(2013, 1, 1)),
    "x-2013-02-15_014018.pcap": ("x.pcap", ns(2013, 2, 15, 1, 40, 18)),
    "x_00001_20130215014018.pcap": ("x.pcap", ns(2013, 2, 15, 1, 40, 18)),
    "nova.log": ("nova.log", None),
    "syslog.1": ("syslog", None),
    "syslog.2.gz": ("syslog", None),
    "dmesg.0": ("dmesg", None),
    "boot.log.old": ("boot.log", None),
    "nova.log-20130231": ("nova.log-20130231", None),
    "10.0.0.1": ("10.0.0.1", None),
    "20130101": ("20130101", None),
    ".gz": (".gz", None),
}


@pytest.mark.parametrize("name", DATES)
def test_rotation_dates(name):
    for folder in ("", "var/log/nova-1/"):
        series = series_of(folder + name)
        assert (series.stem, series.rotated_on_ns) == (folder + DATES[name][0], DATES[name][1])


ORDERS = [
    "nova.log.30 nova.log.10.gz nova.log.2.gz nova.log.1 nova.log",
    "nova.log-20121230.gz nova.log-20130101.gz nova.log-20130102 nova.log",
    "nova.log.2012-12-31_00-00-00 nova.log.2013-01-01_00-00-00 nova.log",
    "x.pcap x.pcap1 x.pcap2.gz x.pcap10",
    "x.pcap00 x.pcap01 x.pcap02",
    "x-2013-02-15_014018.pcap x-2013-02-15_014018.pcap1 x-2013-02-15_024018.pcap",
    "x_00002_20130215014018.pcap x_00003_20130215014019.pcap x_00001_20130215014020.pcap",
    "x.pcap.2 x.pcap.1 x.pcap",
    "dmesg.4.gz dmesg.1.gz dmesg.0 dmesg",
]


@pytest.mark.parametrize("names", ORDERS)
def test_order_of_a_rotation(names):
    expected = names.split()
    mixed = random.Random(1).sample(expected, len(expected))
    assert sorted(mixed, key=lambda name: series_of(name).order) == expected
    assert len({series_of(name).stem for name in expected}) == 1
    assert {series_of(name).is_capture for name in expected} == {".pcap" in names}


def test_any_name_is_taken():
    """Nothing raises, and nothing takes long, whatever the name."""
    source = random.Random(2)
    alphabet = "a0-_./:~@ \\x202e13Tpcapgzlog"
    for _ in range(5_000):
        name = "".join(source.choices(alphabet, k=source.randrange(40)))
        assert isinstance(capture_point(name), str)
        assert series_of(name).stem or not name
        host_of(name)
    for long in ("a-" * 5_000, "1" * 10_000, ".1" * 5_000, "compute1-" * 2_000, "nova-" * 3_000, "-2013" * 2_000):
        for name in (long, f"{long}/{long}.log.1", f"{long}.pcap"):
            host_of(name)
            capture_point(name)
            series_of(name)
