"""The report as tables in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from corpusforge.report import dedup_tables, numbers
from corpusforge.report.fitted import cutoff_tables
from corpusforge.report.intervals import MILLION
from corpusforge.report.numbers import percent
from corpusforge.statistics.examples import visible

Json = Mapping[str, Any]

ROWS_SHOWN = 10
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def plain(value: str, style: str = "") -> Text:
    """Text that is neither markup nor able to steer the terminal, whatever it holds."""
    return Text(visible(value), style=style)


def _table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=SIMPLE_HEAD)
    for position, column in enumerate(columns):
        if position == 0:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", no_wrap=True)
    return table


def print_funnel(report: Json, console: Console) -> None:
    """Print documents, bytes and tokens after every step; columns that hold nothing are left out."""
    rows = [(step["step"], step["funnel"]) for step in report["steps"]]
    lost = any(row["documents_quarantined"] for _, row in rows)
    tokens = any(row["tokens_kept"] is not None for _, row in rows)
    columns = ["step", "in", "kept", "dropped", "", *(["lost"] if lost else []), "bytes kept"]
    table = _table("Funnel", *columns, *(["tokens"] if tokens else []))
    for position, (name, row) in enumerate(rows):
        cells = [
            numbers.integer(row["documents_in"]),
            numbers.integer(row["documents_kept"]),
            numbers.integer(row["documents_dropped"]),
            percent(row["documents_dropped"], row["documents_in"]),
        ]
        if lost:
            cells.append(numbers.integer(row["documents_quarantined"]))
        cells.append(numbers.size(row["bytes_kept"]))
        if tokens:
            exact = position == len(rows) - 1 or row["tokens_kept"] is None
            cells.append(("" if exact else "≈ ") + numbers.integer(row["tokens_kept"]))
        table.add_row(plain(name), *cells)
    console.print(table)


def print_warnings(report: Json, console: Console, notes: bool = False) -> None:
    """Print errors and warnings, and on demand the notes."""
    for warning in report["warnings"]:
        if notes or warning["level"] != "note":
            console.print(plain(f"{warning['level']}: {warning['message']}", _STYLES[warning["level"]]))


def print_report(report: Json, console: Console, timings: Json | None = None) -> None:
    """Print the whole report: summary, funnel, rules, shares, duplicates, personal data, tokens, speed, warnings."""
    _print_summary(report, console)
    print_funnel(report, console)
    _print_rules(report, console)
    for key, none in (("languages", "not known"), ("domains", "no URL")):
        _print_shares(report[key], key.capitalize(), none, console)
    _print_cutoffs(report, console)
    _print_clusters(report, console)
    _print_duplicates(report, console)
    _print_personal_data(report, console)
    _print_tokens(report, console)
    if timings and timings.get("steps"):
        _print_speed(timings, console)
    print_warnings(report, console, notes=True)


def _print_summary(report: Json, console: Console) -> None:
    summary = report["summary"]
    console.print(plain(report["recipe"]["name"] or "unnamed recipe", "bold"))
    console.print(
        f"{numbers.integer(summary['records'])} records ({numbers.size(summary['bytes_read'])}), "
        f"{numbers.integer(summary['documents'])} documents, "
        f"{numbers.integer(summary['documents_kept'])} kept "
        f"({percent(summary['documents_kept'], summary['documents'])}), "
        f"{numbers.size(summary['bytes_kept'])} of text"
        + (f", {numbers.integer(summary['tokens'])} tokens" if summary["tokens"] else ""),
        highlight=False,
    )
    if report["closed"]:
        console.print(f"ledger closed ({len(report['checks'])} checks)", style="green", highlight=False)
    else:
        console.print("ledger open", style="bold red")


def _print_rules(report: Json, console: Console) -> None:
    """Print the rules that dropped documents, step by step; the others are counted (warnings name them)."""
    table = _table("Rules", "rule", "documents", "share", "applies to", "drops when")
    for step in report["steps"]:
        if not step["rules"]:
            continue
        fired = [rule for rule in step["rules"] if rule["documents"]]
        others = len(step["rules"]) - len(fired)
        note = f"  ({others} dropped nothing)" if others else ""
        table.add_row(Text.assemble(plain(step["step"], "bold"), plain(note, "dim")))
        for rule in fired:
            words = numbers.drops_when(rule["comparison"], rule["threshold"]) if rule["comparison"] else ""
            table.add_row(
                plain("  " + rule["rule"]),
                numbers.integer(rule["documents"]),
                percent(rule["documents"], step["funnel"]["documents_in"]),
                numbers.integer(rule["matched"]),
                plain(words),
            )
    if table.row_count:
        console.print(table)


def _print_shares(shares: Json, title: str, none: str, console: Console) -> None:
    table = _table(title, "", "kept", "dropped")
    for row in shares["values"][:ROWS_SHOWN]:
        table.add_row(plain(row["value"]), numbers.integer(row["kept"]), numbers.integer(row["dropped"]))
    rest = shares["values"][ROWS_SHOWN:]
    for name, kept, dropped in (
        (
            "all others",
            shares["other"]["kept"] + sum(row["kept"] for row in rest),
            shares["other"]["dropped"] + sum(row["dropped"] for row in rest),
        ),
        (none, shares["missing"]["kept"], shares["missing"]["dropped"]),
    ):
        if kept or dropped:
            table.add_row(plain(name, "dim"), numbers.integer(kept), numbers.integer(dropped))
    if table.row_count:
        console.print(table)


def _print_cutoffs(report: Json, console: Console) -> None:
    """Print the cut-offs that steps of perplexity fitted, by source and language."""
    for words in cutoff_tables(report):
        table = _table(visible(words.title), *words.head)
        for row in words.rows[:ROWS_SHOWN]:
            table.add_row(*(plain(cell) for cell in row))
        console.print(table)


def _print_clusters(report: Json, console: Console) -> None:
    for step, entry in report["clusters"].items():
        table = _table(f"Duplicate clusters of {visible(step)}", "size", "clusters", "documents")
        for bucket in entry["sizes"]:
            single = bucket["from"] == bucket["to"]
            table.add_row(
                str(bucket["from"]) if single else f"{bucket['from']} to {bucket['to']}",
                numbers.integer(bucket["clusters"]),
                numbers.integer(bucket["documents"]),
            )
        console.print(table)


def _print_duplicates(report: Json, console: Console) -> None:
    """Print who shares what with whom, and the error rates; examples are on the page."""
    for step, entry in report.get("deduplication", {}).items():
        for words in (*dedup_tables.pair_tables(entry), *dedup_tables.error_tables(entry)):
            table = _table(f"{words.title} ({visible(step)})", *words.head)
            for row in words.rows[:ROWS_SHOWN]:
                table.add_row(*(plain(cell) for cell in row))
            console.print(table)
        console.print(plain(f"{step}: {dedup_tables.moved(entry)}", "dim"))


def _print_personal_data(report: Json, console: Console) -> None:
    """Print findings by type, the share that is expected to be missed, and what was taken for a finding."""
    for step, entry in report.get("personal_data", {}).items():
        columns = ("type", "found", "missed of planted", "share", "95 % interval")
        table = _table(f"Personal data found by {visible(step)}", *columns)
        looked = {kind: count for kind, count in entry["found"].items() if count is not None}
        for kind, count in looked.items():
            rate = entry["recall"].get(kind)
            missed = _missed(rate) if rate and rate["planted"] else ("–",) * 3
            table.add_row(plain(kind), numbers.integer(count), *missed)
        if table.row_count:
            console.print(table)
        notes = []
        if len(looked) < len(entry["found"]):
            notes.append(f"not looked for: {len(entry['found']) - len(looked)} types")
        if entry.get("not_measured"):
            notes.append(f"rates were not measured: {entry['not_measured']}")
        elif entry["recall"]:
            notes.append(f"missed: made-up values in {numbers.integer(entry['planted_in'])} kept documents")
        else:
            notes.append("no document was kept to plant values in, so rates were not measured")
        alarms = [(kind, part) for kind, part in entry["false_alarms"].items() if part["found"]]
        notes += [
            f"{kind} taken for a finding: {percent(part['found'], part['planted'])} ({_interval(part)})"
            for kind, part in alarms
        ]
        console.print(plain(f"{step}: {'; '.join(notes)}", "dim"))


def _missed(rate: Json) -> tuple[str, str, str]:
    """Planted values that were not found: counts, share, interval of the share."""
    missed = rate["planted"] - rate["found"]
    turned = {"low": MILLION - rate["high"], "high": MILLION - rate["low"]}
    of_planted = f"{numbers.integer(missed)} of {numbers.integer(rate['planted'])}"
    return of_planted, percent(missed, rate["planted"]), _interval(turned)


def _interval(share: Json) -> str:
    return f"{percent(share['low'], MILLION)} to {percent(share['high'], MILLION)}"


def _print_tokens(report: Json, console: Console) -> None:
    if report["tokens"]:
        table = _table("Tokens", "", "count")
        for name, count in report["tokens"].items():
            table.add_row(plain(name), numbers.integer(count))
        console.print(table)


def _print_speed(timings: Json, console: Console) -> None:
    table = _table("Speed", "step", "CPU time", "bytes in", "speed")
    for entry in timings["steps"]:
        table.add_row(
            plain(entry["step"]),
            numbers.seconds(entry["seconds_cpu"]),
            numbers.size(entry["bytes_in"]),
            numbers.speed(entry["bytes_in"], entry["seconds_cpu"]),
        )
    console.print(table)
