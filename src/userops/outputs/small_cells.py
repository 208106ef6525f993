"""Tables without small cells: what rests on fewer than so many users is null, and cannot be worked out from the rest.

A row is hidden whole (every measure of it) where one of its counts is above zero and below the limit, or where a count
and its base differ by so few. Zero stays: it is nobody. A row hidden alone could be had from the total, so further
rows are hidden, the smallest first, until of every line of the table (all rows that differ in one key) the hidden ones
are two at least and together not below the limit. The same for steps that follow one another, whose differences would
tell, and between tables of which one is the sum of another. Which rows were small themselves is not told.

Counts are known by name (:data:`COUNTS`); sources: the rule of thumb of the UK's statistics office (no count below 10)
and secondary suppression as in Hundepool et al., Statistical Disclosure Control (2012), chapter 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

MARK = "suppressed"
"""The column that says which rows are hidden."""

COUNTS = (
    "users", "mature_users", "cohort_users", "eligible_users", "n", "dau", "wau", "mau", "new", "retained", "resurrected",
    "churned", "dropped", "active", "at_risk", "converted", "customers", "subscribers", "subscriptions", "members",
    "numerator", "denominator", "answers", "responses", "orders", "transitions", "sessions", "events", "affected", "count",
)  # fmt: skip
"""Columns that count users, or what no user can have less than one of; and every whole number that ends in _users."""

ALONE = frozenset({"new_users", "refund_only_users"})
"""Counts that no other column of their row is made of: they are hidden alone."""

KEYS = frozenset({
    "period", "step", "tenth", "decile", "day", "active_days", "level", "hour", "weekday", "week", "month", "year",
    "r", "f", "m", "session", "rank", "from_step", "to_step",
})  # fmt: skip
"""Whole numbers that name a row and measure nothing; text, days and yes-or-no always do."""

BASES = (
    ("users", "eligible_users"), ("users", "cohort_users"), ("churned", "at_risk"), ("churned", "users"),
    ("converted", "mature_users"), ("numerator", "denominator"), ("dau", "mau"),
)  # fmt: skip
"""A count and the count it is a part of: what is missing to the whole is a count too."""

SHARES = (
    ("from_start", "mature_users"), ("from_previous", "mature_users"), ("users_share", "users"), ("churn_rate", "churned"),
)  # fmt: skip
"""A share and the count that is its numerator."""

RATES = (("retention", "eligible_users"), ("value", "denominator"), ("previous", "denominator"), ("value", "n"))
"""A share and the count it is a share of."""

_OTHER_SHARES = re.compile(r"(?:^|_)(?:rate|retention|conversion|d1|d7|d30|paid_back)$")
"""Shares of users whose base is not beside them: taken for shares of the row's first count."""

CHAINS = (("step", "dropped"), ("period", "churned"))
"""Columns of what follows step by step: the place, and what is lost there."""

CUMULATIVE = ("captured", "cumulative_share", "running_share")
"""Measures whose differences are those of the rows: all null where one row is hidden."""

_ROW, _HIDDEN, _ALL, _MARGIN = "__row", "__hidden", "__all", "__margin"
_MOST_ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class Hidden:
    """A table without small cells. ``rows``: how many rows are hidden; ``cells``: how many numbers went with them."""

    frame: pl.DataFrame
    rows: int = 0
    cells: int = 0


def is_per_user(frame: pl.DataFrame) -> bool:
    """True where each row is of one user: it has no cells that add people up."""
    return "user_id" in frame.columns


def counts_of(frame: pl.DataFrame) -> list[str]:
    """The columns that count users, the one that says it best first."""
    known = [name for name in COUNTS if name in frame.columns and frame.schema[name].is_numeric()]
    others = [name for name, dtype in frame.schema.items() if name.endswith("_users") and dtype.is_integer()]
    return list(dict.fromkeys([*known, *others]))


def measures_of(frame: pl.DataFrame) -> list[str]:
    """The columns that measure: numbers that are no keys, durations, and lists."""
    return [name for name, dtype in frame.schema.items() if _is_measure(name, dtype)]


def hide(frame: pl.DataFrame, least: int, total_row: bool = False) -> Hidden:
    """The table without cells below ``least``; ``total_row``: its last row is the sum of the others."""
    return hide_all({"": frame}, least, totals={""} if total_row else ())[""]


def hide_all(
    frames: Mapping[str, pl.DataFrame], least: int, totals: Sequence[str] | set[str] = ()
) -> dict[str, Hidden]:
    """Tables that leave together, each without its small cells, and none to be worked out from another.

    Tables of one user a row stay as they are. Of tables whose measures rest on nobody knows how many users, every
    measure is null. Every other table gets a column :data:`MARK`. ``totals``: tables whose last row is a sum.
    """
    books = {
        (name, part): _Book(frame, columns, least, name in totals)
        for name, frame in frames.items()
        if not is_per_user(frame)
        for part, columns in enumerate(_parts(frame))
    }
    for _ in range(_MOST_ROUNDS):
        changed = [book.settle() for book in books.values()]
        changed += [book.follow(other) for book in books.values() for other in books.values() if book is not other]
        if not any(changed):
            break
    return {
        name: Hidden(frame)
        if is_per_user(frame)
        else _written(frame, [b for key, b in books.items() if key[0] == name])
        for name, frame in frames.items()
    }


# --- one table ------------------------------------------------------------------------------------------------------


class _Book:
    """What is hidden so far of some columns of a table."""

    def __init__(self, frame: pl.DataFrame, measures: Sequence[str], least: int, total_row: bool) -> None:
        self.measures, self.least = list(measures), least
        self.counts = [name for name in counts_of(frame) if name in self.measures]
        self.keys = _keys(frame)
        body = frame.head(-1) if total_row else frame
        small = _small(frame, self.measures, self.counts, least)
        self.total_hidden = total_row and bool(frame.tail(1).select(small).to_series().any())
        self.table = body.with_columns(small.alias(_HIDDEN), pl.lit(0).alias(_ALL)).with_row_index(_ROW)
        if self.total_hidden:
            self.table = self.table.with_columns(pl.lit(value=True).alias(_HIDDEN))

    @property
    def hidden(self) -> int:
        return int(self.table[_HIDDEN].sum())

    def settle(self) -> bool:
        """Hide until no line and no chain tells; True if that took anything."""
        before = self.hidden
        if not before:
            return False
        for _ in range(_MOST_ROUNDS):
            start = self.hidden
            for key in self.keys:
                line = [other for other in self.keys if other != key] or [_ALL]
                for count in self.counts:
                    self._hide(self._exposed(line, count), line, count)
            for place, lost in CHAINS:
                if place in self.keys and lost in self.counts:
                    self._lengthen(place, lost)
            if self.hidden == start:
                break
        return self.hidden > before

    def follow(self, other: _Book) -> bool:
        """Hide a part of every row that ``other``, which sums this table up, has hidden; True if that took anything."""
        shared = [count for count in self.counts if count in other.counts]
        if not (other.hidden and shared and other.keys and set(other.keys) <= set(self.keys)):
            return False
        if any(self.table.schema[key] != other.table.schema[key] for key in other.keys):
            return False
        before, count, line = self.hidden, shared[0], other.keys
        margins = other.table.filter(_HIDDEN).select(*line, pl.lit(value=True).alias(_MARGIN)).unique()
        self.table = self.table.join(margins, on=line, how="left", nulls_equal=True, maintain_order="left")
        covered = (pl.col(_HIDDEN) & (pl.col(count) > 0)).any().over(line)
        self._hide(pl.col(_MARGIN).fill_null(value=False) & ~covered, line, count)
        self.table = self.table.drop(_MARGIN)
        return self.hidden > before

    def _exposed(self, line: Sequence[str], count: str) -> pl.Expr:
        """Lines of which something is hidden that the total would tell: one row, or so little."""
        gone = pl.col(_HIDDEN) & (pl.col(count).fill_null(0) > 0)
        rows = gone.sum().over(line)
        users = pl.when(gone).then(pl.col(count)).sum().over(line)
        return (rows > 0) & ((rows < 2) | (users < self.least))

    def _hide(self, where: pl.Expr, line: Sequence[str], count: str) -> None:
        """Hide the smallest row that is still shown of each line that ``where`` names; of equals the first."""
        candidate = where & ~pl.col(_HIDDEN) & (pl.col(count).fill_null(0) > 0)
        smallest = pl.when(candidate).then(pl.col(count)).min().over(line)
        equal = candidate & (pl.col(count) == smallest)
        chosen = pl.col(_ROW) == pl.when(equal).then(pl.col(_ROW)).min().over(line)
        self.table = self.table.with_columns((pl.col(_HIDDEN) | chosen.fill_null(value=False)).alias(_HIDDEN))

    def _lengthen(self, place: str, lost: str) -> None:
        """Hide the step after a run of hidden ones that is too short, or loses too few, unless nothing follows it."""
        line = [key for key in self.keys if key != place] or [_ALL]
        table = self.table.sort(*line, place, nulls_last=True).with_columns(
            pl.struct(*line, _HIDDEN).rle_id().alias("__run")
        )
        users = pl.col(lost).fill_null(0).sum().over("__run")
        short = pl.col(_HIDDEN) & ((pl.len().over("__run") < 2) | (users.is_between(1, self.least - 1)))
        after = short.shift(1).over(line).fill_null(value=False) & ~pl.col(_HIDDEN)
        self.table = table.with_columns((pl.col(_HIDDEN) | after).alias(_HIDDEN)).drop("__run").sort(_ROW)


def _written(frame: pl.DataFrame, books: Sequence[_Book]) -> Hidden:
    """The frame with null where its books hide, and the mark."""
    measures = measures_of(frame)
    gone = pl.Series(MARK, [False] * frame.height, pl.Boolean)
    result = frame
    for book in books:
        flags = book.table[_HIDDEN]
        flags = flags.extend_constant(book.total_hidden, frame.height - len(flags))
        if book.measures and not book.counts:
            flags = pl.Series([True] * frame.height, dtype=pl.Boolean)
        wholly = [name for name in book.measures if name in CUMULATIVE and bool(flags.any())]
        result = result.with_columns(
            pl.when(~(flags | (name in wholly))).then(pl.col(name)).alias(name) for name in book.measures
        )
        gone = gone | flags
    cells = _known(frame, measures) - _known(result, measures)
    return Hidden(result.with_columns(gone.alias(MARK)), int(gone.sum()), cells)


def _known(frame: pl.DataFrame, columns: Sequence[str]) -> int:
    return sum(frame.height - frame[name].null_count() for name in columns)


def _parts(frame: pl.DataFrame) -> list[list[str]]:
    """The measures in groups that have nothing to do with one another."""
    measures = measures_of(frame)
    alone = [[name] for name in measures if name in ALONE]
    return [[name for name in measures if name not in ALONE], *alone] if len(alone) < len(measures) else alone


def _small(frame: pl.DataFrame, measures: Sequence[str], counts: Sequence[str], least: int) -> pl.Expr:
    """Whether a row has a count, or what a count lacks to its base, above zero and below ``least``."""
    has = set(measures)
    found: list[pl.Expr] = [pl.col(count) for count in counts]
    found += [pl.col(base) - pl.col(part) for part, base in BASES if {part, base} <= has]
    found += [pl.col(part) / pl.col(share) - pl.col(part) for share, part in SHARES if {share, part} <= has]
    for share, base in RATES:
        if {share, base} <= has:
            part = pl.col(share) * pl.col(base)
            proper = pl.col(share).is_between(0, 1)
            found += [pl.when(proper).then(part), pl.when(proper).then(pl.col(base) - part)]
    known = {share for share, other in (*SHARES, *RATES) if other in has}
    for share in measures if counts else ():
        if share not in known and _OTHER_SHARES.search(share):
            part = pl.col(share) * pl.col(counts[0])
            found += [part, pl.col(counts[0]) - part]
    few = [
        ((number.cast(pl.Float64) >= 0.5) & (number.cast(pl.Float64) < least - 0.5)).fill_null(value=False)
        for number in found
    ]
    return pl.any_horizontal(few) if few else pl.lit(value=False)


def _is_measure(name: str, dtype: pl.DataType) -> bool:
    if name in KEYS and (dtype.is_integer() or dtype == pl.String):
        return False
    return dtype.is_numeric() or dtype.is_nested() or dtype == pl.Duration


def _keys(frame: pl.DataFrame) -> list[str]:
    """The fewest columns that tell the rows apart, the first ones first: a name in a second language is no key."""
    keys = [name for name, dtype in frame.schema.items() if not _is_measure(name, dtype) and name != MARK]
    if not keys:
        return []
    apart = frame.select(keys).n_unique()
    for key in reversed(keys[:]):
        others = [other for other in keys if other != key]
        if others and frame.select(others).n_unique() == apart:
            keys = others
    return keys
