"""What happened day by day, for everybody and for every segment: the small table in which a check-up looks for illness.

Reduce: events to one row per user and day (which events, in which segment), and that to sums per day and *cell*, a cell
being one combination of the values of a few columns (channel, platform, country ...). Orders likewise. Every total, every
segment and every pair of segments is a sum of cells, so nothing is read twice.

Definitions: a *user-day* is a user on a calendar day with at least one event; it belongs to the segment of its first
event. A step is *reached* on a user-day that holds its event, in whatever order. A newcomer's day is that of the sign-up,
where it is known and not later than the first event, else of the first event; newcomers belong to the segment of their
first user-day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from userops import coded, frames, partition, tables
from userops.collecting import collect, guarded
from userops.periods import MICROSECONDS_A_DAY

MOST_EVENTS = 40
"""Events that are told apart, the most frequent ones; those that were asked for are always among them."""

MOST_VALUES = 12
"""Values of a column that are told apart, the most frequent ones; the rest are one more."""

MOST_CELLS = 2_000
"""Combinations of values: columns that would make more are left out, and said to be."""

OTHER = "(other)"
"""The name of what has no value, or a rare one."""

RETURN_DAYS = (1, 7, 30)
REPEAT_DAYS = 30

_WORD = 1 << 64
"""Values of a 64-bit number."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A column that parts users, and its values by size; the code of a value is its place, that of the rest the end."""

    name: str
    values: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of every code."""
        return (*self.values, OTHER)

    def code(self, column: pl.Expr) -> pl.Expr:
        """The code of a value, Int64."""
        known = column.cast(pl.String).cast(pl.Enum(self.values), strict=False).to_physical().cast(pl.Int64)
        return known.fill_null(len(self.values))


@dataclass(frozen=True, slots=True)
class Cells:
    """Sums per day and cell: ``day`` (since 1970), one column of labels per dimension, and the sums.

    ``first, last``: the days that are known. ``left_out``: columns that would have made too many cells.
    """

    rows: pl.DataFrame
    dimensions: tuple[Dimension, ...]
    first: int
    last: int
    left_out: tuple[str, ...] = ()
    _summed: dict[str | None, pl.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def days(self) -> int:
        """How many days there are."""
        return self.last - self.first + 1

    def of(self, column: str | None) -> pl.DataFrame:
        """Sums per day and value of a column, every day and value there: ``[value,] day, ...``, sorted; None: of all."""
        if column not in self._summed:
            self._summed[column] = self._sums(column)
        return self._summed[column]

    def parts(self, column: str) -> dict[str, pl.DataFrame]:
        """The same by value: ``value, day, ...``, every day there."""
        return {str(value): rows for (value,), rows in self.of(column).partition_by("value", as_dict=True).items()}

    def _sums(self, column: str | None) -> pl.DataFrame:
        sums = pl.exclude("day", *(dimension.name for dimension in self.dimensions)).sum()
        days = pl.DataFrame({"day": range(self.first, self.last + 1)}, schema={"day": pl.Int32})
        if column is None:
            found = self.rows.group_by("day").agg(sums)
            return days.join(found, on="day", how="left").fill_null(0).sort("day")
        known = self.rows.group_by(value=pl.col(column), day="day").agg(sums)
        every = known.select("value").unique().join(days, how="cross")
        filled = every.join(known, on=["value", "day"], how="left").with_columns(
            pl.exclude("value", "day").fill_null(0)
        )
        return filled.sort("value", "day")


def dimensions(
    counted: Mapping[str, pl.DataFrame], wanted: Sequence[str]
) -> tuple[tuple[Dimension, ...], tuple[str, ...]]:
    """The columns that are told apart, by how often each value occurs (``value, n``), and those there is no room for.

    A value with less than one row in a hundred is one of the rest; a column with one value only says nothing.
    """
    found, left_out, cells = [], [], 1
    for name in wanted:
        counts = counted[name].filter(pl.col("value").is_not_null()).sort("n", "value", descending=[True, False])
        total = int(counted[name]["n"].sum())
        values = counts.filter(pl.col("n") * 100 >= total)["value"].head(MOST_VALUES).to_list()
        if len(values) < 2:
            continue
        if cells * (len(values) + 1) > MOST_CELLS:
            left_out.append(name)
            continue
        cells *= len(values) + 1
        found.append(Dimension(name, tuple(values)))
    return tuple(found), tuple(left_out)


def value_counts(column: str) -> partition.Reduce:
    """How often each value of a column occurs in rows, all of which count: ``value`` (text), ``n``."""

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        counted = rows.group_by(value=column).agg(n=pl.len().cast(pl.Int64))
        return counted.with_columns(pl.col("value").cast(pl.String))

    return partition.Reduce(of, keys=("value",))


# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventPlan:
    """What is asked of the events: names that are told apart, steps of the funnel, the act that activates.

    ``rows_dims``: columns of the rows; ``user_dims``: columns of ``users`` (``user``, a code per column, ``signed_up``).
    ``span``: the first and the last day of the rows, since 1970.
    """

    names: tuple[str, ...]
    steps: tuple[str, ...]
    activation: str | None
    activation_days: int
    rows_dims: tuple[Dimension, ...]
    user_dims: tuple[Dimension, ...]
    users: pl.DataFrame | None
    span: tuple[int, int]

    @property
    def dims(self) -> tuple[Dimension, ...]:
        """All columns that make cells, those of the rows first."""
        return (*self.rows_dims, *self.user_dims)

    @property
    def marks(self) -> int:
        """How many pairs of a cell of the rows and an event there are; what is not told apart is one more event."""
        return _width(self.rows_dims) * (len(self.names) + 1)

    @property
    def is_short(self) -> bool:
        """Whether the microsecond, the cell and the event of a row fit into one number: one sorts much faster than two."""
        first, last = self.span
        return (last - first + 1) * MICROSECONDS_A_DAY * self.marks <= _WORD

    def bit(self, event: str) -> int:
        """The bit of an event in a mask."""
        return 1 << self.names.index(event)

    def has(self, event: str) -> pl.Expr:
        """Whether a mask holds an event."""
        return (pl.col("mask") & self.bit(event)) != 0


def user_days(plan: EventPlan, rows: pl.LazyFrame, what: str) -> pl.LazyFrame:
    """One row per user and day of coded rows (:mod:`userops.coded`), sorted by them: ``user, day, mask, cell, start``.

    ``mask`` has a bit per event, ``cell`` is the codes of its segment in one number, ``start`` the day the user was new.
    ``what`` names the input in errors.
    """
    events, visit, at = len(plan.names) + 1, pl.col("visit"), pl.col("at")
    bits = pl.lit(pl.Series([*(1 << n for n in range(len(plan.names))), 0], dtype=pl.Int64))
    together = _in_order(plan, rows, what).select("visit", "at", bit=bits.gather(at % events))
    grouped = together.group_by("visit", maintain_order=True).agg(mask=pl.col("bit").bitwise_or(), at=at.first())
    days = grouped.select(
        "mask",
        user=(visit // _WORD).cast(pl.Int64).reinterpret(signed=False),
        day=(visit.cast(pl.UInt64, wrap_numerical=True).cast(pl.Int64) + plan.span[0]).cast(pl.Int32),
        cell=(at // events % _width(plan.rows_dims)).cast(pl.Int64),
    )
    start = pl.when(_comes()).then("day").forward_fill()
    if plan.users is not None:
        days = days.join(plan.users.lazy(), on="user", how="left", maintain_order="left")
        start = pl.min_horizontal(start, "signed_up")
    own = _mixed({dimension: pl.col(dimension.name).fill_null(len(dimension.values)) for dimension in plan.user_dims})
    cell = pl.col("cell") * _width(plan.user_dims) + own
    return days.select("user", "day", "mask", start=start, cell=cell)


def _in_order(plan: EventPlan, rows: pl.LazyFrame, what: str) -> pl.LazyFrame:
    """Every coded row as ``visit``, user and day as one number, and ``at``, sorted: what lies together is grouped fast.

    ``at``: the microsecond of the day, times the cells, plus the cell, times the events, plus the event.
    """
    codes = {dimension: coded.places(rows, dimension.name, dimension.values) for dimension in plan.rows_dims}
    mark = _mixed(codes).cast(pl.UInt64) * (len(plan.names) + 1) + coded.places(rows, "event", plan.names)
    since = pl.col("time").to_physical() - plan.span[0] * MICROSECONDS_A_DAY
    user = pl.col("user_id").reinterpret(signed=True).cast(pl.Int128) * _WORD
    if not plan.is_short:
        at = (since % MICROSECONDS_A_DAY).cast(pl.UInt64) * plan.marks + mark
        return rows.select(visit=user + since // MICROSECONDS_A_DAY, at=at).sort("visit", "at")
    keys = rows.select(key=user + (since.cast(pl.UInt64) * plan.marks + mark).cast(pl.Int128))
    with guarded(what):
        keys = collect(keys, what).to_series().sort(in_place=True).to_frame().lazy()  # by itself it is twice as fast
    low = pl.col("key").cast(pl.UInt64, wrap_numerical=True)  # what is below 2⁶⁴, the user being above
    day, at = low // (MICROSECONDS_A_DAY * plan.marks), low % (MICROSECONDS_A_DAY * plan.marks)
    return keys.select(visit=(pl.col("key") - (low - day).cast(pl.Int128)).set_sorted(), at=at)


def _width(dims: Sequence[Dimension]) -> int:
    """How many cells columns make."""
    return math.prod(len(dimension.labels) for dimension in dims)


def _mixed(codes: Mapping[Dimension, pl.Expr]) -> pl.Expr:
    """The codes of several columns as one number, Int64."""
    mixed = pl.lit(0, pl.Int64)
    for dimension, code in codes.items():
        mixed = mixed * len(dimension.labels) + code
    return mixed


def _comes() -> pl.Expr:
    """Whether a row is the first of its user, in rows by user."""
    return pl.col("user").ne_missing(pl.col("user").shift(1))


def event_cells(plan: EventPlan) -> partition.Reduce:
    """User-days per day and cell: ``users, new``, ``did <event>``, ``both <step> <next>``."""

    def of(days: pl.LazyFrame) -> pl.LazyFrame:
        sums: dict[str, pl.Expr] = {
            "users": pl.len().cast(pl.Int64),
            "new": (pl.col("start") == pl.col("day")).sum().cast(pl.Int64),
        }
        for name in plan.names:
            sums[f"did {name}"] = plan.has(name).sum().cast(pl.Int64)
        for step, following in zip(plan.steps, plan.steps[1:], strict=False):
            both = plan.bit(step) | plan.bit(following)
            sums[f"both {following}"] = ((pl.col("mask") & both) == both).sum().cast(pl.Int64)
        return days.group_by("day", "cell").agg(**sums)

    return partition.Reduce(of, keys=("day", "cell"))


def newcomer_cells(plan: EventPlan) -> partition.Reduce:
    """Newcomers per day and cell: ``newcomers, activated, d1, d7, d30``. Looks at user-days in order."""

    def of(days: pl.LazyFrame) -> pl.LazyFrame:
        comes, offset = _comes(), pl.col("day") - pl.col("start")
        acts = pl.lit(value=False)
        if plan.activation in plan.names:
            acts = plan.has(plan.activation) & (offset <= plan.activation_days)
        so_far = acts.cum_sum()
        before = pl.when(comes).then(so_far - acts.cast(pl.Int64)).forward_fill()
        people = days.select(
            day="start",
            cell=pl.when(comes).then("cell").forward_fill(),
            newcomers=comes,
            activated=acts & (so_far == before + 1),
            **{f"d{n}": offset == n for n in RETURN_DAYS},
        )
        return people.group_by("cell", "day").agg(pl.all().sum().cast(pl.Int64))

    return partition.Reduce(of, keys=("day", "cell"))


def presence(today: int, bucket: int, most: int) -> partition.Reduce:
    """On how many days of each ``bucket`` days, counted back from ``today``, a user was there: ``user, day, n``.

    ``day`` is the last of the bucket; only the ``most`` latest buckets.
    """

    def of(days: pl.LazyFrame) -> pl.LazyFrame:
        back = (today - pl.col("day")) // bucket
        kept = days.select("user", back=back).filter(pl.col("back").is_between(0, most - 1))
        counted = kept.group_by("user", "back").agg(n=pl.len().cast(pl.Int32))
        return counted.select("user", "n", day=(today - pl.col("back") * bucket).cast(pl.Int32))

    return partition.Reduce(of)


def labelled(rows: pl.DataFrame, dims: Sequence[Dimension]) -> pl.DataFrame:
    """Rows with the labels of their cell in place of its number, one column per dimension."""
    left = pl.col("cell")
    columns: dict[str, pl.Expr] = {}
    for dimension in reversed(dims):
        size = len(dimension.values) + 1
        labels = pl.Series("labels", dimension.labels, dtype=pl.String)
        columns[dimension.name] = pl.lit(labels).gather(left % size)
        left = left // size
    return rows.with_columns(**columns).drop("cell")


# --- orders ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """What is asked of the orders: the columns that part them, of the rows and of the users."""

    table: frames.Orders
    rows_dims: tuple[Dimension, ...]
    user_dims: tuple[Dimension, ...]
    users: pl.DataFrame | None

    @property
    def dims(self) -> tuple[Dimension, ...]:
        """All columns that make cells, those of the rows first."""
        return (*self.rows_dims, *self.user_dims)


def user_orders(plan: OrderPlan, rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row per order or refund: ``user, day, amount, is_order, first, again, cell``.

    ``amount`` in steps of money; ``first`` is the day of the user's first order, ``again`` that of the next order on a
    later day.
    """
    acts = tables.acts(plan.table, rows, [dimension.name for dimension in plan.rows_dims])
    code = _mixed({dimension: dimension.code(pl.col(dimension.name)) for dimension in plan.rows_dims})
    orders = acts.rows.filter(acts.valid).select(
        user=pl.col("user_id").hash(tables.USER_SEED), day=acts.day, amount="amount", is_order=acts.counts, cell=code
    )
    placed = pl.when("is_order").then("day")
    people = orders.group_by("user").agg(first=placed.min(), last=placed.max())
    own = _mixed({dimension: pl.col(dimension.name).fill_null(len(dimension.values)) for dimension in plan.user_dims})
    width = _width(plan.user_dims)
    if plan.users is not None:
        people = people.join(plan.users.lazy(), on="user", how="left")
    people = people.select("user", "first", own=own)
    joined = orders.join(people, on="user", how="left").select(
        "user", "day", "amount", "is_order", "first", cell=pl.col("cell") * width + pl.col("own")
    )
    first_day = joined.filter("is_order", pl.col("day") == pl.col("first"))
    joined = joined.join(first_day.group_by("user").agg(home=pl.col("cell").min()), on="user", how="left")
    later = joined.filter("is_order", pl.col("day") > pl.col("first")).group_by("user").agg(again=pl.col("day").min())
    return joined.join(later, on="user", how="left")


def order_cells() -> partition.Reduce:
    """Orders per day and cell: ``orders, refunds, paid, refunded`` (steps), ``buyers`` who ordered first, ``again``."""

    def of(orders: pl.LazyFrame) -> pl.LazyFrame:
        order = pl.col("is_order")
        first = order & (pl.col("day") == pl.col("first")) & (pl.col("cell") == pl.col("home"))
        soon = pl.col("again") - pl.col("first") <= REPEAT_DAYS
        refund = ~order
        amount = pl.col("amount")
        # somebody with two orders on the first day is one buyer: the first row of the user counts
        return orders.group_by("day", "cell").agg(
            orders=order.sum().cast(pl.Int64),
            refunds=refund.sum().cast(pl.Int64),
            paid=amount.filter(order).sum(),
            refunded=-amount.filter(refund).sum(),
            buyers=pl.col("user").filter(first).n_unique().cast(pl.Int64),
            again=pl.col("user").filter(first & soon).n_unique().cast(pl.Int64),
        )

    return partition.Reduce(of, keys=("day", "cell"))


def spending() -> partition.Reduce:
    """What each user ordered on a day: ``user, day, orders, amount`` (steps of money, refunds netted)."""

    def of(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.group_by("user", "day").agg(
            orders=pl.col("is_order").sum().cast(pl.Int32), amount=pl.col("amount").sum()
        )

    return partition.Reduce(of)
