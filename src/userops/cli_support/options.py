"""The options that every command shares: declared once, injected into each command, same name everywhere.

A command declares its own options and takes a :class:`~userops.cli_support.running.Run`; :func:`with_common` puts the
shared ones behind them. Every option can also be set as ``USEROPS_<NAME>`` or in ``userops.toml``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from userops.cli_support.diagnostics import ColorChoice

FormatName = Literal["table", "csv", "tsv", "json", "ndjson", "parquet", "arrow", "markdown", "html"]

INPUT, ENGINE, OUTPUT, RUN = "Input", "Engine", "Output", "Run"

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE...",
        show_default=False,
        help="Files, folders or quoted globs; - is stdin. Parquet, CSV/TSV (.gz .zst), NDJSON, JSON, Arrow, xlsx.",
    ),
]


def _option(*names: str, panel: str | None = None, help: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, show_default=False, **more)


@dataclass(frozen=True, slots=True)
class BusinessFiles:
    """Files that were given as what they hold, by the options of the commands that look at a whole business."""

    # fmt: off
    events: Annotated[list[str] | None, _option("--events", help="What users did (repeatable).", metavar="FILE")] = None
    orders: Annotated[list[str] | None, _option("--orders", help="What users bought (repeatable).", metavar="FILE")] = None
    costs: Annotated[list[str] | None, _option("--costs", help="What was spent: date, channel, spend (repeatable).", metavar="FILE")] = None
    referrals: Annotated[list[str] | None, _option("--referrals", help="Who invited: referrer_id, invited_at, user_id (repeatable).", metavar="FILE")] = None
    # fmt: on

    def by_kind(self) -> dict[Any, list[str] | None]:
        """The paths of each kind; None for what was not given."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CheckupFiles(BusinessFiles):
    """The same with what users say."""

    feedback: Annotated[
        list[str] | None,
        _option("--feedback", help="What users say: user_id, time, score, text (repeatable).", metavar="FILE"),
    ] = None


@dataclass(frozen=True, slots=True)
class Common:
    """What the shared options were set to."""

    # fmt: off
    map: Annotated[list[str], _option("--map", panel=INPUT, metavar="ROLE=COLUMN", help="Which column is what, such as user_id=Kunde (repeatable).")] = field(default_factory=list)
    layout: Annotated[str | None, _option("--layout", panel=INPUT, metavar="NAME", help="Read as this export (userops help layouts); none: by --map alone.")] = None
    grain: Annotated[Literal["order", "line"] | None, _option("--grain", panel=INPUT, help="One row is an order, or a line of one. Default: as the columns tell.")] = None
    where: Annotated[list[str], _option("--where", panel=INPUT, metavar="'COLUMN=VALUE'", help="Keep these rows: = != < <= > >= in (repeatable).")] = field(default_factory=list)
    only_users: Annotated[str | None, _option("--only-users", panel=INPUT, metavar="FILE", help="Keep these users: a file with a user_id column.")] = None
    identities: Annotated[str | None, _option("--identities", panel=INPUT, metavar="FILE", help="Join the ids of one user: a file of anonymous_id and user_id.")] = None
    users_table: Annotated[str | None, _option("--users-table", panel=INPUT, metavar="FILE", help="Users with their sign-up and attributes: a file with a user_id column.")] = None
    as_of: Annotated[str | None, _option("--as-of", panel=INPUT, metavar="DATE", help="Count data through the end of this day; today, yesterday. Default: the latest row's date.")] = None
    known_by: Annotated[str | None, _option("--known-by", panel=INPUT, metavar="DATE", help="Leave out rows that arrived after this day: what was known then. Needs an ingested_at column.")] = None
    since: Annotated[str | None, _option("--since", panel=INPUT, metavar="DATE", help="First day of the reporting window.")] = None
    until: Annotated[str | None, _option("--until", panel=INPUT, metavar="DATE", help="Last day of the reporting window.")] = None
    tz: Annotated[str, _option("--tz", panel=INPUT, metavar="ZONE", help="Time zone days are cut in, such as Asia/Shanghai. Default: UTC.")] = "UTC"
    week_start: Annotated[Literal["monday", "sunday"], _option("--week-start", panel=INPUT, help="First day of a week. Default: monday.")] = "monday"
    date_format: Annotated[str | None, _option("--date-format", panel=INPUT, metavar="FORMAT", help="How times are written, such as '%d/%m/%Y %H:%M'.")] = None
    day_first: Annotated[bool | None, _option("--day-first/--month-first", panel=INPUT, help="Read 01/02/2026 as 1 February, or as January 2.")] = None
    decimal_comma: Annotated[bool | None, _option("--decimal-comma/--decimal-point", panel=INPUT, help="Read 1.234,50 or 1,234.50.")] = None
    amount_unit: Annotated[Literal["major", "minor"] | None, _option("--amount-unit", panel=INPUT, help="Amounts are in whole units (12.00) or in the smallest (1200).")] = None
    encoding: Annotated[str | None, _option("--encoding", panel=INPUT, metavar="NAME", help="Force a text encoding, such as gb18030.")] = None
    delimiter: Annotated[str | None, _option("--delimiter", panel=INPUT, metavar="CHAR", help="Force a separator: ',' ';' '|' or tab.")] = None
    header: Annotated[bool | None, _option("--header/--no-header", panel=INPUT, help="The first line holds names, or data already. Default: as it looks.")] = None
    sheet: Annotated[str | None, _option("--sheet", panel=INPUT, metavar="NAME", help="Read this sheet of an xlsx.")] = None
    drop_duplicates: Annotated[bool, _option("--drop-duplicates", panel=INPUT, help="Drop rows that are exact copies of another.")] = False
    rejects: Annotated[str | None, _option("--rejects", panel=INPUT, metavar="FILE", help="Write the rows that do not count to this file, each with its reason.")] = None

    format: Annotated[FormatName | None, _option("--format", "-f", panel=OUTPUT, help="How the result is written. Default: table, or what -o FILE ends in.")] = None
    json: Annotated[bool, _option("--json", panel=OUTPUT, help="Short for --format json.")] = False
    csv: Annotated[bool, _option("--csv", panel=OUTPUT, help="Short for --format csv.")] = False
    output: Annotated[str | None, _option("--output", "-o", panel=OUTPUT, metavar="FILE", help="Write to this file, whole or not at all; - is stdout.")] = None
    lang: Annotated[Literal["en", "zh"], _option("--lang", panel=OUTPUT, help="Language of labels. Default: en.")] = "en"
    pseudonymise: Annotated[bool, _option("--pseudonymise", panel=OUTPUT, help="Replace user ids by pseudonyms, with the key in USEROPS_PSEUDONYM_KEY.")] = False
    key_file: Annotated[str | None, _option("--key-file", panel=OUTPUT, metavar="FILE", help="Read the key of the pseudonyms from this file.")] = None
    share: Annotated[bool, _option("--share", panel=OUTPUT, help="Make it fit to leave the team: few users hidden, personal columns dropped, ids as pseudonyms, a manifest beside it.")] = False
    min_cell: Annotated[int | None, _option("--min-cell", panel=OUTPUT, metavar="N", help="Hide numbers that rest on fewer than N users, and those that would tell them. Default: 10 with --share, else off.")] = None
    bom: Annotated[bool, _option("--bom", panel=OUTPUT, help="Begin CSV with a byte-order mark, for Excel.")] = False
    excel_safe: Annotated[bool, _option("--excel-safe", panel=OUTPUT, help="Disarm CSV cells that Excel would run as formulas.")] = False
    fail_if: Annotated[list[str], _option("--fail-if", panel=OUTPUT, metavar="'METRIC OP N'", help="Exit 4 when a summary number breaks this, such as 'repeat_rate < 0.3' (repeatable).")] = field(default_factory=list)

    engine: Annotated[Literal["polars", "spark"], _option("--engine", panel=ENGINE, help="Where rows are worked on: here, or on Spark's workers. Default: polars.")] = "polars"
    spark_url: Annotated[str | None, _option("--spark-url", panel=ENGINE, metavar="URL", help="Spark's Connect server, such as sc://host:15002; files are those it sees.")] = None
    memory_limit: Annotated[str | None, _option("--memory-limit", panel=ENGINE, metavar="SIZE", help="Stay within this much memory, such as 1.5GB, however long it takes.")] = None

    quiet: Annotated[bool, _option("--quiet", "-q", panel=RUN, help="No notes and warnings on stderr, only errors.")] = False
    verbose: Annotated[int, _option("--verbose", "-v", count=True, panel=RUN, help="More notes; -vv adds tracebacks.")] = 0
    color: Annotated[ColorChoice, _option("--color", panel=RUN, help="When to colour. Default: auto, on terminals only.")] = "auto"
    log_format: Annotated[Literal["text", "json"], _option("--log-format", panel=RUN, help="Notes and errors on stderr as text, or as JSON objects. Default: text.")] = "text"
    config: Annotated[str | None, _option("--config", panel=RUN, metavar="FILE", help="Use this configuration file.")] = None
    no_config: Annotated[bool, _option("--no-config", panel=RUN, help="Use no configuration file.")] = False
    # fmt: on


def _parameters(declared: Callable[..., Any]) -> list[inspect.Parameter]:
    return [*inspect.signature(declared, eval_str=True).parameters.values()]


COMMON = tuple(_parameters(Common))
"""The shared options as parameters, in the order they are shown."""


def key_of(flags: Sequence[str]) -> str:
    """What a configuration file calls an option: its longest flag, ``day_first`` for ``--day-first/--month-first``."""
    names = [flag.partition("/")[0] for flag in flags if flag.startswith("-")]
    return max(names, key=len).lstrip("-").replace("-", "_")


def environment_name(key: str) -> str:
    """The variable that sets an option."""
    return f"USEROPS_{key.upper()}"


def as_typed(common: Common, panel: str) -> list[str]:
    """The shared options of a panel that are not at their defaults, as they would be typed."""
    words: list[str] = []
    hints = get_type_hints(Common, include_extras=True)
    for each in fields(Common):
        info = get_args(hints[each.name])[1]
        value, usual = getattr(common, each.name), each.default
        if info.rich_help_panel != panel or value == (usual if usual is not MISSING else []):
            continue
        on, _, off = info.default.partition("/") if isinstance(info.default, str) else ("", "", "")
        if isinstance(value, bool):
            words.append(on if value or not off else off)
        else:
            for one in value if isinstance(value, list) else [value]:
                words += [on, str(one)]
    return words


def with_common(act: Callable[..., Any], panels: Collection[str] = (INPUT, OUTPUT, RUN)) -> Callable[..., Any]:
    """``act(run, own options...)`` as a function Typer can make a command of: the shared options behind its own.

    ``panels`` names which of the shared options it takes: those of the inputs (and where these are worked on), of the
    output, of the run. A parameter of ``act`` whose type is a dataclass, such as :class:`BusinessFiles`, stands for the
    options that are its fields.
    """
    from userops.cli_support.running import run_command

    panels = {*panels, *([ENGINE] if INPUT in panels else [])}
    asked = [p for p in _parameters(act) if p.name != "run"]
    groups: dict[str, Any] = {p.name: p.annotation for p in asked if is_dataclass(p.annotation)}
    own = [option for p in asked for option in (_parameters(p.annotation) if p.name in groups else [p])]
    names = {p.name for p in own}
    shared = [_keyword(p) for p in COMMON if p.name not in names and _panel(p) in panels]

    @functools.wraps(act)
    def command(**values: Any) -> None:
        given = {p.name: values.pop(p.name) for p in shared}
        common = Common(**{name: value for name, value in given.items() if value is not None})
        for name, group in groups.items():
            values[name] = group(**{each.name: values.pop(each.name) for each in fields(group)})
        code = run_command(act, common, values, given)
        raise typer.Exit(code)

    parameters = [_with_environment(_keyword(p)) for p in [*own, *shared]]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # what Typer reads
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _panel(parameter: inspect.Parameter) -> str | None:
    return next((info.rich_help_panel for info in get_args(parameter.annotation)[1:]), None)


def _keyword(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default
    if get_origin(parameter.annotation) is Annotated and str(default) == "<factory>":
        default = None
        inner, *rest = get_args(parameter.annotation)
        parameter = parameter.replace(annotation=Annotated[(inner | None, *rest)])
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, default=default)


def _with_environment(parameter: inspect.Parameter) -> inspect.Parameter:
    """The same parameter, settable from the environment too (arguments are not)."""
    if get_origin(parameter.annotation) is Annotated:
        for info in get_args(parameter.annotation)[1:]:
            if type(info).__name__ == "OptionInfo":
                flags = [flag for flag in (info.default, *(info.param_decls or ())) if isinstance(flag, str)]
                info.envvar = environment_name(key_of(flags))  # in Annotated, Typer takes the first flag for a default
                info.show_envvar = False
    return parameter
