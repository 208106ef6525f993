"""The table of contents: one short command per analysis. Parse, load, analyse, render, exit code; no arithmetic."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal

import typer

from userops import __version__
from userops.cli_support.complaints import usage_error
from userops.cli_support.diagnostics import Talk
from userops.cli_support.exits import Exit
from userops.cli_support.help import EXAMPLES, HelpfulCommand, HelpfulGroup, page_for
from userops.cli_support.options import INPUT, OUTPUT, RUN, BusinessFiles, CheckupFiles, Files, with_common
from userops.cli_support.running import Run, ended, put
from userops.errors import UsageError

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
    "userops retention events.csv     who comes back, cohort by cohort",
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


Grain = Literal["day", "week", "month"]


def _own(*names: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, show_default=False)


_by = partial(_own, "--by", metavar="COLUMN")
_period = partial(_own, "--period")
_per_user = partial(_own, "--per-user")
_compat = partial(_own, "--compat", metavar="NAME")

BY = _by(help="Break down by this column, of the file or the users table.")
CONFIDENCE = _own("--confidence", help="Of the intervals. Default: 0.95.", metavar="SHARE")
LATE_ROWS = _own(
    "--late-rows", help="Show how much an earlier report would change, by rows that arrived late (ingested_at)."
)
FAIL_ON = _own("--fail-on", help="Exit 4 where there is an error; with warn, where there is a warning too.")


def _late(run: Run, files: Files, command: str, period: Grain | None) -> int:
    """What ``--late-rows`` answers, for any command; without a period, by that of the kind of rows."""
    from userops import late

    table = run.activity(files)
    grain = period or late.default_grain(table)
    result = late.analyse(
        table, grain, run.common.week_start, as_of=run.as_of, window=run.window, tz=run.common.tz, command=command
    )
    return run.finish(result)


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
    """Numbers of user operations (用户运营), straight from order and event files: tiers, retention, growth, stages."""


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
    segments: Annotated[str, _own("--segments", help="champions11, cn8, value-tiers, kmeans:K, or a grid file.toml. Default: champions11.", metavar="NAME")] = "champions11",
    bins: Annotated[int, _own("--bins", help="Scores run from 1 to this. Default: 5.", metavar="N")] = 5,
    monetary: Annotated[Literal["total", "mean"], _own("--monetary", help="What a customer paid in all, or per order. Default: total.")] = "total",
    recency_cuts: Annotated[str | None, _own("--recency-cuts", help="Days where scores part, such as 7,30,90,180.", metavar="DAYS")] = None,
    frequency_cuts: Annotated[str | None, _own("--frequency-cuts", help="Orders where scores part, such as 1,2,4,8.", metavar="ORDERS")] = None,
    monetary_cuts: Annotated[str | None, _own("--monetary-cuts", help="Amounts where scores part, such as 20,50,100,500.", metavar="MONEY")] = None,
    cuts: Annotated[str | None, _own("--cuts", help="Score with the cuts that --save-cuts saved.", metavar="FILE")] = None,
    save_cuts: Annotated[str | None, _own("--save-cuts", help="Save the cuts that were used, to score later data alike.", metavar="FILE")] = None,
    cn8_threshold: Annotated[Literal["mean", "median"], _own("--cn8-threshold", help="What cn8 calls high: at or above this. Default: mean.")] = "mean",
    by: Annotated[str | None, _by(help="Break the tiers down by this column: its value at a customer's first row.")] = None,
    compare_with: Annotated[str | None, _own("--compare-with", help="Show who moved between segments since this earlier --per-user file.", metavar="FILE")] = None,
    per_user: Annotated[bool, _per_user(help="One row per customer instead of one per segment.")] = False,
) -> int:  # fmt: skip
    """RFM tiers: who your best customers are, who is slipping away.

    Scores every customer by recency, frequency and monetary value, and names the segment. Refunds are netted, order
    lines are folded, equal values get equal scores, and the tiers add up to the file's total.
    """
    from userops import rfm
    from userops.cli_support import lists, rfm_files

    settings = rfm.Settings(
        **run.reporting,
        bins=bins,
        recency_cuts=lists.numbers("--recency-cuts", recency_cuts, whole=True),
        frequency_cuts=lists.numbers("--frequency-cuts", frequency_cuts, whole=True),
        monetary_cuts=lists.numbers("--monetary-cuts", monetary_cuts),
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
    ANALYSES,
    "userops retention events.parquet",
    "userops retention events.csv --days 1,3,7,14,30 --tz Asia/Shanghai",
    "userops retention orders.csv --period month -o cohorts.html",
    "userops retention events.parquet --start signup --return purchase --by channel",
    "userops retention orders.csv --value --period month",
)
def retention(
    run: Run,
    files: Files = None,
    period: Annotated[Grain | None, _period(help="What returns are counted in. Default: day for events, month for orders.")] = None,
    cohort_by: Annotated[str | None, _own("--cohort-by", help="Cohorts by day, week, month, or a column. Default: the period.", metavar="GRAIN|COLUMN")] = None,
    periods: Annotated[int | None, _own("--periods", help="Report periods 0 to N.", metavar="N")] = None,
    days: Annotated[str | None, _own("--days", help="Report these days, such as 1,3,7,14,30.", metavar="DAYS")] = None,
    brackets: Annotated[str | None, _own("--brackets", help="Report ranges of periods, such as 1-3,4-7,8-14.", metavar="RANGES")] = None,
    mode: Annotated[Literal["on", "on-or-after"] | None, _own("--mode", help="Returned in period N, or in N or later. Default: on.")] = None,
    clock: Annotated[Literal["calendar", "elapsed", "elapsed-hour"] | None, _own("--clock", help="Calendar periods, or 24 hours (7, 30 times) from the start. Default: calendar.")] = None,
    cohort: Annotated[Literal["first", "recurring"] | None, _own("--cohort", help="A user starts once, or in every period with a start. Default: first.")] = None,
    start: Annotated[str | None, _own("--start", help="The event that starts. Default: any, or the sign-up.", metavar="EVENT")] = None,
    back: Annotated[str | None, _own("--return", help="The event that counts as a return. Default: any.", metavar="EVENT")] = None,
    day_zero: Annotated[Literal["start", "later"] | None, _own("--day-zero", help="Period 0 counts the start itself, or only what comes later. Default: start.")] = None,
    average: Annotated[Literal["weighted", "simple"] | None, _own("--average", help="Average over users, or over cohorts. Default: weighted.")] = None,
    value: Annotated[bool, _own("--value", help="Revenue retention, net and gross, instead of users.")] = False,
    by: Annotated[str | None, BY] = None,
    confidence: Annotated[float, CONFIDENCE] = 0.95,
    compat: Annotated[str | None, _compat(help="Count as this product does: mixpanel, amplitude, posthog, ga4, sensors.")] = None,
    late_rows: Annotated[bool, LATE_ROWS] = False,
) -> int:  # fmt: skip
    """Cohort retention: of the users who started together, how many came back.

    Works on events and on orders. Who is not old enough for a period is not in its denominator; unfinished periods are
    marked and enter no average.
    """
    if late_rows:
        return _late(run, files, "retention", period)
    from userops import retention
    from userops.cli_support import lists

    settings = retention.Settings(
        **run.reporting,
        period=period,
        cohort_by=cohort_by,
        periods=periods,
        days=lists.numbers("--days", days, whole=True),
        brackets=lists.ranges("--brackets", brackets),
        mode=mode,
        clock=clock,
        cohort=cohort,
        start=start,
        back=back,
        day_zero=day_zero,
        average=average,
        value=value,
        by=by,
        confidence=confidence,
        compat=compat,
    )
    table, users = run.acts(files, settings.columns)
    return run.finish(retention.analyse(table, settings, users=users))


@command(
    ANALYSES,
    "userops activity events.parquet",
    "userops activity events.csv --mau-days 30 --tz Asia/Shanghai -o activity.html",
    "userops activity events.parquet --histogram",
    "userops activity orders.csv --by channel --csv",
)
def activity(
    run: Run,
    files: Files = None,
    mau_days: Annotated[int, _own("--mau-days", help="Days of the trailing window of MAU and of the histogram. Default: 28.", metavar="N")] = 28,
    histogram: Annotated[bool, _own("--histogram", help="Users by number of active days in the last such window, instead of days.")] = False,
    by: Annotated[str | None, BY] = None,
    late_rows: Annotated[bool, LATE_ROWS] = False,
) -> int:  # fmt: skip
    """Active users: DAU, WAU, MAU and stickiness of every day.

    Exact distinct users, of events or of orders; also on how many days each was active, and at which hours of the week
    things happen.
    """
    if late_rows:
        return _late(run, files, "activity", "day")
    from userops import activity

    settings = activity.Settings(**run.reporting, mau_days=mau_days, by=by, histogram=histogram)
    table, users = run.acts(files, [by] if by else [])
    return run.finish(activity.analyse(table, settings, users=users))


@command(
    ANALYSES,
    "userops growth orders.csv",
    "userops growth events.parquet --period week --tz Asia/Shanghai",
    "userops growth events.csv --users-table users.csv --period month -o growth.html",
    "userops growth orders.csv --fail-if 'quick_ratio < 1'",
)
def growth(
    run: Run,
    files: Files = None,
    period: Annotated[Grain | None, _period(help="What users are counted by. Default: day for events, month for orders.")] = None,
    by: Annotated[str | None, BY] = None,
    late_rows: Annotated[bool, LATE_ROWS] = False,
) -> int:  # fmt: skip
    """Growth accounting: how many users are new, retained, resurrected, churned.

    Works on events and on orders. Active users of a period are new, retained and resurrected; those of the period before
    are retained or churned, so that the numbers add up.
    """
    if late_rows:
        return _late(run, files, "growth", period)
    from userops import growth

    settings = growth.Settings(**run.reporting, period=period, by=by)
    table, users = run.acts(files, [by] if by else [])
    return run.finish(growth.analyse(table, settings, users=users))


@command(
    ANALYSES,
    "userops lifecycle orders.csv",
    "userops lifecycle events.parquet --lang zh",
    "userops lifecycle orders.csv --transitions-from 2026-10-31",
    "userops lifecycle orders.parquet --per-user --csv | head",
)
def lifecycle(
    run: Run,
    files: Files = None,
    transitions_from: Annotated[str | None, _own("--transitions-from", help="Show who moved from stage to stage since the end of this day.", metavar="DATE")] = None,
    thresholds: Annotated[str | None, _own("--thresholds", help="Stage with the thresholds that --save-thresholds saved.", metavar="FILE")] = None,
    save_thresholds: Annotated[str | None, _own("--save-thresholds", help="Save the thresholds used, to stage later data alike.", metavar="FILE")] = None,
    by: Annotated[str | None, _by(help="Break the stages down by this column, of --users-table or of a user's first row.")] = None,
    per_user: Annotated[bool, _per_user(help="One row per user instead of one per stage.")] = False,
    late_rows: Annotated[bool, LATE_ROWS] = False,
) -> int:  # fmt: skip
    """Lifecycle: the stage of every user, from introduction to churned and back.

    Takes orders or events. How long is late, and how often is often, is taken from the data's own gaps; every user is
    in exactly one stage.
    """
    if late_rows:
        return _late(run, files, "lifecycle", "month")
    from userops import lifecycle
    from userops.cli_support import lifecycle_files
    from userops.periods import parse_day

    settings = lifecycle.Settings(
        **run.reporting,
        thresholds=lifecycle_files.read_thresholds(thresholds) if thresholds else None,
        transitions_from=parse_day(transitions_from, "--transitions-from", run.common.tz),
        by=by,
        per_user=per_user,
    )
    table, users = run.acts(files, [by] if by else [])
    result = lifecycle.analyse(table, settings, users=users)
    if save_thresholds:
        lifecycle_files.write_thresholds(save_thresholds, result.thresholds)
    if per_user:
        return run.finish(result.per_user())
    return run.finish(result.transitions() if transitions_from else result)


@command(
    ANALYSES,
    "userops funnel events.parquet --steps view,add_to_cart,buy",
    "userops funnel events.csv --steps 'visit,search|browse,buy where amount>0' --within 1d --by channel",
    "userops funnel events.parquet --steps view,add_to_cart,buy --trend week -o funnel.html",
    "userops funnel events.parquet --steps view,add_to_cart,buy --stopped-at 2 -o almost.csv",
    "userops funnel events.parquet --steps view,add_to_cart,buy --explain u42",
)
def funnel(
    run: Run,
    files: Files = None,
    steps: Annotated[list[str] | None, _own("--steps", help="Events in order: a,b,c; a|b is either, 'a where COLUMN=VALUE' filters. Default: [funnel] of the configuration.", metavar="STEPS")] = None,
    within: Annotated[str | None, _own("--within", help="Time from the first row: 30m, 12h, 7d, same-day, none. Default: 7d.", metavar="TIME")] = None,
    order: Annotated[Literal["ordered", "strict", "any"] | None, _own("--order", help="In order; in order with no other row between; in any order. Default: ordered.")] = None,
    strictly_after: Annotated[bool, _own("--strictly-after", help="Each step is later than the one before; the same instant is not.")] = False,
    count: Annotated[str, _own("--count", help="Count users, sessions, or pairs of a user and the value of a column. Default: users.", metavar="users|sessions|COLUMN")] = "users",
    exclude: Annotated[list[str] | None, _own("--exclude", help="No such event between the first and the last row (repeatable).", metavar="EVENT")] = None,
    hold: Annotated[str | None, _own("--hold", help="All rows have the same value of this column.", metavar="COLUMN")] = None,
    entry: Annotated[Literal["any", "first"] | None, _own("--entry", help="Any row of step 1 may begin, or only the first of each user. Default: any.")] = None,
    resolution: Annotated[Literal["exact", "second"] | None, _own("--resolution", help="Take rows of one second as of one instant. Default: exact.")] = None,
    by: Annotated[str | None, _by(help="Break down by this column: its value at the step-1 row.")] = None,
    trend: Annotated[Grain | None, _own("--trend", help="Conversion by the period of the entry, too.")] = None,
    per_user: Annotated[bool, _per_user(help="One row per user who entered instead of one per step.")] = False,
    stopped_at: Annotated[int | None, _own("--stopped-at", help="List the users who stopped at this step.", metavar="N")] = None,
    explain: Annotated[str | None, _own("--explain", help="Which row was which step for this user, and what was missing.", metavar="USER")] = None,
    confidence: Annotated[float, CONFIDENCE] = 0.95,
    compat: Annotated[str | None, _compat(help="Count as this product does: mixpanel, amplitude, posthog, ga4, sensors, clickhouse.")] = None,
) -> int:  # fmt: skip
    """Funnel: how many users go through the steps, where they stop, how long it takes.

    Exact for any order of rows, ties and repeated steps. Shares are of entries old enough for their whole window to be
    over; all entries are counted beside.
    """
    from userops import funnel
    from userops.cli_support import funnel_steps

    if explain is not None and (run.common.pseudonymise or run.common.share):
        asked = "--share" if run.common.share else "--pseudonymise"
        raise UsageError.conflict("--explain", asked, "it names the one user you ask about")
    written = funnel_steps.parse(steps or [])
    settings = funnel.Settings(
        steps=tuple(one.step for one in written),
        **run.reporting,
        within=within,
        order=order,
        strictly_after=strictly_after,
        count=count,
        exclude=tuple(exclude or ()),
        hold=hold,
        entry=entry,
        resolution=resolution,
        by=by,
        trend=trend,
        per_user=per_user,
        stopped_at=stopped_at,
        explain=explain,
        confidence=confidence,
        compat=compat,
    )
    wanted = [*settings.columns, *funnel_steps.columns(written)]
    table = funnel_steps.table_of(run, files, wanted, sessions=count == "sessions")
    return run.finish(funnel.analyse(table, settings, steps=funnel_steps.bound(written, table)))


@command(
    ANALYSES,
    "userops paths events.parquet",
    "userops paths events.csv --start-at search --max-steps 5",
    "userops paths events.parquet --by platform --where 'platform in ios,android'",
    "userops paths events.parquet --mermaid > paths.mmd",
    "userops paths events.parquet --sessions --csv | head",
)
def paths(
    run: Run,
    files: Files = None,
    session_gap: Annotated[str, _own("--session-gap", help="A longer pause begins a session; none: one per user; session_id: as that column says. Default: 30m.", metavar="TIME")] = "30m",
    max_steps: Annotated[int | None, _own("--max-steps", help="Look at the first N events of every path only.", metavar="N")] = None,
    start_at: Annotated[str | None, _own("--start-at", help="Paths begin at the first such event of a session.", metavar="EVENT")] = None,
    end_at: Annotated[str | None, _own("--end-at", help="Paths end with the first such event of a session.", metavar="EVENT")] = None,
    by: Annotated[str | None, _by(help="Break down by this column, of the file or the users table, and compare its two largest values.")] = None,
    sessions: Annotated[bool, _own("--sessions", help="One row per session instead of one per transition.")] = False,
    step_matrix: Annotated[bool, _own("--step-matrix", help="One row per step and event: where sessions are.")] = False,
    mermaid: Annotated[bool, _own("--mermaid", help="Write the strongest transitions as a Mermaid flowchart.")] = False,
) -> int:  # fmt: skip
    """Paths: where users come in, where they go from each event, and where they leave.

    Cuts events into sessions and counts the transitions in them, with bounce and exit rates, dwell times, the most
    frequent paths and where sessions are at each step. Rows may come in any order.
    """
    from userops import paths
    from userops.cli_support import path_options

    settings = paths.Settings(
        **run.reporting,
        session_gap=path_options.session_gap(session_gap),
        max_steps=max_steps,
        start_at=start_at,
        end_at=end_at,
        by=by,
        show=path_options.shown(run.chosen_format, sessions=sessions, step_matrix=step_matrix, mermaid=mermaid),
    )
    table, users = run.acts(files, settings.columns)
    result = paths.analyse(table, settings, users=users)
    return run.finish(result, text=result.mermaid() if mermaid else None)


@command(
    ANALYSES,
    "userops ltv orders.csv",
    "userops ltv orders.parquet --horizon 180d --margin 0.4 -o ltv.html",
    "userops ltv orders.parquet --per-user -o values.parquet",
    "userops ltv orders.csv --realised --days 7,30,90,365",
    "userops ltv orders.csv --realised --costs costs.csv --by channel --margin 0.4",
    "userops ltv orders.parquet --save-model model.json",
    "userops ltv orders.parquet --model-file model.json --per-user -o values.parquet",
)
def ltv(
    run: Run,
    files: Files = None,
    model: Annotated[str, _own("--model", help="auto, bg-nbd, mbg-nbd, pareto-nbd or nbd. Default: auto, the one that predicts the past best.", metavar="NAME")] = "auto",
    horizon: Annotated[str, _own("--horizon", help="How far to look ahead, such as 90d, 52w. Default: 365d.", metavar="TIME")] = "365d",
    time_unit: Annotated[Literal["day", "week"] | None, _own("--time-unit", help="The unit of recency, T and parameters. Default: day.")] = None,
    discount: Annotated[float, _own("--discount", help="What money loses in a year by coming later. Default: 0.10.", metavar="SHARE")] = 0.10,
    backtest: Annotated[str, _own("--backtest", help="How much of the past to predict, or none. Default: 26w.", metavar="TIME")] = "26w",
    interval: Annotated[float, _own("--interval", help="The share of values within the limits. Default: 0.9.", metavar="SHARE")] = 0.9,
    margin: Annotated[float, _own("--margin", help="What remains of an amount, such as 0.4. Default: 1, all of it.", metavar="SHARE")] = 1.0,
    realised: Annotated[bool, _own("--realised", help="What cohorts have paid so far, by days since the first order, instead of tiers.")] = False,
    days: Annotated[str | None, _own("--days", help="With --realised: by these days. Default: 7,30,90.", metavar="DAYS")] = None,
    costs: Annotated[list[str] | None, _own("--costs", help="What was spent: date, channel, spend (repeatable): CAC, LTV / CAC, payback.", metavar="FILE")] = None,
    by: Annotated[str | None, _by(help="Break down by a column (its value at a customer's first row), by cohort (first month), or by rfm.")] = None,
    per_user: Annotated[bool, _per_user(help="One row per customer instead of one per tier.")] = False,
    model_file: Annotated[str | None, _own("--model-file", help="Fit nothing: score with the model that --save-model saved.", metavar="FILE")] = None,
    save_model: Annotated[str | None, _own("--save-model", help="Save the fitted model, to score later data alike.", metavar="FILE")] = None,
) -> int:  # fmt: skip
    """Lifetime value: what every customer will still order and be worth, with limits.

    Fits models of repeat buying and spending, chooses by what each would have made of the past, and shows that beside
    naive guesses. Where nothing tells who has left, it says so.
    """
    from userops import ltv
    from userops.cli_support import lists, ltv_files

    if model_file and save_model:
        raise UsageError.conflict("--model-file", "--save-model", "it would be the same model")
    settings = ltv.Settings(
        **run.reporting,
        model=model,
        horizon=lists.duration("--horizon", horizon),
        time_unit=time_unit,
        discount=discount,
        backtest=None if backtest == "none" else lists.duration("--backtest", backtest, others="or none"),
        interval=interval,
        margin=margin,
        days=lists.numbers("--days", days, whole=True) or ltv.Settings().days,
        by=by,
        per_user=per_user,
        realised=realised,
        saved=ltv_files.read_model(model_file) if model_file else None,
    )
    if costs:
        orders, spent = ltv_files.with_costs(run, files, costs, by)
    else:
        orders, spent = run.orders(files, keep=ltv.columns(by), need_amount=False), None
    result = ltv.analyse(orders, settings, costs=spent)
    if save_model:
        ltv_files.write_model(save_model, result.model)
    return run.finish(result.per_user() if per_user else result)


@command(
    ANALYSES,
    "userops survival subscriptions.csv",
    "userops survival subscriptions.parquet --by plan --horizon 24 -o survival.html",
    "userops survival customers.csv --map tenure=tenure --map churned=Churn --by Contract",
    "userops survival cohort.csv --map period=year --map alive=customers --horizon 12",
)
def survival(
    run: Run,
    files: Files = None,
    period: Annotated[Grain | None, _period(help="The unit of tenures, where the file has dates. Default: month.")] = None,
    horizon: Annotated[int | None, _own("--horizon", help="Project to this period. Default: half as far again as was seen.", metavar="N")] = None,
    by: Annotated[str | None, _by(help="A curve for each value of this column, and a test between them.")] = None,
    confidence: Annotated[float, CONFIDENCE] = 0.95,
) -> int:  # fmt: skip
    """Survival of subscribers: how many stay how long, and how it goes on.

    Takes user_id, started_at, ended_at; or user_id, tenure, churned; or counts: period, alive. Kaplan-Meier with
    intervals, a log-rank test between groups, a shifted-beta-geometric projection.
    """
    from userops import survival

    settings = survival.Settings(**run.reporting, period=period, horizon=horizon, by=by, confidence=confidence)
    return run.finish(survival.analyse(run.subscriptions(files, keep=[by] if by else []), settings))


@command(
    ANALYSES,
    "userops churn orders.csv",
    "userops churn events.parquet --horizon 30d -o churn.html",
    "userops churn orders.parquet --per-user -o at-risk.csv",
    "userops churn orders.parquet --breadth product_id --lang zh",
)
def churn(
    run: Run,
    files: Files = None,
    horizon: Annotated[str, _own("--horizon", help="Gone is who does nothing for so long, such as 30d, 12w. Default: 90d.", metavar="TIME")] = "90d",
    breadth: Annotated[str | None, _own("--breadth", help="Count a user's different values of this column, such as product_id. Default: of events, their names.", metavar="COLUMN")] = None,
    seed: Annotated[int, _own("--seed", help="Of what is dealt at random. Default: 0.", metavar="N")] = 0,
    per_user: Annotated[bool, _per_user(help="One row per user, each with a reason, instead of tenths.")] = False,
) -> int:  # fmt: skip
    """Churn: who will not come back, what drives it, and a reason for every user.

    Learns from who left before, is tested on who left later, and stands beside a model of repeat buying and recency
    alone. Takes orders or events with a history of three horizons.
    """
    from userops import churn
    from userops.cli_support import lists

    settings = churn.Settings(
        **run.reporting,
        horizon=lists.duration("--horizon", horizon),
        seed=seed,
        breadth=breadth,
        per_user=per_user,
    )
    result = churn.analyse(run.activity(files, keep=[breadth] if breadth else []), settings)
    return run.finish(result.per_user() if per_user else result)


@command(
    ANALYSES,
    "userops aarrr --events events.parquet --activation-event purchase",
    "userops aarrr --events events.parquet --orders orders.csv --costs costs.csv --referrals referrals.csv",
    "userops aarrr --events events.parquet --orders orders.parquet --by channel --csv",
    "userops aarrr events.parquet orders.parquet --since 2026-10-01 --until 2026-10-31 -o aarrr.html",
)
def aarrr(
    run: Run,
    files: Files = None,
    named: BusinessFiles = BusinessFiles(),
    activation_event: Annotated[str | None, _own("--activation-event", help="What activates a newcomer. Default: [activation] of the configuration.", metavar="EVENT")] = None,
    activation_within: Annotated[str | None, _own("--activation-within", help="Time to be activated in, such as 12h, 7d. Default: 7d.", metavar="TIME")] = None,
    by: Annotated[str | None, _by(help="Break down by this column, of the users table or of a user's first row.")] = None,
    vertical: Annotated[str | None, _own("--vertical", help="Show benchmarks for this line of business, such as e-commerce.", metavar="NAME")] = None,
    confidence: Annotated[float, CONFIDENCE] = 0.95,
) -> int:  # fmt: skip
    """AARRR: acquisition, activation, retention, revenue and referral on one page.

    Takes any of events, orders, users, costs and referrals; what they do not hold is said. Reports the last 28 days, or
    --since to --until, beside as many days before.
    """
    from userops import aarrr
    from userops.cli_support import business, business_files

    event, within = business.activation(run, activation_event, activation_within)
    settings = aarrr.Settings(
        **run.reporting,
        activation_event=event,
        activation_within=within,
        by=by,
        confidence=confidence,
        vertical=vertical,
    )
    kept = list(dict.fromkeys(filter(None, ("channel", by))))
    given = business_files.read(run, files, named.by_kind(), kept)
    return run.finish(
        aarrr.analyse(
            given.events,
            given.orders,
            settings,
            users=given.users,
            costs=given.costs,
            referrals=given.referrals,
            mind=given.mind,
        )
    )


@command(
    ANALYSES,
    "userops audit orders.csv events.parquet users.csv",
    "userops audit orders.csv --json -o audit.json",
    "userops audit orders.csv --compare-with audit.json --fail-on error",
    "userops audit events.parquet --evidence evidence.csv -o audit.html --tz Asia/Shanghai",
)
def audit(
    run: Run,
    files: Files = None,
    evidence: Annotated[
        str | None, _own("--evidence", help="Write the rows that findings are about to this file.", metavar="FILE")
    ] = None,
    compare_with: Annotated[
        str | None,
        _own("--compare-with", help="Look for drift since this earlier audit, written with --json.", metavar="FILE"),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        _own(
            "--threshold", help="From where on something is found, such as psi=0.3 (repeatable).", metavar="NAME=VALUE"
        ),
    ] = None,
    business_start: Annotated[
        str | None, _own("--business-start", help="Earlier rows cannot be.", metavar="DATE")
    ] = None,
    fail_on: Annotated[Literal["warn", "error"] | None, FAIL_ON] = None,
) -> int:
    """Audit: are the data authentic and complete, and what to mend first.

    Takes orders, events and users, several at once. Nineteen checks of each, with affected rows, evidence and what to
    do; a grade from A to D. Stops at nothing that can be read.
    """
    from userops import audit
    from userops.cli_support import audit_files
    from userops.periods import parse_day

    audit_files.check_evidence(run, evidence, files)
    settings = audit.Settings(
        **run.reporting,
        business_start=parse_day(business_start, "--business-start", run.common.tz),
        thresholds=audit_files.thresholds(threshold or []),
    )
    last = audit_files.read_last(compare_with) if compare_with else None
    found = audit.look(audit_files.read(run, files), settings, last=last, hide=audit_files.shown_ids(run))
    if evidence:
        run.write_beside(evidence, "evidence", found.evidence())
    stays = not run.common.share and run.common.min_cell is None
    return run.finish(audit.published(found, settings, profile=stays), fail_on=fail_on)


@command(
    ANALYSES,
    "userops diagnose shop/",
    "userops diagnose orders.parquet events.parquet users.parquet -o report.html",
    "userops diagnose shop/ --compare-with last.json -o today.json --fail-on error",
    "userops diagnose shop/ --audience behaviour.cac.channel=search_ads --csv",
    "userops diagnose orders.csv --lang zh -o report.html",
)
def diagnose(
    run: Run,
    files: Files = None,
    named: CheckupFiles = CheckupFiles(),
    goals: Annotated[str | None, _own("--goals", help="Targets, funnel and activation, as in userops.toml. Default: the configuration.", metavar="FILE")] = None,
    compare_with: Annotated[str | None, _own("--compare-with", help="Say what is new, worse, better or resolved since this earlier --json report.", metavar="REPORT.json")] = None,
    history: Annotated[str | None, _own("--history", help="Keep one report a night in this folder, and compare with the nights before.", metavar="DIR")] = None,
    show: Annotated[str | None, _own("--show", help="Show the days behind one finding.", metavar="ID")] = None,
    audience: Annotated[str | None, _own("--audience", help="List the users to act on for one finding, a fifth of them to compare with.", metavar="ID")] = None,
    fail_on: Annotated[Literal["warn", "error"] | None, FAIL_ON] = None,
    notify: Annotated[str | None, _own("--notify", help="Send new and worse findings to this address.", metavar="URL")] = None,
) -> int:  # fmt: skip
    """The check-up: what ails the business, why, what to do, and whether it helped.

    Takes whatever there is of orders, events, users, costs, referrals and feedback, or a folder of them. Judges the data
    first, then portrait, demand, goals, behaviour and content; ranks what it finds by the money at stake.
    """
    from userops.cli_support import checkup

    return checkup.run(
        run,
        files,
        named.by_kind(),
        goals=goals,
        compare_with=compare_with,
        history=history,
        show=show,
        audience=audience,
        fail_on=fail_on,
        notify=notify,
    )


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
) -> int:  # fmt: skip
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
    of: Annotated[str, typer.Argument(metavar="COMMAND", help="The command whose JSON is described.", show_default=False)],
) -> int:  # fmt: skip
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
        raise usage_error(mistake) from mistake
    return Exit.OK
