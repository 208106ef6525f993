"""What became of the rows: how many count, how many do not and why, what they are worth, what looks odd about them.

The account is taken in the same scan as the analysis; every number a result prints reconciles with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from userops import frames, money, partition, periods, tables
from userops.errors import InputError
from userops.results import InputReport, Text

EXACT_UP_TO = 2_000_000
"""Rows up to which repeated order ids and exact copies are counted one by one. Beyond, a fixed share of the order ids
is looked at first, so that looking never doubles the cost of a run; copies are then not counted."""

ORDER_IDS_ONE_IN = 64
"""The share of order ids that is looked at: a file where 300 rows repeat an id is missed once in a hundred times."""


HOUR = periods.MICROSECONDS_A_DAY // 24
"""Microseconds."""

_REASONS, _NO_TIME = 256, -(1 << 31)
"""In a key of hour and reason: more than there are reasons, and the hour of rows that do not count."""


@dataclass(frozen=True, slots=True)
class Account:
    """Rows by source, reason and hour, ready to be asked.

    ``rows``: ``source, reject, currency, hour, n, acts, twice, amount, first, last``; ``hour`` counts from 1970-01-01
    and is null for rows that do not count or have no time. ``acts``: how many of the ``n`` rows are no refunds.
    """

    rows: pl.DataFrame
    table: frames.Table

    @property
    def used(self) -> pl.DataFrame:
        """What became of the rows that count."""
        return self.rows.filter(pl.col("reject") == 0)

    @property
    def rejected(self) -> pl.DataFrame:
        """What became of the others."""
        return self.rows.filter(pl.col("reject") != 0)

    @property
    def rows_used(self) -> int:
        """How many rows count."""
        return int(self.used["n"].sum())

    @property
    def acts_by_hour(self) -> pl.DataFrame | None:
        """What users did in each hour with rows that count, events or orders: ``hour, acts``; None where rows are lines."""
        if isinstance(self.table, frames.Orders) and self.table.grain == "line":
            return None
        return self.used.group_by("hour").agg(pl.col("acts").sum())

    @property
    def file_total(self) -> int:
        """Steps of money in all rows that hold a readable amount, rejected ones included."""
        return int(self.rows["amount"].sum())

    @property
    def rejected_total(self) -> int:
        """Steps of money in the rows that do not count."""
        return int(self.rejected["amount"].sum())

    @property
    def first_time(self) -> datetime | None:
        """When the earliest row that counts happened."""
        return self.used["first"].min()  # type: ignore[return-value] # the column's type

    @property
    def last_time(self) -> datetime | None:
        """When the latest row that counts happened."""
        return self.used["last"].max()  # type: ignore[return-value]

    @property
    def days(self) -> pl.DataFrame:
        """The days with rows that count: ``day, n, last`` (rows, time of the last), sorted."""
        return self.used.group_by(day=pl.col("hour") // 24).agg(pl.col("n").sum(), pl.col("last").max()).sort("day")

    @property
    def currencies(self) -> list[str]:
        """The currencies of the rows that count, the most frequent first."""
        found = self.used.filter(pl.col("currency").is_not_null()).sort("n", "currency", descending=[True, False])
        return found["currency"].unique(maintain_order=True).to_list()

    @property
    def currency(self) -> str | None:
        """The one currency of the rows that count, None where the file names none; several: InputError."""
        self.require_one_currency()
        return next(iter(self.currencies), None)

    def require_one_currency(self) -> None:
        """InputError where the rows that count are in several currencies."""
        if len(self.currencies) > 1:
            raise InputError.mixed_currencies(self.table.name, self.currencies)

    def doubts(self, as_of: date | None) -> list[Text]:
        """Warnings about the rows themselves: hours that were twice, a last day cut short (None: not asked), copies."""
        found = (
            self.twice_warning(),
            cut_short(self, as_of) if as_of else None,
            copies_warning(exact_copies(self.table, self.rows_used)),
        )
        return [text for text in found if text is not None]

    def twice_warning(self) -> Text | None:
        """That some times exist twice, the clocks having gone back; they were taken as the earlier ones."""
        n, zone = int(self.used["twice"].sum()), self.table.wall_zone
        if not n:
            return None
        return Text(
            f"{n:,} rows lie in an hour that {zone} had twice; they are taken as the earlier one",
            f"{n:,} 行位于 {zone} 因夏令时结束而重复的一小时内,按较早的时刻计",
        )

    def reports(self) -> tuple[InputReport, ...]:
        """One report per input: rows read, used, and rejected by reason."""
        reports = []
        for number, source in enumerate(self.table.sources):
            here = self.rows.filter(pl.col("source") == number)
            counted = here.filter(pl.col("reject") != 0).group_by("reject").agg(pl.col("n").sum()).sort("reject")
            rejected = dict(source.rows_dropped_at_reading)
            rejected |= {frames.REASONS[code]: n for code, n in counted.iter_rows()}
            used = int(here.filter(pl.col("reject") == 0)["n"].sum())
            reports.append(InputReport(source.name, source.layout, used + sum(rejected.values()), used, rejected))
        return tuple(reports)

    def require_rows(self) -> None:
        """InputError when no row counts, with the reasons."""
        if self.rows_used == 0:
            totals: dict[str, int] = {}
            for report in self.reports():
                for reason, n in report.rejected.items():
                    totals[reason] = totals.get(reason, 0) + n
            if not totals:
                raise InputError.empty(self.table.name)
            reasons = "; ".join(f"{n:,} × {frames.REASON_TEXTS[reason].en}" for reason, n in totals.items())
            raise InputError.no_usable_rows(self.table.name, reasons)


def opened(
    table: frames.Table,
    beside: Mapping[str, partition.Reduce] | None = None,
    *,
    partitions: int = 1,
    may_be_empty: bool = False,
) -> tuple[Account, dict[str, pl.DataFrame]]:
    """The books of a table, and the tables of ``beside`` from the same scan.

    Raises InputError when no row counts, unless ``may_be_empty``, and when order ids repeat without a reason.
    """
    reduces = {"account": reduce(table), **(beside or {})}
    if isinstance(table, frames.Orders) and table.has_order_id and not table.grain_known:
        one_in = 1 if table.size is not None and table.size <= EXACT_UP_TO else ORDER_IDS_ONE_IN
        reduces["order_ids"] = _order_ids(one_in)
    small = partition.run(table.rows, reduces, what=table.name, partitions=partitions)
    books = Account(small.pop("account"), table)
    if not may_be_empty:
        books.require_rows()
    if isinstance(table, frames.Orders) and "order_ids" in small:
        looked_at = small.pop("order_ids")["id"]
        if tables.repeated(looked_at).len() or (one_in > 1 and books.rows_used <= EXACT_UP_TO):
            _refuse_repeated_order_ids(table)
    return books, small


def reduce(table: frames.Table) -> partition.Reduce:
    """The reduce whose table :class:`Account` holds."""
    source = pl.col("source") if len(table.sources) > 1 else pl.lit(0, dtype=pl.UInt16)
    currency = pl.col("currency").cast(pl.String) if table.has_currency else pl.lit(None, dtype=pl.String)
    amount = pl.col("amount").sum() if table.has_amount else pl.lit(0, dtype=pl.Int64)
    refunds = (pl.col("amount") < 0).sum() if table.has_amount else 0
    at, zone, reject = pl.col(table.time), table.wall_zone, pl.col("reject")
    twice = periods.was_twice(at, zone).sum().cast(pl.Int64) if zone else pl.lit(0, dtype=pl.Int64)
    hour = (at.to_physical() // HOUR).fill_null(_NO_TIME)
    key = pl.when(reject == 0).then(hour).otherwise(_NO_TIME) * _REASONS + reject  # one key groups faster than two
    apart = [source] if len(table.sources) > 1 else []
    apart += [currency.alias("currency")] if table.has_currency else []

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        moment = at.to_physical()  # whole numbers compare faster than times
        counted = rows.group_by(key.alias("key"), *apart).agg(
            n=pl.len().cast(pl.Int64),
            acts=pl.len().cast(pl.Int64) - refunds,
            twice=twice,
            amount=amount,
            first=moment.min(),
            last=moment.max(),
        )
        if len(table.sources) == 1:
            counted = counted.with_columns(source=source)
        if not table.has_currency:
            counted = counted.with_columns(currency=currency)
        hour = pl.col("key") // _REASONS
        return counted.with_columns(
            pl.col("first", "last").cast(pl.Datetime("us")),
            reject=(pl.col("key") % _REASONS).cast(pl.UInt8),
            hour=pl.when(hour != _NO_TIME).then(hour.cast(pl.Int32)),
        ).select("source", "reject", "currency", "hour", "n", "acts", "twice", "amount", "first", "last")

    return partition.Reduce(count, keys=("source", "reject", "currency", "hour"), earliest=("first",), latest=("last",))


def _order_ids(one_in: int) -> partition.Reduce:
    """The reduce that gives hashes of one order id in so many (``of``: one row per row of theirs, ``id``).

    Rejected rows are looked at too, since telling them apart would cost more than the look; the exact count decides.
    """

    def hashes(rows: pl.LazyFrame) -> pl.LazyFrame:
        ids = rows.filter(pl.col("order_id").is_not_null()).select(id=pl.col("order_id").hash(tables.USER_SEED))
        return ids.filter(pl.col("id") % one_in == 0) if one_in > 1 else ids

    return partition.Reduce(hashes)


def _refuse_repeated_order_ids(orders: frames.Orders) -> None:
    """InputError when order ids repeat although nothing says that rows are lines; see :data:`EXACT_UP_TO`."""
    every = partition.Reduce(lambda rows: frames.good(rows).select(pl.col("order_id").drop_nulls()))
    ids = partition.run(orders.rows, {"ids": every}, what=orders.name)["ids"]["order_id"]
    if tables.repeated(ids.hash(tables.USER_SEED)).len() and (repeated := ids.len() - ids.n_unique()):
        raise InputError.repeated_order_ids(orders.name, repeated)


def exact_copies(table: frames.Table, rows: int) -> int | None:
    """How many rows are copies of an earlier one in every column; None when there are too many rows to look."""
    if rows > EXACT_UP_TO:
        return None
    every = pl.struct(pl.all().exclude("reject")).hash(tables.USER_SEED)
    kept = partition.Reduce(lambda rows: rows.filter(pl.col("reject") == 0).select(row=every))
    return tables.repeated(partition.run(table.raw, {"rows": kept}, what=table.name)["rows"]["row"]).len()


def latest_day(books: Account) -> date:
    """The date of the latest row that counts: the default as-of.

    Lone rows far beyond all others (a typing error such as 2062) are an InputError, since every recency would be wrong
    by decades.
    """
    books.require_rows()
    days = books.days
    last, lone = days["day"][-1], days["n"][-1] <= max(1, books.rows_used // 1000)
    if lone and days.height >= 4:
        gaps = days["day"].diff().drop_nulls()
        far = max(90, 20 * int(gaps[:-1].median() or 1))  # type: ignore[arg-type] # a number
        if gaps[-1] > far:
            raise InputError.lone_future_row(
                books.table.name, _date(last).isoformat(), _date(days["day"][-2]).isoformat()
            )
    return _date(last)


def _date(day: int) -> date:
    return date.fromordinal(day + date(1970, 1, 1).toordinal())


def cut_short(books: Account, as_of: date) -> Text | None:
    """A warning when the last day looks unfinished: its rows end hours before those of the four weeks before.

    Days of fewer than three rows say nothing.
    """
    today = periods.epoch_day(as_of)
    clock = pl.col("last").dt.hour().cast(pl.Int32) * 60 + pl.col("last").dt.minute()
    days = books.days.filter(pl.col("n") >= 3).select("day", end=clock)
    before = days.filter(pl.col("day").is_between(today - 28, today - 1))["end"]
    this = days.filter(pl.col("day") == today)["end"]
    if before.len() < 5 or this.is_empty():
        return None
    usual, end = int(before.median()), int(this[0])  # type: ignore[arg-type] # not empty
    if usual - end < 180:
        return None
    eve = as_of.fromordinal(as_of.toordinal() - 1).isoformat()
    at, late = f"{end // 60:02}:{end % 60:02}", f"{usual // 60:02}:{usual % 60:02}"
    return Text(
        f"{as_of} looks cut short: its last row is at {at}, other days end about {late}; --as-of {eve} leaves it out",
        f"{as_of} 的数据可能不完整:最后一行在 {at},其他日子约到 {late};可用 --as-of {eve} 排除该日",
    )


def copies_warning(copies: int | None) -> Text | None:
    """The warning that goes with :func:`exact_copies`."""
    if not copies:
        return None
    rows = (
        "1 row is an exact copy of another row; it is"
        if copies == 1
        else f"{copies:,} rows are exact copies of another row; they are"
    )
    return Text(
        f"{rows} counted (--drop-duplicates drops {'it' if copies == 1 else 'them'})",
        f"{copies:,} 行与其他行完全相同,已计入(--drop-duplicates 可去除)",
    )


def money_text(steps: int) -> str:
    """Exact steps as money to read: thousands commas and two decimals."""
    return f"{steps / money.SCALE:,.2f}"
