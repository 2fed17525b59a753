"""Lines of switches, bare, as sent, and as rsyslog stores them: formats.md 7.1 to 7.3."""

import polars as pl
import pytest

from tests.loaders.lines._reading import read

LINK = "%LINK-3-UPDOWN: Interface Gi1/3, changed state to down"
UP = "%ETHPORT-5-IF_UP: Interface Ethernet1/1 is up"
# line, host, program, stamp (of the year 2013 where the line has none), framing; the message is the mnemonic on
LINES = (
    # formats.md 7.1: Arista EOS, with RFC 3164 and high resolution stamps, with and without a sequence number
    (f"Feb 15 01:40:18 SW-1 Ebra: {LINK}", "SW-1", "Ebra", "2013-02-15 01:40:18", "syslog-traditional"),
    (f"<165>Feb  5 01:40:18 SW-1 Ebra: {LINK}", "SW-1", "Ebra", "2013-02-05 01:40:18", "syslog-rfc3164"),
    (f"2013-02-15T01:40:18.250000-07:00 SW-1 Ebra: {LINK}", "SW-1", "Ebra", "2013-02-15 08:40:18.250",
     "syslog-rfc3339"),
    (f"<166>1 2013-02-15T01:40:18.25-07:00 SW-1 Ebra 2345 - - {LINK}", "SW-1", "Ebra", "2013-02-15 08:40:18.250",
     "syslog-rfc5424+cisco-bare"),
    (f"Feb 15 01:40:18 SW-1 Lag+LacpAgent: {LINK}", "SW-1", "Lag+LacpAgent", "2013-02-15 01:40:18",
     "syslog-traditional"),
    # formats.md 7.2: Cisco IOS
    (f"*Mar  1 00:00:30.123: {LINK}", None, None, "2013-03-01 00:00:30.123", "cisco-ios"),
    (f".Mar  1 00:00:30 MST: {LINK}", None, None, "2013-03-01 00:00:30", "cisco-ios"),
    (f"<189>521: router1: *Nov 14 08:30:56.699: {LINK}", "router1", None, "2013-11-14 08:30:56.699", "cisco-ios"),
    (f"Jun  1 12:50:27 10.0.0.9 1432: Jun  1 12:50:26.172: {LINK}", "10.0.0.9", None, "2013-06-01 12:50:26.172",
     "syslog-traditional+cisco-ios"),
    (f"Jun  1 12:50:27 10.0.0.9 1432: sw1: Jun  1 12:50:26.172: {LINK}", "sw1", None, "2013-06-01 12:50:26.172",
     "syslog-traditional+cisco-ios"),
    (f"Jun  1 12:50:27 10.0.0.9 sw1: *Jun  1 12:50:26.172: {LINK}", "sw1", None, "2013-06-01 12:50:26.172",
     "syslog-traditional+cisco-ios"),
    (f"Jun  1 12:50:27 gw : Jun  1 12:50:26: {LINK}", "gw", None, "2013-06-01 12:50:26",
     "syslog-traditional+cisco-ios"),
    (f"Jun  1 12:50:27 gw Jun  1 12:50:26: {LINK}", "gw", None, "2013-06-01 12:50:26",
     "syslog-traditional+cisco-ios"),
    (f"2013-06-01T12:50:27.1+00:00 gw 77: Jun  1 12:50:26: {LINK}", "gw", None, "2013-06-01 12:50:26",
     "syslog-rfc3339+cisco-ios"),
    (f"Jun  1 12:50:27 gw {LINK}", "gw", None, "2013-06-01 12:50:27", "syslog-traditional"),
    (f"Jun  1 12:50:27 gw 94: 7w6d: {LINK}", "gw", None, "2013-06-01 12:50:27", "syslog-traditional+cisco-uptime"),
    (f"Jun  1 12:50:27 {LINK}", None, None, "2013-06-01 12:50:27", "syslog-hostless"),
    # formats.md 7.2: NX-OS
    (f"2013 Feb 15 01:40:18.250 nx1 %$ VDC-1 %$ {UP}", "nx1", None, "2013-02-15 01:40:18.250", "nxos"),
    (f"2013 Feb  5 01:40:18 nx1 {UP}", "nx1", None, "2013-02-05 01:40:18", "nxos"),
    (f"<189>: 2013 Feb 15 01:40:18 UTC: {UP}", None, None, "2013-02-15 01:40:18", "nxos-wire"),
    (f"<189>nx1: 2013 Feb 15 01:40:18 MST: {UP}", "nx1", None, "2013-02-15 01:40:18", "nxos-wire"),
    (f"Feb 15 01:40:19 10.0.0.7 : 2013 Feb 15 01:40:18 MST: {UP}", "10.0.0.7", None, "2013-02-15 01:40:18",
     "syslog-traditional+nxos-wire"),
    (f"Feb 15 01:40:19 10.0.0.7 nx1: 2013 Feb 15 01:40:18 MST: {UP}", "nx1", None, "2013-02-15 01:40:18",
     "syslog-traditional+nxos-wire"),
    # IOS XR
    (f"Jul  7 20:16:15 10.0.0.4 94307: gw2 LC/0/2/CPU0:Jul  7 20:16:14.834 UTC: ifmgr[214]: {LINK}", "gw2", "ifmgr",
     "2013-07-07 20:16:14.834", "syslog-traditional+cisco-iosxr"),
    # Dell OS9
    (f"May  8 17:18:58 s4048 May 8 17:18:57 UTC: %STKUNIT1-M:CP {LINK}", "s4048", "STKUNIT1-M:CP",
     "2013-05-08 17:18:57", "syslog-traditional+dell-ftos"),
)  # fmt: skip
# the same for lines whose message does not begin with a mnemonic: with the message at the end
OTHERS = (
    # formats.md 7.1: the sequence number of an agent stays in the message
    (f"2013-07-21T09:00:07.173517-07:00 a2 Stp: 469: {LINK}", "a2", "Stp", "2013-07-21 16:00:07.173517",
     "syslog-rfc3339", f"469: {LINK}"),
    # formats.md 7.2: Junos, two blanks before the host, a routing engine's name before the router's
    ("<25>Jun 21 14:03:12  vmx01 eswd[2902]: X:ge-0/0/17.0: bpdu-block disabled port", "vmx01", "eswd",
     "2013-06-21 14:03:12", "syslog-rfc3164", "X:ge-0/0/17.0: bpdu-block disabled port"),
    ("Jun 21 14:03:12  vmx01 eswd[2902]: X", "vmx01", "eswd", "2013-06-21 14:03:12", "syslog-loose", "X"),
    ("Jun 21 14:03:12  re0.vmx01 mib2d[2902]: X", "re0.vmx01", "mib2d", "2013-06-21 14:03:12", "syslog-loose", "X"),
    # formats.md 7.2: Cumulus
    ("2013-02-15T01:40:18.1-07:00 leaf1 mstpd: error, MSTP_IN_rx_bpdu: bridge:bond0 R", "leaf1", "mstpd",
     "2013-02-15 08:40:18.100", "syslog-rfc3339", "error, MSTP_IN_rx_bpdu: bridge:bond0 R"),
    # formats.md 7.2: SONiC, RFC 5424 and classic
    ("<13>1 2013-02-22T10:57:30.359427+00:00 ss12.00.lab orchagent - - -  :- setHost", "ss12.00.lab", "orchagent",
     "2013-02-22 10:57:30.359427", "syslog-rfc5424", " :- setHost"),
    ("Feb 21 16:46:14.931186 ss12 NOTICE swss#orchagent: :- setHost", "ss12", "swss#orchagent",
     "2013-02-21 16:46:14.931186", "syslog-precise+sonic", ":- setHost"),
    # formats.md 7.3
    ("Feb 15 01:40:18 c1 kernel: [65818.378287] bond0: link", "c1", "kernel", "2013-02-15 01:40:18",
     "syslog-traditional", "[65818.378287] bond0: link"),
)  # fmt: skip


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "patterns"])
@pytest.mark.parametrize(
    ("line", "host", "program", "stamp", "framing", "message"),
    [(*one, one[0][one[0].index(" %LINK" if LINK in one[0] else " %ETHPORT") + 1 :]) for one in LINES] + list(OTHERS),
)
def test_a_switch_is_named_and_dated(line, host, program, stamp, framing, message, fast) -> None:
    frame = read(line + "\n", fast=fast, year=2013)
    assert frame.height == 1
    row = frame.with_columns(ts=pl.col("ts").dt.strftime("%Y-%m-%d %H:%M:%S%.f")).row(0, named=True)
    said = (row["host"], row["program"], row["ts"], row["framing"], row["message"])
    assert said == (host, program, stamp, framing, message)


def test_a_buffer_pasted_without_hosts_is_read_whole() -> None:
    """``show logging`` of IOS: a first line that lost its head, a restart with lines of its own."""
    text = (
        "Log Buffer (16384 bytes):\n"
        f"7:04: {LINK}\n"
        f"022701: Jun 19 03:02:31: {LINK}\n"
        "000050: Dec  2 12:09:25.715: %SYS-5-RESTART: System restarted --\n"
        "Cisco IOS Software, C2900 Software (C2900-UNIVERSALK9-M), Version 15.2(1)T1\n"
        "000051: Dec  2 12:09:25.719: %SNMP-5-COLDSTART: SNMP agent on host EDGE is undergoing a cold start\n"
    )
    frame = read(text, year=2013)
    assert frame["n_lines"].to_list() == [1, 1, 2, 1]
    assert frame["ts"].is_null().to_list() == [True, False, False, False]
    assert frame["program"].is_null().all()


def test_a_level_behind_the_host_is_no_program_and_one_behind_a_tag_stays_text() -> None:
    frame = read("Feb 15 01:40:18 c1 nova-api: INFO root: hello\nFeb 15 01:40:18 c1 INFO root: hello\n", year=2013)
    assert frame["program"].to_list() == ["nova-api", "root"]
    assert frame["message"].to_list() == ["INFO root: hello", "hello"]


def test_a_stamp_in_utc_needs_no_zone_even_without_a_year() -> None:
    """A switch that says UTC is believed, whatever the zone of the case."""
    text = f"*Mar  1 00:00:30.123 UTC: {LINK}\n.Mar  1 00:00:31 MST: {LINK}\n"
    frame = read(text, year=2013, zone="America/Edmonton", zone_basis="declared")
    assert frame["zone_basis"].to_list() == ["stated", "declared"]
    assert frame["year_basis"].to_list() == ["declared", "declared"]
    assert frame["ts"].dt.strftime("%m-%d %H:%M:%S").to_list() == ["03-01 00:00:30", "03-01 07:00:31"]
