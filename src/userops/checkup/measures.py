"""Every number that a check-up follows from day to day: each metric, for everybody and for every segment.

A first look at each file takes the account, the names of events and the values of columns; a second one the sums per day
and cell (:mod:`userops.checkup.dailies`). Events are read once for both, where they fit (:mod:`userops.coded`). A
:class:`Line` is one metric of one segment by day, as a numerator and a denominator.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple

import polars as pl

from userops import account, coded, frames, money, partition, periods, tables
from userops.checkup import dailies, rhythm
from userops.checkup.dailies import Cells, Dimension
from userops.checkup.goals import Business
from userops.errors import InputError, UsageError
from userops.periods import WeekStart
from userops.results import Text
from userops.texts import known_events
from userops.texts.symptoms import SYMPTOMS, Symptom

Source = Literal["days", "newcomers", "orders", "costs", "invites"]
Chance = Literal["share", "rate", "count", "mean"]

OF_TIME = re.compile(
    r"cohort|lifecycle|life_cycle|month|week|segment|tier|stage|生命周期|新老|分层|批次", re.IGNORECASE
)
"""Names of columns whose mix changes by itself: who is new today is not tomorrow."""

_DATE_LIKE = re.compile(r"\d{4}[-/.年]?\d{1,2}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about a check-up: the days it is of, and where days begin."""

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"


@dataclass(frozen=True, slots=True)
class Given:
    """The files of a check-up, None for what is not there.

    ``columns``: by kind, those to break down by; ``subjects``: those that say what a row is about.
    """

    events: frames.Events | None = None
    orders: frames.Orders | None = None
    users: pl.DataFrame | None = None
    costs: frames.Costs | None = None
    referrals: frames.Referrals | None = None
    feedback: frames.Feedback | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    subjects: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def joinable(self) -> Given:
        """The same with ids of one type: text, where events and orders differ."""
        events, orders = frames.joinable(self.events, self.orders)
        return replace(self, events=events, orders=orders)

    @property
    def main(self) -> frames.Events | frames.Orders:
        """The table that says who came when: the events, else the orders."""
        table = self.events or self.orders
        if table is None:
            raise UsageError.needs_events_or_orders()
        return table


class Metric(NamedTuple):
    """One thing that is followed.

    ``name``: its key; ``family``: the entry of :data:`symptoms.SYMPTOMS`; ``event, previous``: what its words speak of.
    ``top, bottom``: columns of the cells of ``source`` (no bottom: a number per day). ``chance``: what chance alone makes of
    it. ``shortest``: days an episode has at least; ``lag``: days after which a day is known in full.
    """

    name: str
    family: str
    source: Source
    top: str
    bottom: str | None
    chance: Chance
    shortest: int
    lag: int = 0
    event: str = ""
    previous: str = ""

    @property
    def symptom(self) -> Symptom:
        """What is said of it, the names filled in."""
        words = SYMPTOMS[self.family]

        def filled(text: Text) -> Text:
            return Text(
                *(
                    part.replace("{event}", self.event).replace("{previous}", self.previous)
                    for part in (text.en, text.zh)
                )
            )

        return Symptom(
            filled(words.label),
            words.good,
            tuple(map(filled, words.actions)),
            tuple(map(filled, words.prevention)),
            filled(words.proof),
        )

    @property
    def kind(self) -> Literal["share", "number", "money", "count"]:
        """How its value reads."""
        if self.chance == "share":
            return "share"
        if self.family in ("aov", "cac", "spend"):
            return "money"
        return "count" if self.bottom is None else "number"


class Line(NamedTuple):
    """A metric of a segment (``column=value``; None: everybody) by day: what is above and below the line, from ``first`` on.

    ``upside_down``: the metric is below over above (spend per newcomer, say), because the newcomers are what varies.
    """

    metric: Metric
    column: str | None
    value: str | None
    top: pl.Series
    bottom: pl.Series
    first: int
    chance: Chance
    upside_down: bool = False

    @property
    def segment(self) -> str | None:
        """``column=value``, None for everybody."""
        return None if self.column is None else f"{self.column}={self.value}"

    @property
    def known(self) -> int:
        """How many days from the first are known in full."""
        return max(0, self.top.len() - self.metric.lag)


@dataclass(frozen=True)
class Measured:
    """What the scans found. Days count from 1970-01-01; ``today`` is as-of.

    ``events``: the coded rows of the events where goals may want to look at them again.
    """

    given: Given
    business: Business
    settings: Settings
    today: int
    books: Mapping[str, account.Account]
    steps: tuple[str, ...]
    buying: str | None
    activation: str | None
    names: tuple[str, ...]
    days: Cells | None
    newcomers: Cells | None
    orders: Cells | None
    spent: pl.DataFrame | None
    presence: pl.DataFrame | None
    costs: pl.DataFrame | None
    invites: pl.DataFrame | None
    events: coded.Coded | None = None

    @property
    def as_of(self) -> date:
        """The day the data count through."""
        return periods.first_day(self.today, "day")

    def cells(self, source: Source) -> Cells | None:
        """The cells a metric is made of."""
        return {"days": self.days, "newcomers": self.newcomers, "orders": self.orders}.get(source)

    @cached_property
    def order_value(self) -> float | None:
        """What an order is worth on average, in units of the currency; None where no file tells."""
        if self.orders is None or self.given.orders is None or not self.given.orders.has_amount:
            return None
        n, paid = int(self.orders.rows["orders"].sum()), int(self.orders.rows["paid"].sum())
        return paid / money.SCALE / n if n and paid else None

    @cached_property
    def user_value(self) -> float | None:
        """What a user was worth so far on average, in units of the currency."""
        if self.orders is None or self.order_value is None:
            return None
        people = self.newcomers.rows["newcomers"].sum() if self.newcomers else self.orders.rows["buyers"].sum()
        net = int(self.orders.rows["paid"].sum()) - int(self.orders.rows["refunded"].sum())
        return net / money.SCALE / int(people) if people else None


# --- the scans ------------------------------------------------------------------------------------------------------


def measure(given: Given, business: Business, settings: Settings, *, partitions: int | None = None) -> Measured:
    """Every sum that a check-up looks at. InputError where no row counts, or where orders are in several currencies."""
    given = given.joinable()
    times = ("time", "instant") if business.goals else ("time",)
    looks = {name: _first_look(given, name, times, partitions) for name in ("events", "orders", "costs", "referrals")}
    books = {name: look.books for name, look in looks.items() if look is not None}
    acts = [books[name] for name in ("events", "orders") if name in books]
    if not acts:
        raise UsageError.needs_events_or_orders()
    for each in acts:
        each.require_rows()
    if given.orders is not None and given.orders.has_amount:
        books["orders"].require_one_currency()
    today = periods.epoch_day(settings.as_of or max(map(account.latest_day, acts)))
    names, steps, buying, activation = _names(given, business, looks["events"])
    people = _people(given)
    user_dims = _user_dims(given, people)
    known = _known(people, user_dims)
    days = newcomers = orders = None
    spent = presence = coded_events = None
    if given.events is not None and (look := looks["events"]) is not None:
        dims, left_out = dailies.dimensions(look.values, _columns(given, "events"))
        within = max(1, business.activation_within.days)
        room = _room(dims, user_dims)
        plan = dailies.EventPlan(names, steps, activation, within, dims, room, known, _span(look.books))
        reduces = {"days": dailies.event_cells(plan), "newcomers": dailies.newcomer_cells(plan)}
        if given.orders is not None:
            reduces["presence"] = dailies.presence(today, rhythm.BUCKET, rhythm.BUCKETS)
        small = partition.run(
            look.rows,
            reduces,
            what=(name := given.events.name),
            partitions=look.partitions,
            prepare=lambda rows: dailies.user_days(plan, rows, name),
        )
        first = _first_day(small["days"], today)
        days, newcomers = (
            Cells(dailies.labelled(small[name], plan.dims), plan.dims, first, today, left_out)
            for name in ("days", "newcomers")
        )
        presence = small.get("presence")
        coded_events = coded.Coded(look.books, look.rows, look.partitions) if business.goals else None
    if given.orders is not None and (look := looks["orders"]) is not None:
        dims, left_out = dailies.dimensions(look.values, _columns(given, "orders"))
        asked = dailies.OrderPlan(given.orders, dims, _room(dims, user_dims), known)
        small = partition.run(
            look.rows,
            {"cells": dailies.order_cells(), "spent": dailies.spending()},
            what=given.orders.name,
            partitions=look.partitions,
            prepare=lambda rows: dailies.user_orders(asked, rows),
        )
        orders = Cells(
            dailies.labelled(small["cells"], asked.dims), asked.dims, _first_day(small["cells"], today), today, left_out
        )
        spent = small["spent"]
    return Measured(
        given, business, settings, today, books, steps, buying, activation, names, days, newcomers, orders, spent, presence,
        _costs(given), _invites(given), coded_events,
    )  # fmt: skip


class _Look(NamedTuple):
    """What the first look at a file finds: its account, the values of its columns (events: of ``event`` too).

    ``rows``: what the second look is to look at, in so many ``partitions``: events are coded.
    """

    books: account.Account
    values: Mapping[str, pl.DataFrame]
    rows: pl.LazyFrame
    partitions: int


def _first_look(given: Given, name: str, times: Sequence[str], partitions: int | None) -> _Look | None:
    """The account of a file and what its columns hold; None where it is not there. ``times``: those of coded events."""
    table: frames.Table | None = getattr(given, name)
    if table is None:
        return None
    columns = _columns(given, name) if name in ("events", "orders") else []
    values = {column: dailies.value_counts(column) for column in columns}
    if isinstance(table, frames.Events):
        values["event"] = dailies.value_counts("event")
        opened = coded.opened(table, columns, times=times, partitions=partitions)
        small = partition.run(opened.rows, values, what=table.name)
        return _Look(opened.books, small, opened.rows, opened.partitions)
    of_good = {f"values of {column}": _of_good(counts) for column, counts in values.items()}
    small = partition.run(table.rows, {"books": account.reduce(table), **of_good}, what=table.name)
    found = {column: small[f"values of {column}"] for column in columns}
    count = partitions or partition.count_for(table.size)
    return _Look(account.Account(small["books"], table), found, table.rows, count)


def _of_good(reduce: partition.Reduce) -> partition.Reduce:
    """The same of rows that count."""
    return replace(reduce, of=lambda rows: reduce.of(frames.good(rows)))


def _span(books: account.Account) -> tuple[int, int]:
    """The first and the last day of the rows that count."""
    first, last = books.first_time, books.last_time
    assert first is not None  # some rows count
    assert last is not None
    return periods.epoch_day(first.date()), periods.epoch_day(last.date())


def _columns(given: Given, kind: str) -> list[str]:
    """Columns of a kind that its rows have; those of the users table are asked there."""
    table = getattr(given, kind)
    schema = table.rows.collect_schema().names()
    return [column for column in given.columns.get(kind, ()) if column in schema and not is_ours(column)]


OURS = frozenset({
    "day", "cell", "value", "user", "users", "new", "newcomers", "activated", "d1", "d7", "d30", "orders", "refunds", "paid",
    "refunded", "buyers", "again", "amount", "is_order", "first", "home", "start", "mask", "visit", "signed_up", "known",
    "inside", "reject", "instant", "n0", "d0", "n1", "s0", "s1",
})  # fmt: skip
"""Names on the way to the numbers: columns of these names are not broken down by."""


def is_ours(column: str) -> bool:
    """Whether a column goes by the name of one of ours."""
    return column in OURS or column.startswith(("did ", "both "))


def _names(
    given: Given, business: Business, look: _Look | None
) -> tuple[tuple[str, ...], tuple[str, ...], str | None, str | None]:
    """The events that are told apart, the steps of the funnel, the event that buys, the one that activates."""
    if given.events is None or look is None:
        return (), (), None, None
    seen = look.values["event"].sort("n", "value", descending=[True, False])
    every = seen["value"].to_list()
    steps = tuple(step for step in business.steps if is_plain(step, every)) or known_events.steps(every)
    for step in (*steps, *([business.activation_event] if business.activation_event else [])):
        if step not in every:
            raise InputError.event_unknown(step, given.events.name, every)
    buying = known_events.buying(every) or (steps[-1] if steps else None)
    activation = business.activation_event or buying
    asked = dict.fromkeys([*steps, *filter(None, (buying, activation))])
    names = [*asked, *(name for name in every if name not in asked)][: dailies.MOST_EVENTS]
    return tuple(names), steps, buying, activation


def is_plain(step: str, names: Collection[str]) -> bool:
    """Whether a step is one event, neither a choice of several nor one with a condition."""
    return step in names or not re.search(r"\||\swhere\s", step)


def _first_day(cells: pl.DataFrame, today: int) -> int:
    first = cells["day"].min()
    return int(first) if first is not None else today  # type: ignore[arg-type] # a number


def _people(given: Given) -> pl.DataFrame | None:
    """What the users table says: ``user`` (hash of the id), ``signed_up`` (day), its columns as text."""
    if given.users is None:
        return None
    return tables.known_users(given.users, given.main, "day", "monday").unique("user", keep="first")


def _user_dims(given: Given, people: pl.DataFrame | None) -> tuple[Dimension, ...]:
    """The columns of the users table that no other file has."""
    if people is None:
        return ()
    others = {column for kind in ("events", "orders") for column in given.columns.get(kind, ())}
    asked = [column for column in given.columns.get("users", ()) if column not in others and not is_ours(column)]
    wanted = [column for column in asked if column in people.columns]
    counts = {column: people.group_by(value=column).agg(n=pl.len().cast(pl.Int64)) for column in wanted}
    return dailies.dimensions(counts, wanted)[0]


def _known(people: pl.DataFrame | None, dims: Sequence[Dimension]) -> pl.DataFrame | None:
    if people is None:
        return None
    return people.select("user", "signed_up", **{d.name: d.code(pl.col(d.name)) for d in dims})


def _room(rows: Sequence[Dimension], users: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """The columns of the users there is room for beside those of the rows."""
    cells, kept = 1, []
    for dimension in rows:
        cells *= len(dimension.labels)
    for dimension in users:
        if cells * len(dimension.labels) <= dailies.MOST_CELLS:
            cells *= len(dimension.labels)
            kept.append(dimension)
    return tuple(kept)


def _costs(given: Given) -> pl.DataFrame | None:
    """What was spent: ``day, channel, amount`` (steps of money)."""
    if given.costs is None:
        return None
    return partition.run(given.costs.rows, {"costs": partition.Reduce(tables.spend)}, what=given.costs.name)["costs"]


def _invites(given: Given) -> pl.DataFrame | None:
    """Invitations: ``day, invites, accepted``."""
    if given.referrals is None:
        return None
    day = tables.day(pl.col("invited_at").to_physical())

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        joined = pl.col("user_id").is_not_null()
        return (
            frames.good(rows)
            .group_by(day=day)
            .agg(invites=pl.len().cast(pl.Int64), accepted=joined.sum().cast(pl.Int64))
        )

    return partition.run(given.referrals.rows, {"invites": partition.Reduce(of)}, what=given.referrals.name)["invites"]


# --- lines ----------------------------------------------------------------------------------------------------------


def metrics(measured: Measured) -> Iterator[Metric]:
    """Everything that these files let be followed."""
    if measured.days is not None:
        open_day = _is_open(measured, "events")
        yield Metric("active_users", "active_users", "days", "users", None, "count", 1, open_day)
        yield Metric("new_users", "new_users", "newcomers", "newcomers", None, "count", 1, open_day)
        for previous, step in pairwise(measured.steps):
            last = step == measured.steps[-1] and step == measured.buying
            name = "checkout_conversion" if last else f"conversion_{previous}_{step}"
            yield Metric(
                name, "step", "days", f"both {step}", f"did {previous}", "share", 3, event=step, previous=previous
            )
        for name in measured.names:
            if name.lower() in known_events.ONCE:
                continue
            family = "failures" if known_events.is_failure(name) else "reach"
            yield Metric(f"reach_{name}", family, "days", f"did {name}", "users", "share", 3, event=name)
        if measured.activation is not None:
            lag = max(1, measured.business.activation_within.days)
            yield Metric(
                "activation_rate",
                "activation_rate",
                "newcomers",
                "activated",
                "newcomers",
                "share",
                7,
                lag,
                measured.activation,
            )
        for n in dailies.RETURN_DAYS:
            yield Metric(f"d{n}_retention", "retention", "newcomers", f"d{n}", "newcomers", "share", 7, n, str(n))
    if measured.orders is not None:
        yield Metric("orders", "orders", "orders", "orders", None, "count", 1, _is_open(measured, "orders"))
        if measured.order_value is not None:
            yield Metric("aov", "aov", "orders", "paid", "orders", "mean", 7)
        yield Metric("refund_rate", "refund_rate", "orders", "refunds", "orders", "share", 7)
        yield Metric("repeat_rate_30d", "repeat_rate", "orders", "again", "buyers", "share", 14, dailies.REPEAT_DAYS)
    if measured.costs is not None and measured.newcomers is not None:
        yield Metric("cac", "cac", "costs", "newcomers", "spend", "rate", 14)
    if measured.invites is not None:
        if measured.days is not None:
            yield Metric("invites_per_user", "invites_per_user", "invites", "invites", "users", "rate", 7)
        yield Metric("invite_conversion", "invite_conversion", "invites", "accepted", "invites", "share", 14, 14)


def _is_open(measured: Measured, name: str) -> int:
    """1 where the last day of a file looks cut short, so that it is not known yet; else 0."""
    return int(account.cut_short(measured.books[name], measured.as_of) is not None)


def lines(measured: Measured) -> list[Line]:
    """Every metric for everybody, and for every segment where that says something, in a fixed order."""
    found: list[Line] = []
    for metric in metrics(measured):
        if metric.source == "costs":
            found += _cost_lines(measured, metric)
        elif metric.source == "invites":
            found += _invite_lines(measured, metric)
        else:
            cells = measured.cells(metric.source)
            assert cells is not None  # the metric is of them
            found += of_cells(_without_old_hands(cells, metric, measured), metric)
    return found


def _without_old_hands(cells: Cells, metric: Metric, measured: Measured) -> Cells:
    """Cells whose newcomers are new: who comes first in the first weeks of a file may have come before them.

    Where the table of users says when somebody signed up, everybody's day is known.
    """
    told = measured.given.users is not None and metric.source != "orders"
    if told or not {metric.top, metric.bottom} & {"newcomers", "buyers"}:
        return cells
    first = cells.first + min(OLD_HANDS, cells.days // 4)
    return replace(cells, rows=cells.rows.filter(pl.col("day") >= first), first=first)


OLD_HANDS = 56
"""Days from the first row in which first acts need not be first ones."""


def of_cells(cells: Cells, metric: Metric) -> list[Line]:
    """A metric of everybody and of every segment; of a number per day a segment's share of it."""
    whole = cells.of(None)
    ones = pl.Series("ones", [1.0] * whole.height)
    bottom = ones if metric.bottom is None else whole[metric.bottom].cast(pl.Float64)
    found = [Line(metric, None, None, whole[metric.top].cast(pl.Float64), bottom, cells.first, metric.chance)]
    if metric.family in ("reach", "failures", "active_users"):
        return found
    part = metric
    if metric.bottom is None:
        family = f"{metric.family}_share"
        part = metric._replace(
            name=f"{metric.name}_share", family=family, bottom=metric.top, chance="share", shortest=3
        )
    seen = set()  # a country of one city is one segment, whatever its name
    for dimension in cells.dimensions:
        if metric.bottom is None and of_time(dimension):
            continue
        parts = cells.parts(dimension.name)
        for value in dimension.values:
            mine = parts.get(value)
            if mine is None:
                continue
            below = whole[metric.top] if metric.bottom is None else mine[metric.bottom]
            top, bottom = mine[metric.top].cast(pl.Float64), below.cast(pl.Float64)
            numbers = (*top, *bottom)
            if numbers in seen:
                continue
            seen.add(numbers)
            found.append(Line(part, dimension.name, value, top, bottom, cells.first, part.chance))
    return found


def of_time(dimension: Dimension) -> bool:
    """Whether the mix of a column changes by itself as time goes by."""
    dated = all(_DATE_LIKE.match(value) for value in dimension.values)
    return dated or OF_TIME.search(dimension.name) is not None


def _cost_lines(measured: Measured, metric: Metric) -> list[Line]:
    """Newcomers per unit spent, by channel where both files know it; and of all."""
    assert measured.costs is not None  # the metric is of them
    assert measured.newcomers is not None
    cells, costs = _without_old_hands(measured.newcomers, metric, measured), measured.costs
    days = pl.DataFrame({"day": range(cells.first, cells.last + 1)}, schema={"day": pl.Int32})

    def spend(rows: pl.DataFrame) -> pl.Series:
        summed = rows.group_by("day").agg(spend=money.units(pl.col("amount").sum()))
        return days.join(summed, on="day", how="left").sort("day")["spend"].fill_null(0.0)

    by_channel = any(dimension.name == "channel" for dimension in cells.dimensions)
    table = cells.of("channel") if by_channel else None
    paid = costs.filter(pl.col("amount") > 0)["channel"].drop_nulls().unique().sort().to_list()
    found = []
    for channel in paid if table is not None else []:
        came = table.filter(pl.col("value") == channel)  # type: ignore[union-attr] # there is one
        if came.height:
            spent = spend(costs.filter(pl.col("channel") == channel))
            found.append(
                Line(metric, "channel", channel, came["newcomers"].cast(pl.Float64), spent, cells.first, "rate", True)
            )
    if not found:
        came = cells.of(None)
        found.append(
            Line(metric, None, None, came["newcomers"].cast(pl.Float64), spend(costs), cells.first, "rate", True)
        )
    return found


def _invite_lines(measured: Measured, metric: Metric) -> list[Line]:
    assert measured.invites is not None  # the metric is of them
    first = measured.days.first if measured.days else _first_day(measured.invites, measured.today)
    days = pl.DataFrame({"day": range(first, measured.today + 1)}, schema={"day": pl.Int32})
    sent = days.join(measured.invites, on="day", how="left").sort("day").fill_null(0)
    if metric.bottom == "users":
        assert measured.days is not None  # asked for only then
        bottom = measured.days.of(None)["users"]
    else:
        bottom = sent["invites"]
    return [Line(metric, None, None, sent[metric.top].cast(pl.Float64), bottom.cast(pl.Float64), first, metric.chance)]
