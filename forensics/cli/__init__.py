"""The command line: arguments in, tables out; no logic of its own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from forensics.cli import _show as show
from forensics.cli._guard import FOUND, GAPS, UNDERSTOOD
from forensics.cli._guard import guarded as _guarded
from forensics.errors import ForensicsError

# Heavy libraries are imported inside the commands: `forensics --help` must feel instant.

__all__ = ["FOUND", "GAPS", "app", "main"]

_CODES = """Exit codes: 0 every byte was understood; 1 internal error; 2 wrong use or nothing to read; 3 finished, but
parts could not be read (see problems); 4 stopped, run it again; 5 digests do not match; 6 a finding that --fail-on
asks for."""

app = typer.Typer(
    name="forensics",
    help="From a folder of evidence (captures, logs, events of a private cloud) to a cause.",
    epilog=_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Evidence = Annotated[
    Path, typer.Argument(metavar="EVIDENCE", help="Folder of evidence, one file of it, or a case.", show_default=False)
]
CasePath = Annotated[
    Path, typer.Argument(metavar="CASE", help="A case, or the evidence that it is made of.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that read at a time; 0 chooses, 1 reads in this one.")]
Moved = Annotated[Path | None, typer.Option("--evidence", help="Where the evidence lies now, if it was moved.")]
Limit = Annotated[int, typer.Option(min=0, help="Rows to show at most.")]


@app.callback(invoke_without_command=True)
def top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """From a folder of evidence (captures, logs, events of a private cloud) to a cause."""
    if version:
        from importlib.metadata import version as of

        show.put(f"cloud-forensics {of('cloud-forensics')}")
        raise typer.Exit


@app.command(
    epilog="\b\nExamples:\n  forensics triage incident-0215/\n  forensics triage evidence --out /tmp/case --json\n"
    "  forensics triage incident-0215/ --database mysql://nova@db1/nova\n  forensics triage /var/log --follow"
)
@_guarded
def triage(
    evidence: Annotated[
        Path | None,
        typer.Argument(metavar="EVIDENCE", help="Folder of evidence, or one file of it.", show_default=False),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="URL",
            help="A running MySQL, MariaDB or PostgreSQL to read as well, read-only. "
            "The password may be in FORENSICS_DATABASE_PASSWORD.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the case, or s3://BUCKET/NAME.", show_default="NAME.case")
    ] = None,
    json: Json = False,
    fail_on: Annotated[str, typer.Option("--fail-on", help="Exit 6 if a finding is at least that severe.")] = "",
    workers: Workers = 0,
    again: Annotated[bool, typer.Option("--again", help="Read the evidence again, whatever there is.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on while the evidence grows, and say what is new.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds from one look to the next, with --follow.")] = 2,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="A dask.distributed scheduler, whose workers read: tcp://HOST:8786.")
    ] = "",
) -> int:
    """Read everything, put it on one clock, and say what happened."""
    if follow:
        if evidence is None or database is not None or again or fail_on or scheduler:
            wrong = "--follow takes a folder of evidence, and no --database, --again, --fail-on or --scheduler"
            raise ForensicsError(wrong, hint="triage those once, and follow the folder beside it")
        from forensics.cli import _follow

        return _follow.follow(evidence, out, every_s=every, as_json=json, workers=workers)
    from forensics.cli import _triage as view

    options: dict[str, Any] = {"workers": workers, "again": again, "scheduler": scheduler}
    return view.triage(evidence, out, database=database, as_json=json, fail_on=fail_on, **options)


@app.command(
    epilog="\b\nExamples:\n"
    "  forensics packets compute*.pcap\n"
    "  tcpdump -U -w - | forensics packets -\n"
    "  forensics packets a.pcap --filter 'dst_port = 67' --columns ts,src,vlan_ids\n"
    "  forensics packets a.pcap --sql 'select src, count(*) n from packets group by src'"
)
@_guarded
def packets(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Captures; - is the standard input.", show_default=False)
    ],
    where: Annotated[str, typer.Option("--filter", help="Which packets: an SQL expression over the columns.")] = "",
    columns: Annotated[str, typer.Option(help="Columns to show, with commas between; implies rows.")] = "",
    limit: Annotated[int | None, typer.Option(min=0, help="Rows to show at most.")] = None,
    follow: Annotated[str, typer.Option(help="Packets from, to or about an address.", metavar="ENTITY")] = "",
    sql: Annotated[str, typer.Option(help="A query over the table packets.")] = "",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write rows to FILE.csv, FILE.tsv or FILE.parquet.")
    ] = None,
    json: Json = False,
) -> int:
    """Summarise captures, or show, filter and convert their packets."""
    from forensics.cli import _packets as view

    return view.packets(files, where=where, columns=columns, limit=limit, follow=follow, sql=sql, to=to, as_json=json)


@app.command(
    epilog="\b\nExamples:\n  forensics timeline incident.case --entity 10.0.0.5 --around 2013-02-15T01:40:18Z\n"
    "  forensics timeline incident.case --lanes entity --search 'dhcp request'\n"
    "  forensics timeline incident.case --lanes host --chart outage.svg\n"
    "  forensics timeline incident.case --to timeline.jsonl     for Timesketch"
)
@_guarded
def timeline(
    case: CasePath,
    entity: Annotated[str, typer.Option(help="Address, host, instance, request or text.")] = "",
    around: Annotated[str, typer.Option(help="Instant, ISO 8601; UTC where it names no zone.")] = "",
    minutes: Annotated[float, typer.Option(help="How far to look before and after --around.")] = 5,
    host: Annotated[str, typer.Option(help="Only what this host recorded.")] = "",
    search: Annotated[str, typer.Option(metavar="WORDS", help="Only rows that have all of these words.")] = "",
    lanes: Annotated[
        str, typer.Option(help="Draw them in lanes: host, entity (instance or address), record or source.")
    ] = "",
    chart: Annotated[
        Path | None, typer.Option("--chart", help="Draw the lanes into a .png, .svg or .html file.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Write all of it to a .csv, .parquet or .jsonl (Timesketch) file.")
    ] = None,
    limit: Limit = 200,
    json: Json = False,
) -> int:
    """Show what all records say, on one clock."""
    from forensics.cli import _timeline as view

    wanted = {"entity": entity, "around": around, "host": host, "search": search}
    return view.timeline(case, wanted, minutes, limit, to, lanes=lanes, chart=chart, as_json=json)


@app.command(
    epilog='Example: forensics note incident.case "switch port opened again" --at 2013-02-15T09:12Z --tag action'
)
@_guarded
def note(
    case: CasePath,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to write down.", show_default=False)],
    at: Annotated[str, typer.Option(help="When it was: ISO 8601; UTC where it names no zone.")] = "",
    on: Annotated[str, typer.Option(help="The line or packet it is about: SOURCE:NUMBER.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A word to find it by; as often as wanted.")] = None,
    json: Json = False,
) -> int:
    """Write something down in a case: it stands in the timeline from then on."""
    from forensics.cli import _case as view

    return view.note(case, text, at or None, on or None, tag or [], as_json=json)


@app.command(epilog="Example: forensics who incident.case 10.0.0.5")
@_guarded
def who(
    case: CasePath,
    entity: Annotated[
        str, typer.Argument(metavar="ENTITY", help="Address, host, instance, request or text.", show_default=False)
    ],
    at: Annotated[str, typer.Option(help="What belonged to it then: ISO 8601, UTC unless it names a zone.")] = "",
    limit: Limit = 200,
    json: Json = False,
) -> int:
    """Say what belongs to something and since when, and where the records speak of it."""
    from forensics.cli import _case as view

    return view.who(case, entity, at or None, limit, as_json=json)


@app.command(
    epilog="""Example: forensics sql incident.case "select program, count(*) n from log_records group by program" """
)
@_guarded
def sql(
    case: CasePath,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="The query.", show_default=False)],
    limit: Limit = 100,
    json: Json = False,
) -> int:
    """Ask a case in SQL: packets, log_records, dhcp_messages, dhcp_client_events, sources, problems, clocks."""
    from forensics.cli import _case as view

    return view.sql(case, query, limit, as_json=json)


@app.command(
    epilog="\b\nExamples:\n  forensics report incident.case --out /tmp/incident.html\n"
    "  forensics report incident.case --markdown --out ticket.md\n  forensics report incident.case --pdf\n"
    "  forensics report incident.case --notebook"
)
@_guarded
def report(
    case: CasePath,
    out: Annotated[Path | None, typer.Option("--out", help="File to write.", show_default="CASE/report.html")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="As PDF, printed by an installed Chromium or Chrome.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, to paste into a ticket.")] = False,
    notebook: Annotated[bool, typer.Option("--notebook", help="As a post-mortem notebook, beside the case.")] = False,
    json: Json = False,
) -> int:
    """Write the report of a case: one HTML file that needs no network, or a PDF, Markdown or a notebook."""
    from forensics.cli import _case as view

    if notebook:
        if pdf or markdown:
            raise ForensicsError(
                "--notebook, --pdf and --markdown are reports of their own", hint="ask for one at a time"
            )
        from forensics.cli import _lab

        return _lab.notebook(case, out, as_json=json)
    return view.report(case, out, as_pdf=pdf, as_markdown=markdown, as_json=json)


@app.command(epilog="Example: forensics chart incident.case 9f2c1b7d4a60 --out outage.svg")
@_guarded
def chart(
    case: CasePath,
    finding: Annotated[
        str, typer.Argument(metavar="FINDING", help="Id of a finding; the worst with a chart if left away.")
    ] = "",
    name: Annotated[str, typer.Option(help="Which of its charts; the first where it has several.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="A .png, .svg or .html file.", show_default="FINDING.png")
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="For a dark page.")] = False,
    json: Json = False,
) -> int:
    """Draw a finding for a document: PNG, SVG, or HTML to zoom into."""
    from forensics.cli import _chart as view

    return view.chart(case, finding, name or None, out, dark=dark, as_json=json)


@app.command(epilog="Example: forensics lab incident.case --no-browser")
@_guarded
def lab(
    case: CasePath,
    out: Annotated[Path | None, typer.Option("--out", help="The notebook.", show_default="NAME.ipynb")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    json: Json = False,
) -> int:
    """Open the post-mortem notebook of a case in JupyterLab; one that is there already is kept as it is."""
    from forensics.cli import _lab as view

    return view.lab(case, out, browser=browser, as_json=json)


@app.command(epilog="Example: forensics verify incident.case")
@_guarded
def verify(case: CasePath, evidence: Moved = None, json: Json = False) -> int:
    """Compare a case and its evidence with their digests; exit 5 where they differ."""
    from forensics.cli import _case as view

    return view.verify(case, evidence, as_json=json)


@app.command(epilog="Example: forensics bundle incident.case --pseudonymise --out /tmp/incident.bundle")
@_guarded
def bundle(
    case: CasePath,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the bundle.", show_default="NAME.bundle")] = None,
    context: Annotated[int, typer.Option(min=0, help="Log records and packets around each that is cited.")] = 0,
    everything: Annotated[bool, typer.Option("--all", help="The whole evidence, not only what is cited.")] = False,
    payload: Annotated[bool, typer.Option("--payload", help="Keep what packets carry behind their headers.")] = False,
    unmasked: Annotated[bool, typer.Option("--unmasked", help="Keep passwords, tokens and keys.")] = False,
    pseudonymise: Annotated[
        bool, typer.Option("--pseudonymise", help="Replace addresses, names and ids; the key is kept beside.")
    ] = False,
    key: Annotated[Path | None, typer.Option("--key", help="Key of an earlier bundle: replace alike.")] = None,
    also: Annotated[
        list[str] | None, typer.Option("--also", metavar="NAME", help="A further name to replace; repeatable.")
    ] = None,
    evidence: Moved = None,
    json: Json = False,
) -> int:
    """Cut out what the findings cite, to give it away: lines, packets, findings, report, digests."""
    from forensics.bundle import Options
    from forensics.cli import _bundle as view

    options = Options(context, everything, payload, unmasked, pseudonymise, key, tuple(also or ()))
    return view.bundle(case, out, evidence, options, as_json=json)


@app.command(epilog="Example: forensics demo")
@_guarded
def demo(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the cases.", show_default="a temporary one")
    ] = None,
    json: Json = False,
) -> int:
    """Triage the bundled incidents, and one's healthy twin."""
    from forensics.cli import _triage as view

    return view.demo(out, as_json=json)


@app.command(epilog="Example: forensics formats --json")
@_guarded
def formats(json: Json = False) -> int:
    """List what can be read."""
    from forensics.cli import _case as view

    return view.formats(as_json=json)


@app.command(epilog="Example: forensics analyses")
@_guarded
def analyses(json: Json = False) -> int:
    """List what can be concluded, and what each conclusion needs."""
    from forensics.cli import _case as view

    return view.analyses(as_json=json)


def main() -> int:
    """Run the command line; the console script calls this. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter shows its number
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return UNDERSTOOD


def _stop(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
