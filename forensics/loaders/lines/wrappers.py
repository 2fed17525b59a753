"""Stamps that web servers, container runtimes and log mergers put in front of a line that has its own."""

from forensics.loaders._line_format import DIGITS, MONTHS, LineFormat, Sample

_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE = r"(?P<date>\d{4}-\d\d-\d\d)"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)"

FORMATS = (
    LineFormat(
        name="apache-error",
        leads="[",
        reference="httpd server/core.c, default ErrorLogFormat; mod_wsgi hands on what the application writes",
        pattern=rf"^\[[A-Z][a-z]{{2}}\x20{_MONTH}\x20(?P<day>[\x20\d]\d)\x20{_TIME}(?:\.(?P<fraction>\d{{1,6}}))?\x20"
        r"(?P<year>\d{4})\]\x20\[(?:[\w]*:)?(?P<severity>\w+)\]\x20(?:\[pid\x20(?P<pid>\d+)(?::tid\x20\d+)?\]\x20)?"
        r"(?:\[(?:client|remote)\x20[^\]]*\]\x20)?(?P<rest>(?s:.*))$",
        samples=(
            Sample(
                "[Wed Jun 03 10:00:00.123456 2015] [wsgi:error] [pid 1234:tid 1399] 2015-06-03 10:00:00.120 1234 INFO "
                "keystone.common.wsgi [-] GET /v3",
                {
                    "ts": "2015-06-03 10:00:00.120+00:00",
                    "outer_at": "2015-06-03 10:00:00.123456+00:00",
                    "severity": "INFO",
                    "pid": 1234,
                    "message": "GET /v3",
                    "framing": "apache-error+oslo-havana",
                },
            ),
            Sample(
                "[Wed Jun 03 10:00:00.123456 2015] [wsgi:error] [pid 1234:tid 1399] mod_wsgi (pid=1234): Exception",
                {"severity": "ERROR", "pid": 1234, "message": "mod_wsgi (pid=1234): Exception"},
            ),
        ),
    ),
    LineFormat(
        name="apache-compact",
        leads=DIGITS,
        reference="openstack/kolla-ansible, ErrorLogFormat %{cu}t %M",
        pattern=rf"^{_DATE}\x20{_TIME}\.(?P<fraction>\d{{6}})\x20(?P<rest>\d{{4}}-\d\d-\d\d\x20\d\d:\d\d:\d\d(?s:.*))$",
        samples=(
            Sample(
                "2025-06-06 09:17:12.817458 2025-06-06 09:17:12.817 24 INFO keystone.common [-] GET",
                {
                    "ts": "2025-06-06 09:17:12.817+00:00",
                    "outer_at": "2025-06-06 09:17:12.817458+00:00",
                    "pid": 24,
                },
            ),
        ),
    ),
    LineFormat(
        name="container",
        leads=DIGITS,
        inside=False,
        reference="Kubernetes CRI logging format; kubectl logs --timestamps; docker logs -t",
        pattern=rf"^{_DATE}T{_TIME}(?:\.(?P<fraction>\d{{1,9}}))?(?P<zone>Z|[+-]\d\d:?\d\d)\x20"
        r"(?:std(?:out|err)\x20[FP]|\[(?P<program>[\w.\-]+)\])(?:\x20(?P<rest>(?s:.*)))?$",
        samples=(
            Sample(
                "2025-06-06T09:17:12.817458Z [keystone] 2025-06-06 09:17:12.817400 2025-06-06 09:17:12.817 24 INFO "
                "keystone.common [-] three stamps",
                {
                    "ts": "2025-06-06 09:17:12.817+00:00",
                    "outer_at": "2025-06-06 09:17:12.817458+00:00",
                    "program": "keystone",
                    "message": "three stamps",
                    "framing": "container+apache-compact+oslo-havana",
                },
            ),
            Sample(
                "2024-01-31T20:51:05.956123456Z stdout F plain text",
                {"ts": "2024-01-31 20:51:05.956123456+00:00", "message": "plain text"},
            ),
        ),
    ),
    LineFormat(
        name="os-log-merger",
        leads=DIGITS,
        inside=False,
        reference="openstack/os-log-merger oslogmerger/oslogmerger.py: an alias in brackets behind the stamp",
        rank=4,
        pattern=rf"^{_DATE}\x20{_TIME}(?:\.(?P<fraction>\d{{1,6}}))?\x20\[(?P<program>[^\]\s]+)\]\x20(?P<rest>(?s:.*))$",
        samples=(
            Sample(
                "2015-10-20 09:23:45.717 [META] 5411 INFO neutron.common.config [-] Logging enabled!",
                {
                    "program": "META",
                    "pid": 5411,
                    "logger": "neutron.common.config",
                    "message": "Logging enabled!",
                    "ts": "2015-10-20 09:23:45.717+00:00",
                },
            ),
        ),
    ),
    LineFormat(
        name="os-log-merger-syslog",
        leads=MONTHS,
        inside=False,
        reference="openstack/os-log-merger: the same around a syslog line",
        pattern=rf"^{_MONTH}\x20(?P<day>[\x20\d]\d)\x20{_TIME}(?:\.(?P<fraction>\d{{6}}))?\x20\[[^\]\s]+\]\x20"
        r"(?P<host>[^\x20]+)\x20(?P<tagged>(?s:.*))$",
        samples=(
            Sample(
                "Oct 11 07:49:20 [messages] controller-1 systemd: Reached target Login Prompts.",
                {"host": "controller-1", "program": "systemd", "message": "Reached target Login Prompts."},
            ),
        ),
    ),
)
