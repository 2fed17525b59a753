"""Memory of processes and hosts (formats.md 11.2, 11.3)."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forensics.loaders.documents._processes import command_line, program
from forensics.records import ProcessMemory
from tests.loaders.documents._said import likeness, said

MIB, GIB = 1 << 20, 1 << 30
NOON = 1_389_355_200 * 10**9  # 2014-01-10 12:00 UTC
EDMONTON = "America/Edmonton"


def stamps(found: Any, column: str = "ts") -> list[str | None]:
    return [None if at is None else f"{at:%Y-%m-%d %H:%M:%S}" for at in found.of(ProcessMemory, column)]


PS = """\
USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
root         2  0.0  0.0      0     0 ?        S    Jan02   0:00 [kthreadd]
nova    129745 99.3 91.2 48318382 46137344 ?   Sl   09:05 138:59 /usr/bin/python /usr/bin/nova-api --logfile /x y
nobody    3735  0.0  0.0  27540  1044 ?        S    15:40   0:00 /usr/sbin/dnsmasq --dhcp-range=1,static,120s
rabbitmq   900  1.0  2.5  27540  1044 ?        Ssl   2013  10-01:00:00 /usr/lib/erlang/erts-5.8.5/bin/beam.smp -W w
root      4000  0.0  0.0  27540  1044 pts/0    S+   Jan09   0:00 mysql -uroot -ps3cret nova --password=s3cret
"""


def test_ps_aux() -> None:  # 11.2
    found = said("ps", PS, taken_ns=NOON, taken_basis="command")
    assert (found.rejects, found.format) == ([], "ps")
    assert found.of(ProcessMemory, "process", "pid", "user", "resident_bytes", "virtual_bytes") == [
        ("kthreadd", 2, "root", 0, 0),
        ("nova-api", 129745, "nova", 46137344 * 1024, 48318382 * 1024),
        ("dnsmasq", 3735, "nobody", 1044 * 1024, 27540 * 1024),
        ("beam.smp", 900, "rabbitmq", 1044 * 1024, 27540 * 1024),
        ("mysql", 4000, "root", 1044 * 1024, 27540 * 1024),
    ]
    assert stamps(found, "started_at") == [
        "2014-01-02 00:00:00", "2014-01-10 09:05:00", "2014-01-09 15:40:00", None, "2014-01-09 00:00:00",
    ]  # fmt: skip
    assert found.of(ProcessMemory, "memory_share", "cpu_share", "cpu_s")[1] == (0.912, 0.993, 8339.0)
    assert found.of(ProcessMemory, "cpu_s")[3] == 10 * 86400 + 3600
    assert found.of(ProcessMemory, "command")[1].endswith("--logfile /x y")
    assert not any("s3cret" in command for command in found.of(ProcessMemory, "command"))
    assert said("ps", PS, zone=EDMONTON, taken_ns=NOON).rows[ProcessMemory]["started_at"][1] == datetime(
        2014, 1, 9, 16, 5, tzinfo=UTC
    )  # noon there is not yet: 9:05 was yesterday


def test_the_line_of_the_paper_has_no_heading() -> None:  # 11.3
    line = (
        "nobody 3735 0.0 0.0 27540 1044 ? S 15:40 0:00 /usr/sbin/dnsmasq --strict-order --bind-interfaces --conf-file= "
        "--dhcp-range=set:'novanetwork',192.168.100.2,static,120s --leasefile-ro\n"
    )
    found = said("ps", f"{line}...\n")
    assert (found.format, found.rejects) == ("ps", [])
    assert found.of(ProcessMemory, "process", "resident_bytes") == [("dnsmasq", 1044 * 1024)]
    assert "192.168.100.2,static,120s" in found.of(ProcessMemory, "command")[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "UID PID PPID C STIME TTY TIME CMD\nroot 1 0 0 Jan02 ? 00:00:05 /sbin/init\n",
            {"process": "init", "pid": 1, "user": "root", "cpu_s": 5.0, "resident_bytes": None},
        ),
        (
            "PID RSS VSZ ELAPSED STARTED COMMAND\n 9 2048 4096 10-01:00:00 Tue Dec 31 11:00:00 2013 nova-api x\n",
            {"process": "nova-api", "resident_bytes": 2 * MIB, "started_at": datetime(2013, 12, 31, 11, tzinfo=UTC)},
        ),
        ("PID %MEM RSS COMMAND\n9 1.5 2048 nova-api\n", {"memory_share": 0.015, "resident_bytes": 2 * MIB}),
        (
            "F UID PID PPID C ADDR SZ WCHAN STIME TTY TIME CMD\n4 root 1 0 0 - 13669 - 11:37 ? 00:00:48 /sbin/init\n",
            {"virtual_bytes": 13669 * 4096, "started_at": datetime(2014, 1, 10, 11, 37, tzinfo=UTC)},
        ),
    ],
)
def test_columns_are_those_of_the_heading(text: str, told: dict[str, object]) -> None:
    found = said("ps", text, taken_ns=NOON, taken_basis="command")
    assert found.rejects == []
    (row,) = found.rows[ProcessMemory].to_dicts()
    assert {name: row[name] for name in told} == told


def test_a_date_before_a_listing_is_its_time() -> None:
    text = f"Fri Jan 10 16:11:45 UTC 2014\n{PS}Fri Jan 10 16:12:45 UTC 2014\n{PS}"
    found = said("ps", text)
    assert found.rejects == []
    assert stamps(found) == ["2014-01-10 16:11:45"] * 5 + ["2014-01-10 16:12:45"] * 5
    assert set(found.of(ProcessMemory, "ts_basis")) == {"stated"}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("/openstack/venvs/nova-22/bin/python3 /openstack/venvs/nova-22/bin/nova-compute", "nova-compute"),
        ("/usr/bin/python3 -s /usr/bin/neutron-server --config-file x", "neutron-server"),
        ("python -m SimpleHTTPServer", "SimpleHTTPServer"),
        ("nova-api: worker", "nova-api"),
        ("(sd-pam)", "sd-pam"),
        ("-bash", "bash"),
        ("/bin/sh -c x", "sh"),
        ("", None),
    ],
)
def test_names_of_programs(line: str, name: str | None) -> None:
    assert program(line) == name


def test_secrets_of_command_lines() -> None:
    line = "x --os-password s3cret --admin-token=s3cret --password=s3cret mysql://n:s3cret@db/n -p 53"
    assert "s3cret" not in command_line(line)
    assert command_line("ssh -p 2222 cc12") == "ssh -p 2222 cc12"


OLD_FREE = """\
             total       used       free     shared    buffers     cached
Mem:         48281      47900        381          0         12        150
-/+ buffers/cache:      47738        543
Swap:         8191       8000        191
"""
NEW_FREE = """\
               total        used        free      shared  buff/cache   available
Mem:            47Gi        46Gi       381Mi       0.0Ki       162Mi       500Mi
Swap:          8.0Gi       7.8Gi       191Mi
"""


def test_free_of_both_generations() -> None:  # 11.2
    columns = "total_bytes", "used_bytes", "free_bytes", "cached_bytes", "buffers_bytes", "swap_used_bytes"
    for origin in ({"command": "free -m"}, {}):  # a host of a cloud with 48281 KiB is none
        found = said("free", OLD_FREE, **origin)
        assert (found.rejects, found.format) == ([], "free")
        assert found.of(ProcessMemory, *columns) == [
            (48281 * MIB, 47900 * MIB, 381 * MIB, 150 * MIB, 12 * MIB, 8000 * MIB)
        ]
    assert "taken to be 1048576" in found.facts["note"]
    assert said("free", OLD_FREE, "s/sos_commands/memory/free_-m").facts == {}
    (row,) = said("free", NEW_FREE, command="free -h").rows[ProcessMemory].to_dicts()
    assert (row["total_bytes"], row["available_bytes"]) == (47 * GIB, 500 * MIB)
    assert (row["cached_bytes"], row["swap_used_bytes"]) == (162 * MIB, int(7.8 * GIB))
    assert said("free", OLD_FREE, command="free").of(ProcessMemory, "total_bytes") == [48281 * 1024]
    assert said("free", OLD_FREE, command="free -g").of(ProcessMemory, "total_bytes") == [48281 * GIB]


def test_free_in_a_loop_with_date() -> None:
    text = f"Fri Jan 10 16:11:45 UTC 2014\n{OLD_FREE}Fri Jan 10 16:12:45 UTC 2014\n{OLD_FREE}"
    found = said("free", text)
    assert (found.rejects, stamps(found)) == ([], ["2014-01-10 16:11:45", "2014-01-10 16:12:45"])


VMSTAT = """\
procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu----- -----timestamp-----
 r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st                 MST
 2  0   4096 1234567  20480 409600    0    0     3    12    0    1  2  0 97  0  0 2014-01-10 09:10:01
 2  0   8192 1234000  20480 409600    0    0     3    12    0    1  2  0 97  0  0 2014-01-10 09:10:06
"""


def test_vmstat() -> None:  # 11.2
    found = said("vmstat", VMSTAT, command="vmstat -t 5", zone=EDMONTON)
    assert (found.rejects, found.format) == ([], "vmstat")
    assert stamps(found) == ["2014-01-10 16:10:01", "2014-01-10 16:10:06"]
    assert found.of(ProcessMemory, "swap_used_bytes", "free_bytes", "buffers_bytes", "cached_bytes") == [
        (4 * MIB, 1234567 * 1024, 20 * MIB, 400 * MIB), (8 * MIB, 1234000 * 1024, 20 * MIB, 400 * MIB),
    ]  # fmt: skip
    assert said("vmstat", VMSTAT, command="vmstat -t -S M 5").of(ProcessMemory, "swap_used_bytes")[0] == 4096 * MIB
    assert stamps(said("vmstat", VMSTAT.replace("MST", "UTC"), zone=EDMONTON))[0] == "2014-01-10 09:10:01"
    plain = "".join(line[:79].rstrip() + "\n" for line in VMSTAT.splitlines())
    found = said("vmstat", plain, taken_ns=NOON, taken_basis="command")
    assert (found.rejects, stamps(found)) == ([], ["2014-01-10 12:00:00"] * 2)
    wide = said("vmstat", "--procs-- -----------------------memory---------------------- ---swap--\n" + VMSTAT[101:])
    assert wide.rejects == []
    sums = "  49439744 K total memory\n  48123456 K used memory\n  4096 K used swap\n  1 non-nice user cpu ticks\n"
    assert said("vmstat", sums).of(ProcessMemory, "total_bytes", "swap_used_bytes") == [(49439744 * 1024, 4 * MIB)]


SAR = """\
Linux 3.2.0-35-generic (cc12) \t01/10/2014 \t_x86_64_\t(16 CPU)

12:00:01 AM       CPU     %user     %nice   %system   %iowait    %steal     %idle
12:10:01 AM       all      0.10      0.10      0.10      0.10      0.10     99.50
Average:          all      0.10      0.10      0.10      0.10      0.10     99.50

09:05:01 AM       LINUX RESTART

12:00:01 AM kbmemfree kbmemused  %memused kbbuffers  kbcached  kbcommit   %commit
12:10:01 AM   1234567  48123456     97.50       100       200       300     10.00
11:50:01 PM   1234566  48123457     97.50       100       200       300     10.00

11:50:01 PM kbmemfree kbmemused  %memused kbbuffers  kbcached  kbcommit   %commit
12:00:01 AM   1234565  48123458     97.50       100       200       300     10.00
Average:      1234566  48123457     97.50       100       200       300     10.00

12:00:01 AM kbswpfree kbswpused  %swpused  kbswpcad   %swpcad
12:10:01 AM   1000000   7000000     87.50         0      0.00
"""


def test_sar_over_midnight() -> None:  # 11.2
    found = said("sar", SAR, zone=EDMONTON)
    assert (found.rejects, found.format) == ([], "sar")
    assert stamps(found) == ["2014-01-10 07:10:01", "2014-01-11 06:50:01", "2014-01-11 07:00:01", "2014-01-10 07:10:01"]
    assert found.of(ProcessMemory, "host", "free_bytes", "used_bytes", "total_bytes", "cached_bytes")[0] == (
        "cc12", 1234567 * 1024, 48123456 * 1024, 49358023 * 1024, 200 * 1024,
    )  # fmt: skip
    assert found.of(ProcessMemory, "swap_used_bytes", "swap_total_bytes")[3] == (7000000 * 1024, 8000000 * 1024)
    assert (found.facts["zone"], found.facts["zone_basis"]) == (EDMONTON, "declared")


@pytest.mark.parametrize(
    ("date", "source", "taken", "day"),
    [
        ("01/10/2014", "x", None, "2014-01-10"),
        ("01/10/14", "x", None, "2014-01-10"),
        ("2014-01-10", "x", None, "2014-01-10"),
        ("10.01.2014", "x", None, "2014-01-10"),
        ("13/01/2014", "x", None, "2014-01-13"),
        ("10/01/14", "cc12/sar10", None, "2014-01-10"),
        ("10/01/14", "cc12/sar01", None, "2014-10-01"),
        ("10/01/14", "x", NOON, "2014-01-10"),  # 1 October was still to come
        ("2014年01月10日", "x", None, "2014-01-10"),
    ],
)
def test_dates_of_sar_in_many_locales(date: str, source: str, taken: int | None, day: str) -> None:
    text = f"Linux 3.2.0 (cc12) \t{date} \t_x86_64_\t(16 CPU)\n\n09:00:01    kbmemfree kbmemused\n09:10:01    1    2\n"
    found = said("sar", text, source, taken_ns=taken, taken_basis="command" if taken else "none")
    assert stamps(found) == [f"{day} 09:10:01"]


def test_other_tables_of_sar_are_understood_and_yield_nothing() -> None:
    text = (
        SAR.split("09:05:01")[0]
        + "09:00:01 AM     IFACE   rxpck/s   txpck/s\n09:10:01 AM      eth0      1.00      1.00\n"
    )
    found = said("sar", text)
    assert (found.rejects, found.rows, found.format) == ([], {}, "sar")


def test_sadf() -> None:  # 11.2, 11.3
    text = (
        "# hostname;interval;timestamp;kbmemfree;kbmemused;%memused\n"
        "cc12;600;2014-01-10 01:10:01 UTC;1234567;48123456;97.50\n"
        "cc12;-1;2014-01-10 01:20:01 UTC;LINUX-RESTART\n"
    )
    found = said("sadf", text, zone=EDMONTON)
    assert (found.rejects, found.format) == ([], "sadf")
    assert stamps(found) == ["2014-01-10 01:10:01"]
    assert found.of(ProcessMemory, "host", "free_bytes", "total_bytes") == [("cc12", 1234567 * 1024, 49358023 * 1024)]
    assert stamps(said("sadf", text.replace(" UTC", ""), zone=EDMONTON)) == ["2014-01-10 08:10:01"]
    assert stamps(said("sadf", text.replace("2014-01-10 01:10:01 UTC", "1389316201"))) == ["2014-01-10 01:10:01"]
    lines = "".join(
        f"cc12\t600\t2014-01-10 01:10:01 UTC\t-\t{name}\t7\n" for name in ("%user", "kbmemfree", "kbbuffers")
    )
    found = said("sadf", lines)
    assert found.of(ProcessMemory, "free_bytes", "buffers_bytes", "length_bytes") == [(7168, 7168, len(lines))]


def test_sadf_json() -> None:
    text = """{"sysstat": {
\t"hosts": [{
\t\t"nodename": "cc12", "sysname": "Linux",
\t\t"statistics": [
\t\t\t{"timestamp": {"date": "2014-01-10", "time": "01:10:01", "utc": 1, "interval": 600},
\t\t\t "memory": {"memfree": 1234567, "memused": 48123456, "memused-percent": 97.5, "swpused": 4}},
\t\t\t{"timestamp": {"date": "2014-01-10", "time": "01:20:01", "utc": 1, "interval": 600}, "memory": {"memfree": 1}}
\t\t]
\t}]
}}
"""
    found = said("sadf", text, zone=EDMONTON)
    assert (found.rejects, found.format) == ([], "sadf")
    assert stamps(found) == ["2014-01-10 01:10:01", "2014-01-10 01:20:01"]
    assert found.of(ProcessMemory, "position", "host", "free_bytes", "swap_used_bytes") == [
        (5, "cc12", 1234567 * 1024, 4096), (7, "cc12", 1024, None),
    ]  # fmt: skip
    for broken in (
        '{"sysstat": {' + '"a": [' * 50_000,
        '{"sysstat": {"hosts": 1}}',
        '{"sysstat": {"hosts": [{"statistics": [1]}]}}',
    ):
        assert said("sadf", broken).rows == {}


@pytest.mark.parametrize(
    ("source", "text", "column", "told"),
    [
        ("cc12/memory/memory-used-2014-01-10", "1389315000.123,1.2e+10\n", "used_bytes", 12 * 10**9),
        ("csv/cc12/processes-nova-api/ps_rss-2014-01-10", "1389315000.123,46137344\n", "resident_bytes", 46137344),
        ("cc12/swap/swap-used-2014-01-10", "1389315000.123,4096.000000\n", "swap_used_bytes", 4096),
    ],
)
def test_collectd(source: str, text: str, column: str, told: int) -> None:  # 11.2
    found = said("collectd", f"epoch,value\n{text}1389315010.123,-nan\n", source)
    assert (found.rejects, found.format) == ([], "collectd-csv")
    assert found.of(ProcessMemory, "host", column) == [("cc12", told)]
    assert found.of(ProcessMemory, "process") == ["nova-api" if "nova-api" in source else None]
    assert found.rows[ProcessMemory]["ts"].dt.epoch("ns").to_list() == [1389315000123000000]
    other = said("collectd", "epoch,rx,tx\n1389315000.123,1,2\n", "cc12/interface-eth0/if_octets-2014-01-10")
    assert (other.rows, other.rejects, other.format) == ({}, [], "collectd-csv")
    assert likeness("collectd", "epoch,value\n1389315000,1\n", "notes.csv") == 0


def test_pidstat() -> None:  # 11.2
    text = (
        "Linux 3.2.0-35-generic (cc12) \t01/10/2014 \t_x86_64_\t(16 CPU)\n\n"
        "03:40:18 PM   UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command\n"
        "03:40:19 PM   107    129745   1000.00      0.00 48318382 46137344  91.20  nova-api\n"
        "Average:      107    129745   1000.00      0.00 48318382 46137344  91.20  nova-api\n"
    )
    found = said("pidstat", text)
    assert (found.rejects, found.format, stamps(found)) == ([], "pidstat", ["2014-01-10 15:40:19"])
    assert found.of(ProcessMemory, "host", "process", "pid", "resident_bytes", "memory_share") == [
        ("cc12", "nova-api", 129745, 46137344 * 1024, 0.912)
    ]
    heading = "#      Time   UID       PID     VSZ    RSS   %MEM  Command"
    flat = f"{text.splitlines()[0]}\n\n{heading}\n 1389368419  107  9  2 1  0.1  a b\n"
    assert stamps(said("pidstat", flat)) == ["2014-01-10 15:40:19"]


TOP = """\
top - 09:11:45 up 10 days,  1:02,  2 users,  load average: 8.00, 8.00, 8.00
Tasks: 300 total,   2 running, 298 sleeping,   0 stopped,   0 zombie
Cpu(s):  0.1%us,  0.1%sy,  0.0%ni, 99.8%id,  0.0%wa,  0.0%hi,  0.0%si,  0.0%st
Mem:  49439744k total, 49050944k used,   388800k free,    12288k buffers
Swap:  8387584k total,  8192000k used,   195584k free,   153600k cached

  PID USER      PR  NI  VIRT  RES  SHR S %CPU %MEM    TIME+  COMMAND
129745 nova     20   0 46.1g  44g 2048 R  100 91.2 138:59.70 nova-api
"""


def test_top() -> None:  # 11.2
    found = said("top", TOP, taken_ns=NOON, taken_basis="command")
    assert (found.rejects, found.format) == ([], "top")
    host, process = found.rows[ProcessMemory].to_dicts()
    assert (host["total_bytes"], host["swap_used_bytes"], host["process"]) == (49439744 * 1024, 8192000 * 1024, None)
    assert (process["process"], process["resident_bytes"], process["cpu_s"]) == ("nova-api", 44 * GIB, 8339.7)
    assert stamps(found) == ["2014-01-10 09:11:45"] * 2
    new = TOP.replace("Mem:  49439744k total, 49050944k used,   388800k free,    12288k buffers",
                      "MiB Mem :  48281.0 total,    381.0 free,  47738.0 used,    162.0 buff/cache").replace(
        "Swap:  8387584k total,  8192000k used,   195584k free,   153600k cached",
        "MiB Swap:   8191.0 total,    191.0 free,   8000.0 used.    500.0 avail Mem")  # fmt: skip
    host = said("top", new).rows[ProcessMemory].to_dicts()[0]
    assert (host["total_bytes"], host["available_bytes"]) == (48281 * MIB, 500 * MIB)


@pytest.mark.parametrize(
    ("name", "rotated", "expected"),
    [
        ("ctl3/top-2014-01-10.txt", NOON - 12 * 3600 * 10**9, ["2014-01-10 21:00:00", "2014-01-11 03:00:00"]),
        ("ctl3/top.log-20140110", NOON - 12 * 3600 * 10**9, ["2014-01-08 21:00:00", "2014-01-09 03:00:00"]),
        ("ctl3/top.txt", None, ["2014-01-09 21:00:00", "2014-01-10 03:00:00"]),
    ],
)
def test_top_that_ran_past_midnight(name: str, rotated: int | None, expected: list[str]) -> None:  # 11.2
    text = TOP.replace("09:11:45", "21:00:00") + "\n" + TOP.replace("09:11:45", "03:00:00")
    found = said("top", text, source=name, rotated_on=rotated, modified_ns=NOON)
    assert stamps(found)[::2] == expected
    once = said("top", TOP, source=name, rotated_on=rotated, modified_ns=NOON)
    day = "2014-01-09" if name.endswith("20140110") else "2014-01-10"
    assert stamps(once) == [f"{day} 09:11:45"] * 2


def test_meminfo() -> None:
    text = "MemTotal:   49439744 kB\nMemFree:   388800 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\nHugePages_Total:  0\n"
    found = said("meminfo", text)
    assert (found.rejects, found.format) == ([], "meminfo")
    assert found.of(ProcessMemory, "total_bytes", "swap_used_bytes") == [(49439744 * 1024, 6 * 1024)]


@pytest.mark.parametrize("command", ["ps aux", "ps auxww", "ps -ef", "ps -eo pid,rss,vsz,etime,comm,args", "ps alx"])
def test_what_this_machine_runs(command: str) -> None:
    """Rows against /proc."""
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    printed = subprocess.run(command.split(), capture_output=True, env=environment, check=True).stdout
    now = int(datetime.now(UTC).timestamp()) * 10**9
    found = said("ps", printed, command=command, taken_ns=now, taken_basis="command")
    assert found.rejects == []
    (row,) = found.rows[ProcessMemory].filter(pid=os.getpid()).to_dicts()
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    if row["virtual_bytes"] is not None:
        assert abs(row["virtual_bytes"] - int(told["VmSize"].split()[0]) * 1024) < 512 * MIB
    if row["started_at"] is not None:
        assert 0 <= now / 1e9 - row["started_at"].timestamp() < 7200
    total = found.rows[ProcessMemory].height
    assert total == len(printed.decode().strip().splitlines()) - 1


@pytest.mark.parametrize("module", ["ps", "free", "vmstat", "top", "sar", "sadf", "pidstat", "meminfo", "collectd"])
@pytest.mark.parametrize(
    "text",
    [
        "2014-01-10 09:11:45.072 129745 INFO nova.ec2.wsgi.server [-] free memory PID USER RSS\n",
        "Jan 10 09:11:45 cc12 kernel: [1] Mem-Info: free 1\n",
        "09:11:45 something happened\n",
        "11:23:54.378332 IP 192.168.0.100.68 > 192.168.0.5.67: BOOTP/DHCP, Request\n",
        "total 12\n-rw-r--r-- 1 root root 12 Jan 10 09:11 x\n",
        "a;b;c\n1;2;3\n",
    ],
)
def test_other_texts_are_left_alone(module: str, text: str) -> None:
    assert likeness(module, text) == 0
