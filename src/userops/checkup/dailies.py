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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from userops import frames, partition, tables
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

_FIRST = 1 << 37
"""More microseconds than a day has."""


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
    """How often each value of a column occurs in rows that count: ``value, n``."""

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        value = pl.when(pl.col("reject") == 0).then(pl.col(column).cast(pl.String))
        return rows.group_by(value=value).agg(n=(pl.col("reject") == 0).sum().cast(pl.Int64))

    return partition.Reduce(of, keys=("value",))


def event_counts() -> partition.Reduce:
    """How often each event occurs in rows that count: ``value, n``."""
    return value_counts("event")


# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventPlan:
    """What is asked of the events: names that are told apart, steps of the funnel, the act that activates.

    ``rows_dims``: columns of the rows; ``user_dims``: columns of ``users`` (``user``, a code per column, ``signed_up``).
    """

    names: tuple[str, ...]
    steps: tuple[str, ...]
    activation: str | None
    activation_days: int
    rows_dims: tuple[Dimension, ...]
    user_dims: tuple[Dimension, ...]
    users: pl.DataFrame | None

    @property
    def dims(self) -> tuple[Dimension, ...]:
        """All columns that make cells, those of the rows first."""
        return (*self.rows_dims, *self.user_dims)

    def bit(self, event: str) -> int:
        """The bit of an event in a mask."""
        return 1 << self.names.index(event)

    def has(self, event: str) -> pl.Expr:
        """Whether a mask holds an event."""
        return (pl.col("mask") & self.bit(event)) != 0


def user_days(plan: EventPlan, rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row per user and day: ``user, day, mask, cell, start``.

    ``mask`` has a bit per event, ``cell`` is the codes of its segment in one number, ``start`` the day the user was new.
    """
    good = pl.col("reject") == 0
    physical = pl.col("time").to_physical()
    day = tables.day(physical)
    cells = 1
    code = pl.lit(0, pl.Int64)
    for dimension in plan.rows_dims:
        code = code * (len(dimension.values) + 1) + dimension.code(pl.col(dimension.name))
        cells *= len(dimension.values) + 1
    event = pl.col("event").cast(pl.Enum(plan.names), strict=False).to_physical()
    bits = pl.lit(pl.Series("bits", [1 << n for n in range(len(plan.names))], dtype=pl.Int64))
    keyed = rows.select(
        visit=pl.when(good).then(tables.visit(pl.col("user_id"), day)),
        bit=bits.gather(event, null_on_oob=True).fill_null(0),
        at=(physical % MICROSECONDS_A_DAY) * cells + code,
    )
    grouped = keyed.group_by("visit").agg(mask=pl.col("bit").bitwise_or(), at=pl.col("at").min())
    days = grouped.filter(pl.col("visit").is_not_null()).select(
        "mask", user=tables.visitor(), day=tables.visited(), cell=pl.col("at") % cells
    )
    starts = days.group_by("user").agg(start=pl.col("day").min())
    if plan.users is not None:
        starts = starts.join(plan.users.lazy(), on="user", how="left")
        starts = starts.with_columns(start=pl.min_horizontal("start", "signed_up"))
    own, width = pl.lit(0, pl.Int64), 1
    for dimension in plan.user_dims:
        own = own * (len(dimension.values) + 1) + pl.col(dimension.name).fill_null(len(dimension.values))
        width *= len(dimension.values) + 1
    return days.join(starts.select("user", "start", own=own), on="user", how="left").select(
        "user", "day", "mask", "start", cell=pl.col("cell") * width + pl.col("own")
    )


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
    """Newcomers per day and cell: ``newcomers, activated, d1, d7, d30``."""

    def of(days: pl.LazyFrame) -> pl.LazyFrame:
        offset = pl.col("day") - pl.col("start")
        kept = {f"d{n}": (offset == n).any() for n in RETURN_DAYS}
        first = pl.col("day") == pl.col("day").min()
        done = (
            (plan.has(plan.activation) & (offset <= plan.activation_days)).any()
            if plan.activation in plan.names
            else pl.lit(value=False)
        )
        people = days.group_by("user").agg(
            pl.col("start").first(), cell=pl.col("cell").filter(first).first(), activated=done, **kept
        )
        sums = pl.col("activated", *kept).sum().cast(pl.Int64)
        return people.group_by("cell", day="start").agg(pl.len().cast(pl.Int64).alias("newcomers"), sums)

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
    code, width = pl.lit(0, pl.Int64), 1
    for dimension in plan.rows_dims:
        code = code * (len(dimension.values) + 1) + dimension.code(pl.col(dimension.name))
    orders = acts.rows.filter(acts.valid).select(
        user=pl.col("user_id").hash(tables.USER_SEED), day=acts.day, amount="amount", is_order=acts.counts, cell=code
    )
    placed = pl.when("is_order").then("day")
    people = orders.group_by("user").agg(first=placed.min(), last=placed.max())
    own = pl.lit(0, pl.Int64)
    for dimension in plan.user_dims:
        own = own * (len(dimension.values) + 1) + pl.col(dimension.name).fill_null(len(dimension.values))
        width *= len(dimension.values) + 1
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
