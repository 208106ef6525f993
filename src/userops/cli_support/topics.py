"""The help topics: what does not belong to one command."""

from __future__ import annotations

from userops.cli_support.options import COMMON, environment_name
from userops.errors import UsageError

EXIT_CODES = """\
Exit codes

  0    all well; a closed pipe (| head) too
  1    a bug in userops
  2    the command line, the configuration or a destination is wrong
  3    the input cannot be used: missing, unreadable, columns, empty after checks
  4    a --fail-if threshold was breached; the output was still written
  130  interrupted with Ctrl-C
"""

FORMATS = """\
Formats

  read      Parquet, CSV and TSV with any of , ; | or tab, plain, .gz or .zst, NDJSON, JSON arrays, Arrow IPC, xlsx;
            told by content, not by name; - is stdin; s3:// gs:// http(s):// as Polars reads them
            UTF-8, UTF-16, GB18030 (GBK) and latin-1, found by looking
  written   table, csv, tsv, json, ndjson, parquet, arrow, markdown, html: --format, or the suffix of -o FILE
            text formats also as .gz and .zst
  json      {"schema": "userops.COMMAND/1", "meta": {...}, "summary": {...}, "rows": [...]}; userops schema COMMAND
"""


def text_of(topic: str | None) -> str:
    """The text of a topic; None lists them. An unknown one is a UsageError with the closest."""
    topics = {
        "exit-codes": lambda: EXIT_CODES,
        "formats": lambda: FORMATS,
        "environment": _environment,
        "layouts": _layouts,
    }
    if topic is None:
        return f"Topics: {', '.join(topics)}. userops help TOPIC shows one.\n"
    if topic not in topics:
        raise UsageError.unknown_name("topic", topic, list(topics))
    return topics[topic]()


def _environment() -> str:
    lines = [
        "Environment",
        "",
        "  Every option can be set as a variable; the command line wins over it, it over userops.toml.",
        "  What can be repeated is parted by ; as in USEROPS_MAP='user_id=Kunde;amount=Total paid'.",
        "",
    ]
    lines += [f"  {environment_name(p.name):<26} --{p.name.replace('_', '-')}" for p in COMMON]
    lines += [
        "",
        "  USEROPS_PSEUDONYM_KEY      the key of --pseudonymise",
        "  NO_COLOR, FORCE_COLOR      colour, as everywhere",
    ]
    return "\n".join(lines) + "\n"


def _layouts() -> str:
    from userops.inputs.layouts import LAYOUTS

    lines = [
        "Layouts",
        "",
        "  Recognised from the names of the columns; --layout NAME forces one, --layout none uses --map alone.",
        "",
    ]
    known = {layout.name: layout for layout in reversed(LAYOUTS)}  # an export may have several headers
    lines += [f"  {name:<24} {layout.kind:<8} {layout.source_url}" for name, layout in reversed(known.items())]
    return "\n".join(lines) + "\n"
