"""What is asked of AARRR, and what the files hold: users and when they started, their days, orders, costs, invitations.

One scan of each file to small tables. Events are read once, also for the first acts of newcomers, which are looked for when
it is known who they are (:mod:`userops.coded`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial

import polars as pl

from userops import account, coded, frames, partition, periods, retention, tables, visits
from userops.errors import InputError, UsageError
from userops.periods import WeekStart

RESERVED = frozenset({
    "stage", "metric", "value", "numerator", "denominator", "ci_low", "ci_high", "previous", "reason", "since", "until",
    "group", "user", "user_id", "day", "instant", "event", "start", "amount", "time", "ordered_at", "reject", "kind",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""


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


@dataclass(frozen=True, slots=True)
class Found:
    """What the scans found; ``user`` is the hash of an id, ``day`` counts from 1970-01-01, ``instant`` is in UTC.

    ``events``: the coded rows of the events; None without any. ``people``: ``user, start, day`` and what is known of them, one row per user by as-of. ``visits``: ``user, day``,
    each once. ``values``: ``user, instant`` of the activation event. ``orders``: ``user, day, instant, amount, is_order``,
    refunds included. ``costs``: ``day, channel, amount``. ``invites``: ``user, day, instant, joined``. ``books``: the
    accounts of the scans, the main table's first.
    """

    given: Given
    as_of: date
    events: coded.Coded | None
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


def scanned(
    given: Given,
    settings: Settings,
    columns: Iterable[str] = (),
    *,
    events: coded.Coded | None = None,
    partitions: int | None = None,
) -> Found:
    """One scan of each file, and the small tables made of them; of users also what ``columns`` say.

    ``events``: those of ``given``, if they are coded already. Raises what :func:`userops.aarrr.analyse` does.
    """
    main = given.main
    columns = [column for column in dict.fromkeys(columns) if given.tells(column)]
    asked = {
        name: [column for column in columns if given.holder(column) is table]
        for name, table in (("events", given.events), ("orders", given.orders))
        if table is not None
    }
    small: dict[str, dict[str, pl.DataFrame]] = {}
    books: dict[str, account.Account] = {}
    if given.events is not None:
        times = ("time", "instant")
        events = events or coded.opened(given.events, asked["events"], times=times, partitions=partitions)
        wanted = _of_events(events.rows, asked["events"], settings)
        books["events"] = events.books
        small["events"] = partition.run(events.rows, wanted, what=given.events.name, partitions=events.partitions)
    for name, table, reduces in _scans(given, asked.get("orders", ())):
        count = (partitions or partition.count_for(table.size)) if name == "orders" else 1
        books[name], small[name] = account.opened(table, reduces, partitions=count, may_be_empty=name != "orders")
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
    for column in columns:
        people = people.join(_known(given, small, column), on="user", how="left")
    return Found(
        given,
        as_of,
        events,
        books,
        people.collect(),
        acts["visits"],
        acts.get("values", _empty("user", "instant")),
        small["orders"]["orders"] if "orders" in small else _empty("user", "day", "instant", "amount", "is_order"),
        small["costs"]["costs"] if "costs" in small else _empty("day", "channel", "amount"),
        small["referrals"]["invites"] if "referrals" in small else _empty("user", "day", "instant", "joined"),
        signed_up,
    )


def _empty(*columns: str) -> pl.DataFrame:
    types = {"user": pl.UInt64, "joined": pl.UInt64, "day": pl.Int32, "channel": pl.String, "is_order": pl.Boolean}
    return pl.DataFrame(schema={column: types.get(column, pl.Int64) for column in columns})


def require_columns(given: Given, settings: Settings) -> None:
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


def _scans(given: Given, columns: Sequence[str]) -> list[tuple[str, frames.Table, dict[str, partition.Reduce]]]:
    """Every file that is there but the events, with what is wanted of it."""
    scans: list[tuple[str, frames.Table, dict[str, partition.Reduce]]] = []
    if given.orders is not None:
        scans.append(("orders", given.orders, _of_orders(given, given.orders, columns)))
    if given.costs is not None:
        scans.append(("costs", given.costs, {"costs": partition.Reduce(tables.spend)}))
    if given.referrals is not None:
        dtype = given.main.rows.collect_schema()["user_id"]
        scans.append(("referrals", given.referrals, {"invites": partition.Reduce(lambda rows: _invites(rows, dtype))}))
    return scans


def _of_events(rows: pl.LazyFrame, columns: Sequence[str], settings: Settings) -> dict[str, partition.Reduce]:
    """Reduces of coded events: who started when, was there on which day, and when the activation event happened."""
    instant = pl.col("instant").to_physical()

    def starts(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.group_by(user="user_id").agg(instant=instant.min(), day=coded.DAY.min())

    reduces = {"starts": partition.Reduce(starts), "visits": coded.user_days()}
    if settings.activation_event is not None:
        activates = coded.places(rows, "event", [settings.activation_event]) == 0

        def values(rows: pl.LazyFrame) -> pl.LazyFrame:
            return rows.filter(activates).select(user="user_id", instant=instant).unique()

        reduces["values"] = partition.Reduce(values)
    for column in columns:
        reduces[f"first {column}"] = partition.Reduce(partial(tables.first_value, column=column, time="time"))
    return reduces


def _of_orders(given: Given, table: frames.Orders, columns: Sequence[str]) -> dict[str, partition.Reduce]:
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

    def visited(rows: pl.LazyFrame) -> pl.LazyFrame:
        there = tables.visits(tables.acts(table, rows), "day", "monday")
        return there.select(user=tables.visitor(), day=tables.visited())

    reduces = {"orders": partition.Reduce(orders)}
    if given.events is None:
        reduces |= {"starts": partition.Reduce(starts), "visits": partition.Reduce(visited)}
    for column in columns:
        first = partial(tables.attribute, table, column=column, window=(None, None))
        reduces[f"first {column}"] = partition.Reduce(first)
    return reduces


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
