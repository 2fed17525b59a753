"""Access logs, packets as tcpdump prints them, and lines that name a program and a level."""

from forensics.loaders._line_format import DIGITS, LineFormat, Sample

_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)"
_ANY = (
    rf"(?P<date>\d{{4}}-\d\d-\d\d)[T\x20]{_TIME}(?:[.,](?P<fraction>\d{{1,9}}))?"
    r"(?:\x20?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)\b)?"
)
_PACKET = (
    r"(?P<message>(?:IP6?|ARP,?|MPLS|PPPoE|STP|LLDP|CDPv\d|LACPv\d,?|EAPOL|802\.1|(?:In|Out|B|M|P)\x20|"
    r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}\x20(?:\([^)]*\)\x20)?>)(?s:.*))$"
)

FORMATS = (
    LineFormat(
        name="access-log",
        inside=False,
        reference="httpd mod_log_config, common and combined; eventlet.wsgi of 2012 without a zone",
        pattern=rf"^(?P<message>(?:[^\x20\[,]+,\x20){{0,15}}[^\x20\[]+(?:\x20[^\x20\[]+){{0,3}}\x20"
        rf"\[(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}})[:\x20]{_TIME}"
        r"(?:\x20(?P<zone>[+-]\d{4}))?\]\x20(?s:.*))$",
        samples=(
            Sample(
                '192.0.2.254 - - [20/Jul/2009:22:59:26 +0200] "GET /vmw/cgi/tramp HTTP/1.0" 200 134 "-" "gPXE/0.9.7"',
                {
                    "ts": "2009-07-20 20:59:26+00:00",
                    "message": "192.0.2.254 - - [20/Jul/2009:22:59:26 +0200] "
                    '"GET /vmw/cgi/tramp HTTP/1.0" 200 134 "-" "gPXE/0.9.7"',
                },
            ),
            Sample(
                '192.0.2.7, 192.0.2.8, 10.0.0.1 - - [20/Jul/2009:22:59:26 +0000] "GET /v3 HTTP/1.1" 200 134',
                {"ts": "2009-07-20 22:59:26+00:00"},
            ),
        ),
    ),
    LineFormat(
        name="uwsgi",
        leads="[{",
        inside=False,
        reference="unbit/uwsgi core/logging.c, default request log, with and without memory-report",
        pattern=rf"^(?P<message>(?:\{{address\x20[^}}]*\}}\x20\{{rss\x20[^}}]*\}}\x20)?\[pid:\x20(?P<pid>\d+)\|app:\x20[^\]]*\]\x20(?s:.*?)\x20\[[A-Z][a-z]{{2}}\x20{_MONTH}\x20"
        rf"(?P<day>[\x20\d]\d)\x20{_TIME}\x20(?P<year>\d{{4}})\]\x20(?s:.*))$",
        samples=(
            Sample(
                "[pid: 24|app: 0|req: 1/1] 192.0.2.1 () {62 vars in 1283 bytes} [Tue May 16 00:00:00 2017] GET /v3 => "
                "generated 7 bytes in 2 msecs (HTTP/1.1 200)",
                {"pid": 24, "ts": "2017-05-16 00:00:00+00:00"},
            ),
            Sample(
                "{address space usage: 359067648 bytes/342MB} {rss usage: 107823104 bytes/102MB} [pid: 25|app: 0|req: "
                "1/1] 192.0.2.1 () {48 vars in 1249 bytes} [Thu Feb 15 16:28:43 2018] GET / => "
                "generated 7 bytes in 2 msecs",
                {"pid": 25, "ts": "2018-02-15 16:28:43+00:00"},
            ),
        ),
    ),
    LineFormat(
        name="cloud-init",
        leads=DIGITS,
        inside=False,
        reference="canonical/cloud-init cloudinit/log/loggers.py, DEFAULT_LOG_FORMAT",
        pattern=rf"^{_ANY}\x20-\x20(?P<logger>[\w.\-]+)\[(?P<severity>DEBUG|INFO|WARNING|ERROR|CRITICAL|DEPRECATED)\]:\x20"
        r"(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "2013-02-27 22:01:36,123 - util.py[WARNING]: failed to run",
                {
                    "ts": "2013-02-27 22:01:36.123+00:00",
                    "logger": "util.py",
                    "severity": "WARNING",
                    "message": "failed to run",
                },
            ),
        ),
    ),
    LineFormat(
        name="program-level",
        leads=DIGITS,
        inside=False,
        reference="a stamp, a program's name, a level word",
        rank=5,
        pattern=rf"^{_ANY}\x20(?P<program>[A-Za-z][\w.\-]*)\x20(?P<severity>TRACE|DEBUG|INFO|AUDIT|WARNING|WARN|ERROR|CRITICAL)"
        r"\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "2015-10-29 10:52:20.953 pinger DEBUG 64 bytes from 192.0.2.100: icmp_seq=1",
                {"program": "pinger", "severity": "DEBUG", "message": "64 bytes from 192.0.2.100: icmp_seq=1"},
            ),
        ),
    ),
    LineFormat(
        name="haproxy",
        inside=False,
        reference="haproxy src/log.c, httplog and tcplog without syslog in front: the accept date is between brackets",
        pattern=rf"^(?P<message>[^\x20\[]+:\d+\x20\[(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}}):{_TIME}\.(?P<fraction>\d{{3}})\]"
        r"\x20(?s:.*))$",
        samples=(
            Sample(
                "10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1 "
                '0/0 {} {} "GET / HTTP/1.1"',
                {"ts": "2009-02-06 12:14:14.655+00:00"},
            ),
        ),
    ),
    *(
        LineFormat(
            name=name,
            leads=DIGITS,
            inside=False,
            reference=f"tcpdump print.c and util-print.c, ts_print(): {what}",
            rank=5,
            pattern=rf"^{stamp}\x20{_PACKET}",
            samples=(sample,),
        )
        for name, what, stamp, sample in (
            (
                "tcpdump",
                "time of day",
                rf"{_TIME}\.(?P<fraction>\d{{6,9}})",
                Sample(
                    "11:23:54.378332 IP 192.168.0.100.68 > 192.168.0.5.67: BOOTP/DHCP, Request from b8:2c:a0:0c:d6:1e",
                    {
                        "ts": None,
                        "message": "IP 192.168.0.100.68 > 192.168.0.5.67: BOOTP/DHCP, Request from b8:2c:a0:0c:d6:1e",
                    },
                ),
            ),
            (
                "tcpdump-dated",
                "with -tttt",
                rf"(?P<date>\d{{4}}-\d\d-\d\d)\x20{_TIME}\.(?P<fraction>\d{{6,9}})",
                Sample(
                    "2014-01-10 11:23:54.378332 fa:16:3e:56:0b:6f > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length "
                    "42: Request who-has 10.0.0.5 tell 10.0.0.1, length 28\n\t0x0000:  0001 0800",
                    {"ts": "2014-01-10 11:23:54.378332+00:00", "n_lines": 2},
                ),
            ),
            (
                "tcpdump-epoch",
                "with -tt",
                r"(?P<epoch_s>1\d{9}\.\d{6,9})",
                Sample(
                    "1389315000.378332 IP6 fe80::1 > ff02::1: ICMP6, router advertisement, length 24",
                    {"ts": "2014-01-10 00:50:00.378332+00:00", "zone_basis": "stated"},
                ),
            ),
        )
    ),
)
