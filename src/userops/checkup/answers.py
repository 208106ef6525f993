"""The answers of users, as a check-up reads them: rows that count, and the days that are compared."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from userops import frames, stats
from userops.collecting import collect

MANY = 100
"""Answers in both windows that make 28 days enough, else 90 days are compared; and that a warning of a segment takes."""

SURE, LIKELY = 0.01, 0.05
"""Below which p a change is a warning, and below which it is worth knowing."""


class Windows(NamedTuple):
    """The days that are looked at and as many before; first and last ones."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days each of them has."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> tuple[date, date]:
        """The first and the last of the days before."""
        return self.first - timedelta(days=self.days), self.first - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the findings are told from.

    ``rows``: answers that count (``day, score, rating, text, topic, unhappy``, one column for each of ``dims``), of all days
    through ``as_of``. ``windows``: the days that are compared; ``since, until``: what is reported is of these days.
    """

    name: str
    rows: pl.DataFrame
    as_of: date
    windows: Windows
    dims: Sequence[str]
    since: date
    until: date

    @property
    def now(self) -> pl.DataFrame:
        """The answers of the days that are looked at."""
        return self.rows.filter(pl.col("day").is_between(self.windows.first, self.windows.last))

    @property
    def before(self) -> pl.DataFrame:
        """The answers of as many days before."""
        return self.rows.filter(pl.col("day").is_between(*self.windows.before))

    @property
    def unhappy(self) -> pl.Series:
        """Whether each answer is unhappy; no where that is not known."""
        return self.rows["unhappy"].fill_null(value=False)

    @property
    def reported(self) -> pl.Series:
        """Whether each answer is of the days that are reported."""
        return self.rows["day"].is_between(self.since, self.until)

    @property
    def again(self) -> str:
        """The command that gives the numbers again."""
        return f"userops diagnose --feedback {shlex.quote(self.name)} --as-of {self.as_of}"


def rows(feedback: frames.Feedback, users: pl.DataFrame | None, by: Sequence[str]) -> pl.DataFrame:
    """The answers that count, with ``day``, ``unhappy`` (null: nobody knows) and the columns ``by`` that there are, as text."""
    schema = feedback.rows.collect_schema()
    by = [name for name in dict.fromkeys(by) if name not in OWN]
    dims = [name for name in by if name in schema]
    chosen = frames.good(feedback.rows).select(
        "score",
        "rating",
        "text",
        "topic",
        *(pl.col(name).cast(pl.String) for name in dims),
        user_id=pl.col("user_id").cast(pl.String),
        day=pl.col("time").dt.date(),
        unhappy=pl.coalesce(pl.col("score") <= 6, pl.col("rating") <= 2),
    )
    found = collect(chosen, feedback.name)
    if users is None:
        return found
    of_users = [
        name for name in by if name not in dims and name in users.columns and not users.schema[name].is_nested()
    ]
    known = (
        users.select(pl.col("user_id", *of_users).cast(pl.String)).drop_nulls("user_id").unique("user_id", keep="any")
    )
    return found.join(known, on="user_id", how="left")


OWN = frozenset(
    {"user_id", "time", "instant", "day", "score", "rating", "text", "topic", "unhappy", "reject", "source"}
)
"""Names of our own columns: what goes by them is not broken down by."""


def windows(rows: pl.DataFrame, as_of: date, since: date | None, until: date | None) -> Windows:
    """The days to look at: those asked for, else 28 where both windows hold many answers, else 90."""
    last = until or as_of
    if since is not None:
        return Windows(min(since, last), last)
    month = Windows(last - timedelta(days=27), last)
    in_both = [rows["day"].is_between(*window).sum() for window in ((month.first, month.last), month.before)]
    return month if min(in_both) >= MANY else Windows(last - timedelta(days=89), last)


def limits(successes: int, n: int) -> tuple[float, float]:
    """The Wilson interval of one share."""
    low, high = stats.wilson(pl.lit(successes), pl.lit(n))
    found = pl.select(low=low, high=high)
    return float(found["low"][0]), float(found["high"][0])
