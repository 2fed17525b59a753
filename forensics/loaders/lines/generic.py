"""Whatever else begins with a stamp: logs that nobody described, one framing for each way to write a time."""

from forensics.loaders._line_format import CAPITALS, DIGITS, LineFormat, Sample

_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)"
_FRACTION = r"(?:[.,](?P<fraction>\d{1,9}))?"
_ZONE = r"(?:\x20?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
_OPEN, _CLOSE = r"^[\[(<]?", r"[\])>]?"
_REST = r"(?:$|[\x20\t:,;|\-]+(?P<message>(?s:.*))$)"
_WORDS = r"[\x20\t:|\-]+(?P<message>[^\n]*[A-Za-z](?s:.*))$"
"""A message that has a letter, and no comma or semicolon before it: figures behind a number are a table, not a log."""
_SAYS = (
    r":?[\x20\t|][\x20\t|\-]*(?P<message>(?:[B-OQ-Za-z]|[AP][^M\n]|[AP]M[A-Za-z]|[^A-Za-z\s][^\n]*[A-Za-z])(?s:.*))$"
)
"""The same, not behind AM or PM, where the hour is not what it seems; nor behind a mere colon, as in a MAC address."""
_LEADS = "[(<" + DIGITS
_LAST = 9
_M, _D = r"(?P<month>0[1-9]|1[0-2])", r"(?P<day>0[1-9]|[12]\d|3[01])"
_BEYOND_12 = r"(?P<day>1[3-9]|2\d|3[01])"
_YEAR = r"(?P<year>(?:19|20)\d\d)"


def _form(name: str, reference: str, pattern: str, *samples: Sample, leads: str = _LEADS) -> LineFormat:
    return LineFormat(
        name=name, leads=leads, inside=False, reference=reference, rank=_LAST, pattern=pattern, samples=samples
    )


FORMATS = (
    _form(
        "generic",
        "ISO 8601 and its relatives at the start of a line",
        rf"^(?:\[|\()?(?P<date>\d{{4}}-\d\d-\d\d)[T\x20]{_TIME}{_FRACTION}(?:\x20?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)\b)?"
        rf"(?:\]|\))?{_REST}",
        Sample("2013-09-27 18:22:35.392 testing 123", {"message": "testing 123"}),
        Sample("2012-07-02 10:22:40,672:DEBUG:foo bar baz", {"message": "DEBUG:foo bar baz"}),
        leads="[(" + DIGITS,
    ),
    _form(
        "generic-ctime",
        "asctime(3) at the start of a line, in brackets as httpd's errors or without",
        rf"^(?:\[|\()?(?:[A-Z][a-z]{{2}},?\x20)?{_MONTH}\x20(?P<day>[\x20\d]\d)\x20{_TIME}"
        rf"(?:\.(?P<fraction>\d{{1,9}}))?\x20(?:[A-Z]{{3,4}}\x20)?(?P<year>\d{{4}})(?:\]|\))?{_REST}",
        Sample(
            "Tue May 16 00:00:00 2017 - *** Starting uWSGI 2.0 ***",
            {"ts": "2017-05-16 00:00:00+00:00", "message": "*** Starting uWSGI 2.0 ***"},
        ),
        Sample(
            "[Wed Jun 03 10:00:00.123456 2015] caught SIGTERM, shutting down",
            {"ts": "2015-06-03 10:00:00.123456+00:00", "message": "caught SIGTERM, shutting down"},
        ),
        leads="[(" + CAPITALS,
    ),
    _form(
        "generic-slashes",
        "YYYY/MM/DD, as Go's log package, nginx and DRBD write it",
        rf"{_OPEN}(?P<date>\d{{4}}[/.]\d\d[/.]\d\d)[\x20T\-]{_TIME}{_FRACTION}{_ZONE}{_CLOSE}{_REST}",
        Sample(
            "2013/02/15 01:40:18 [error] 123#0: *1 connect() failed",
            {"ts": "2013-02-15 01:40:18+00:00", "message": "[error] 123#0: *1 connect() failed"},
        ),
        Sample("2013/02/15 01:40:18.123456 started", {"ts": "2013-02-15 01:40:18.123456+00:00"}),
        leads=_LEADS,
    ),
    _form(
        "generic-compact",
        "ISO 8601 basic format and its relatives: YYYYMMDD, then HHMMSS or HH:MM:SS",
        rf"{_OPEN}{_YEAR}{_M}{_D}(?:[\x20T_\-]{_TIME}|[\x20T_\-]?(?P<clock>\d{{6}})){_FRACTION}{_ZONE}{_CLOSE}"
        r"(?:$|[\x20\t:,;|\-]+(?P<message>[^\n]*[A-Za-z](?s:.*))$)",
        Sample("20130215 01:40:18 started", {"ts": "2013-02-15 01:40:18+00:00", "message": "started"}),
        Sample("20130215-014018 started", {"ts": "2013-02-15 01:40:18+00:00"}),
        Sample("20130215T014018.5Z started", {"ts": "2013-02-15 01:40:18.500+00:00", "zone_basis": "stated"}),
        Sample("[20130215014018] started", {"ts": "2013-02-15 01:40:18+00:00", "message": "started"}),
    ),
    _form(
        "generic-day-month",
        "DD-Mon-YYYY, DD/Mon/YYYY and RFC 2822's order: BIND, Tomcat, Windows, web servers' error logs",
        rf"{_OPEN}(?:[A-Z][a-z]{{2}},?\x20)?(?P<day>\d{{1,2}})[\-/\x20]{_MONTH}[\-/\x20]{_YEAR}[:\x20T]{_TIME}"
        rf"(?:[.,:](?P<fraction>\d{{1,9}}))?{_ZONE}{_CLOSE}{_REST}",
        Sample("15-Feb-2013 01:40:18.123 general: info: loaded", {"ts": "2013-02-15 01:40:18.123+00:00"}),
        Sample(
            '[15/Feb/2013 01:40:18] "GET / HTTP/1.1" 200 1',
            {"ts": "2013-02-15 01:40:18+00:00", "message": '"GET / HTTP/1.1" 200 1'},
        ),
        Sample("15/Feb/2013:01:40:18 +0100 started", {"ts": "2013-02-15 00:40:18+00:00", "zone_basis": "stated"}),
        Sample("Fri, 15 Feb 2013 01:40:18 GMT: started", {"ts": "2013-02-15 01:40:18+00:00", "message": "started"}),
        leads=_LEADS + CAPITALS,
    ),
    _form(
        "generic-day-first",
        "DD/MM/YYYY where the day is beyond 12; see generic-day-or-month",
        rf"{_OPEN}{_BEYOND_12}[/.\-]{_M}[/.\-]{_YEAR},?[\x20T]{_TIME}{_FRACTION}{_ZONE}{_CLOSE}{_REST}",
        Sample("15/02/2013 01:40:18 started", {"ts": "2013-02-15 01:40:18+00:00", "message": "started"}),
        Sample("15.02.2013 01:40:18,123 started", {"ts": "2013-02-15 01:40:18.123+00:00"}),
    ),
    _form(
        "generic-month-first",
        "MM/DD/YYYY where the day is beyond 12; see generic-day-or-month",
        rf"{_OPEN}{_M}[/.\-]{_BEYOND_12}[/.\-]{_YEAR},?[\x20T]{_TIME}{_FRACTION}{_ZONE}{_CLOSE}{_REST}",
        Sample("02/15/2013 01:40:18 started", {"ts": "2013-02-15 01:40:18+00:00", "message": "started"}),
    ),
    _form(
        "generic-day-or-month",
        "DD/MM/YYYY or MM/DD/YYYY: a line alone does not say which, so it has no time and its message keeps the stamp",
        r"^(?P<message>[\[(<]?(?:0[1-9]|1[0-2])[/.\-](?:0[1-9]|1[0-2])[/.\-](?:19|20)\d\d,?[\x20T]\d\d:\d\d:\d\d\b(?s:.*))$",
        Sample(
            "02/03/2013 01:40:18 started",
            {"ts": None, "year_basis": "none", "message": "02/03/2013 01:40:18 started"},
        ),
    ),
    _form(
        "generic-month",
        "Mmm dd [YYYY] HH:MM:SS in brackets: no host follows",
        rf"^[\[(<]{_MONTH}\x20{{1,2}}(?P<day>\d{{1,2}})(?:,?\x20(?P<year>\d{{4}}))?,?\x20{_TIME}{_FRACTION}{_ZONE}"
        rf"[\])>]{_REST}",
        Sample("[Feb 15 01:40:18] NOTICE[12]: up", {"ts": "2013-02-15 01:40:18+00:00"}, 2013),
        Sample("[Feb  5 2013 01:40:18.123] up", {"ts": "2013-02-05 01:40:18.123+00:00", "message": "up"}),
        leads="[(<",
    ),
    _form(
        "generic-month-year",
        "Mmm dd, YYYY HH:MM:SS",
        rf"^{_MONTH}\x20{{1,2}}(?P<day>\d{{1,2}}),\x20(?P<year>\d{{4}}),?\x20{_TIME}{_FRACTION}{_ZONE}{_REST}",
        Sample("Feb 15, 2013 01:40:18 up", {"ts": "2013-02-15 01:40:18+00:00", "message": "up"}),
        leads=CAPITALS,
    ),
    _form(
        "generic-epoch",
        "seconds since 1970, in whole or with a fraction",
        rf"^(?:[\[(<]?(?P<epoch_s>1\d{{9}}(?:\.\d{{1,9}})?)[\])>]?){_WORDS}",
        Sample("1389315000.123456 device up", {"ts": "2014-01-10 00:50:00.123456+00:00", "zone_basis": "stated"}),
        Sample("<1389315000.25> device up", {"ts": "2014-01-10 00:50:00.250+00:00"}),
    ),
    _form(
        "generic-epoch-ms",
        "milliseconds since 1970",
        rf"^(?:[\[(<]?(?P<epoch_ms>1\d{{12}}(?:\.\d{{1,6}})?)[\])>]?){_WORDS}",
        Sample("1389315000123 device up", {"ts": "2014-01-10 00:50:00.123+00:00", "message": "device up"}),
    ),
    _form(
        "glog",
        "google/glog src/logging.cc, kubernetes/klog: level, MMDD (or YYYYMMDD), time, thread, file and line",
        rf"^(?P<severity>[IWEF]){_YEAR}?{_M}{_D}\x20{_TIME}\.(?P<fraction>\d{{6}})\x20+(?P<pid>\d{{1,10}})\x20"
        r"(?P<logger>[^\s\]]+:\d+)\]\x20?(?P<message>(?s:.*))$",
        Sample(
            "I0215 01:40:18.123456    1234 file.go:12] started",
            {
                "severity": "I",
                "ts": "2013-02-15 01:40:18.123456+00:00",
                "pid": 1234,
                "logger": "file.go:12",
                "message": "started",
            },
            2013,
        ),
        Sample("W20130215 01:40:18.123456 7 a.cc:12] slow", {"ts": "2013-02-15 01:40:18.123456+00:00"}),
        leads="IWEF",
    ),
    _form(
        "mysql",
        "mysql-server sql/log.cc to 5.6, mysqld_safe: YYMMDD and the hour padded with a blank",
        r"^(?P<year>\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>[0-3]\d)\x20(?:(?P<time>[\x20\d]\d:\d\d:\d\d)|(?P<clock>\d{6}))"
        r"(?:\x20+(?:\d+\x20)?\[(?P<severity>[A-Za-z]+)\])?(?:$|\x20+(?P<message>[^\n]*[A-Za-z](?s:.*))$)",
        Sample(
            "130215  1:40:18 [Note] Event Scheduler: Loaded 0 events",
            {"ts": "2013-02-15 01:40:18+00:00", "severity": "NOTE", "message": "Event Scheduler: Loaded 0 events"},
        ),
        Sample("130215 01:40:18 mysqld_safe Starting mysqld daemon", {"ts": "2013-02-15 01:40:18+00:00"}),
        leads=DIGITS,
    ),
    LineFormat(
        name="mariadb",
        leads=DIGITS,
        inside=False,
        rank=5,
        reference="MariaDB sql/log.cc since 10.1, print_buffer_to_file(): the hour padded, the thread's id",
        pattern=r"^(?P<date>\d{4}-\d\d-\d\d)\x20(?P<time>(?:\x20\d|\d\d):\d\d:\d\d)\x20(?:0x[0-9a-f]+|\d+)\x20"
        r"\[(?P<severity>[A-Z][A-Za-z]+)\]\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "2024-03-05  1:02:03 0 [Note] WSREP: Loading provider libgalera_smm.so",
                {
                    "ts": "2024-03-05 01:02:03+00:00",
                    "severity": "NOTE",
                    "message": "WSREP: Loading provider libgalera_smm.so",
                },
            ),
            Sample("2016-06-30 13:15:11 140525000 [ERROR] Aborting", {"ts": "2016-06-30 13:15:11+00:00"}),
        ),
    ),
    LineFormat(
        name="kernel-uptime",
        leads="[<",
        inside=False,
        rank=5,
        reference="Linux kernel/printk, dmesg: seconds since the start, from which alone no instant can be known",
        pattern=r"^(?P<message>(?:<\d{1,3}>)?\[\x20{0,4}\d{1,9}\.\d{6}\](?:\[\x20{0,6}[TC]\d{1,7}\])?\x20(?s:.*))$",
        samples=(
            Sample(
                "[    0.000000] Linux version 5.15.0-107-generic",
                {"ts": None, "year_basis": "none", "message": "[    0.000000] Linux version 5.15.0-107-generic"},
            ),
            Sample("[10368000.223456][  T123] bond0: now running without any active interface!", {"ts": None}),
            Sample("<6>[    1.204113] pci 0000:00:00.0: [8086:2020] type 00", {"ts": None}),
        ),
    ),
    _form(
        "generic-clock",
        "a time of day alone: the day is told by when the snapshot was taken or the file last written, or not at all",
        rf"{_OPEN}{_TIME}{_FRACTION}{_CLOSE}{_SAYS}",
        Sample("11:23:54.378332 link is up", {"ts": None, "message": "link is up", "year_basis": "none"}),
        Sample("[11:23:54] link is up", {"ts": None, "message": "link is up"}),
    ),
)
