"""Retention: of the users who started in a period, how many came back in the periods after.

Reduce: members of cohorts and their returns, counted by cohort, reach and offset. Finish: cells, intervals, averages.

Definitions (docs/methods.md has the formulas and sources):

* A *member* is a user in a cohort: by their first start (``first``), or once for every period with a start
  (``recurring``). The *offset* of a return is the number of periods from the start to it: calendar periods, or elapsed
  ones of 24 hours, 7 and 30 times 24 hours.
* The *reach* of a member is the last offset that is over at the end of as-of. Members are eligible for period N when
  they reach it; a cell is the share of eligible members who returned, null where nobody is eligible yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from itertools import pairwise
from typing import Any, Literal

import polars as pl

from userops import account, frames, money, partition, periods, stats, tables, visits
from userops.errors import InputError, UsageError
from userops.pages import retention as page
from userops.periods import GRAINS, Grain, WeekStart
from userops.results import Provenance, Result
from userops.texts.compat import PRESETS, Preset

LONGEST: dict[Grain, int] = {"day": 30, "week": 52, "month": 36}
"""The last period that is reported unless told otherwise; never beyond what the data could hold."""

ROWS_AT_ONCE = 25_000_000
"""Rows whose members and returns are looked for together, where visits do not tell everything."""

HOUR = 3_600_000_000
WIDTH: dict[Grain, int] = {"day": 24 * HOUR, "week": 7 * 24 * HOUR, "month": 30 * 24 * HOUR}
"""Microseconds of an elapsed period."""

RESERVED = frozenset({
    "cohort", "cohort_users", "period", "users", "eligible_users", "retention", "ci_low", "ci_high", "complete",
    "left_censored", "revenue", "cohort_revenue", "gross_retention", "user", "visit", "anchor", "reach", "offset", "at",
    "start", "seen", "begun", "value", "gross", "bucket", "signed_up", "user_id", "reject", "n", "part", "instant",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about a retention analysis; the defaults are what most people mean.

    ``since``, ``until``: cohorts of these days are reported (a period that overlaps them, whole); who is new and who
    returned always goes by all rows. ``period``: None is day for events, month for orders. ``cohort_by``: a grain or a
    column; None is the period. ``periods``: report 0 to this. ``days``: these days only. ``brackets``: ranges of
    periods, inclusive. ``start``, ``back``: the events that begin and that count as a return; None is any.
    ``day_zero``: whether the start itself counts as a return in period 0 (None: when start and return are the same).
    ``value``: revenue instead of users. ``compat``: a product whose documented rules fill what is None here.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    period: Grain | None = None
    cohort_by: str | None = None
    periods: int | None = None
    days: tuple[int, ...] | None = None
    brackets: tuple[tuple[int, int], ...] | None = None
    mode: Literal["on", "on-or-after"] | None = None
    clock: Literal["calendar", "elapsed", "elapsed-hour"] | None = None
    cohort: Literal["first", "recurring"] | None = None
    start: str | None = None
    back: str | None = None
    day_zero: Literal["start", "later"] | None = None
    average: Literal["weighted", "simple"] | None = None
    value: bool = False
    by: str | None = None
    confidence: float = 0.95
    compat: str | None = None

    def __post_init__(self) -> None:
        if self.compat is not None and self.compat not in PRESETS:
            raise UsageError.unknown_name("product", self.compat, list(PRESETS), "--compat")
        ways = [("--periods", self.periods), ("--days", self.days), ("--brackets", self.brackets)]
        given = [option for option, value in ways if value is not None]
        if len(given) > 1:
            raise UsageError.conflict(given[0], given[1], "each says which periods are reported")
        if self.days is not None and self.period not in (None, "day"):
            raise UsageError.conflict("--days", f"--period {self.period}", "days are counted with --period day")
        if self.periods is not None and not 0 <= self.periods <= 5_000:
            raise UsageError.bad_value("--periods", self.periods, "a whole number from 0 to 5000")
        if self.days is not None and not _ascending(self.days):
            raise UsageError.bad_value("--days", ",".join(map(str, self.days)), "ascending days, such as 1,3,7,14,30")
        if self.brackets is not None and not _ascending([n for bracket in self.brackets for n in bracket], flat=True):
            listed = ",".join(f"{first}-{last}" for first, last in self.brackets)
            raise UsageError.bad_value("--brackets", listed, "ascending ranges apart from each other, such as 1-3,4-7")
        if self.value and (self.mode == "on-or-after" or self.brackets is not None):
            other = "--brackets" if self.brackets else "--mode on-or-after"
            raise UsageError.conflict("--value", other, "revenue is compared period by period")
        if not 0.5 <= self.confidence < 1:
            raise UsageError.bad_value("--confidence", self.confidence, "a share from 0.5 to below 1, such as 0.95")
        for option, column in (("--by", self.by), ("--cohort-by", self.cohort_by)):
            if column in RESERVED or (option, column) == ("--by", "day"):  # cohorts may be by day
                raise UsageError.bad_value(option, column, "a column that goes by none of the names of the result")
        if self.by is not None and self.by == self.cohort_by:
            raise UsageError.conflict("--by", "--cohort-by", "one of them is enough for a column")
        periods.require_order(self.since, self.until)

    @property
    def columns(self) -> list[str]:
        """Columns that are needed beside the usual ones."""
        cohort = [] if self.cohort_by in (None, *GRAINS) else [str(self.cohort_by)]
        return [*([self.by] if self.by else []), *cohort, *(["amount"] if self.value else [])]

    @property
    def ranges(self) -> tuple[tuple[int, int], ...] | None:
        """The brackets that are reported: those asked for, and period 0 by itself unless one begins with it."""
        if self.brackets is None or self.brackets[0][0] == 0:
            return self.brackets
        return ((0, 0), *self.brackets)

    @property
    def preset(self) -> Preset | None:
        """The product whose rules are followed."""
        return PRESETS[self.compat] if self.compat else None


def _ascending(numbers: Sequence[int], *, flat: bool = False) -> bool:
    """Whether whole numbers, none negative, go up (``flat``: the two ends of a range may be the same)."""
    pairs = list(pairwise(numbers))
    steps = all(a < b or (flat and a == b and place % 2 == 0) for place, (a, b) in enumerate(pairs))
    return bool(numbers) and numbers[0] >= 0 and steps


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings with everything decided: given, else the product's, else ours."""

    settings: Settings
    period: Grain
    cohort_grain: Grain | None
    cohort_column: str | None
    week_start: WeekStart
    mode: Literal["on", "on-or-after"]
    clock: Literal["calendar", "elapsed", "elapsed-hour"]
    cohort: Literal["first", "recurring"]
    average: Literal["weighted", "simple"]
    later: bool
    signed_up: bool

    @property
    def elapsed(self) -> bool:
        """Whether periods are counted from the very moment of the start."""
        return self.clock != "calendar"

    @property
    def same(self) -> bool:
        """Whether a start is a return too."""
        return self.settings.start == self.settings.back

    @property
    def plain(self) -> bool:
        """Whether the visits of users tell everything: first cohorts by the calendar, of any act."""
        one_grain = self.cohort_column is None and self.cohort_grain == self.period
        simple = self.cohort == "first" and not self.elapsed and not self.later and not self.signed_up
        no_extras = self.settings.by is None and not self.settings.value and self.settings.start is None
        return one_grain and simple and no_extras and self.same


def decide(settings: Settings, table: frames.Table, users: pl.DataFrame | None) -> Rules:
    """The rules in force for a table."""
    preset: Mapping[str, Any] = settings.preset.settings if settings.preset else {}
    grain: Grain = "month" if isinstance(table, frames.Orders) else "day"
    if settings.days is not None:
        grain = "day"
    period: Grain = settings.period or (preset.get("period", grain) if settings.days is None else grain)
    by = settings.cohort_by
    later = settings.day_zero or preset.get("day_zero")
    same = settings.start == settings.back
    week_start = settings.week_start if settings.week_start != "monday" else preset.get("week_start", "monday")
    column = None if by in (None, *GRAINS) else by
    known = users is not None and users["signed_up_at"].null_count() < users.height
    cohort = settings.cohort or preset.get("cohort", "first")
    return Rules(
        settings,
        period,
        cohort_grain=next((grain for grain in GRAINS if grain == by), None) or (None if column else period),
        cohort_column=column,
        week_start=week_start,
        mode=settings.mode or preset.get("mode", "on") if not settings.value else "on",
        clock=settings.clock or preset.get("clock", "calendar"),
        cohort=cohort,
        average=settings.average or preset.get("average", "weighted"),
        later=later == "later" or not same,
        signed_up=known and settings.start is None and cohort == "first",
    )


def analyse(
    rows: frames.Table | pl.LazyFrame | pl.DataFrame,
    settings: Settings | None = None,
    *,
    users: pl.DataFrame | None = None,
    partitions: int | None = None,
    **changes: Any,
) -> Result:
    """The cohort table of events or orders, in long form.

    ``rows``: a frame with ``user_id, event, time`` or ``user_id, ordered_at, amount`` (:mod:`userops.frames`).
    ``users``: ``user_id``, ``signed_up_at`` (null: unknown) and attributes for ``by`` and ``cohort_by``; who has a
    sign-up starts with it. ``changes`` are fields of :class:`Settings`. ``partitions`` bounds memory, never the
    numbers. Raises InputError when no row is usable.
    """
    settings = replace(settings or Settings(), **changes)
    table = visits.table_of(rows, settings.as_of)
    rules = decide(settings, table, users)
    if isinstance(table, frames.Orders) and (settings.start or settings.back):
        raise UsageError.needs_events("--start and --return", table.name)
    if settings.value and not table.has_amount:
        raise InputError.no_amount(table.name)
    counted = _of_visits(table, rules, partitions) if rules.plain else _of_members(table, rules, users, partitions)
    if settings.value:
        counted.books.require_one_currency()
    _require_events(table, settings, counted)
    return Story(rules, counted).result()


def _require_events(table: frames.Table, settings: Settings, counted: Counted) -> None:
    """InputError, with the closest names, where an event that was named is not there."""
    named = [(settings.start, counted.members), (settings.back, counted.hits)]
    missing = [event for event, found in named if event is not None and found.is_empty()]
    known = visits.event_names(table) if missing else []
    for event in missing:
        if event not in known:
            raise InputError.event_unknown(event, table.name, known)


# --- reduce ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """What the scans found.

    ``members``: ``[by,] cohort, reach, users [, value]``: how many there are, and what they are worth in period 0.
    ``hits``: ``[by,] cohort, reach, offset, users [, value, gross]``: how many returned; ``offset`` is the last one
    with ``on-or-after``, the number of the bracket with brackets. ``cohort`` is a period, or the text of a column.
    """

    books: account.Account
    as_of: date
    members: pl.DataFrame
    hits: pl.DataFrame
    users: int
    totals: Mapping[str, Any]


def _of_visits(table: frames.Table, rules: Rules, partitions: int | None) -> Counted:
    """The plain case, from the visits of all users."""
    settings = rules.settings
    seen = visits.visits(table, rules.period, rules.week_start, as_of=settings.as_of, partitions=partitions)
    cohort = pl.col("first").alias("cohort")
    offset = (pl.col("period") - pl.col("first")).cast(pl.Int64)
    rows = seen.rows.lazy()
    starts = rows.filter(pl.col("period") == pl.col("first")).group_by(cohort).agg(pl.col("users").sum())
    counts = rows.filter(pl.col("next").is_null()) if rules.mode == "on-or-after" and not settings.brackets else rows
    if settings.ranges:
        found = counts.select("who", cohort, "users", offset=_bracket(offset, settings.ranges))
        counts = found.filter(pl.col("offset").is_not_null()).unique(["who", "offset"])
        hits = counts.group_by("cohort", "offset").agg(pl.col("users").sum())
    else:
        hits = counts.group_by(cohort, offset.alias("offset")).agg(pl.col("users").sum())
    reached = (seen.last_complete - pl.col("cohort")).cast(pl.Int64).alias("reach")
    members, returned = (part.with_columns(reached).collect() for part in (starts, hits))
    inside = members.filter(_reported(pl.col("cohort"), rules))
    return Counted(seen.books, seen.as_of, members, returned, int(inside["users"].sum()), seen.totals)


def _bracket(offset: pl.Expr, ranges: Sequence[tuple[int, int]]) -> pl.Expr:
    """The place of the range an offset lies in; null where it lies in none."""
    return pl.coalesce(
        pl.when(offset.is_between(first, last)).then(pl.lit(place, pl.Int64))
        for place, (first, last) in enumerate(ranges)
    )


def _of_members(table: frames.Table, rules: Rules, users: pl.DataFrame | None, partitions: int | None) -> Counted:
    """The general case: as-of first, then members joined with their returns."""
    settings = rules.settings
    partitions = partitions or partition.count_for(table.size, at_once=ROWS_AT_ONCE)
    partitions = 1 if rules.signed_up else partitions  # who only signed up has no row to be dealt by
    books, small = visits.opened(table)
    as_of = settings.as_of or account.latest_day(books)
    grouped = [settings.by] if settings.by else []
    members = _Members(table, rules, users, as_of)
    keys = (*grouped, "cohort", "reach")
    reduces = {
        "members": partition.Reduce(members.counted, keys=keys),
        "hits": partition.Reduce(members.returned, keys=(*keys, "offset")),
        "users": partition.Reduce(members.distinct),
    }
    small |= partition.run(table.rows, reduces, what=table.name, partitions=partitions)
    total = visits.totals(books, small["acts"])
    return Counted(books, as_of, small["members"], small["hits"], int(small["users"]["users"].sum()), total)


@dataclass(frozen=True, slots=True)
class _Members:
    """Members of cohorts and their returns, as lazy tables of the rows of whole users."""

    table: frames.Table
    rules: Rules
    users: pl.DataFrame | None
    as_of: date

    def counted(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Members by cohort and reach; with values, what they are worth in period 0."""
        members, worth = self._members(rows), []
        if self.rules.settings.value:
            members = members.join(self._values(rows), left_on=["user", "anchor"], right_on=["user", "at"], how="left")
            worth = [pl.col("value").fill_null(0).sum()]
        return members.group_by(*self._keys).agg(pl.len().cast(pl.Int64).alias("users"), *worth)

    def returned(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Returns by cohort, reach and offset: each member once per offset."""
        rules, settings = self.rules, self.rules.settings
        offset = pl.col("at") - pl.col("anchor")
        if rules.elapsed:
            offset = offset // WIDTH[rules.period]
        joined = self._members(rows).join(self._returns(rows), on="user").with_columns(offset=offset)
        after = (pl.col("seen") > pl.col("start")) | (pl.col("offset") > 0) if rules.later else pl.lit(value=True)
        hits = joined.filter(pl.col("offset") >= 0, after)
        who = ["user", "anchor", *self._keys]
        if settings.ranges:
            hits = hits.with_columns(offset=_bracket(pl.col("offset"), settings.ranges))
            hits = hits.filter(pl.col("offset").is_not_null()).group_by(*who, "offset").agg()
        elif rules.mode == "on-or-after":
            hits = hits.group_by(*who).agg(pl.col("offset").max())
        elif rules.elapsed:
            hits = hits.group_by(*who, "offset").agg()
        counts = hits.group_by(*self._keys, "offset").agg(pl.len().cast(pl.Int64).alias("users"))
        return self._with_values(rows, counts) if settings.value else counts

    def distinct(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """How many users are in a cohort that is reported."""
        members = self._members(rows).filter(_reported(pl.col("cohort"), self.rules))
        return members.select(users=pl.col("user").n_unique().cast(pl.Int64))

    @property
    def _keys(self) -> list[str]:
        by = self.rules.settings.by
        return [*([by] if by else []), "cohort", "reach"]

    def _acts(self, rows: pl.LazyFrame, event: str | None) -> pl.LazyFrame:
        """Acts of a kind: ``user, day, instant``."""
        acts = tables.acts(self.table, rows)
        counts = acts.counts if event is None else acts.counts & (pl.col("event") == event)
        found = acts.rows.filter(counts)
        return found.select(
            user=pl.col("user_id").hash(tables.USER_SEED), day=acts.day, instant=pl.col("instant").to_physical()
        )

    def _members(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """``user, [by,] cohort, anchor, start, reach``, one row per member."""
        rules, settings = self.rules, self.rules.settings
        starts = self._acts(rows, settings.start)
        grain = rules.cohort_grain or rules.period
        if rules.cohort == "recurring":
            starts = starts.with_columns(cohort=periods.index(pl.col("day"), grain, rules.week_start))
            starts = starts.group_by("user", "cohort").agg(pl.col("instant").min(), pl.col("day").min())
        else:
            starts = starts.group_by("user").agg(pl.col("instant").min(), pl.col("day").min())
        if rules.signed_up:
            assert self.users is not None
            starts = with_sign_ups(starts, self.users, self.table, settings.tz, self.as_of)
        anchor: pl.Expr = periods.index(pl.col("day"), rules.period, rules.week_start).cast(pl.Int64)
        reach = periods.last_complete(self.as_of, rules.period, rules.week_start) - anchor
        if rules.elapsed:
            anchor = _floored(pl.col("instant"), rules)
            reach = (periods.end_instant(self.as_of, settings.tz) - anchor) // WIDTH[rules.period] - 1
        members = starts.with_columns(
            cohort=periods.index(pl.col("day"), grain, rules.week_start), anchor=anchor, start="instant", reach=reach
        )
        for column in (rules.cohort_column, settings.by):
            if column is not None:
                members = members.join(self._attribute(rows, column), on="user", how="left")
        if rules.cohort_column is not None:
            day = pl.col("day")
            since = [day >= periods.epoch_day(settings.since)] if settings.since else []
            until = [day <= periods.epoch_day(settings.until)] if settings.until else []
            members = members.filter(*since, *until).with_columns(cohort=pl.col(rules.cohort_column))
        by = [settings.by] if settings.by else []
        return members.select("user", *by, "cohort", "anchor", "start", "reach")

    def _attribute(self, rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
        """``user, <column>``: an attribute of the users table, else of the rows."""
        settings, rules = self.rules.settings, self.rules
        if self.users is not None and column in self.users.columns:
            known = tables.known_users(self.users, self.table, rules.period, rules.week_start)
            return known.lazy().select("user", column)
        return tables.attribute(self.table, rows, column, (settings.since, settings.until))

    def _returns(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """``user, at, seen``: where on the clock, and the last instant there."""
        rules = self.rules
        acts = self._acts(rows, rules.settings.back)
        if rules.elapsed:
            return acts.select("user", at=_floored(pl.col("instant"), rules), seen="instant")
        at = periods.index(pl.col("day"), rules.period, rules.week_start).cast(pl.Int64)
        return acts.group_by("user", at=at).agg(seen=pl.col("instant").max())

    # --- revenue ----------------------------------------------------------------------------------------------------

    def _values(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """``user, at, value``: what a user was worth in each period, refunds netted."""
        rules, good = self.rules, frames.good(rows)
        if rules.settings.back is not None:
            good = good.filter(pl.col("event") == rules.settings.back)
        day = tables.day(pl.col(self.table.time).to_physical())
        at = periods.index(day, rules.period, rules.week_start).cast(pl.Int64)
        user = pl.col("user_id").hash(tables.USER_SEED)
        return good.group_by(user=user, at=at).agg(value=pl.col("amount").sum())

    def _with_values(self, rows: pl.LazyFrame, counts: pl.LazyFrame) -> pl.LazyFrame:
        """The counts beside the worth of each offset, and that worth up to what it was in period 0."""
        members, values = self._members(rows), self._values(rows)
        base = members.join(values, left_on=["user", "anchor"], right_on=["user", "at"], how="left")
        worth = base.with_columns(pl.col("value").fill_null(0).alias("base")).drop("value").join(values, on="user")
        worth = worth.with_columns(offset=pl.col("at") - pl.col("anchor")).filter(pl.col("offset") >= 0)
        gross = pl.min_horizontal("value", "base").clip(lower_bound=0)
        sums = worth.group_by(*self._keys, "offset").agg(pl.col("value").sum(), gross=gross.sum())
        keys = [*self._keys, "offset"]
        both = sums.join(counts, on=keys, how="full", coalesce=True, nulls_equal=True)
        return both.select(*keys, pl.col("users", "value", "gross").fill_null(0))


def with_sign_ups(starts: pl.LazyFrame, users: pl.DataFrame, table: frames.Table, tz: str, as_of: date) -> pl.LazyFrame:
    """Starts (``user, instant, day``) with the sign-up instead of the first act where it is known by ``as_of``.

    Who only signed up is there too. ``users``: ``user_id``, ``signed_up_at``; ``table``: what the acts are rows of.
    """
    ids = pl.col("user_id").cast(table.rows.collect_schema()["user_id"], strict=False)
    wall = pl.col("signed_up_at")
    instant = periods.instant(wall, tz).dt.convert_time_zone("UTC").to_physical()
    signed_up = users.lazy().filter(wall.is_not_null(), ids.is_not_null())
    signed_up = signed_up.filter(wall < periods.end_of(as_of)).select(
        user=ids.hash(tables.USER_SEED), then=instant, then_day=tables.day(wall.to_physical())
    )
    joined = starts.join(signed_up, on="user", how="full", coalesce=True)
    return joined.with_columns(instant=pl.coalesce("then", "instant"), day=pl.coalesce("then_day", "day")).drop(
        "then", "then_day"
    )


def _floored(instant: pl.Expr, rules: Rules) -> pl.Expr:
    return instant // HOUR * HOUR if rules.clock == "elapsed-hour" else instant


def _reported(cohort: pl.Expr, rules: Rules) -> pl.Expr:
    """Whether a cohort is one of the reporting window: it overlaps the window. Cohorts of a column were chosen before."""
    settings, grain = rules.settings, rules.cohort_grain
    if grain is None:
        return pl.lit(value=True)
    since = cohort >= periods.index_of(settings.since, grain, rules.week_start) if settings.since else True
    until = cohort <= periods.index_of(settings.until, grain, rules.week_start) if settings.until else True
    return pl.lit(value=True) & since & until


# --- finish ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bucket:
    """One reported column: period N, or periods N to M."""

    label: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from."""

    rules: Rules
    counted: Counted

    @property
    def settings(self) -> Settings:
        """The settings as given."""
        return self.rules.settings

    def result(self) -> Result:
        """All of it as one result."""
        cells = self.cells()
        average = self.average(cells)
        rows = self.rows(cells)
        warnings = [
            *self.counted.books.doubts(self.counted.as_of),
            *page.warnings(self, cells),
        ]
        said = tuple(warning for warning in warnings if warning is not None)
        summary = self.summary(cells, average)
        provenance = Provenance(
            as_of=self.counted.as_of.isoformat(),
            tz=self.settings.tz,
            week_start=self.rules.week_start,
            inputs=self.counted.books.reports(),
            settings=self.settings_in_force(),
            definitions=page.definitions(self),
            warnings=said,
        )
        views = page.views(self, cells, average, summary, said)
        return Result("retention", rows, summary, provenance, {"average": average}, views)

    def settings_in_force(self) -> dict[str, Any]:
        """Every setting with the value that was used."""
        chosen = {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        rules = self.rules
        chosen |= {name: getattr(rules, name) for name in ("period", "mode", "clock", "cohort", "average")}
        chosen |= {
            "as_of": self.counted.as_of,
            "cohort_by": rules.cohort_column or rules.cohort_grain,
            "day_zero": "later" if rules.later else "start",
            "return": chosen.pop("back"),
        }
        for name in ("days", "brackets"):
            chosen[name] = [list(x) if isinstance(x, tuple) else x for x in chosen[name]] if chosen[name] else None
        del chosen["tz"], chosen["week_start"]
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in chosen.items()}

    @property
    def buckets(self) -> list[Bucket]:
        """The periods that are reported."""
        settings = self.settings
        if settings.days is not None:
            return [Bucket(str(day), day, day) for day in settings.days]
        if settings.ranges is not None:
            return [Bucket(f"{a}-{b}" if b > a else str(a), a, b) for a, b in settings.ranges]
        last = settings.periods
        if last is None:
            reached = self.counted.members.filter(_reported(pl.col("cohort"), self.rules))["reach"].max()
            begun = self.rules.elapsed or self.as_of_period > self.last_complete
            last = min(LONGEST[self.rules.period], max(0, int(reached or 0) + begun))  # type: ignore[arg-type] # a number
        return [Bucket(str(period), period, period) for period in range(last + 1)]

    @property
    def last_complete(self) -> int:
        """The last calendar period that is over."""
        return periods.last_complete(self.counted.as_of, self.rules.period, self.rules.week_start)

    @property
    def as_of_period(self) -> int:
        """The calendar period of as-of."""
        return periods.index_of(self.counted.as_of, self.rules.period, self.rules.week_start)

    def cells(self) -> pl.DataFrame:
        """One row per cohort and bucket: the columns of the result, plus ``bucket``, ``seen`` and ``begun``.

        ``seen``: members who returned so far, eligible or not; ``begun``: whether the bucket has begun for anybody.
        """
        buckets = pl.DataFrame(
            [(place, b.label, b.first, b.last) for place, b in enumerate(self.buckets)],
            schema={"bucket": pl.Int64, "period": pl.String, "from": pl.Int64, "to": pl.Int64},
            orient="row",
        )
        by = [self.settings.by] if self.settings.by else []
        keys = [*by, "cohort", "bucket"]
        reported = _reported(pl.col("cohort"), self.rules)
        members = self.counted.members.lazy().filter(reported).join(buckets.lazy(), how="cross")
        there = pl.col("reach") >= pl.col("to")
        value = ("value", "gross") if self.settings.value else ()
        eligible = members.group_by(*keys).agg(
            pl.col("period").first(),
            cohort_users=pl.col("users").sum(),
            eligible_users=pl.when(there).then("users").sum(),
            begun=(pl.col("reach") + 1 >= pl.col("from")).any(),
            **({"base": pl.when(there).then("value").sum()} if value else {}),
        )
        hits = self.counted.hits.lazy().filter(reported)
        if self.settings.brackets is not None:
            hits = hits.rename({"offset": "bucket"}).join(buckets.lazy(), on="bucket")
        elif self.rules.mode == "on-or-after":
            hits = hits.join(buckets.lazy(), how="cross").filter(pl.col("offset") >= pl.col("from"))
        else:
            hits = hits.join(buckets.lazy(), left_on="offset", right_on="from")
        found = hits.group_by(*keys).agg(
            users=pl.when(there).then("users").sum(),
            seen=pl.col("users").sum(),
            **{name: pl.when(there).then(name).sum() for name in value},
        )
        joined = eligible.join(found, on=keys, how="left", nulls_equal=True).with_columns(
            pl.col("users", "seen", *value).fill_null(0)
        )
        return self._rated(joined).sort(*keys, nulls_last=True).collect()

    def _rated(self, cells: pl.LazyFrame) -> pl.LazyFrame:
        """Cells with shares and intervals."""
        any_eligible = pl.col("eligible_users") > 0
        low, high = stats.wilson(pl.col("users"), pl.col("eligible_users"), self.settings.confidence)
        if self.settings.value:
            rate, gross = (stats.ratio(pl.col(name), pl.col("base")) for name in ("value", "gross"))
            rated = cells.with_columns(
                retention=pl.when(any_eligible).then(rate), gross_retention=pl.when(any_eligible).then(gross)
            )
        else:
            rated = cells.with_columns(retention=stats.ratio(pl.col("users"), pl.col("eligible_users")))
        certain = self.rules.cohort == "first" and not self.settings.value
        return rated.with_columns(
            users=pl.when(any_eligible).then("users").otherwise("seen"),
            ci_low=low if certain else pl.lit(None, pl.Float64),
            ci_high=high if certain else pl.lit(None, pl.Float64),
            complete=pl.col("eligible_users") == pl.col("cohort_users"),
            left_censored=self._left_censored(),
        )

    def _left_censored(self) -> pl.Expr:
        """Whether a cohort is of the file's first period: who is in it may have started before."""
        grain, first = self.rules.cohort_grain, self.counted.books.first_time
        if grain is None or self.rules.signed_up or self.rules.cohort == "recurring" or first is None:
            return pl.lit(value=False)
        return pl.col("cohort") == periods.index_of(first.date(), grain, self.rules.week_start)

    def rows(self, cells: pl.DataFrame) -> pl.DataFrame:
        """The cells as they are published."""
        by = [self.settings.by] if self.settings.by else []
        worth = []
        if self.settings.value:
            worth = [
                money.units(pl.col("value")).alias("revenue"),
                money.units(pl.col("base")).alias("cohort_revenue"),
                pl.col("gross_retention"),
            ]
        label = pl.col("period") if self.settings.brackets is not None else pl.col("period").cast(pl.Int32)
        shown = ("users", "eligible_users", "retention", "ci_low", "ci_high", "complete", "left_censored")
        return cells.select(*by, self.cohort_label, "cohort_users", label, *shown, *worth)

    @property
    def cohort_label(self) -> pl.Expr:
        """A cohort as people know it: the first day of its period, or what the column says."""
        grain = self.rules.cohort_grain
        if grain is None:
            return pl.col("cohort")
        return periods.first_days(pl.col("cohort"), grain, self.rules.week_start).alias("cohort")

    def average(self, cells: pl.DataFrame) -> pl.DataFrame:
        """All reported cohorts together: ``[by,] period, retention, eligible_users``; unfinished periods stay out.

        Weighted: returned members over eligible ones. Simple: the mean over cohorts that are complete.
        """
        by = [self.settings.by] if self.settings.by else []
        keys = [*by, "bucket", "period"]
        eligible = pl.col("eligible_users")
        if self.rules.average == "simple":
            whole = cells.lazy().filter("complete", pl.col("retention").is_not_null())
            rated = whole.group_by(keys).agg(pl.col("retention").sort_by("cohort").mean(), eligible.sum())
        else:
            part, whole_ = ("value", "base") if self.settings.value else ("users", "eligible_users")
            there = cells.lazy().filter(eligible > 0)
            sums = there.group_by(keys).agg(part=pl.col(part).sum(), whole=pl.col(whole_).sum(), n=eligible.sum())
            rated = sums.select(*keys, retention=stats.ratio(pl.col("part"), pl.col("whole")), eligible_users="n")
        everywhere = cells.lazy().select(keys).unique()
        joined = everywhere.join(rated, on=keys, how="left", nulls_equal=True).sort(*keys, nulls_last=True)
        label = pl.col("period") if self.settings.brackets is not None else pl.col("period").cast(pl.Int32)
        return joined.select(*by, label, "retention", pl.col("eligible_users").fill_null(0)).collect()

    def summary(self, cells: pl.DataFrame, average: pl.DataFrame) -> dict[str, Any]:
        """Everything together; flat but for ``average``."""
        letter = self.rules.period[0]
        found: dict[str, Any] = {"users": self.counted.users, **self.counted.totals}
        found["cohorts"] = cells.select("cohort").n_unique()
        found["average"] = average.to_dicts()
        if self.settings.by is None:
            for row in found["average"]:
                name = str(row["period"]).replace("-", "_")
                found[f"{letter}{name}_retention"] = row["retention"]
        return found
