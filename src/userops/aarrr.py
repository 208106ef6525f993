"""AARRR: acquisition, activation, retention, revenue and referral of a window of days, beside the window before.

Reduce: events to users and the days on which they were there; orders to what each was worth and when; one scan of each
file, and a look at the few days whose newcomers' first acts are told. Finish: every metric from these small tables, for
everybody and for each value of a column.

Definitions (docs/methods.md has the reasons):

* The *start* of a user is the sign-up, or the first event (without events: order) where it is not known. *Newcomers* of
  some days started on them. A metric that needs N days is of newcomers who started N days before as-of or earlier.
* Where no window is given it is the last 28 days, and metrics that need N days are of the 28 days that ended N days ago.
* What the data do not hold is a row with null and a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Literal, NamedTuple

import polars as pl

from userops import account, frames, money, partition, periods, retention, stats, tables, visits
from userops.errors import InputError, UsageError
from userops.pages import aarrr as page
from userops.periods import MICROSECONDS_A_DAY, WeekStart
from userops.results import Kind, Provenance, Result, Text
from userops.texts import benchmarks

WINDOW = 28
"""Days that are reported unless told otherwise: whole weeks, so that both windows have the same weekdays."""

FIRST_WEEK, COME_BACK = 7, 28
"""Acts on the first 7 days of a newcomer are held against coming back on a later one of the first 28."""

LTV_DAYS = (7, 30, 90)
PAYBACK = 90
"""Days within which newcomers are asked to pay back what they cost, and the lifetime value that ``ltv_cac`` takes."""

COMPARED = ("new_users", "spend", "cac", "activation_rate", "d7", "d30", "paid_conversion", "arpu", "ltv_30")
"""Metrics that stand side by side where channels, or values of another column, are compared."""

RESERVED = frozenset({
    "stage", "metric", "value", "numerator", "denominator", "ci_low", "ci_high", "previous", "reason", "since", "until",
    "group", "user", "user_id", "day", "instant", "event", "start", "amount", "time", "ordered_at", "reject", "kind",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""

Need = Literal["events", "orders", "amount", "costs", "activation", "referrals", "joined"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about an AARRR report.

    ``since``, ``until``: the reporting window (inclusive days); None: the last 28 days up to as-of. ``activation_event``:
    what a newcomer must do to be activated, ``activation_within`` so long after the start. ``by``: a column of the users
    table, else of a user's first event, else of their first order. ``vertical``: the line of business whose benchmarks
    are shown.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    activation_event: str | None = None
    activation_within: timedelta = timedelta(days=7)
    by: str | None = None
    confidence: float = 0.95
    vertical: str | None = None

    def __post_init__(self) -> None:
        if not timedelta(0) < self.activation_within <= timedelta(days=3650):
            wanted = "a time above 0 and up to ten years, such as 7d or 12h"
            raise UsageError.bad_value("--activation-within", self.activation_within, wanted)
        if not 0.5 <= self.confidence < 1:
            raise UsageError.bad_value("--confidence", self.confidence, "a share from 0.5 to below 1, such as 0.95")
        if self.by in RESERVED:
            raise UsageError.bad_value("--by", self.by, "a column that goes by none of the names of the result")
        periods.require_order(self.since, self.until)

    @property
    def activation_days(self) -> int:
        """Days after which it is known of every newcomer whether they were activated."""
        return -(-self.activation_within // timedelta(days=1))


def analyse(
    events: frames.Events | pl.LazyFrame | pl.DataFrame | None = None,
    orders: frames.Orders | pl.LazyFrame | pl.DataFrame | None = None,
    settings: Settings | None = None,
    *,
    users: pl.DataFrame | None = None,
    costs: frames.Costs | pl.LazyFrame | pl.DataFrame | None = None,
    referrals: frames.Referrals | pl.LazyFrame | pl.DataFrame | None = None,
    mind: Sequence[Text] = (),
    partitions: int | None = None,
    **changes: Any,
) -> Result:
    """The AARRR report: one row per metric, with ``by`` per value of it and metric.

    Frames with our column names: ``events`` (``user_id, event, time``), ``orders`` (``user_id, ordered_at, amount``), of
    which one is needed; ``users`` (``user_id``, ``signed_up_at`` and attributes), ``costs`` (``date, channel, spend``),
    ``referrals`` (``referrer_id, invited_at, user_id``). ``mind``: warnings from the reading of files. ``changes`` are
    fields of :class:`Settings`. ``partitions`` bounds memory, never the numbers. Raises UsageError without events and orders; InputError where these have no usable
    row, lack the activation event or the column ``by``, or where money is of several currencies.
    """
    settings = replace(settings or Settings(), **changes)
    as_of = settings.as_of
    given = Given(
        events if isinstance(events, frames.Events) or events is None else frames.events(events, as_of=as_of),
        orders if isinstance(orders, frames.Orders) or orders is None else frames.orders(orders, as_of=as_of),
        users,
        costs if isinstance(costs, frames.Costs) or costs is None else frames.costs(costs, as_of=as_of),
        referrals
        if isinstance(referrals, frames.Referrals) or referrals is None
        else frames.referrals(referrals, as_of=as_of),
    )
    found = _scanned(given.joinable(), settings, partitions)
    return Story(replace(settings, as_of=found.as_of), found, tuple(mind)).result()


def figures(given: Given, settings: Settings, only: Sequence[str], *, partitions: int | None = None) -> pl.DataFrame:
    """The metrics ``only``, of everybody, and no more: the rows of the report with these names, as :func:`analyse` has them."""
    found = _scanned(given.joinable(), settings, partitions)
    return Story(replace(settings, as_of=found.as_of), found).metrics(None, only)


# --- what is given --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Given:
    """The tables of one report; None for what is not there."""

    events: frames.Events | None
    orders: frames.Orders | None
    users: pl.DataFrame | None
    costs: frames.Costs | None
    referrals: frames.Referrals | None

    @property
    def main(self) -> frames.Events | frames.Orders:
        """The table that says who came when: the events, else the orders."""
        table = self.events or self.orders
        if table is None:
            raise UsageError.needs_events_or_orders()
        return table

    def joinable(self) -> Given:
        """The same with ids of one type: text, where events and orders differ."""
        events, orders = frames.joinable(self.events, self.orders)
        return replace(self, events=events, orders=orders)

    def holder(self, column: str) -> frames.Events | frames.Orders | None:
        """The table whose rows say what ``column`` is of a user; None: the table of users does, or nobody."""
        if self.users is not None and column in self.users.columns:
            return None
        acts = (table for table in (self.events, self.orders) if table is not None)
        return next((table for table in acts if column in table.rows.collect_schema().names()), None)

    def tells(self, column: str) -> bool:
        """Whether ``column`` is known of users."""
        return self.holder(column) is not None or (self.users is not None and column in self.users.columns)


# --- reduce ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """What the scans found; ``user`` is the hash of an id, ``day`` counts from 1970-01-01, ``instant`` is in UTC.

    ``people``: ``user, start, day`` and what is known of them, one row per user by as-of. ``visits``: ``user, day``,
    each once. ``values``: ``user, instant`` of the activation event. ``orders``: ``user, day, instant, amount, is_order``,
    refunds included. ``costs``: ``day, channel, amount``. ``invites``: ``user, day, instant, joined``. ``books``: the
    accounts of the scans, the main table's first.
    """

    given: Given
    as_of: date
    books: Mapping[str, account.Account]
    people: pl.DataFrame
    visits: pl.DataFrame
    values: pl.DataFrame
    orders: pl.DataFrame
    costs: pl.DataFrame
    invites: pl.DataFrame
    signed_up: bool

    @property
    def main(self) -> account.Account:
        """The account of the table that says who came when."""
        return self.books["events" if self.given.events is not None else "orders"]

    def first_day(self, *names: str) -> int:
        """The first day of the data, or that of the youngest of the named files, if that is later."""
        days = [books.first_time for name, books in self.books.items() if name in ("events", "orders")]
        first = min(periods.epoch_day(time.date()) for time in days if time is not None)
        others = [self.books[name].first_time for name in names if name in ("costs", "referrals")]
        return max([first, *(periods.epoch_day(time.date()) for time in others if time is not None)])


_USER = pl.col("user_id").hash(tables.USER_SEED)


def _scanned(given: Given, settings: Settings, partitions: int | None) -> Found:
    """One scan of each file, and the small tables made of them."""
    main = given.main
    _require_columns(given, settings)
    small: dict[str, dict[str, pl.DataFrame]] = {}
    books: dict[str, account.Account] = {}
    for name, table, reduces in _scans(given, settings):
        count = (partitions or partition.count_for(table.size)) if name in ("events", "orders") else 1
        beside = name in ("costs", "referrals")
        books[name], small[name] = account.opened(table, reduces, partitions=count, may_be_empty=beside)
    _require_one_currency(books)
    as_of = settings.as_of or max(account.latest_day(books[name]) for name in ("events", "orders") if name in books)
    acts = small["events" if given.events is not None else "orders"]
    if settings.activation_event is not None and given.events is not None and acts["values"].is_empty():
        known = visits.event_names(given.events)
        raise InputError.event_unknown(settings.activation_event, given.events.name, known)
    signed_up = given.users is not None and given.users["signed_up_at"].null_count() < given.users.height
    starts = acts["starts"].lazy()
    if signed_up:
        assert given.users is not None
        starts = retention.with_sign_ups(starts, given.users, main, settings.tz, as_of)
    people = starts.select("user", "day", start="instant")
    for column in dict.fromkeys(filter(None, ("channel" if given.tells("channel") else None, settings.by))):
        people = people.join(_known(given, small, column), on="user", how="left")
    return Found(
        given,
        as_of,
        books,
        people.collect(),
        acts["visits"].select(user=tables.visitor(), day=tables.visited()),
        acts.get("values", _empty("user", "instant")),
        small["orders"]["orders"] if "orders" in small else _empty("user", "day", "instant", "amount", "is_order"),
        small["costs"]["costs"] if "costs" in small else _empty("day", "channel", "amount"),
        small["referrals"]["invites"] if "referrals" in small else _empty("user", "day", "instant", "joined"),
        signed_up,
    )


def _empty(*columns: str) -> pl.DataFrame:
    types = {"user": pl.UInt64, "joined": pl.UInt64, "day": pl.Int32, "channel": pl.String, "is_order": pl.Boolean}
    return pl.DataFrame(schema={column: types.get(column, pl.Int64) for column in columns})


def _require_columns(given: Given, settings: Settings) -> None:
    """InputError where nothing is called what results are to be broken down by."""
    if settings.by is not None and not given.tells(settings.by):
        known = [
            name for table in (given.events, given.orders) if table for name in table.rows.collect_schema().names()
        ]
        raise InputError.column_unknown(settings.by, given.main.name, list(dict.fromkeys(known)))


def _require_one_currency(books: Mapping[str, account.Account]) -> None:
    """InputError where orders or costs are in several currencies, or the ones in another than the others."""
    found: list[str] = []
    for name in ("orders", "costs"):
        if name in books and books[name].table.has_amount:
            books[name].require_one_currency()
            found += books[name].currencies
    if len(set(found)) > 1:
        raise InputError.mixed_currencies(f"{books['orders'].table.name} and {books['costs'].table.name}", found)


def _scans(
    given: Given, settings: Settings
) -> list[tuple[Literal["events", "orders", "costs", "referrals"], frames.Table, dict[str, partition.Reduce]]]:
    """Every file that is there, with what is wanted of it."""
    scans: list[
        tuple[Literal["events", "orders", "costs", "referrals"], frames.Table, dict[str, partition.Reduce]]
    ] = []
    if given.events is not None:
        scans.append(("events", given.events, _of_events(given, given.events, settings)))
    if given.orders is not None:
        scans.append(("orders", given.orders, _of_orders(given, given.orders, settings)))
    if given.costs is not None:
        scans.append(("costs", given.costs, {"costs": partition.Reduce(tables.spend)}))
    if given.referrals is not None:
        dtype = given.main.rows.collect_schema()["user_id"]
        scans.append(("referrals", given.referrals, {"invites": partition.Reduce(lambda rows: _invites(rows, dtype))}))
    return scans


def _attributes(given: Given, table: frames.Table, settings: Settings) -> dict[str, partition.Reduce]:
    """What the first rows of users say, of the columns that are asked of this table."""
    wanted = dict.fromkeys(filter(None, ("channel", settings.by)))
    return {
        f"first {column}": partition.Reduce(
            lambda rows, column=column: tables.attribute(table, rows, column, (None, None))  # type: ignore[misc] # bound now
        )
        for column in wanted
        if given.holder(column) is table
    }


def _of_events(given: Given, table: frames.Events, settings: Settings) -> dict[str, partition.Reduce]:
    """Reduces of the events: who started when, was there on which day, and when the activation event happened."""
    good, day = pl.col("reject") == 0, tables.day(pl.col("time").to_physical())
    user, instant = pl.when(good).then(_USER), pl.col("instant").to_physical()

    def starts(rows: pl.LazyFrame) -> pl.LazyFrame:
        first = rows.group_by(user=user).agg(instant=instant.min(), day=day.min())
        return first.filter(pl.col("user").is_not_null())

    def values(rows: pl.LazyFrame) -> pl.LazyFrame:
        done = frames.good(rows).filter(pl.col("event") == settings.activation_event)
        return done.select(user=_USER, instant=instant).unique()

    wanted = {"starts": starts, "visits": _visits(table)}
    wanted |= {"values": values} if settings.activation_event is not None else {}
    reduces = {name: partition.Reduce(of) for name, of in wanted.items()}
    return reduces | _attributes(given, table, settings)


def _of_orders(given: Given, table: frames.Orders, settings: Settings) -> dict[str, partition.Reduce]:
    """Reduces of the orders: each with its worth; without events also who started when and was there on which day."""

    def orders(rows: pl.LazyFrame) -> pl.LazyFrame:
        acts = tables.acts(table, rows)
        worth = acts.rows.filter(acts.valid)
        return worth.select(
            user=_USER,
            day=acts.day,
            instant=pl.col("instant").to_physical(),
            amount=pl.col("amount"),
            is_order=acts.counts,
        )

    def starts(rows: pl.LazyFrame) -> pl.LazyFrame:
        acts = tables.acts(table, rows)
        placed = acts.rows.filter(acts.counts).select(user=_USER, instant=pl.col("instant").to_physical(), day=acts.day)
        return placed.group_by("user").agg(pl.col("instant").min(), pl.col("day").min())

    reduces = {"orders": partition.Reduce(orders)}
    if given.events is None:
        reduces |= {"starts": partition.Reduce(starts), "visits": partition.Reduce(_visits(table))}
    return reduces | _attributes(given, table, settings)


def _visits(table: frames.Table) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    """The reduce to the days on which users were there."""
    return lambda rows: tables.visits(tables.acts(table, rows), "day", "monday")


def _invites(rows: pl.LazyFrame, dtype: pl.DataType) -> pl.LazyFrame:
    """Invitations, with ids as those of the events or orders."""
    sender, joined = (pl.col(name).cast(pl.String).cast(dtype, strict=False) for name in ("referrer_id", "user_id"))
    return frames.good(rows).select(
        user=pl.when(sender.is_not_null()).then(sender.hash(tables.USER_SEED)),
        day=tables.day(pl.col("invited_at").to_physical()),
        instant=pl.col("instant").to_physical(),
        joined=pl.when(pl.col("user_id").is_not_null()).then(joined.hash(tables.USER_SEED)),
    )


def _known(given: Given, small: Mapping[str, Mapping[str, pl.DataFrame]], column: str) -> pl.LazyFrame:
    """``user, <column>``: what a column says of each user."""
    for scanned in small.values():
        if f"first {column}" in scanned:
            return scanned[f"first {column}"].lazy()
    assert given.users is not None  # somebody tells
    return tables.known_users(given.users, given.main, "day", "monday").lazy().select("user", column)


# --- finish: one metric of some days --------------------------------------------------------------------------------


class Window(NamedTuple):
    """Days from ``first`` to ``last``, both included, since 1970-01-01; ``last`` before ``first``: none."""

    first: int
    last: int

    def holds(self, day: pl.Expr) -> pl.Expr:
        """Whether a day is one of them."""
        return day.is_between(self.first, self.last)

    @property
    def dates(self) -> tuple[date, date]:
        """The first and the last day."""
        return periods.first_day(self.first, "day"), periods.first_day(self.last, "day")


@dataclass(frozen=True)
class Measured:
    """Quantities of some days by ``group``; each is a table ``group, n``, groups without any left out.

    ``group``: a value of the column the report is broken down by; null for everybody together, and for users of whom the
    column says nothing. ``by``: that column, None for everybody together.
    """

    settings: Settings
    found: Found
    by: str | None

    @cached_property
    def people(self) -> pl.DataFrame:
        """``user, start, day, group``."""
        group = pl.col(self.by) if self.by else pl.lit(None, pl.String)
        return self.found.people.select("user", "start", "day", group=group)

    @cached_property
    def groups(self) -> pl.DataFrame:
        """Every group there is, sorted, one row each."""
        if self.by is None:
            return pl.DataFrame({"group": [None]}, schema={"group": pl.String})
        named = [self.people, self.orders, self.invites, *([self.costs] if self.by == "channel" else [])]
        return pl.concat([table.select("group").unique() for table in named]).unique().sort("group", nulls_last=True)

    @cached_property
    def visits(self) -> pl.DataFrame:
        """``user, day, start, started, group``: the days on which users were there."""
        return self.found.visits.join(self.people.rename({"day": "started"}), on="user", how="left")

    @cached_property
    def orders(self) -> pl.DataFrame:
        """Orders and refunds with ``group``, and ``started``, ``start`` of the one who placed them."""
        return self.found.orders.join(self.people.rename({"day": "started"}), on="user", how="left")

    @cached_property
    def costs(self) -> pl.DataFrame:
        """``day, amount, group``; one group where the report is not broken down by channel."""
        group = pl.col("channel") if self.by == "channel" else pl.lit(None, pl.String)
        return self.found.costs.select("day", "amount", group=group)

    @cached_property
    def invites(self) -> pl.DataFrame:
        """Invitations with the ``group`` of the one who sent them, and ``start`` of the one who joined.

        Somebody joined when they are known by as-of; where nothing tells who is, whenever the file names somebody.
        """
        sent = self.found.invites.join(self.people.select("user", "group"), on="user", how="left")
        known = self.people.select(joined="user", start="start")
        answered = sent.join(known, on="joined", how="left")
        if self.found.given.events is None and not self.found.signed_up:
            return answered.with_columns(came=pl.col("joined").is_not_null())
        return answered.with_columns(came=pl.col("start").is_not_null())

    # --- quantities -------------------------------------------------------------------------------------------------

    def newcomers(self, days: Window) -> pl.DataFrame:
        """Users who started on these days."""
        return _count(self.people.filter(days.holds(pl.col("day"))))

    def spend(self, days: Window) -> pl.DataFrame:
        """What was spent on these days, in steps of money."""
        return _total(self.costs.filter(days.holds(pl.col("day"))))

    def active(self, days: Window) -> pl.DataFrame:
        """Users who were there on one of these days."""
        return _users(self.visits.filter(days.holds(pl.col("day"))))

    def ordered(self, days: Window) -> pl.DataFrame:
        """Orders of these days."""
        return self.orders.filter("is_order", days.holds(pl.col("day")))

    def revenue(self, days: Window) -> pl.DataFrame:
        """What orders of these days were worth less the refunds of these days, in steps of money."""
        return _total(self.orders.filter(days.holds(pl.col("day"))))

    def activated(self, days: Window) -> pl.DataFrame:
        """Newcomers who did what activates: ``user, group, hours``, from their start to the first time after it."""
        people = self.people.filter(days.holds(pl.col("day")))
        after = pl.col("instant") - pl.col("start")
        within = self.settings.activation_within // timedelta(microseconds=1)
        done = self.found.values.join(people, on="user").filter(after.is_between(0, within))
        first = done.group_by("user", "group").agg(took=after.min())
        return first.select("user", "group", hours=stats.ratio(pl.col("took"), pl.lit(3_600_000_000)))

    def returned(self, days: Window, n: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Newcomers of these days who were there on day ``n``, and those who have lived to see it, as retention has it."""
        if days.last < days.first:
            return _NONE, _NONE
        since, until = days.dates
        settings = retention.Settings(
            days=(n,), since=since, until=until, tz=self.settings.tz, week_start=self.settings.week_start, by="group"
        )
        rules = retention.decide(settings, self.found.given.main, self.found.given.users)
        reach = (periods.epoch_day(self.found.as_of) - pl.col("cohort")).cast(pl.Int64).alias("reach")
        members = self.people.group_by("group", cohort="day").agg(users=pl.len().cast(pl.Int64)).with_columns(reach)
        offset = (pl.col("day") - pl.col("started")).cast(pl.Int64).alias("offset")
        there = self.visits.with_columns(offset).filter(pl.col("offset") == n)
        hits = (
            there.group_by("group", "offset", cohort="started").agg(users=pl.len().cast(pl.Int64)).with_columns(reach)
        )
        counted = retention.Counted(self.found.main, self.found.as_of, members, hits, 0, {})
        old = retention.Story(rules, counted).cells().filter(pl.col("eligible_users") > 0).group_by("group")
        sums = old.agg(pl.col("users").sum(), pl.col("eligible_users").sum())
        return sums.select("group", n="users"), sums.select("group", n="eligible_users")

    def worth(self, days: Window, n: int) -> pl.DataFrame:
        """What newcomers of these days were worth up to ``n`` days after their start, in steps of money."""
        within = pl.col("instant") - pl.col("start") <= n * MICROSECONDS_A_DAY
        return _total(self.orders.filter(days.holds(pl.col("started")), within))

    def payback(self, days: Window) -> pl.DataFrame:
        """``group, value``: whole days from the start until newcomers were worth what was spent on these days."""
        took = pl.col("instant") - pl.col("start")
        late = (-(-took // MICROSECONDS_A_DAY)).clip(lower_bound=0).alias("late")
        worth = self.orders.filter(days.holds(pl.col("started"))).with_columns(late)
        by_day = worth.filter(pl.col("late") <= PAYBACK).group_by("group", "late").agg(pl.col("amount").sum())
        so_far = by_day.sort("group", "late", nulls_last=True).with_columns(pl.col("amount").cum_sum().over("group"))
        asked = so_far.join(self.spend(days), on="group", nulls_equal=True)
        paid = asked.filter(pl.col("amount") >= pl.col("n"), pl.col("n") > 0)
        return paid.group_by("group").agg(value=pl.col("late").min().cast(pl.Float64))

    def sent(self, days: Window) -> pl.DataFrame:
        """Invitations of these days."""
        return self.invites.filter(days.holds(pl.col("day")))

    # --- what a metric is made of -----------------------------------------------------------------------------------

    def alone(self, part: pl.DataFrame, *, steps: bool = False) -> pl.DataFrame:
        """A quantity by itself: ``group, value, numerator, denominator``; a group without any has 0."""
        number = money.units(pl.col("n")) if steps else pl.col("n").cast(pl.Float64)
        there = self.groups.join(part, on="group", how="left", nulls_equal=True).with_columns(pl.col("n").fill_null(0))
        return there.select("group", value=number, numerator=number, denominator=pl.lit(None, pl.Float64))

    def over(self, part: pl.DataFrame, whole: pl.DataFrame, steps: tuple[bool, bool] = (False, False)) -> pl.DataFrame:
        """One quantity over another; null where there is nothing to divide by. ``steps``: which of them are money."""
        above, below = (self.alone(q, steps=money_) for q, money_ in zip((part, whole), steps, strict=True))
        both = above.select("group", "numerator").with_columns(denominator=below["numerator"])
        value = stats.ratio(pl.col("numerator"), pl.col("denominator"))
        return both.select("group", "numerator", "denominator", value=value)

    def median(self, rows: pl.DataFrame, column: str) -> pl.DataFrame:
        """The median of a column, with the number of rows it is of as the denominator."""
        middle = rows.group_by("group").agg(value=pl.col(column).median(), denominator=pl.len().cast(pl.Float64))
        there = self.groups.join(middle, on="group", how="left", nulls_equal=True)
        return there.select(
            "group", "value", numerator=pl.lit(None, pl.Float64), denominator=pl.col("denominator").fill_null(0)
        )


_NONE = pl.DataFrame(schema={"group": pl.String, "n": pl.Int64})


def _count(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("group").agg(n=pl.len().cast(pl.Int64))


def _users(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("group").agg(n=pl.col("user").n_unique().cast(pl.Int64))


def _total(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("group").agg(n=pl.col("amount").sum())


# --- finish: the metrics --------------------------------------------------------------------------------------------

Measure = Callable[[Measured, Window], pl.DataFrame]
"""A metric of some days: ``group, value, numerator, denominator``, one row for each of the groups."""


class Metric(NamedTuple):
    """One metric: what it needs, after how many days it can be told, and why it may be empty.

    ``after``: days that a newcomer must have lived; None: as many as activation takes. ``empty``: what is said where it
    is null although everything is there.
    """

    stage: str
    name: str
    kind: Kind
    needs: tuple[Need, ...]
    after: int | None
    empty: Text
    measure: Measure


_NO_NEWCOMERS = Text("nobody started on these days", "这些天没有新用户")
_NO_ACTIVE = Text("nobody was there on these days", "这些天没有活跃用户")
_NO_ORDERS = Text("no orders on these days", "这些天没有订单")
_NO_COSTS = Text("no costs on these days", "这些天没有费用")
_NO_INVITES = Text("no invitations on these days", "这些天没有邀请")
_NOBODY_JOINED = Text("nobody invited on these days has joined", "这些天的邀请尚无人加入")
_NOT_ACTIVATED = Text("no newcomer of these days was activated", "这些天的新用户无人激活")
_NOT_PAID_BACK = Text(
    f"nothing was spent, or it was not paid back within {PAYBACK} days", f"没有花费,或 {PAYBACK} 天内未回本"
)

WANTING: dict[Need, Text] = {
    "events": Text("needs events (--events)", "需要行为数据(--events)"),
    "orders": Text("needs orders (--orders)", "需要订单数据(--orders)"),
    "amount": Text("the orders hold no amount", "订单数据没有金额"),
    "costs": Text("needs costs (--costs)", "需要费用数据(--costs)"),
    "activation": Text("no activation event is named (--activation-event)", "未指定激活事件(--activation-event)"),
    "referrals": Text("needs referrals (--referrals)", "需要邀请数据(--referrals)"),
    "joined": Text("nothing says when those who were invited started", "无法得知受邀者何时开始使用"),
}
"""What is said where a metric cannot be told at all."""


def _activation_rate(m: Measured, days: Window) -> pl.DataFrame:
    return m.over(_count(m.activated(days)), m.newcomers(days))


def _hours_to_value(m: Measured, days: Window) -> pl.DataFrame:
    return m.median(m.activated(days), "hours")


def _day(n: int) -> Measure:
    return lambda m, days: m.over(*m.returned(days, n))


def _ltv(n: int) -> Measure:
    return lambda m, days: m.over(m.worth(days, n), m.newcomers(days), (True, False))


def _paid_conversion(m: Measured, days: Window) -> pl.DataFrame:
    there = m.visits.filter(days.holds(pl.col("day"))).select("user").unique()
    return m.over(_users(m.ordered(days).join(there, on="user", how="semi")), m.active(days))


def _repeat_rate(m: Measured, days: Window) -> pl.DataFrame:
    payers = m.ordered(days).group_by("user", "group").agg(orders=pl.len())
    return m.over(_count(payers.filter(pl.col("orders") > 1)), _count(payers))


def _payback(m: Measured, days: Window) -> pl.DataFrame:
    there = m.groups.join(m.payback(days), on="group", how="left", nulls_equal=True)
    nothing = pl.lit(None, pl.Float64)
    return there.select("group", "value", numerator=nothing, denominator=nothing)


def _joined(m: Measured, days: Window) -> pl.DataFrame:
    return _count(m.sent(days).filter("came"))


def _cycle(m: Measured, days: Window) -> pl.DataFrame:
    took = stats.ratio(pl.col("start") - pl.col("instant"), pl.lit(MICROSECONDS_A_DAY))
    return m.median(m.sent(days).filter("came").with_columns(took=took).filter(pl.col("took") >= 0), "took")


METRICS: tuple[Metric, ...] = (
    Metric("acquisition", "new_users", "count", (), 0, _NO_NEWCOMERS, lambda m, days: m.alone(m.newcomers(days))),
    Metric("acquisition", "spend", "money", ("costs",), 0, _NO_COSTS, lambda m, days: m.alone(m.spend(days), steps=True)),
    Metric("acquisition", "cac", "money", ("costs",), 0, _NO_NEWCOMERS,
           lambda m, days: m.over(m.spend(days), m.newcomers(days), (True, False))),
    Metric("activation", "activation_rate", "share", ("events", "activation"), None, _NO_NEWCOMERS, _activation_rate),
    Metric("activation", "median_hours_to_value", "number", ("events", "activation"), None, _NOT_ACTIVATED, _hours_to_value),
    *(Metric("retention", f"d{n}", "share", (), n, _NO_NEWCOMERS, _day(n)) for n in (1, 7, 30)),
    Metric("revenue", "paid_conversion", "share", ("events", "orders"), 0, _NO_ACTIVE, _paid_conversion),
    Metric("revenue", "arpu", "money", ("events", "orders", "amount"), 0, _NO_ACTIVE,
           lambda m, days: m.over(m.revenue(days), m.active(days), (True, False))),
    Metric("revenue", "arppu", "money", ("orders", "amount"), 0, _NO_ORDERS,
           lambda m, days: m.over(m.revenue(days), _users(m.ordered(days)), (True, False))),
    Metric("revenue", "aov", "money", ("orders", "amount"), 0, _NO_ORDERS,
           lambda m, days: m.over(m.revenue(days), _count(m.ordered(days)), (True, False))),
    Metric("revenue", "repeat_rate", "share", ("orders",), 0, _NO_ORDERS, _repeat_rate),
    *(Metric("revenue", f"ltv_{n}", "money", ("orders", "amount"), n, _NO_NEWCOMERS, _ltv(n)) for n in LTV_DAYS),
    Metric("revenue", "ltv_cac", "number", ("orders", "amount", "costs"), PAYBACK, _NO_COSTS,
           lambda m, days: m.over(m.worth(days, PAYBACK), m.spend(days), (True, True))),
    Metric("revenue", "payback_days", "days", ("orders", "amount", "costs"), PAYBACK, _NOT_PAID_BACK, _payback),
    Metric("referral", "invites", "count", ("referrals",), 0, _NO_INVITES, lambda m, days: m.alone(_count(m.sent(days)))),
    Metric("referral", "invite_conversion", "share", ("referrals",), 0, _NO_INVITES,
           lambda m, days: m.over(_joined(m, days), _count(m.sent(days)))),
    Metric("referral", "k_factor", "number", ("referrals",), 0, _NO_ACTIVE,
           lambda m, days: m.over(_joined(m, days), m.active(days))),
    Metric("referral", "cycle_days", "days", ("referrals", "joined"), 0, _NOBODY_JOINED, _cycle),
)  # fmt: skip
"""Every metric, in the order of the report."""

_SCHEMA: dict[str, pl.DataType] = {
    "group": pl.String(), "stage": pl.String(), "metric": pl.String(), "kind": pl.String(), "value": pl.Float64(),
    "numerator": pl.Float64(), "denominator": pl.Float64(), "previous": pl.Float64(), "reason": pl.String(),
    "reason_zh": pl.String(), "since": pl.Date(), "until": pl.Date(),
}  # fmt: skip


@dataclass(frozen=True)
class Story:
    """Everything a result is told from. ``mind``: warnings from the reading of files."""

    settings: Settings
    found: Found
    mind: tuple[Text, ...] = ()

    @property
    def explicit(self) -> bool:
        """Whether the window was given; else every metric takes the latest one that can tell."""
        return self.settings.since is not None or self.settings.until is not None

    @cached_property
    def window(self) -> Window:
        """The days that are reported."""
        as_of = periods.epoch_day(self.found.as_of)
        last = min(periods.epoch_day(self.settings.until), as_of) if self.settings.until else as_of
        return Window(periods.epoch_day(self.settings.since) if self.settings.since else last - WINDOW + 1, last)

    def days(self, after: int, *, before: bool = False) -> Window:
        """The days of a metric that needs ``after`` days; ``before``: those of the window before."""
        first, last = self.window
        back = (last - first + 1 if before else 0) + (0 if self.explicit else after)
        known = periods.epoch_day(self.found.as_of) - after
        return Window(first - back, min(last - back, known))

    def newcomers_of(self, day: int) -> bool:
        """Whether some metric is of the newcomers of a day."""
        windows = (self.days(self.after(metric)) for metric in METRICS)
        return any(window.first <= day <= window.last for window in windows)

    def after(self, metric: Metric) -> int:
        """Days after which a metric can be told of a newcomer."""
        return self.settings.activation_days if metric.after is None else metric.after

    def result(self) -> Result:
        """All of it as one result."""
        whole = self.metrics(None)
        told = self.metrics(self.settings.by) if self.settings.by else whole
        extras = {
            "channels": self.channels(),
            "first_week_acts": self.first_week_acts(),
            "benchmarks": self.benchmarks(),
        }
        extras = {name: table for name, table in extras.items() if table.height}
        warnings = (*self.mind, *self.doubts(), *page.warnings(self))
        summary = self.summary(whole)
        provenance = Provenance(
            as_of=self.found.as_of.isoformat(),
            tz=self.settings.tz,
            week_start=self.settings.week_start,
            inputs=tuple(report for books in self.found.books.values() for report in books.reports()),
            settings=self.settings_in_force(),
            definitions=page.definitions(self),
            warnings=warnings,
        )
        by = [pl.col("group").alias(self.settings.by)] if self.settings.by else []
        rows = told.select(*by, pl.exclude("group", "kind", "reason_zh"))
        return Result("aarrr", rows, summary, provenance, extras, page.views(self, whole, told, extras, warnings))

    def settings_in_force(self) -> dict[str, Any]:
        """Every setting with the value that was used."""
        chosen = {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        since, until = self.window.dates
        chosen |= {"since": since, "until": until, "activation_within": page.length(self.settings.activation_within)}
        del chosen["tz"], chosen["week_start"]
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in chosen.items()}

    # --- the metrics ------------------------------------------------------------------------------------------------

    def metrics(self, by: str | None, only: Sequence[str] | None = None) -> pl.DataFrame:
        """One row per group and metric (of ``only``): the columns of the result, ``group``, ``kind`` and ``reason_zh``."""
        measured = Measured(self.settings, self.found, by)
        wanted = [metric for metric in METRICS if only is None or metric.name in only]
        parts = [self._metric(measured, metric).with_columns(place=place) for place, metric in enumerate(wanted)]
        order = measured.groups.with_row_index("rank")
        rows = pl.concat(parts).join(order, on="group", how="left", nulls_equal=True).sort("rank", "place")
        low, high = stats.wilson(pl.col("numerator"), pl.col("denominator"), self.settings.confidence)
        share = (pl.col("kind") == "share") & pl.col("value").is_not_null()
        return rows.select(
            "group", "stage", "metric", "kind", "value", "numerator", "denominator",
            ci_low=pl.when(share).then(low), ci_high=pl.when(share).then(high),
            previous="previous", reason="reason", reason_zh="reason_zh", since="since", until="until",
        )  # fmt: skip

    def _metric(self, measured: Measured, metric: Metric) -> pl.DataFrame:
        """One metric of all groups: its value in the window and in the one before, and why there is none."""
        after = self.after(metric)
        days, before = self.days(after), self.days(after, before=True)
        wanting = self._wanting(measured, metric, days)
        nothing = pl.lit(None, pl.Float64)
        if wanting is not None:
            found = measured.groups.with_columns(
                value=nothing, numerator=nothing, denominator=nothing, previous=nothing
            )
        else:
            found = metric.measure(measured, days)
            known = before.first >= self.found.first_day(*metric.needs) and before.first <= before.last
            if known and self._wanting(measured, metric, before) is None:
                then = metric.measure(measured, before).select("group", previous="value")
                found = found.join(then, on="group", how="left", nulls_equal=True)
            else:
                found = found.with_columns(previous=nothing)
        said = wanting or metric.empty
        empty = pl.col("value").is_null()
        since, until = days.dates
        return found.select(
            "group",
            stage=pl.lit(metric.stage),
            metric=pl.lit(metric.name),
            kind=pl.lit(metric.kind),
            value=pl.col("value"),
            numerator=pl.col("numerator"),
            denominator=pl.col("denominator"),
            previous=pl.col("previous"),
            reason=pl.when(empty).then(pl.lit(said.en)),
            reason_zh=pl.when(empty).then(pl.lit(said.zh)),
            since=pl.lit(since),
            until=pl.lit(until),
        ).cast(_SCHEMA)  # type: ignore[arg-type] # of column names to types

    def _wanting(self, measured: Measured, metric: Metric, days: Window) -> Text | None:
        """Why a metric cannot be told of any group; None: it can."""
        for need in metric.needs:
            if not self.has(need):
                return WANTING[need]
        if days.last < days.first:
            n = self.after(metric)
            return Text(f"nobody of the window is {n} days old yet", f"窗口内的用户均未满 {n} 天")
        if "costs" in metric.needs:
            if measured.by not in (None, "channel"):
                return Text(f"costs are told by channel, not by {measured.by}", f"费用只按渠道记录,不按 {measured.by}")
            if not measured.found.costs["day"].is_between(days.first, days.last).any():
                return _NO_COSTS
        return None

    def has(self, need: Need) -> bool:
        """Whether the data hold what a metric needs."""
        given = self.found.given
        if need == "activation":
            return self.settings.activation_event is not None
        if need == "amount":
            return given.orders is not None and given.orders.has_amount
        if need == "joined":
            return given.events is not None or self.found.signed_up
        return getattr(given, need) is not None

    def summary(self, whole: pl.DataFrame) -> dict[str, Any]:
        """Everything together; flat: the totals of the files, the window, and every metric."""
        found = self.found
        totals: dict[str, Any] = {}
        for name in ("events", "orders"):
            if name in found.books:
                acts = found.orders.select(acts=pl.col("is_order").sum())
                totals |= visits.totals(found.books[name], acts)
        since, until = self.window.dates
        days = {"since": since.isoformat(), "until": until.isoformat()}
        return {"users": found.people.height, **totals, **days, **dict(whole.select("metric", "value").iter_rows())}

    # --- further tables ---------------------------------------------------------------------------------------------

    def channels(self) -> pl.DataFrame:
        """:meth:`compared` by first-touch channel, under ``channel``; empty where nothing tells channels."""
        if not self.found.given.tells("channel"):
            return pl.DataFrame()
        return self.compared(self.metrics("channel", COMPARED)).rename({"group": "channel"})

    def compared(self, told: pl.DataFrame) -> pl.DataFrame:
        """One row per group, the one with most newcomers first, with the metrics groups are compared by as columns."""
        values = (pl.col("value").filter(pl.col("metric") == name).first().alias(name) for name in COMPARED)
        wide = told.group_by("group").agg(values).with_columns(pl.col("new_users").cast(pl.Int64))
        return wide.sort("new_users", "group", descending=[True, False], nulls_last=True)

    def first_week_acts(self) -> pl.DataFrame:
        """One row per event: newcomers who did it in their first week, how many came back later, and of the others.

        ``correlation`` is the phi coefficient of doing and coming back: no cause. The highest first; empty without events
        and where no newcomer is old enough.
        """
        if self.found.given.events is None:
            return pl.DataFrame()
        table, window = self.found.given.events, self.days(COME_BACK)
        people = self.found.people.filter(window.holds(pl.col("day"))).select("user", started="day")
        age = pl.col("day") - pl.col("started")

        def first_week(rows: pl.LazyFrame) -> pl.LazyFrame:
            day = tables.day(pl.col("time").to_physical())
            near = frames.good(rows).filter(day.is_between(window.first, window.last + FIRST_WEEK - 1))
            acts = near.select("event", user=_USER, day=day).join(people.lazy(), on="user")
            return acts.filter(age.is_between(0, FIRST_WEEK - 1)).select("user", "event").unique()

        reduces = {"acts": partition.Reduce(first_week)}
        early = partition.run(table.rows, reduces, what=table.name, partitions=partition.count_for(table.size))["acts"]
        later = self.found.visits.join(people, on="user").filter(age.is_between(FIRST_WEEK, COME_BACK - 1))
        back = later.select("user").unique().with_columns(back=pl.lit(1, pl.Int64))
        did = early.join(back, on="user", how="left").group_by("event").agg(
            users=pl.len().cast(pl.Int64), returned=pl.col("back").fill_null(0).sum()
        )  # fmt: skip
        others, others_back = people.height - pl.col("users"), back.height - pl.col("returned")
        counted = did.with_columns(others=others, others_returned=others_back)
        a, c, n, m = (pl.col(name).cast(pl.Float64) for name in ("returned", "others_returned", "users", "others"))
        spread = (n * m * (a + c) * (n + m - a - c)).sqrt()
        low, high = stats.wilson(pl.col("returned"), pl.col("users"), self.settings.confidence)
        return counted.select(
            "event", "users", "returned",
            retention=stats.ratio(pl.col("returned"), pl.col("users")), ci_low=low, ci_high=high,
            others="others", others_retention=stats.ratio(pl.col("others_returned"), pl.col("others")),
            correlation=stats.ratio(a * m - c * n, spread),
        ).sort("correlation", "event", descending=[True, False], nulls_last=True)  # fmt: skip

    def benchmarks(self) -> pl.DataFrame:
        """What others report for the line of business that was named; empty where none is, or nobody reports."""
        rows = [
            (b.metric, b.vertical, b.low, b.high, b.meaning.en, b.meaning.zh, b.source, b.seen)
            for b in benchmarks.of(self.settings.vertical)
        ]
        names = ("metric", "vertical", "low", "high", "meaning", "meaning_zh", "source", "date")
        schema = {name: pl.Float64 if name in ("low", "high") else pl.String for name in names}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def doubts(self) -> Sequence[Text]:
        """Warnings about the rows themselves."""
        said: list[Text | None] = []
        for name, books in self.found.books.items():
            if name in ("events", "orders"):
                said += books.doubts(self.found.as_of if books is self.found.main else None)
            else:
                said.append(books.twice_warning())
        return [warning for warning in said if warning is not None]
