"""Chains: rows of a log that follow one another as the steps of a funnel do.

A row is two numbers. ``key``: the log it belongs to (a user, say) and its time, in one, so that rows of different logs
are farther apart than any window. ``mask``: bit ``k`` for step ``k + 1`` which it may serve, :data:`START` if a chain may
begin with it, :data:`OUT` if no chain may stretch over it.

A chain of ``k`` distinct rows serves the first ``k`` steps, all within the window of its first row. :func:`completions`
finds, for every start, how early each step can be done. It rests on two facts. The earliest way to step ``k`` is never a
worse place to go on from, so it is enough to follow one. And rows of the same instant may come in any order, so what
counts there is how many of the next steps they can serve with one row each: a matching in a graph
(:func:`advance`), of which there are few different ones in any data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import or_
from typing import Literal, TypeVar

import polars as pl

from userops import periods

Order = Literal["ordered", "strict", "any"]
_Key = TypeVar("_Key", pl.Expr, pl.Series)

MOST_STEPS = 24
START, OUT = 1 << 30, 1 << 31
"""Bits of ``mask`` beside those of the steps."""

_ZERO = -periods.start_of_day(periods.FIRST_DAY)
_SHORT = 1 << 56
"""More than there are microseconds in any log, or in any window."""

FOREVER = 1 << 55
"""A window longer than any log."""

_APART = 1 << 57
_STEPS = 32
"""More than there may be steps."""


def key(log: pl.Expr, instant: pl.Expr) -> pl.Expr:
    """A log (UInt64) and a moment (microseconds, UTC) as one number, Int128."""
    return log.cast(pl.Int128) * _APART + (instant + _ZERO)


def instant_of(key: pl.Expr) -> pl.Expr:
    """The moment in a key, microseconds in UTC."""
    return (key % _APART).cast(pl.Int64) - _ZERO


def later(key: _Key, instant: int) -> _Key:
    """Whether the moment in a key is after another; the fast way."""
    return _low(key) % _APART > instant + _ZERO


def log_of(key: pl.Expr) -> pl.Expr:
    """The log in a key."""
    return (key // _APART).cast(pl.UInt64)


def _low(key: _Key) -> _Key:
    """The lower 64 bits of a key, which divide many times as fast."""
    return key.cast(pl.UInt64, wrap_numerical=True)


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    ``within``: microseconds from the first row of a chain, inclusive. ``predicates``: one number per step, the same for
    steps that the very same rows serve. ``families``: the steps parted so that no row serves steps of two families.
    """

    within: int
    order: Order
    strictly_after: bool
    predicates: tuple[int, ...]
    families: tuple[tuple[int, ...], ...]

    @property
    def steps(self) -> int:
        """How many."""
        return len(self.predicates)

    @property
    def apart(self) -> bool:
        """Whether no row serves two steps."""
        return len(self.families) == self.steps


def serves(steps: Iterable[int]) -> pl.Expr:
    """True for rows that may serve any of the steps, counted from 0."""
    return pl.col("mask") & sum(1 << step for step in set(steps)) != 0


def _served_by(rows: pl.DataFrame, steps: Iterable[int]) -> pl.DataFrame:
    """The keys of rows that may serve any of the steps, sorted: ``next``."""
    return rows.lazy().filter(serves(steps)).select(next="key").sort("next").collect()


# --- the general form -----------------------------------------------------------------------------------------------


def completions(rows: pl.DataFrame, search: Search) -> list[pl.DataFrame]:
    """For each step the starts from which it can be done, with ``done``, the key of the moment it is.

    ``rows``: ``key``, ``mask``; further columns are those of the start in the answer. A start may be there more than
    once for a step; the least ``done`` is the earliest.
    """
    starts = _starts(rows, search)
    if search.order == "any":
        return _in_any_order(rows, starts, search)
    return _strict(rows, starts, search) if search.order == "strict" else _ordered(rows, starts, search)


def _starts(rows: pl.DataFrame, search: Search) -> pl.DataFrame:
    """The rows that may begin a chain, sorted, with ``limit``: the last key that a chain of theirs may reach."""
    mask = pl.col("mask")
    starts = rows.filter(mask & START != 0).sort("key")
    outs = rows.lazy().filter(mask & OUT != 0).select(out="key").sort("out").collect()
    later = starts.join_asof(outs, left_on="key", right_on="out", strategy="forward", allow_exact_matches=False)
    return later.with_columns(limit=pl.min_horizontal(pl.col("key") + search.within, "out")).drop("out")


def _ordered(rows: pl.DataFrame, starts: pl.DataFrame, search: Search) -> list[pl.DataFrame]:
    """Other rows may lie between. From the earliest way to one step to the next row, or instant, that serves the next.

    ``did``: how many steps are done at ``done``; more than one may be at the same instant.
    """
    if search.apart:
        at_once = not search.strictly_after
        landings = {k: _served_by(rows, [k]).with_columns(to=_step(k + 1)) for k in range(1, search.steps)}
        live = starts.with_columns(done="key", did=_step(1))
    else:
        at_once = False
        moments, own = _moments(rows, search)
        useful = {k: pl.col(_did(k)) > k for k in range(1, search.steps)}
        landings = {k: moments.filter(useful[k]).select(next="key", to=_did(k)).sort("next") for k in useful}
        live = _with_own(starts, moments, own).with_columns(pl.col("own").alias("did"), done="key").drop("own")
    found = [live]
    for k in range(1, search.steps):
        here = live.filter(pl.col("did") == k).sort("done")
        there = here.join_asof(
            landings[k], left_on="done", right_on="next", strategy="forward", allow_exact_matches=at_once
        ).filter(pl.col("next") <= pl.col("limit"))
        moved = there.with_columns(done="next", did="to").select(live.columns)
        live = moved if search.apart else pl.concat([live.filter(pl.col("did") > k), moved])
        found.append(live)
    return [frame.drop("did") for frame in found]


def _strict(rows: pl.DataFrame, starts: pl.DataFrame, search: Search) -> list[pl.DataFrame]:
    """No other row between: a chain goes from one instant of its log to the very next.

    ``ways``: bit ``k`` when the chain may have ``k`` steps done at ``done``. Fewer may be better than more here, so all
    are followed.
    """
    served, own = _moments(rows, search)
    moments = rows.lazy().select("key").unique().sort("key").with_row_index("place").collect()
    moments = moments.join(served, on="key", how="left")
    live = _with_own(starts, served, own).join(moments.select("key", "place"), on="key")
    live = live.with_columns(done="key", ways=_bits(0, pl.col("own"))).drop("own")
    columns, rounds = live.columns, [live]
    for _ in range(1, search.steps):
        after = live.with_columns(pl.col("place") + 1).join(moments.rename({"key": "next"}), on="place")
        leaps = [
            pl.when((pl.col("ways") & 1 << k != 0) & (pl.col(_did(k)) > k)).then(_bits(k, pl.col(_did(k)))).otherwise(0)
            for k in range(1, search.steps)
        ]
        live = after.filter(pl.col("next") <= pl.col("limit")).with_columns(done="next", ways=reduce(or_, leaps))
        live = live.filter(pl.col("ways") != 0).select(columns)
        rounds.append(live)
    every: pl.DataFrame = pl.concat(rounds)
    return [every.filter(pl.col("ways") & 1 << k != 0).drop("ways", "place") for k in range(1, search.steps + 1)]


def _in_any_order(rows: pl.DataFrame, starts: pl.DataFrame, search: Search) -> list[pl.DataFrame]:
    """Step ``k`` is done once ``k`` different steps can be served by one row each.

    In a family of steps that share rows, ``k`` can be served as soon as, for every set of them, the rows that serve any
    of the set number at least its size less the steps that may be missing (Hall's theorem). Families add up.
    """
    times: list[pl.Expr] = []
    for number, family in enumerate(search.families):
        bounds: dict[int, list[str]] = {size: [] for size in range(1, len(family) + 1)}
        for place, some in enumerate(_unions(family, search.predicates)):
            found = _served_by(rows, some).with_columns(
                pl.col("next").shift(-n).alias(f"{number} {place} {n}") for n in range(len(some))
            )
            starts = starts.join_asof(found, left_on="key", right_on="next", strategy="forward").drop("next")
            for size, names in bounds.items():
                if (needed := len(some) - len(family) + size) > 0:
                    names.append(f"{number} {place} {needed - 1}")
        never = pl.lit(_NEVER, pl.Int128)
        times += [pl.max_horizontal(pl.col(name).fill_null(never) for name in bounds[size]) for size in bounds]
    order = pl.concat_list(times).list.sort()
    timed = starts.select(*rows.columns, "limit", order=order)
    ranked = [timed.with_columns(done=pl.col("order").list.get(k)) for k in range(search.steps)]
    return [frame.filter(pl.col("done") <= pl.col("limit")).drop("order") for frame in ranked]


_NEVER = (1 << 127) - 1


def _unions(family: tuple[int, ...], predicates: Sequence[int]) -> list[tuple[int, ...]]:
    """The sets of steps that matter: with a step, all that the very same rows serve."""
    kinds = sorted({predicates[step] for step in family})
    chosen = [set(some) for size in range(1, len(kinds) + 1) for some in combinations(kinds, size)]
    return [tuple(step for step in family if predicates[step] in some) for some in chosen]


# --- rows of one instant --------------------------------------------------------------------------------------------


def advance(masks: Sequence[int], did: int, steps: int) -> int:
    """How many steps are done once the rows of an instant served as many of the next ones as they can, one row each.

    ``masks``: what each row may serve; ``did``: how many were done before. Augmenting paths (Kuhn 1955).
    """
    serving: dict[int, int] = {}

    def serve(step: int, tried: set[int]) -> bool:
        for row, mask in enumerate(masks):
            if mask >> step & 1 and row not in tried:
                tried.add(row)
                if row not in serving or serve(serving[row], tried):
                    serving[row] = step
                    return True
        return False

    while did < steps and serve(did, set()):
        did += 1
    return did


def _moments(rows: pl.DataFrame, search: Search) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the rows of each instant can do, and what they can beside one that begins a chain.

    First table: ``key``, ``kind`` (instants with like rows are of one kind), ``did k``: how many steps are done after it
    if ``k`` were before. Second: ``kind``, ``serves`` (the steps of a row), ``own``: how many are done if that row begins.
    """
    steps = (1 << search.steps) - 1
    serves = pl.col("mask") & steps
    row = (
        rows.lazy()
        .select("key", serves=serves)
        .filter(pl.col("serves") != 0)
        .group_by("key", "serves")
        .agg(n=pl.min_horizontal(pl.len(), pl.col("serves").first().bitwise_count_ones()).cast(pl.Int64))
        .collect()
    )  # more rows alike than steps they may serve change nothing
    likeness = (pl.col("serves").hash(_SEED).cast(pl.Int128) * pl.col("n")).sum()
    instants = row.group_by("key").agg(likeness=likeness)
    kinds = instants.group_by("likeness").agg(pl.col("key").min()).sort("likeness").with_row_index("kind")
    masks: dict[int, list[int]] = {}
    for kind, mask, n in kinds.join(row, on="key").select("kind", "serves", "n").sort("kind", "serves").iter_rows():
        masks.setdefault(kind, []).extend([mask] * n)

    def after(rows: list[int], did: int) -> int:
        most = advance(rows, did, search.steps)
        return min(most, did + 1) if search.strictly_after else most

    done = {_did(k): [after(masks[kind], k) for kind in range(kinds.height)] for k in range(1, search.steps)}
    known = kinds.select("kind", "likeness").with_columns(pl.Series(name, did, pl.Int8) for name, did in done.items())
    own = [
        (kind, mask, 1 if search.strictly_after else advance(_without(rows, mask), 1, search.steps))
        for kind, rows in masks.items()
        for mask in set(rows)
        if mask & 1
    ]
    owns = pl.DataFrame(own, {"kind": pl.UInt32, "serves": pl.UInt32, "own": pl.Int8}, orient="row")
    return instants.join(known, on="likeness").drop("likeness"), owns


_SEED = 20_063


def _without(masks: list[int], mask: int) -> list[int]:
    rest = list(masks)
    rest.remove(mask)
    return rest


def _with_own(starts: pl.DataFrame, moments: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Starts with ``own``: how many steps can be done at their very instant."""
    steps = pl.col("mask") & START - 1
    kinds = starts.with_columns(serves=steps).join(moments.select("key", "kind"), on="key")
    return kinds.join(own, on=["kind", "serves"]).drop("kind", "serves")


def _did(k: int) -> str:
    return f"did {k}"


def _step(k: int) -> pl.Expr:
    return pl.lit(k, pl.Int8)


def _bits(after: int, upto: pl.Expr) -> pl.Expr:
    """The bits from ``after + 1`` to ``upto``, both among them."""
    return pl.lit(2, pl.Int64).pow(upto.cast(pl.UInt32) + 1).cast(pl.Int64) - (1 << after + 1)


# --- the fast form --------------------------------------------------------------------------------------------------


def stepped(key: pl.Expr, step: pl.Expr) -> pl.Expr:
    """A key and the one step, counted from 0, that its row serves, as one number, Int128; null where there is no step."""
    return key * _STEPS + step


def by_step(rows: pl.Series, steps: int) -> list[pl.Series]:
    """The keys of the rows that serve each step, sorted, from what :func:`stepped` made: one sort for all of them."""
    rows = rows.sort()
    step = _low(rows) % _STEPS
    return [(rows.filter(step == k) // _STEPS).set_sorted() for k in range(steps)]


def first_completions(served: Sequence[pl.Series], search: Search) -> list[pl.DataFrame]:
    """The earliest :func:`completions` of each log, and of them the latest start: ``key, done``, one row per log and step.

    For ordered steps of which no row serves two, and no :data:`OUT`; several times as fast. ``served``: by step the keys
    of the rows that serve it, sorted. Each row hands on the latest start that reached it: the latest is in nobody's window
    for less long than any other.
    """
    chain = pl.DataFrame({"key": served[0], "next": served[0]})
    found = [chain]
    for keys in served[1:]:
        reached = (
            pl.DataFrame({"done": keys})
            .join_asof(
                chain,
                left_on="done",
                right_on="next",
                strategy="backward",
                allow_exact_matches=not search.strictly_after,
            )
            .filter(pl.col("done") - pl.col("key") <= search.within)
        )
        chain = reached.select("key", next="done")
        found.append(chain)
    first = (pl.col("next").diff() > FOREVER).fill_null(value=True)  # the next log
    return [frame.filter(first).select("key", done="next") for frame in found]


def merit(starts: str = "key", done: str = "done") -> pl.Expr:
    """A number that is the less the earlier the completion, and of equally early ones the later the start (Int128)."""
    at = pl.col(done) % _APART
    return at * _SHORT + (pl.col(done) - pl.col(starts))


def taken(merit: pl.Expr) -> pl.Expr:
    """The microseconds from start to completion in a :func:`merit`."""
    return (merit % _SHORT).cast(pl.Int64)


def finished(merit: pl.Expr) -> pl.Expr:
    """The moment of completion in a :func:`merit`, microseconds in UTC."""
    return (merit // _SHORT).cast(pl.Int64) - _ZERO
