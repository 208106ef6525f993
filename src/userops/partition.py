"""Runs reduces: on the whole file, or on one hash-partition of users after another, and adds the parts up.

This is the only file that knows where work runs. A reduce looks at the rows of whole users and gives either rows
per user, which concatenate, or counts by keys, which sum; so the same function gives the same answer on the whole
file, on partitions, and on the workers of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from userops.collecting import collect, collect_all

SEED = 20_011
"""Seed of the hash that deals users to partitions; not the seeds used inside a reduce."""

WHOLE_UP_TO = 12_500_000
"""Rows up to which one scan does it all, in about a gigabyte."""

ROWS_A_PARTITION = 6_250_000
"""Rows looked at together beyond that: more scans, less memory."""


@dataclass(frozen=True, slots=True)
class Reduce:
    """One small table made of many rows.

    ``of`` maps rows (of whole users) to the table. ``keys``: the columns the parts are summed by (every other column
    adds up, except those in ``earliest`` and ``latest``); no keys: rows per user, which only need to be put together.
    """

    of: Callable[[pl.LazyFrame], pl.LazyFrame]
    keys: tuple[str, ...] = ()
    earliest: tuple[str, ...] = ()
    latest: tuple[str, ...] = ()

    def add_up(self, parts: list[pl.DataFrame]) -> pl.DataFrame:
        """The parts as one table; sorted by ``keys`` when there are any."""
        whole = pl.concat(parts)
        if not self.keys:
            return whole
        lowest, highest = pl.col(self.earliest).min(), pl.col(self.latest).max()
        added = pl.exclude(*self.keys, *self.earliest, *self.latest).sum()
        return whole.group_by(self.keys).agg(added, lowest, highest).select(whole.columns).sort(self.keys)


def count_for(rows: int | None, *, at_once: int | None = None) -> int:
    """How many partitions keep memory bounded for so many rows; one where nobody knows (text is read but once).

    ``at_once``: rows that a light reduce may look at together, where that is more than usual.
    """
    if rows is None or rows <= (at_once or WHOLE_UP_TO):
        return 1
    return -(-rows // (at_once or ROWS_A_PARTITION))


def run(
    rows: pl.LazyFrame,
    reduces: Mapping[str, Reduce],
    *,
    what: str,
    partitions: int = 1,
    prepare: Callable[[pl.LazyFrame], pl.LazyFrame] | None = None,
) -> dict[str, pl.DataFrame]:
    """Every reduce over ``rows`` in one scan per partition; same bytes for any number of ``partitions``.

    ``what`` names the input in an error. Memory falls with the number of partitions, time rises by a scan each.
    ``prepare``: what the reduces look at instead of the rows themselves: made once per partition, held in memory (for
    what is dear to make and needed by several, such as rows in order).
    """
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in reduces}
    for number in range(partitions):
        part = rows
        if partitions > 1:
            part = rows.filter(pl.col("user_id").hash(SEED) % partitions == number)
        if prepare is not None:
            part = collect(prepare(part), what).lazy()
        tables = collect_all([reduce.of(part) for reduce in reduces.values()], what)
        for name, table in zip(reduces, tables, strict=True):
            parts[name].append(table)
    return {name: reduce.add_up(parts[name]) for name, reduce in reduces.items()}
