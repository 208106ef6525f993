"""RFM tiers: every customer scored by recency, frequency and monetary value, and named by a segment grid.

Reduce: one row per user (last order, orders, exact money). Finish: cuts, scores, segments, summary, what to look at.

Definitions (docs/methods.md has the formulas and sources):

* recency: calendar days from the date of the last order to as-of; frequency: orders; monetary: what they paid, refunds
  netted. Refunds are no orders and undo none. Users with refunds only are in no tier and are counted apart.
* cuts: the observed values at rank ceil(k n / bins). Score = 1 + cuts strictly below the value, so that equal values
  always get equal scores; recency the other way round (recent is high).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Literal

import polars as pl

from userops import account, frames, grids, money, partition, periods, stats, tables
from userops.errors import UsageError
from userops.pages import rfm as page
from userops.periods import end_of_day, epoch_day, start_of_day
from userops.results import (
    NotesBlock,
    Provenance,
    Result,
    Text,
)
from userops.texts.segments import Segment

NEED = partition.Need(working=90, held=5)
"""Memory that a row takes, as measured."""

EXACT_GAPS_UP_TO = 2_000_000
"""Rows up to which the gaps between orders are taken from every customer; beyond, from one in
:data:`GAPS_ONE_USER_IN`, in passing."""

GAPS_ONE_USER_IN = 16

Dimension = Literal["recency", "frequency", "monetary"]
DIMENSIONS: tuple[Dimension, ...] = ("recency", "frequency", "monetary")
VALUES: dict[Dimension, str] = {"recency": "recency_days", "frequency": "orders", "monetary": "monetary"}
SCORES: dict[Dimension, str] = {"recency": "r", "frequency": "f", "monetary": "m"}
RESERVED = frozenset({
    "user", "user_id", "last_order", "recency", "recency_days", "orders", "monetary", "r", "f", "m", "score", "segment",
    "segment_zh", "name", "name_zh", "users", "users_share", "mean_recency_days", "mean_orders", "mean_monetary",
    "revenue", "revenue_share", "key", "instant",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where the scores part: ascending values, and the two thresholds of ``cn8``; money in currency units.

    Save them and score next month's customers with the same ones, so that nobody moves for want of a new cut.
    """

    recency: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: tuple[float, ...]
    thresholds: tuple[float, float, float] | None = None


def _usable(cuts: Sequence[float]) -> bool:
    """Whether values can part scores: ascending, finite, not beyond what is counted with."""
    return list(cuts) == sorted(cuts) and all(abs(x) < money.LIMIT for x in cuts)


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about an RFM analysis; the defaults are what most people mean.

    ``since`` and ``until`` limit orders and money to a window (inclusive days); who has no order in it is not tiered.
    ``segments``: ``champions11``, ``cn8``, ``value-tiers``, ``kmeans:K`` or a :class:`userops.grids.Grid`.
    ``cuts`` reuses saved ones; the three ``*_cuts`` give one dimension's by hand and win over ``cuts``.
    ``by`` breaks the tiers down by a column kept in the orders; ``per_user`` makes the table of customers as well.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: Literal["monday", "sunday"] = "monday"
    bins: int = 5
    recency_cuts: tuple[int, ...] | None = None
    frequency_cuts: tuple[int, ...] | None = None
    monetary_cuts: tuple[float, ...] | None = None
    cuts: Cuts | None = None
    monetary: Literal["total", "mean"] = "total"
    segments: str | grids.Grid = "champions11"
    cn8_threshold: Literal["mean", "median"] = "mean"
    by: str | None = None
    per_user: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.bins <= 20:
            raise UsageError.bad_value("--bins", self.bins, "a whole number from 2 to 20")
        for dimension in DIMENSIONS:
            given = getattr(self, f"{dimension}_cuts")
            if given is not None and (len(given) != self.bins - 1 or not _usable(given)):
                wanted = f"{self.bins - 1} ascending numbers for {self.bins} bins"
                raise UsageError.bad_value(f"--{dimension}-cuts", ",".join(map(str, given)), wanted)
        if self.cuts and not all(_usable(getattr(self.cuts, dimension)) for dimension in DIMENSIONS):
            raise UsageError.bad_value("--cuts", "cuts out of order", "ascending numbers, as --save-cuts writes them")
        if self.by in RESERVED:
            raise UsageError.bad_value("--by", self.by, "a column that goes by none of the names of the result")
        periods.require_order(self.since, self.until)


@dataclass(frozen=True, slots=True, repr=False)
class RfmResult(Result):
    """Tiers (``rows``), the cuts that made them, and, when asked for, every customer (``users``)."""

    cuts: Cuts = Cuts((), (), ())
    users: pl.DataFrame | None = None

    def per_user(self) -> Result:
        """The same result with customers as its rows; needs ``per_user=True`` when it was made."""
        assert self.users is not None, "analyse(..., per_user=True) makes the table of customers"
        headline, _, *notes = self.views
        views = (headline, page.customers(self.users), *(block for block in notes if isinstance(block, NotesBlock)))
        return replace(self, rows=self.users, views=views)


def analyse(
    orders: frames.Orders | pl.LazyFrame | pl.DataFrame,
    settings: Settings | None = None,
    *,
    previous: pl.DataFrame | None = None,
    partitions: int | None = None,
    **changes: Any,
) -> RfmResult:
    """RFM tiers of the customers in ``orders``.

    ``orders``: a frame with ``user_id, ordered_at, amount`` (and ``order_id``; see :func:`userops.frames.orders`).
    ``previous``: an earlier table of customers (``user_id, segment``) to show who moved between segments.
    ``changes`` are fields of :class:`Settings`, so ``rfm.analyse(frame, bins=4)`` works. ``partitions`` bounds memory,
    never the numbers; None: as the number of rows calls for. Raises InputError when no row is usable.
    """
    settings = replace(settings or Settings(), **changes)
    table = orders if isinstance(orders, frames.Orders) else frames.orders(orders, as_of=settings.as_of)
    partitions = partitions or partition.count_for(table.size, need=NEED)
    if previous is not None or settings.by is not None:
        settings = replace(settings, per_user=True)
    one_user_in = 1 if table.size is not None and table.size <= EXACT_GAPS_UP_TO else GAPS_ONE_USER_IN
    reduces = {"users": _reduce_users(table, settings), "gaps": _reduce_gaps(table, settings, one_user_in)}
    books, small = account.opened(table, reduces, partitions=partitions)
    as_of = settings.as_of or account.latest_day(books)
    scored = tiered(small.pop("users"), as_of, settings)
    gaps = small["gaps"]
    if one_user_in > 1 and books.rows_used <= EXACT_GAPS_UP_TO:
        exact = {"gaps": _reduce_gaps(table, settings, 1)}
        gaps, one_user_in = partition.run(table.rows, exact, what=table.name, partitions=partitions)["gaps"], 1
    story = Story(settings, books, as_of, scored, gaps, one_user_in)
    return story.result(previous, books.doubts(as_of))


# --- reduce ---------------------------------------------------------------------------------------------------------


def _within(settings: Settings) -> list[pl.Expr]:
    """What must hold for a time to lie in the reporting window."""
    at = pl.col("ordered_at").to_physical()
    since = [at >= start_of_day(settings.since)] if settings.since else []
    until = [at < end_of_day(settings.until)] if settings.until else []
    return [*since, *until]


def _orders(rows: pl.LazyFrame, table: frames.Orders, settings: Settings) -> tables.OrderRows:
    return tables.order_rows(rows, within=_within(settings), lines=table.grain == "line")


def _reduce_users(table: frames.Orders, settings: Settings) -> partition.Reduce:
    def reduce(rows: pl.LazyFrame) -> pl.LazyFrame:
        users = tables.user_summary(_orders(rows, table, settings), with_ids=settings.per_user)
        if not settings.per_user:
            return users.drop("user")
        if settings.by is None:
            return users
        first = tables.first_value(frames.good(rows).filter(*_within(settings)), settings.by)
        return users.join(first, on="user", how="left", nulls_equal=True)

    return partition.Reduce(reduce)


def _reduce_gaps(table: frames.Orders, settings: Settings, one_user_in: int) -> partition.Reduce:
    """The histogram of gaps between order dates, from every customer or one in so many."""

    def reduce(rows: pl.LazyFrame) -> pl.LazyFrame:
        return tables.order_gaps(_orders(rows, table, settings), one_user_in=one_user_in)

    return partition.Reduce(reduce, keys=("gap_days",))


# --- finish: scores and segments ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scored:
    """Customers with scores and segment, the refund-only users apart, and the cuts in steps as they were applied."""

    users: pl.DataFrame
    cells: pl.DataFrame
    refund_only: pl.DataFrame
    cuts: dict[Dimension, tuple[int, ...]]
    thresholds: tuple[int, int, int]
    segments: tuple[Segment, ...]
    grid: str


def tiered(reduced: pl.DataFrame, as_of: date, settings: Settings) -> Scored:
    """Customers with scores and segment as of a day, from their summaries (:func:`tables.user_summary`)."""
    bought = pl.col("orders") > 0
    value = pl.col("monetary")
    if settings.monetary == "mean":
        value = (value / pl.col("orders")).round().cast(pl.Int64)
    refund_only = reduced.filter(~bought)
    users = (reduced.filter(bought) if refund_only.height else reduced).with_columns(
        revenue=pl.col("monetary"),
        monetary=value,
        recency_days=(epoch_day(as_of) - tables.day(pl.col("last_order"))),
    )
    del reduced
    at = _cuts_in_force(users, settings)
    recency_score = (settings.bins + 1) - stats.score(pl.col("recency_days"), at["recency"])
    users = users.with_columns(
        r=recency_score.cast(pl.Int8),
        f=stats.score(pl.col("orders"), at["frequency"]),
        m=stats.score(pl.col("monetary"), at["monetary"]),
    )
    thresholds = _thresholds(users, settings)
    index, segments, grid = _segments(users, settings, thresholds)
    users = users.with_columns(index)
    return Scored(users, cells(users, by=settings.by), refund_only, at, thresholds, segments, grid)


def _cuts_in_force(users: pl.DataFrame, settings: Settings) -> dict[Dimension, tuple[int, ...]]:
    """Cuts of each dimension, money in steps: by hand, else saved, else the observed order statistics."""
    at: dict[Dimension, tuple[int, ...]] = {}
    for dimension in DIMENSIONS:
        given = getattr(settings, f"{dimension}_cuts")
        if given is None and settings.cuts is not None:
            given = getattr(settings.cuts, dimension)
            if len(given) != settings.bins - 1:
                raise UsageError.bad_value("--cuts", f"{len(given) + 1} bins", f"a file of {settings.bins} bins")
        if given is None:
            at[dimension] = tuple(int(x) for x in stats.cuts(users[VALUES[dimension]], settings.bins))
        else:
            scale = money.SCALE if dimension == "monetary" else 1
            at[dimension] = tuple(round(x * scale) for x in given)
    return at


def _thresholds(users: pl.DataFrame, settings: Settings) -> tuple[int, int, int]:
    """The cn8 thresholds as whole values: high is ``recency <= t``, ``orders >= t``, ``monetary >= t``.

    High is at or above the mean (or median), above only where the threshold is the lowest value there is.
    """
    if settings.cuts is not None and settings.cuts.thresholds is not None:
        recency, orders, value = settings.cuts.thresholds
        return int(recency), int(orders), round(value * money.SCALE)
    n = users.height
    if n == 0:
        return (0, 0, 0)
    limits = []
    for dimension in DIMENSIONS:
        sign = -1 if dimension == "recency" else 1  # recent is high: few days
        signed = pl.col(VALUES[dimension]).cast(pl.Int64) * sign
        total, lowest = users.lazy().select(total=signed.sum(), lowest=signed.min()).collect().row(0)
        over = n
        if settings.cn8_threshold == "median":
            ordered = users[VALUES[dimension]].sort()
            total, over = sign * (int(ordered[(n - 1) // 2]) + int(ordered[n // 2])), 2
        at = -(-total // over)  # values are whole, so "at or above the mean" is "at or above its ceiling"
        limits.append(sign * max(at, lowest + 1))
    return (limits[0], limits[1], limits[2])


def _segments(
    users: pl.DataFrame, settings: Settings, thresholds: tuple[int, int, int]
) -> tuple[pl.Series, tuple[Segment, ...], str]:
    """Each customer's segment (an index), the segments in order of value, and the name of the grid."""
    chosen = settings.segments
    if isinstance(chosen, str) and chosen.startswith("kmeans"):
        return _clusters(users, chosen)
    grid = chosen if isinstance(chosen, grids.Grid) else grids.built_in(chosen)
    if grid.name == "cn8":
        r_at, f_at, m_at = thresholds
        high = users.select(
            r=(pl.col("recency_days") <= r_at).cast(pl.Int8) + 1,
            f=(pl.col("orders") >= f_at).cast(pl.Int8) + 1,
            m=(pl.col("monetary") >= m_at).cast(pl.Int8) + 1,
        )
        return grid.assign(high["r"], high["f"], high["m"]), grid.segments, grid.name
    if grid.bins != settings.bins:
        raise UsageError.bad_value("--bins", settings.bins, f"{grid.bins}, which --segments {grid.name} is made for")
    return grid.assign(users["r"], users["f"], users["m"]), grid.segments, grid.name


def _clusters(users: pl.DataFrame, chosen: str) -> tuple[pl.Series, tuple[Segment, ...], str]:
    _, _, count = chosen.partition(":")
    if not count.isdigit() or not 2 <= int(count) <= 50:
        raise UsageError.bad_value("--segments", chosen, "kmeans:K with K from 2 to 50, such as kmeans:5")
    segments = tuple(Segment(f"Cluster {i}", f"聚类 {i}") for i in range(1, int(count) + 1))
    if users.is_empty():
        return pl.Series("segment", [], dtype=pl.UInt8), segments, chosen
    from userops.models import kmeans

    columns = [VALUES[dimension] for dimension in DIMENSIONS]
    points = users.select(*columns).with_row_index("row").sort(*columns, "row")
    label = kmeans.clusters(points.select(columns).cast(pl.Float64).to_numpy(), int(count))
    index = points.select("row", segment=pl.Series(label, dtype=pl.UInt8)).sort("row")["segment"]
    return index, segments, chosen


# --- finish: what comes out -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from."""

    settings: Settings
    books: account.Account
    as_of: date
    scored: Scored
    gaps: pl.DataFrame
    one_user_in: int

    def result(self, previous: pl.DataFrame | None, warnings: list[Text]) -> RfmResult:
        """All of it as one result."""
        scored, settings = self.scored, self.settings
        rows = tiers(scored.cells, scored.segments, by=settings.by)
        extras = {"scores": score_table(scored, settings.bins), "grid": _grid(scored.cells)}
        migration = None
        if previous is not None:
            migration = extras["migration"] = migrations(self.customers(), previous)
        summary = self.summary(migration)
        warnings = [*warnings, *page.warnings(scored, settings)]
        provenance = Provenance(
            as_of=self.as_of.isoformat(),
            tz=settings.tz,
            week_start=settings.week_start,
            inputs=self.books.reports(),
            settings=self.settings_in_force(),
            definitions=page.definitions(self),
            warnings=tuple(warnings),
            facts={
                "refund_only": {"users": summary["refund_only_users"], "revenue": summary["refund_only_revenue"]},
                "currency": summary["currency"],
            },
        )
        return RfmResult(
            command="rfm",
            rows=rows,
            summary=summary,
            provenance=provenance,
            extras=extras,
            views=page.views(self, rows, extras, summary, warnings),
            cuts=self.cuts(),
            users=self.customers() if settings.per_user else None,
        )

    def cuts(self) -> Cuts:
        """The cuts as they were applied, money in units."""
        at, (r_at, f_at, m_at) = self.scored.cuts, self.scored.thresholds
        in_units = tuple(x / money.SCALE for x in at["monetary"])
        return Cuts(at["recency"], at["frequency"], in_units, (r_at, f_at, m_at / money.SCALE))

    def settings_in_force(self) -> dict[str, Any]:
        """Every setting with the value that was used: cuts and as-of as found, not as asked."""
        chosen: dict[str, Any] = {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        cuts = self.cuts()
        for dimension in DIMENSIONS:
            chosen[f"{dimension}_cuts"] = list(getattr(cuts, dimension))
        chosen |= {"as_of": self.as_of, "segments": self.scored.grid}
        del chosen["cuts"], chosen["tz"], chosen["week_start"]
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in chosen.items()}

    def customers(self) -> pl.DataFrame:
        """One row per customer, sorted by the text of the id."""
        names = pl.Series([s.name for s in self.scored.segments], dtype=pl.String)
        names_zh = pl.Series([s.name_zh for s in self.scored.segments], dtype=pl.String)
        between = "" if self.settings.bins < 10 else "-"
        users = self.scored.users.sort(pl.col("user").cast(pl.String))
        by = [self.settings.by] if self.settings.by else []
        return users.select(
            user_id=pl.col("user").cast(pl.String),
            last_order=pl.col("last_order").cast(pl.Datetime("us")).dt.date(),
            recency_days="recency_days",
            orders=pl.col("orders").cast(pl.Int64),
            monetary=money.units(pl.col("monetary")),
            r="r",
            f="f",
            m="m",
            score=pl.concat_str("r", "f", "m", separator=between),
            segment=names.gather(users["segment"]),
            segment_zh=names_zh.gather(users["segment"]),
            **{name: pl.col(name) for name in by},
        )

    def summary(self, migration: pl.DataFrame | None) -> dict[str, Any]:
        """All customers together; flat."""
        cells, refund_only = self.scored.cells, self.scored.refund_only
        n, revenue = int(cells["users"].sum()), int(cells["revenue"].sum())
        found: dict[str, Any] = {
            "users": n,
            "orders": int(cells["orders"].sum()),
            "revenue": revenue / money.SCALE,
            "currency": self.books.currency,
            "repeat_rate": (n - int(cells["once"].sum())) / n if n else None,
            "median_gap_days": stats.quantile_of_counts(self.gaps["gap_days"], self.gaps["n"], 0.5),
            "p80_gap_days": stats.quantile_of_counts(self.gaps["gap_days"], self.gaps["n"], 0.8),
            "gap_users_one_in": self.one_user_in,
            "refund_only_users": refund_only.height,
            "refund_only_revenue": int(refund_only["monetary"].sum()) / money.SCALE,
            "known_revenue": (revenue + int(refund_only["monetary"].sum())) / money.SCALE,
            "file_total": self.books.file_total / money.SCALE,
        }
        if migration is not None:
            both = migration.drop_nulls(["from", "to"])
            found["moved_users"] = int(both.filter(pl.col("from") != pl.col("to"))["users"].sum())
            found["stayed_users"] = int(both.filter(pl.col("from") == pl.col("to"))["users"].sum())
        return found


def cells(users: pl.DataFrame, *, by: str | None = None) -> pl.DataFrame:
    """Customers added up by scores and segment (index), and ``by`` when given: all that a result tells about groups.

    ``r, f, m, segment`` and sums: ``users``, ``once`` (customers of one order), ``recency, orders, monetary, revenue``
    (days, orders, steps, steps).
    """
    parts = ("r", "f", "m", "segment")  # each below 256: packed into one key they group twice as fast
    key = pl.sum_horizontal(pl.col(part).cast(pl.Int64) * 256**place for place, part in enumerate(parts))
    added = (
        users.lazy()
        .group_by(*([by] if by else []), key=key)
        .agg(
            users=pl.len().cast(pl.Int64),
            once=(pl.col("orders") == 1).sum().cast(pl.Int64),
            recency=pl.col("recency_days").cast(pl.Int64).sum(),
            orders=pl.col("orders").cast(pl.Int64).sum(),
            monetary=pl.col("monetary").sum(),
            revenue=pl.col("revenue").sum(),
        )
    )
    apart = {part: (pl.col("key") // 256**place % 256).cast(users.schema[part]) for place, part in enumerate(parts)}
    return added.with_columns(**apart).drop("key").collect()


def tiers(cells: pl.DataFrame, segments: tuple[Segment, ...], *, by: str | None = None) -> pl.DataFrame:
    """One row per segment in order of value, those without customers included (means are then null).

    From :func:`cells`; with ``by`` one row per value of it and segment. Shares are of all customers and all revenue.
    """
    names = pl.DataFrame(
        {"segment": range(len(segments)), "name": [s.name for s in segments], "name_zh": [s.name_zh for s in segments]},
        schema={"segment": pl.UInt8, "name": pl.String, "name_zh": pl.String},
    )
    keys = [by] if by else []
    n, revenue = int(cells["users"].sum()), int(cells["revenue"].sum())
    sums = ("users", "recency", "orders", "monetary", "revenue")
    counted = cells.group_by(*keys, "segment").agg(pl.col(sums).sum())
    frame = cells.select(by).unique().join(names, how="cross") if by else names
    return (
        frame.join(counted, on=[*keys, "segment"], how="left", nulls_equal=True)
        .with_columns(pl.col(sums).fill_null(0))
        .sort(*keys, "segment", nulls_last=True)
        .select(
            *keys,
            segment="name",
            segment_zh="name_zh",
            users="users",
            users_share=stats.ratio(pl.col("users"), pl.lit(n)),
            mean_recency_days=stats.ratio(pl.col("recency"), pl.col("users")),
            mean_orders=stats.ratio(pl.col("orders"), pl.col("users")),
            mean_monetary=stats.ratio(pl.col("monetary"), pl.col("users") * money.SCALE),
            revenue=money.units(pl.col("revenue")),
            revenue_share=stats.ratio(pl.col("revenue"), pl.lit(revenue)),
        )
    )


def score_table(scored: Scored, bins: int) -> pl.DataFrame:
    """Each score of each dimension: the range of values it stands for and how many customers have it.

    ``dimension, score, low, high, users``; null ends are open. Money in units.
    """
    parts = []
    for dimension in DIMENSIONS:
        at = [x / money.SCALE if dimension == "monetary" else float(x) for x in scored.cuts[dimension]]
        inner: Sequence[float | None] = at or [None] * (bins - 1)
        edges = [None, *inner, None]
        score = SCORES[dimension]
        counts = dict(scored.cells.group_by(score).agg(pl.col("users").sum()).iter_rows())
        for number in range(1, bins + 1):
            place = bins - number if dimension == "recency" else number - 1
            parts.append((dimension, number, edges[place], edges[place + 1], counts.get(number, 0)))
    schema = {"dimension": pl.String, "score": pl.Int8, "above": pl.Float64, "to": pl.Float64, "users": pl.Int64}
    return pl.DataFrame(parts, schema=schema, orient="row")


def _grid(cells: pl.DataFrame) -> pl.DataFrame:
    """Customers and revenue by recency and frequency score: ``r, f, users, revenue``."""
    counted = cells.group_by("r", "f").agg(pl.col("users").sum(), revenue=money.units(pl.col("revenue").sum()))
    return counted.sort("r", "f")


def migrations(users: pl.DataFrame, previous: pl.DataFrame) -> pl.DataFrame:
    """Who moved where: ``from, to, users, share`` (of the earlier segment's customers).

    ``previous`` has ``user_id`` and ``segment``. A null ``from`` is a customer who was not there before, a null ``to``
    one who is no longer; their shares are of all such.
    """
    before = previous.select(pl.col("user_id").cast(pl.String), pl.col("segment").cast(pl.String).alias("from"))
    now = users.select(pl.col("user_id").cast(pl.String), to="segment")
    return (
        before.join(now, on="user_id", how="full", coalesce=True)
        .group_by("from", "to")
        .agg(users=pl.len().cast(pl.Int64))
        .with_columns(share=pl.col("users") / pl.col("users").sum().over("from"))
        .sort("from", "to", nulls_last=True)
    )
