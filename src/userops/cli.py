"""The table of contents: one short command per analysis. Parse, load, analyse, render, exit code; no arithmetic."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal

import typer

from userops import __version__
from userops.cli_support.diagnostics import Talk
from userops.cli_support.exits import Exit
from userops.cli_support.help import EXAMPLES, HelpfulCommand, HelpfulGroup, page_for
from userops.cli_support.options import INPUT, OUTPUT, RUN, Files, with_common
from userops.cli_support.running import Run, ended, put
from userops.errors import UsageError, UseropsError

app = typer.Typer(
    name="userops",
    cls=HelpfulGroup,
    help="Numbers of user operations, straight from order and event files.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ANALYSES, FILES, ABOUT = "Analyses", "Files", "About"

EXAMPLES["userops"] = (
    "userops demo --out shop          a simulated shop to try things on",
    "userops inspect orders.csv       what userops sees in a file",
    "userops rfm orders.csv           RFM tiers of its customers",
)


def command(
    panel: str, *examples: str, takes: Collection[str] = (INPUT, OUTPUT, RUN)
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a command: its panel in the overview, the examples its help begins with, the shared options it takes."""

    def declare(act: Callable[..., Any]) -> Callable[..., Any]:
        EXAMPLES[act.__name__] = examples
        app.command(act.__name__, cls=HelpfulCommand, rich_help_panel=panel)(with_common(act, takes))
        return act

    return declare


def _own(*names: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, show_default=False)


def _show_version(asked: bool) -> None:
    if asked:
        put(f"userops {__version__}\n")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Numbers of user operations (用户运营), straight from order and event files: RFM tiers, with more to come."""


@command(
    ANALYSES,
    "userops rfm orders.csv",
    "userops rfm orders.parquet --as-of 2026-11-30 -o tiers.html",
    "userops rfm 'exports/*.csv' --segments cn8 --lang zh",
    "userops rfm orders.parquet --per-user --csv | head",
)
def rfm(
    run: Run,
    files: Files = None,
    segments: Annotated[
        str,
        _own(
            "--segments",
            help="champions11, cn8, value-tiers, kmeans:K, or a grid file.toml. Default: champions11.",
            metavar="NAME",
        ),
    ] = "champions11",
    bins: Annotated[int, _own("--bins", help="Scores run from 1 to this. Default: 5.", metavar="N")] = 5,
    monetary: Annotated[
        Literal["total", "mean"], _own("--monetary", help="What a customer paid in all, or per order. Default: total.")
    ] = "total",
    recency_cuts: Annotated[
        str | None, _own("--recency-cuts", help="Days where scores part, such as 7,30,90,180.", metavar="DAYS")
    ] = None,
    frequency_cuts: Annotated[
        str | None, _own("--frequency-cuts", help="Orders where scores part, such as 1,2,4,8.", metavar="ORDERS")
    ] = None,
    monetary_cuts: Annotated[
        str | None, _own("--monetary-cuts", help="Amounts where scores part, such as 20,50,100,500.", metavar="MONEY")
    ] = None,
    cuts: Annotated[
        str | None, _own("--cuts", help="Score with the cuts that --save-cuts saved.", metavar="FILE")
    ] = None,
    save_cuts: Annotated[
        str | None, _own("--save-cuts", help="Save the cuts that were used, to score later data alike.", metavar="FILE")
    ] = None,
    cn8_threshold: Annotated[
        Literal["mean", "median"], _own("--cn8-threshold", help="What cn8 calls high: at or above this. Default: mean.")
    ] = "mean",
    by: Annotated[
        str | None,
        _own(
            "--by", help="Break the tiers down by this column: its value at a customer's first row.", metavar="COLUMN"
        ),
    ] = None,
    compare_with: Annotated[
        str | None,
        _own(
            "--compare-with", help="Show who moved between segments since this earlier --per-user file.", metavar="FILE"
        ),
    ] = None,
    per_user: Annotated[bool, _own("--per-user", help="One row per customer instead of one per segment.")] = False,
) -> int:
    """RFM tiers: who your best customers are, who is slipping away.

    Scores every customer by recency, frequency and monetary value, and names the segment. Refunds are netted, order
    lines are folded, equal values get equal scores, and the tiers add up to the file's total.
    """
    from userops import rfm
    from userops.cli_support import rfm_files

    settings = rfm.Settings(
        as_of=run.as_of,
        since=run.window[0],
        until=run.window[1],
        tz=run.common.tz,
        week_start=run.common.week_start,
        bins=bins,
        recency_cuts=rfm_files.numbers("--recency-cuts", recency_cuts, whole=True),
        frequency_cuts=rfm_files.numbers("--frequency-cuts", frequency_cuts, whole=True),
        monetary_cuts=rfm_files.numbers("--monetary-cuts", monetary_cuts),
        cuts=rfm_files.read_cuts(cuts) if cuts else None,
        monetary=monetary,
        segments=rfm_files.grid(segments),
        cn8_threshold=cn8_threshold,
        by=by,
        per_user=per_user,
    )
    previous = run.small_table(compare_with, ["user_id", "segment"]) if compare_with else None
    result = rfm.analyse(run.orders(files, keep=[by] if by else []), settings, previous=previous)
    if save_cuts:
        rfm_files.write_cuts(save_cuts, result)
    return run.finish(result.per_user() if per_user else result)


@command(
    FILES,
    "userops inspect orders.csv",
    "userops inspect 'exports/*.csv' --tz Asia/Shanghai",
    "zcat orders.csv.gz | userops inspect - --json",
)
def inspect(run: Run, files: Files = None) -> int:
    """What userops sees in a file: its kind, columns, rows, what would be rejected.

    Reads nothing but what it must, decides as every analysis would, and says what it decided.
    """
    from userops.inputs import inspecting

    return run.finish(inspecting.inspect(run.tables(files), run.reading()))


@command(
    FILES,
    "userops demo --out shop",
    "userops demo --out shop --customers 100000 --seed 7",
    "userops demo --out quiet --no-stories",
    takes=(OUTPUT, RUN),
)
def demo(
    run: Run,
    out: Annotated[str, _own("--out", help="Folder to write to. Default: shop.", metavar="DIR")] = "shop",
    customers: Annotated[int, _own("--customers", help="How many customers. Default: 5000.", metavar="N")] = 5000,
    days: Annotated[int, _own("--days", help="How many days. Default: 365.", metavar="N")] = 365,
    seed: Annotated[int, _own("--seed", help="Another seed, another shop. Default: 0.", metavar="N")] = 0,
    stories: Annotated[bool, _own("--stories/--no-stories", help="Plant points of pain to be found, or none.")] = True,
) -> int:
    """Write a simulated shop to try things on: orders, events, users, costs.

    The same seed gives the same bytes. Points of pain are planted as stories for the analyses to find.
    """
    from userops import demo
    from userops.outputs import saving

    settings = demo.Settings(customers=customers, days=days, seed=seed, stories=stories)
    return run.finish(demo.result(settings, out, demo.write(settings, out, saving.write_atomically)))


@command(
    ABOUT, "userops schema rfm", "userops schema rfm | jq '.properties.rows.items.properties | keys'", takes=(RUN,)
)
def schema(
    run: Run,
    of: Annotated[
        str, typer.Argument(metavar="COMMAND", help="The command whose JSON is described.", show_default=False)
    ],
) -> int:
    """The JSON Schema of what a command prints with --json."""
    from userops.cli_support import schemas

    put(schemas.text_of(of) + "\n")
    return Exit.OK


@command(ABOUT, "userops doctor", "userops doctor --json", takes=(OUTPUT, RUN))
def doctor(run: Run) -> int:
    """Versions, the machine and the settings in play, for a bug report."""
    from userops.cli_support import about

    return run.finish(about.doctor(run.common))


config_app = typer.Typer(
    cls=HelpfulGroup, help="The configuration file in force.", rich_markup_mode=None, no_args_is_help=True
)
app.add_typer(config_app, name="config", rich_help_panel=ABOUT)


def _config_show(run: Run) -> int:
    """Every option with its value and where it came from."""
    from userops.cli_support import about

    return run.finish(about.settings(typer.main.get_command(app), run.common))


EXAMPLES["show"] = ("userops config show", "USEROPS_TZ=Asia/Shanghai userops config show --json")
config_app.command("show", cls=HelpfulCommand)(with_common(_config_show, (OUTPUT, RUN)))


@app.command("help", cls=HelpfulCommand, rich_help_panel=ABOUT)
def help_on(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOPIC]", help="formats, layouts, environment, exit-codes, or a command.", show_default=False
        ),
    ] = None,
) -> None:
    """Help on a topic: formats, layouts, environment, exit-codes."""
    from userops.cli_support import topics

    program: Any = typer.main.get_command(app)
    put(page_for(program, [topic]) if topic and topic in program.commands else topics.text_of(topic))


EXAMPLES["help"] = ("userops help formats", "userops help rfm")


def run(arguments: Sequence[str]) -> int:
    """The exit code of a command line; mistakes in it are told as every other error is."""
    return ended(lambda: _obeyed(list(arguments)), Talk.overheard(arguments, os.environ))


def _obeyed(arguments: list[str]) -> int:
    program = typer.main.get_command(app)
    if "_USEROPS_COMPLETE" in os.environ:
        program.main(prog_name="userops")  # answers the shell and leaves
    try:
        if "--help" in arguments or "-h" in arguments:
            put(page_for(program, arguments))
        else:
            with program.make_context("userops", arguments) as ctx:
                program.invoke(ctx)
    except typer.Exit as leaving:
        return leaving.exit_code
    except Exception as mistake:
        if type(mistake).__name__ == "NoArgsIsHelpError":
            with suppress(OSError):
                print(mistake, file=sys.stderr)
            return Exit.USAGE
        if not hasattr(mistake, "format_message"):  # how Typer's own complaints are told from all else
            raise
        raise _usage_error(mistake) from mistake
    return Exit.OK


def _usage_error(mistake: Any) -> UseropsError:
    """Typer's complaint in our words: what was given, where it came from, what is known."""
    message, ctx, param = mistake.format_message().rstrip("."), mistake.ctx, getattr(mistake, "param", None)
    choice = re.search(r"'([^']*)' is not one of (.+)", message)
    if choice and param:
        return UsageError.unknown_name(max(param.opts, key=len), choice[1], re.findall(r"'([^']+)'", choice[2]))
    hint = f"{ctx.command_path if ctx else 'userops'} --help shows what it takes"
    if ctx and param:
        source = getattr(ctx.get_parameter_source(param.name), "name", "")
        says = {
            "ENVIRONMENT": f"{param.envvar} says so",
            "DEFAULT_MAP": "the configuration file says so: userops config show",
        }
        hint = says.get(source, hint)
    return UsageError("E_USAGE", message, hint)
