"""Why a number changed: its change taken apart into effects that add up to it exactly.

- a rate over segments: :func:`kitagawa` (mix and rate), :func:`crossed` (two attributes and the rate)
- a product of factors: :func:`shapley`, :func:`lmdi`
- any of both by attribute, and by pairs of them: :func:`explain`

*Accounts for* is all that is claimed: an effect says where a change lies, not what brought it about.

Kitagawa, E. M. (1955), Components of a difference between two rates. Das Gupta, P. (1993), Standardization and
decomposition of rates: a user's manual (U.S. Census P23-186). Ang, B. W. (2005), The LMDI approach to decomposition
analysis. Bhagwan, R. et al. (2014), Adtributor: revenue debugging in advertising systems (NSDI).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from operator import mul, sub
from typing import Any, Literal, NamedTuple

import polars as pl

from userops import stats

LEAST_SHARE = 0.1
"""Of the change: what a value must account for beyond its weight to be a cause (Adtributor's T_EEP)."""

ENOUGH = 0.67
"""Of the change: once this much is accounted for, no further cause is looked for (Adtributor's T_EP)."""

AT_MOST = 3
"""Causes that are named; the rest is *other*."""

LEAST_SIZE = 30
"""What a segment must have counted (denominators of a rate, else the numbers themselves) to be a cause."""

CHANCE = 0.1
"""How often a value may look different by chance, among all values that are looked at together."""

NONE = "(none)"
"""How a missing value of an attribute is called."""

Weighted = tuple[float, float | None]
"""How much there is of a segment, and its rate; None where there is none of it."""


class Part(NamedTuple):
    """What one segment adds to the change of a rate: by there being more or less of it, by its own rate."""

    mix: float
    rate: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.mix + self.rate


class Mix(NamedTuple):
    """The change of a rate over segments: ``total = mix + rate``, each the sum of what its ``parts`` add.

    ``reversed``: the rate of every segment moved against the total (Simpson's paradox), so that the total misleads.
    """

    mix: float
    rate: float
    total: float
    parts: tuple[Part, ...]
    reversed: bool


def kitagawa(before: Sequence[Weighted], after: Sequence[Weighted]) -> Mix:
    """The change of a weighted mean of rates, segment by segment in the order given, without a remainder.

    Weights of any scale; they are made shares. With shares w and rates r, a segment adds (w1-w0)((r0+r1)/2 - m) by mix
    and (r1-r0)(w0+w1)/2 by rate; m is the mean of both totals, so that more of a segment that is worse than all others
    lowers the total. The sums are Kitagawa's, whatever m is. A segment that is absent once has the rate of the other
    time: all of what it adds is mix. Without any weight on one side there is nothing to compare: all is 0.
    """
    w0, w1 = _shares([w for w, _ in before]), _shares([w for w, _ in after])
    r0 = [_first(own, other) for (_, own), (_, other) in zip(before, after, strict=True)]
    r1 = [_first(own, other) for (_, own), (_, other) in zip(after, before, strict=True)]
    if not (any(w0) and any(w1)):
        return Mix(0.0, 0.0, 0.0, tuple(Part(0.0, 0.0) for _ in before), reversed=False)
    total0, total1 = math.fsum(map(mul, w0, r0)), math.fsum(map(mul, w1, r1))
    mean = (total0 + total1) / 2
    parts = tuple(
        Part((v1 - v0) * ((p0 + p1) / 2 - mean), (p1 - p0) * (v0 + v1) / 2)
        for v0, v1, p0, p1 in zip(w0, w1, r0, r1, strict=True)
    )
    change = total1 - total0
    moved = [(p1 - p0) * change for v0, v1, p0, p1 in zip(w0, w1, r0, r1, strict=True) if v0 and v1]
    against = len(moved) > 1 and max(moved) < 0
    return Mix(math.fsum(p.mix for p in parts), math.fsum(p.rate for p in parts), change, parts, against)


class Crossed(NamedTuple):
    """The change of a rate over two attributes: what the mix of each adds, and what the rates do."""

    first: float
    second: float
    rate: float
    total: float


def crossed(before: Mapping[tuple[Any, Any], Weighted], after: Mapping[tuple[Any, Any], Weighted]) -> Crossed:
    """The change of a rate over cells of two attributes (Das Gupta 1993, chapter 5): mix of each, and rate.

    Keys are (value of the first, value of the second); a cell that is missing has no weight. A cell's share is the
    product of two factors: sqrt(n_ij/n_.j * n_i./n) for the first attribute, sqrt(n_ij/n_i. * n_.j/n) for the second.
    """
    cells = sorted(before.keys() | after.keys(), key=repr)
    none: Weighted = (0.0, None)
    old, new = ([table.get(cell, none) for cell in cells] for table in (before, after))
    whole = kitagawa(old, new)
    (a0, b0), (a1, b1) = (_roots(cells, [n for n, _ in side]) for side in (old, new))
    first, second = [], []
    for k, ((_, own0), (_, own1)) in enumerate(zip(old, new, strict=True)):
        rate = (_first(own0, own1) + _first(own1, own0)) / 2
        first.append(rate * (a1[k] - a0[k]) * (b0[k] + b1[k]) / 2)
        second.append(rate * (b1[k] - b0[k]) * (a0[k] + a1[k]) / 2)
    return Crossed(math.fsum(first), math.fsum(second), whole.rate, whole.total)


def shapley(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each factor of a product adds to its change: the mean over all orders of changing them one by one.

    Factors may be zero and change their sign. The same as Das Gupta's decomposition. 2^n terms: for a handful.
    """
    names, n = list(before), len(before)
    effects = {}
    for name in names:
        others = [other for other in names if other != name]
        mean = 0.0
        for size in range(n):
            ways = math.factorial(size) * math.factorial(n - 1 - size) / math.factorial(n)
            for changed in combinations(others, size):
                mean += ways * math.prod(after[o] if o in changed else before[o] for o in others)
        effects[name] = (after[name] - before[name]) * mean
    return effects


def lmdi(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each factor of a product adds to its change, by logarithmic means (LMDI-I); ValueError unless all are > 0."""
    if min(*before.values(), *after.values()) <= 0:
        raise ValueError("LMDI needs factors above 0; shapley() takes any")
    old, new = math.prod(before.values()), math.prod(after.values())
    mean = old if math.isclose(old, new, rel_tol=1e-12) else (new - old) / math.log(new / old)
    return {name: mean * math.log(after[name] / value) for name, value in before.items()}


class Share(NamedTuple):
    """A segment and the part of a change it accounts for.

    ``segment``: ``column=value``, or two joined by `` & ``, the columns sorted. ``share``: of the change (more than 1
    where others moved the other way). ``effect``: in the unit of what changed. ``how``: ``rate`` (it went otherwise
    there), ``mix`` (more or less of it). ``weight``: its share of everything, at most of both times and both sides of a rate.
    ``before, after``: its own rate, or its own number; None where there was none of it.
    """

    segment: str
    share: float
    effect: float
    how: Literal["rate", "mix"]
    weight: float
    before: float | None
    after: float | None


class Explained(NamedTuple):
    """Where a change lies: at most three ``causes``, the largest first, and the share of it that is elsewhere.

    ``dimension``: the attribute that concentrates the change; None where none does: it is everywhere alike.
    ``reversed``: attributes in which every value's rate moved against the total (Simpson's paradox).
    """

    total: float
    causes: tuple[Share, ...] = ()
    other: float = 1.0
    dimension: str | None = None
    reversed: tuple[str, ...] = ()


class _Cell(NamedTuple):
    """The numbers of one segment: numerator, denominator, and squares of what is summed, before and after."""

    n0: float
    d0: float
    s0: float
    n1: float
    d1: float
    s1: float


_Values = tuple[str | None, ...]
"""A segment by the values of one attribute, or of two."""


class _Candidate(NamedTuple):
    values: _Values
    share: Share
    surprise: float

    @property
    def excess(self) -> float:
        """What it accounts for beyond its weight: what a change that is everywhere alike would give it."""
        return self.share.share - self.share.weight


def explain(
    cells: pl.DataFrame, dimensions: Sequence[str], *, at_most: int = AT_MOST, least_size: float = LEAST_SIZE
) -> Explained:
    """Which values of which attribute account for the change of a rate, or of a number.

    ``cells``: the columns ``dimensions``, and per cell ``n0, d0, n1, d1``: numerator and denominator before and after.
    ``d0`` and ``d1`` null (or not there) throughout: no rate, a number that adds up; its change is by ``mix``. Numbers
    of periods of different length are the caller's to scale. ``s0, s1`` (may be missing): the sums of squares of what
    a numerator sums, such as the amounts of orders. Null values of an attribute are the segment :data:`NONE`.

    Per value: its effect (:func:`kitagawa` over the values of its attribute; of a number its own change), the share
    of the change that is (Adtributor's explanatory power), and its surprise: the Jensen-Shannon divergence of what it
    was expected to be from what it is. A value is a cause when it accounts for :data:`LEAST_SHARE` more than its
    weight, is of ``least_size``, and differs from all others by more than chance (:data:`CHANCE`, shared by all values
    looked at; means that are no shares are tested only with ``s0, s1``). The attribute whose causes surprise most is
    taken, its causes until :data:`ENOUGH` is explained; a cause gives way to a pair with a value of another attribute
    in which most of its effect lies (:data:`ENOUGH`), clearly more than the pair's weight within the value. The same
    for rows in any order.
    """
    is_rate = "d0" in cells.columns and cells["d0"].null_count() < cells.height
    total = _change(cells, is_rate=is_rate)
    if total == 0:
        return Explained(0.0, other=0.0)
    by_value = {name: _grouped(cells, (name,), is_rate=is_rate) for name in dimensions}
    looked_at = sum(map(len, by_value.values()))
    against = tuple(name for name, values in by_value.items() if is_rate and _mix(values).reversed)

    def candidates(names: Sequence[str], segments: Mapping[_Values, _Cell], looked_at: int) -> list[_Candidate]:
        found = _candidates(names, segments, total, is_rate=is_rate, beyond=stats.z_of(1 - CHANCE / looked_at))
        return [one for one, size in found if size >= least_size and one.excess >= LEAST_SHARE]

    surprising: dict[str, list[_Candidate]] = {}
    for name, segments in by_value.items():
        taken: list[_Candidate] = []
        for one in sorted(candidates((name,), segments, looked_at), key=lambda c: (-c.surprise, c.share.segment)):
            if len(taken) < at_most and math.fsum(c.share.share for c in taken) < ENOUGH:
                taken.append(one)
        if taken:
            surprising[name] = taken
    if not surprising:
        return Explained(total, reversed=against)
    dimension = min(surprising, key=lambda name: (-math.fsum(c.surprise for c in surprising[name]), name))
    pairs: list[_Candidate] = []
    for other in dimensions:
        if other != dimension:
            segments = _grouped(cells, (dimension, other), is_rate=is_rate)
            pairs += candidates((dimension, other), segments, looked_at + len(segments))
    causes = sorted((_sharper(cause, pairs) for cause in surprising[dimension]), key=lambda c: (-c.share, c.segment))
    return Explained(total, tuple(causes), 1 - math.fsum(cause.share for cause in causes), dimension, against)


def _sharper(cause: _Candidate, pairs: Iterable[_Candidate]) -> Share:
    """The pair in which the value's effect lies, most of it and clearly more than its weight there; else the value."""

    def beyond_weight(pair: _Candidate) -> float:
        return pair.share.share / cause.share.share - pair.share.weight / cause.share.weight

    within = [
        pair
        for pair in pairs
        if pair.values[0] == cause.values[0]
        and pair.share.share >= ENOUGH * cause.share.share
        and beyond_weight(pair) >= 2 * LEAST_SHARE
    ]
    return min(within, key=lambda pair: (-beyond_weight(pair), pair.share.segment), default=cause).share


def _candidates(
    names: Sequence[str], segments: Mapping[_Values, _Cell], total: float, *, is_rate: bool, beyond: float
) -> Iterator[tuple[_Candidate, float]]:
    """Segments that changed otherwise than all others, by more than ``beyond`` standard errors, and their size.

    The others of a pair are those of the same first value.
    """
    cells = list(segments.values())
    families: dict[_Values, list[_Cell]] = {}
    for values, cell in segments.items():
        families.setdefault(values[:-1], []).append(cell)
    sums = {family: _Cell(*map(math.fsum, zip(*members, strict=True))) for family, members in families.items()}
    whole = _Cell(*map(math.fsum, zip(*cells, strict=True)))
    parts = _mix(segments).parts if is_rate else [Part(cell.n1 - cell.n0, 0.0) for cell in cells]
    expected = _shares([cell.d1 * cell.n0 / cell.d0 if cell.d0 else cell.n1 for cell in cells])
    for values, cell, part, foreseen in zip(segments, cells, parts, expected, strict=True):
        rest = _Cell(*map(sub, sums[values[:-1]], cell))
        how: Literal["rate", "mix"] = "rate" if abs(part.rate) > abs(part.mix) else "mix"
        if how == "rate":
            surprise, size = _divergence(foreseen, _part(cell.n1, whole.n1)), min(cell.d0, cell.d1)
            apart = _rates_apart(cell, rest)
        else:
            own, others, everything = ((c.d0, c.d1) if is_rate else (c.n0, c.n1) for c in (cell, rest, whole))
            surprise, size = _divergence(*map(_part, own, everything)), max(own)
            apart = _counts_apart(own, others)
        weight = max(_part(cell.n0, whole.n0), (_part(cell.d0, whole.d0) + _part(cell.d1, whole.d1)) / 2)
        if apart > beyond:
            share = Share(_named(names, values), part.total / total, part.total, how, weight, *_own(cell, is_rate))
            yield _Candidate(values, share, surprise), size


def _named(names: Sequence[str], values: _Values) -> str:
    """A segment as people and programs call it: the same whichever attribute is looked at first."""
    parts = (f"{name}={NONE if value is None else value}" for name, value in zip(names, values, strict=True))
    return " & ".join(sorted(parts))


def _grouped(cells: pl.DataFrame, names: Sequence[str], *, is_rate: bool) -> dict[_Values, _Cell]:
    """The numbers of every value of an attribute, or of every pair of values of two, sorted."""
    given = {name: pl.col(name).sum() for name in _NUMBERS if name in cells.columns}
    squares = {"s0": pl.col("n0").sum(), "s1": pl.col("n1").sum()}  # what is 0 or 1 is its own square
    none = {} if is_rate else {"d0": pl.lit(0.0), "d1": pl.lit(0.0)}
    texts = cells.select(pl.col(names).cast(pl.String), _floats(cells)).sort(pl.all())
    table = texts.group_by(names, maintain_order=True).agg(**{**squares, **given, **none}).sort(names)
    rows = table.select(*names, *_NUMBERS).iter_rows()
    return {row[: len(names)]: _Cell(*row[len(names) :]) for row in rows}


def _floats(cells: pl.DataFrame) -> pl.Expr:
    return pl.col([name for name in _NUMBERS if name in cells.columns]).cast(pl.Float64)


_NUMBERS = _Cell._fields


def _change(cells: pl.DataFrame, *, is_rate: bool) -> float:
    """How much the whole changed."""
    n0, n1 = (math.fsum(cells[name].drop_nulls()) for name in ("n0", "n1"))
    if not is_rate:
        return n1 - n0
    d0, d1 = (math.fsum(cells[name].drop_nulls()) for name in ("d0", "d1"))
    return n1 / d1 - n0 / d0 if d0 and d1 else 0.0


def _mix(segments: Mapping[_Values, _Cell]) -> Mix:
    cells = segments.values()
    return kitagawa(
        [(c.d0, c.n0 / c.d0 if c.d0 else None) for c in cells], [(c.d1, c.n1 / c.d1 if c.d1 else None) for c in cells]
    )


def _own(cell: _Cell, is_rate: bool) -> tuple[float | None, float | None]:
    """A segment's own rate, or number, before and after."""
    if not is_rate:
        return cell.n0, cell.n1
    return cell.n0 / cell.d0 if cell.d0 else None, cell.n1 / cell.d1 if cell.d1 else None


def _rates_apart(cell: _Cell, rest: _Cell) -> float:
    """How many standard errors the change of a mean lies from that of all others; infinite where that is not known."""
    changes, variance = [], 0.0
    for part in (cell, rest):
        rates = []
        for n, d, squares in ((part.n0, part.d0, part.s0), (part.n1, part.d1, part.s1)):
            is_share = squares == n
            if d <= 0 or (is_share and not 0 <= n <= d):
                return math.inf
            rates.append(n / d)
            smooth = (n + 0.5) / (d + 1)  # nobody, or everybody, is no certainty
            variance += (smooth * (1 - smooth) if is_share else max(squares / d - (n / d) ** 2, 0)) / d
        changes.append(rates[1] - rates[0])
    return abs(changes[0] - changes[1]) / math.sqrt(variance) if variance else math.inf


def _counts_apart(own: tuple[float, float], others: tuple[float, float]) -> float:
    """How many standard errors the growth of a count lies from that of all others (log odds ratio; halves added)."""
    counts = [max(count, 0.0) + 0.5 for count in (*own, *others)]
    odds = math.log(counts[1] / counts[0]) - math.log(counts[3] / counts[2])
    return abs(odds) / math.sqrt(math.fsum(1 / count for count in counts))


def _divergence(p: float, q: float) -> float:
    """What one value adds to the Jensen-Shannon divergence of two distributions; p, q its shares in them."""
    if min(p, q) < 0 or p + q == 0:
        return 0.0
    half = (p * math.log(2 * p / (p + q)) if p else 0.0) + (q * math.log(2 * q / (p + q)) if q else 0.0)
    return half / 2


def _shares(weights: Sequence[float]) -> list[float]:
    whole = math.fsum(weights)
    return [_part(weight, whole) for weight in weights]


def _part(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _first(own: float | None, other: float | None) -> float:
    return own if own is not None else other if other is not None else 0.0


def _roots(cells: Sequence[tuple[Any, Any]], sizes: Sequence[float]) -> tuple[list[float], list[float]]:
    """The two factors of each cell's share, one per attribute."""
    rows: dict[Any, float] = {}
    columns: dict[Any, float] = {}
    for (row, column), size in zip(cells, sizes, strict=True):
        rows[row] = rows.get(row, 0.0) + size
        columns[column] = columns.get(column, 0.0) + size
    whole = math.fsum(sizes)
    first, second = [], []
    for (row, column), size in zip(cells, sizes, strict=True):
        first.append(math.sqrt(size / columns[column] * rows[row] / whole) if size else 0.0)
        second.append(math.sqrt(size / rows[row] * columns[column] / whole) if size else 0.0)
    return first, second
