"""Runs reduces: on the whole file, or on one hash-partition of users after another, and adds the parts up.

This is the only file that knows where work runs. A reduce looks at the rows of whole users and gives either rows
per user, which concatenate, or counts by keys, which sum; so the same function gives the same answer on the whole
file, on partitions, and on the workers of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from userops.collecting import collect, collect_all, guarded
from userops.errors import UsageError

SEED = 20_011
"""Seed of the hash that deals users to partitions; not the seeds used inside a reduce."""

WHOLE_UP_TO = 12_500_000
"""Rows up to which one scan does it all, in about a gigabyte."""

ROWS_A_PARTITION = 6_250_000
"""Rows looked at together beyond that: more scans, less memory."""

MOST = 64
"""Partitions that a limit on memory may lead to: every one is a scan of the whole file."""

BASE = 350_000_000
"""Bytes that a run takes whatever it reads: the program, and the parts of files under way."""

SPARE = 10
"""One part in so many of a limit stays free: the same run does not take the same memory twice."""


@dataclass(frozen=True, slots=True)
class Reduce:
    """One small table made of many rows.

    ``of`` maps rows (of whole users) to the table. ``keys``: the columns the parts are summed by (every other column
    adds up, except those in ``earliest`` and ``latest``); no keys: rows per user, which only need to be put together.
    ``then`` makes the table of what ``of`` collected: what needs all rows at once is faster outside of the scan.
    """

    of: Callable[[pl.LazyFrame], pl.LazyFrame]
    keys: tuple[str, ...] = ()
    earliest: tuple[str, ...] = ()
    latest: tuple[str, ...] = ()
    then: Callable[[pl.DataFrame], pl.DataFrame] = lambda table: table

    def add_up(self, parts: list[pl.DataFrame]) -> pl.DataFrame:
        """The parts as one table; sorted by ``keys`` when there are any."""
        whole = pl.concat(parts)
        if not self.keys:
            return whole
        lowest, highest = pl.col(self.earliest).min(), pl.col(self.latest).max()
        added = pl.exclude(*self.keys, *self.earliest, *self.latest).sum()
        return whole.group_by(self.keys).agg(added, lowest, highest).select(whole.columns).sort(self.keys)


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that reduces take, as measured: ``working`` for a row looked at with others, ``held`` for any row to the end."""

    working: int = 120
    held: int = 25


TYPICAL = Need()

Prepare = Callable[[pl.LazyFrame], pl.LazyFrame]


class Engine(Protocol):
    """Who runs reduces elsewhere."""

    def parts(
        self,
        rows: pl.LazyFrame,
        reduces: Mapping[str, Reduce],
        what: str,
        prepare: Prepare | None,
        tell: Callable[[float], None],
    ) -> dict[str, list[pl.DataFrame]] | None:
        """The parts of every table, ``tell`` being told the share that is done; None where ``rows`` are not its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where work runs: the bytes it may take (None: as usual), another engine, and who is told of it.

    ``say`` is told what was decided; ``watch`` opens a pass over an input and gives what is told the share that is done.
    """

    memory: int | None = None
    engine: Engine | None = None
    say: Callable[[str], None] = lambda _: None
    watch: Callable[[str], AbstractContextManager[Callable[[float], None]]] = lambda _: nullcontext(lambda _: None)


_place = Place()


@contextmanager
def working_in(place: Place) -> Iterator[None]:
    """Let every :func:`run` inside the block work in ``place``."""
    global _place
    before, _place = _place, place
    try:
        yield
    finally:
        _place = before


def count_for(rows: int | None, *, at_once: int | None = None, need: Need = TYPICAL) -> int:
    """How many partitions keep memory bounded for so many rows; one where nobody knows (text is read but once).

    ``at_once``: rows that a light reduce may look at together, where that is more than usual. Where memory is limited,
    as few as ``need`` lets fit into it. UsageError where :data:`MOST` would not do, with the least limit that would.
    """
    if rows is None or _place.engine is not None:
        return 1
    if _place.memory is not None:
        count = fitting(rows, need, _place.memory)
        stays, together = BASE + rows * need.held, rows * need.working // count
        _place.say(
            f"{rows:,} rows in {count} {'partition' if count == 1 else 'partitions'} of users, one scan each: "
            f"{_size(stays)} whatever their number, {need.working} bytes for a row looked at with others, "
            f"about {_size(stays + together)} of {_size(_place.memory)}"
        )
        return count
    if rows <= (at_once or WHOLE_UP_TO):
        return 1
    count = -(-rows // (at_once or ROWS_A_PARTITION))
    _place.say(f"{rows:,} rows in {count} partitions of users, one scan each")
    return count


def fitting(rows: int, need: Need, memory: int) -> int:
    """The fewest partitions with which ``rows`` fit into ``memory``; UsageError where even :data:`MOST` do not."""
    stays, together = BASE + rows * need.held, rows * need.working
    room = memory - memory // SPARE - stays
    if room <= 0 or -(-together // room) > MOST:
        least = stays + -(-together // MOST)
        raise UsageError.memory_too_small(memory, -(-least * SPARE // (SPARE - 1)), rows)
    return max(1, -(-together // room))


def _size(number: int) -> str:
    return f"{number / 1e9:.2f} GB"


def run(
    rows: pl.LazyFrame,
    reduces: Mapping[str, Reduce],
    *,
    what: str,
    partitions: int = 1,
    prepare: Prepare | None = None,
) -> dict[str, pl.DataFrame]:
    """Every reduce over ``rows`` in one scan per partition; same bytes for any number of ``partitions``.

    ``what`` names the input in an error. Memory falls with the number of partitions, time rises by a scan each.
    ``prepare``: what the reduces look at instead of the rows themselves: made once per partition, held in memory (for
    what is dear to make and needed by several, such as rows in order).
    """
    with _place.watch(what) as tell:
        parts = None if _place.engine is None else _place.engine.parts(rows, reduces, what, prepare, tell)
        if parts is None:
            parts = {name: [] for name in reduces}
            for number in range(partitions):
                part = rows
                if partitions > 1:
                    part = rows.filter(pl.col("user_id").hash(SEED) % partitions == number)
                for name, table in one_part(part, reduces, what, prepare).items():
                    parts[name].append(table)
                tell((number + 1) / partitions)
        return {name: reduce.add_up(parts[name]) for name, reduce in reduces.items()}


def one_part(
    rows: pl.LazyFrame, reduces: Mapping[str, Reduce], what: str, prepare: Prepare | None
) -> dict[str, pl.DataFrame]:
    """The table of every reduce over the rows of some whole users, in one scan."""
    if prepare is None:
        tables = collect_all([reduce.of(rows) for reduce in reduces.values()], what)
    else:  # rows in memory have no scan to share, and one table after another is faster
        prepared = collect(prepare(rows), what).lazy()
        tables = [collect(reduce.of(prepared), what) for reduce in reduces.values()]
    with guarded(what):
        return {name: reduce.then(table) for (name, reduce), table in zip(reduces.items(), tables, strict=True)}
