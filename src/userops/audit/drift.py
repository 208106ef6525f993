"""What a file is made of, to be compared with the last run: columns, types, empty cells, categories.

Population stability index (PSI): the sum of (p - q) ln(p / q) over the categories, empty cells among them; shares
below 0.0001 are taken as that. Common reading: above 0.1 a shift, above 0.2 a great one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from userops import account, frames
from userops.collecting import collect, collect_all

MOST_CATEGORIES = 50
"""Text columns with more values than this are no categories."""

_NONE, _LEAST = "", 1e-4
_IDS = ("user_id", "order_id", "event_id", "session_id", "email", "phone", "name")


@dataclass(frozen=True, slots=True)
class Profile:
    """What one kind of rows was made of: the shape that an audit stores and the next one reads.

    ``columns``: by name ``dtype, nulls`` (share of the rows) and, of categories, ``shares`` by value, empty cells under
    the empty name. ``rows``: rows that count; ``last``: the day of the latest (ISO).
    """

    rows: int
    last: str | None
    columns: Mapping[str, Mapping[str, Any]]

    def stored(self) -> dict[str, Any]:
        """As plain values."""
        return {"rows": self.rows, "last": self.last, "columns": dict(self.columns)}


def profile_of(table: frames.Table, books: account.Account, *, besides: str) -> Profile:
    """The profile of the rows as they were read, rejected ones included; ``besides``: the column of the user ids.

    No value of a column of ids is in it.
    """
    raw = table.raw.drop("reject")
    schema = raw.collect_schema()
    texts = [name for name, dtype in schema.items() if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean)]
    nulls = [pl.col(name).null_count().alias(f"0{name}") for name in schema]
    kinds = [pl.col(name).cast(pl.String).approx_n_unique().alias(f"1{name}") for name in texts]
    seen = collect(raw.select(pl.len().alias("n"), *nulls, *kinds), table.name).row(0, named=True)
    n = seen["n"]
    few = [
        name
        for name in texts
        if seen[f"1{name}"] <= 2 * MOST_CATEGORIES and name.casefold() not in (*_IDS, besides.casefold())
    ]
    counted = collect_all([raw.group_by(value=pl.col(name).cast(pl.String)).agg(pl.len()) for name in few], table.name)
    columns: dict[str, dict[str, Any]] = {
        name: {"dtype": str(dtype), "nulls": seen[f"0{name}"] / n if n else 0.0} for name, dtype in schema.items()
    }
    for name, counts in zip(few, counted, strict=True):
        if counts.height <= MOST_CATEGORIES and counts.height * 2 <= max(n, 1):
            told = counts.with_columns(pl.col("value").fill_null(_NONE)).group_by("value").agg(pl.col("len").sum())
            columns[name]["shares"] = {value: count / n for value, count in told.sort("value").iter_rows()}
    last = books.last_time
    return Profile(books.rows_used, last.date().isoformat() if last else None, columns)


def psi(then: Mapping[str, float], now: Mapping[str, float]) -> float:
    """The population stability index of two lists of shares; 0 where they are the same."""
    total = 0.0
    for name in sorted({*then, *now}):
        p, q = max(then.get(name, 0.0), _LEAST), max(now.get(name, 0.0), _LEAST)
        total += (q - p) * math.log(q / p)
    return total


def shifts(then: Profile, now: Profile) -> dict[str, float]:
    """The index of every column that both have and chance does not explain: of its categories, else of its empty cells.

    Between two draws from the same rows the index is (categories - 1) (1 / n + 1 / m) on average; what is below three
    times that is left out.
    """
    found = {}
    chance = 3 * (1 / max(1, then.rows) + 1 / max(1, now.rows))
    for name, column in now.columns.items():
        if (before := then.columns.get(name)) is None:
            continue
        whole = "shares" in column and "shares" in before
        p, q = (one["shares"] if whole else _filled(one["nulls"]) for one in (before, column))
        value = psi(p, q)
        if value > chance * (len({*p, *q}) - 1):
            found[name] = value
    return found


def _filled(nulls: float) -> dict[str, float]:
    return {"empty": nulls, "filled": 1 - nulls}
