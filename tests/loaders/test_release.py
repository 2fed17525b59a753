"""Which release wrote a log: lines of every release (formats.md 1), upgrades inside a file, devstack, public logs."""

import gzip
import io

import pytest

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.loaders._release_rules import NAMES, of_version
from forensics.loaders.log_files import READERS
from tests._evidence import evidence_root

U, P = "ebbd729575cb404081a45c9ada0849b7", "8175953c209044358ab5e0ec19d52c37"
REQ = "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e"
BASE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
USED = "in use: on this node 1 local, 0 on other nodes sharing this instance storage"
IMAGE = "0673dd71-34c5-4fbb-86c4-40623fbe45b4"


def told(data: bytes | str) -> tuple[str | None, str | None]:
    """Release and its basis, as a case reads them from the facts of the batches."""
    octets = data.encode() if isinstance(data, str) else data
    found: dict[str, str] = {}
    for batch in READERS[0].batches(stream_of(io.BytesIO(octets), "x"), Origin("x.log"), records=[]):
        found |= batch.facts
    assert "marks" not in found
    return found.get("release"), found.get("release_basis")


LINES = [
    # formats.md 1: default format strings by release; the date bounds what is open at its end
    ("2011-04-22 10:24:13,123 INFO nova.api [UZ5-ABCDEFGHIJKLMNO1 admin demo] x", "Cactus"),
    (f"2011-09-22 10:24:13,123 INFO nova.api [{REQ[4:]} {U} {P}] x", "Diablo"),
    ("2011-09-22 10:24:13,123 AUDIT nova.service [-] x", "Diablo or earlier"),
    (f"2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] Removing base file: {BASE}_10",
     "Essex to Folsom 2012.2"),
    ("2012-11-02 10:24:13 ERROR nova.virt.libvirt.driver [-] During wait destroy, instance disappeared.",
     "Folsom 2012.2"),
    ("2012-05-02 10:24:13 ERROR nova.virt.libvirt.connection [-] During wait destroy, instance disappeared.", "Essex"),
    (f"2012-11-02 10:24:13 ERROR nova.compute [{REQ} {U} {P}] x", "Essex to Folsom"),
    ("2013-02-25 20:26:33 6619 ERROR nova.openstack.common.rpc.common [-] AMQP server is unreachable.",
     "Folsom 2012.2.1 or later"),
    (f"2014-01-08 11:15:15.704 INFO nova.ec2.wsgi.server [{REQ} {U} {P}] …", "Grizzly"),
    (f"2014-01-10 09:11:45.072 129745 INFO nova.ec2.wsgi.server [{REQ} {U} {P}] …", "Havana to Icehouse"),
    ("2014-12-10 10:48:20.226 9042 INFO neutron.wsgi [req-0a16f579-ceec-4c5a-a03a-0e21683cac00 None] …", "Juno"),
    (f"2014-12-10 10:48:20.226 9042 INFO nova.compute [{REQ} ] …", "Juno to Kilo"),
    (f"2015-05-16 00:00:04.500 2931 INFO nova.compute.manager [{REQ} - - - - -] x", "Kilo to Liberty"),
    (f"2017-05-16 00:00:04.500 2931 INFO nova.compute.manager [{REQ} - - - - -] x", "Kilo to Pike"),
    (f"2024-01-31 20:51:05.956 24634 INFO nova.virt.libvirt.driver [None {REQ} {U} {P} - - default default] x",
     "Zed to 2024.1"),
    (f"2026-06-01 20:51:05.956 24634 INFO nova.compute [None {REQ} {U} {P} - - default default] x", "Zed or later"),
    # distributions keep the older layout to this day
    (f"2025-06-01 20:51:05.956 24634 INFO nova.compute [{REQ} {U} {P} - - -] x", "Kilo to 2025.2"),
    # other projects of 2012 and 2013
    ("2012-12-19 12:10:59     INFO [keystone.common.wsgi] x", "Essex to Grizzly"),
    ("(keystone.common.wsgi): 2012-12-19 12:10:59,123 WARNING wsgi __call__ Authorization failed", "Essex to Grizzly"),
    ("2013-06-01 12:10:59 77 INFO quantum.agent [-] x", "Folsom to Grizzly"),
    # formats.md 5.1: wordings of the image cache
    (f"2016-01-10 09:11:45.072 1 INFO nova.virt.libvirt.imagecache [-] image {IMAGE} at ({BASE}): {USED}",
     "Grizzly to Mitaka"),
    (f"2019-01-10 09:11:45.072 1 INFO nova.virt.libvirt.imagecache [-] Removing base or swap file: {BASE}",
     "Kilo to Stein"),
    (f"2024-01-10 09:11:45.072 1 INFO nova.virt.libvirt.imagecache [-] Removing base, swap or ephemeral file: {BASE}",
     "Wallaby to 2024.1"),
    # versions
    ("2013-05-10 09:11:45.072 1 AUDIT nova.service [-] Starting compute node (version 2013.1.3)", "Grizzly"),
    ("2012-11-10 09:11:45 AUDIT nova.service [-] Starting compute node (version 2012.2)", "Folsom 2012.2"),
    ("2016-05-10 09:11:45.072 1 INFO nova.service [-] Starting compute node (version 13.1.0-0.20160617.el7)", "Mitaka"),
    ("2019-05-10 09:11:45.072 1 INFO cinder.service [-] Starting cinder-volume node (version 13.0.5)", "Rocky"),
    ("2015-11-10 09:11:45.072 1 INFO neutron.common.config [-] /usr/bin/neutron-server version 7.0.1", "Liberty"),
    # loggers, levels and access lines
    ("2016-12-10 10:48:20.226 9042 AUDIT nova.compute.claims [-] Attempting claim", "Grizzly to Kilo"),
    ("2014-12-10 10:48:20.226 9042 INFO nova.api.ec2 [-] 0.94826s 10.0.0.9 GET /services/Cloud/", "Grizzly to Kilo"),
    ("2018-12-10 10:48:20.226 9042 INFO cinder.wsgi [-] 10.0.0.9 \"GET / HTTP/1.1\" status: 200  len: 1 time: 0.1",
     "Liberty to Stein"),
    (f"2019-12-10 10:48:20.226 9042 INFO placement.requestlog [{REQ} {U} {P} - default default] x",
     "Stein to Ussuri"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "release"), LINES, ids=lambda x: x[:60])
def test_one_line_of_each_release(line: str, release: str) -> None:
    found, basis = told(line + "\n")
    assert found == release
    assert basis is not None
    assert basis.startswith("line 1: ")


def test_the_basis_names_the_lines_that_decide() -> None:
    text = (
        "2013-06-08 11:15:15.704 77 INFO nova.compute [-] x\n" * 117
        + f"2013-06-08 11:15:15.704 INFO nova.compute [{REQ} {U} {P}] x\n" * 2
    )
    assert told(text) == ("Grizzly", "line 118: milliseconds and no pid in a request line")


TRACEBACK = (
    "2015-06-08 11:15:15.704 77 ERROR nova.compute [-] boom\n"
    "2015-06-08 11:15:15.704 77 {} nova.compute Traceback (most recent call last):\n"
    '2015-06-08 11:15:15.704 77 {} nova.compute   File "{}", line 7\n'
)


@pytest.mark.parametrize(
    ("level", "path", "release"),
    [
        ("TRACE", "/usr/lib/python2.7/dist-packages/nova/x.py", "Grizzly to Kilo"),
        ("TRACE", "/usr/lib/python2.6/site-packages/nova/x.py", "Grizzly to Juno"),
        ("ERROR", "/usr/lib/python2.7/dist-packages/nova/x.py", "Liberty"),
        ("ERROR", "/openstack/venvs/nova-12.2.1/lib/python2.7/nova/x.py", "Liberty"),
    ],
)
def test_tracebacks_tell_by_their_level_and_their_paths(level: str, path: str, release: str) -> None:
    assert told(TRACEBACK.format(level, level, path))[0] == release


def test_paths_of_later_pythons() -> None:
    line = "2020-06-08 11:15:15.704 77 {} nova.compute [-] f {}:7\n"
    assert told(line.format("DEBUG", "/usr/lib/python3.6/site-packages/nova/x.py"))[0] == "Newton to Victoria"
    assert told(line.format("DEBUG", "/openstack/venvs/nova-18.2.1/lib/python3.6/x.py"))[0] == "Rocky"


def test_an_upgrade_inside_a_file() -> None:
    text = (
        "2013-02-25 20:26:33 6619 INFO nova.compute [-] x\n" * 3
        + f"2013-12-25 20:26:33.123 6619 INFO nova.compute [{REQ} {U} {P}] x\n" * 3
        + f"2014-12-25 20:26:33.123 6619 INFO nova.compute [{REQ} None] x\n"
    )
    release, basis = told(text)
    assert release == "Folsom 2012.2.1 or later, then Havana to Icehouse, then Juno"
    assert basis == (
        "line 1: a pid and no milliseconds in a [-] line; then line 4: pid, user and project in a request line; "
        "then line 7: [req-… None]"
    )


def test_an_upgrade_far_down_a_long_file() -> None:
    old = f"2014-01-08 11:15:15.704 INFO nova.compute [{REQ} {U} {P}] x\n" * 30_000
    new = f"2014-02-10 09:11:45.072 129745 INFO nova.compute [{REQ} {U} {P}] x\n" * 30_000
    release, basis = told(old + new)
    assert release == "Grizzly, then Havana to Icehouse"
    assert basis is not None
    first = int(basis.rpartition("line ")[2].partition(":")[0])
    assert 30_001 <= first < 30_100


def test_services_of_several_releases_in_one_file() -> None:
    text = (
        f"2014-01-08 11:15:15.704 INFO nova.compute [{REQ} {U} {P}] x\n"
        f"2014-01-10 09:11:45.072 129745 INFO nova.compute [{REQ} {U} {P}] x\n"
    ) * 10
    assert told(text)[0] == "several: Grizzly; Havana to Icehouse"


def test_devstack_lays_out_lines_by_its_own_strings() -> None:
    """formats.md 1: names instead of ids, no pid in request lines until 2013-10 and in some releases after."""
    assert told(f"2013-09-27 18:22:35.392 DEBUG nova.api.openstack [{REQ} demo demo] x\n") == (None, None)
    assert told(f"2018-09-27 18:22:35.392 7 DEBUG nova.api [None {REQ} demo admin] x\n")[0] == "Pike to Stein"
    swapped = f"2015-09-27 18:22:35.392 7 DEBUG nova.api [{REQ} admin demo] x\n"
    assert told(swapped) == (None, None)


def test_other_logs_tell_nothing() -> None:
    for text in (
        "Feb 15 01:40:18 cc12 kernel: up\n",
        "2017-05-16 00:00:04.500 2931 INFO myapp.main [-] x\n",
        f"2014-01-08 11:15:15.704 INFO myapp.main [{REQ} {U} {P}] x\n",
        "2013-09-27 18:22:35.392 testing 123\n",
        "=INFO REPORT==== 7-Dec-2016::03:49:15 ===\nDisk free limit set to 50MB\n",
        "",
    ):
        assert told(text) == (None, None), text


def test_a_clock_that_was_never_set_bounds_nothing() -> None:
    line = f"2000-01-01 00:00:04.500 2931 INFO nova.compute [None {REQ} {U} {P} - - - -] x\n"
    assert told(line)[0] == "Zed or later"


@pytest.mark.parametrize(
    ("project", "version", "release"),
    [
        ("nova", "2011.2", "Cactus"), ("nova", "2012.1.3", "Essex"), ("nova", "2012.2.3", "Folsom 2012.2.1 or later"),
        ("nova", "2:12.0.0-0ubuntu1", "Liberty"), ("nova", "33.0.0", "2026.1"), ("neutron", "2015.1.2", "Kilo"),
        ("cinder", "7.0.0", "Liberty"), ("glance", "13.0.0", None), ("nova", "banana", None), ("nova", "99.0.0", None),
        ("nova", "2099.1", None),
    ],
)  # fmt: skip
def test_versions(project: str, version: str, release: str | None) -> None:
    rule = of_version(project, version, "")
    assert (None if rule is None else NAMES[rule.first].alone) == release


def public(name: str) -> tuple[str | None, str | None]:
    path = evidence_root() / "logs/openstack" / name
    return told(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())


def test_public_logs() -> None:
    """MANIFEST: Loghub is of 2017 (Newton or Ocata), the gate job of Havana's trunk, the migration of Juno."""
    assert public("loghub/OpenStack_2k.log") == (
        "Kilo to Ocata",
        "line 1: five ids of identity in a request line; line 13: sharing this instance storage",
    )
    assert public("os-loganalyze/screen-n-api.txt.gz")[0] == "Havana"
    for name in ("nova/nova-compute.log", "nova/nova-api.log", "neutron/server.log", "neutron/dhcp-agent.log"):
        assert public(f"live-migration/hp-ms-01-c29/{name}")[0] == "Juno", name
    assert public("live-migration/hp-ms-01-c29/neutron/pinger.log") == (None, None)
