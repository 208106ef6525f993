"""What customers did, as much of it as the models of repeat buying need: grouped, so that a million are a few thousand.

``x`` repeat orders (order days after the first), the last of them ``t_x`` after the first order, all seen until ``T``
after it. Customers with the same three numbers are one row that counts ``weight`` times.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from userops.models.likelihood import Vector, added_up

WHOLE = 1 << 21
"""Counts and whole days below this are told apart by one number for all three."""

FEW = 10_000
"""Rows that are enough to begin a fit with."""

Index = NDArray[np.intp]


class Coded(NamedTuple):
    """A column as its distinct values and where each row finds its own: what is dear is worked out once per value."""

    values: Vector
    place: Index


def coded(column: Vector) -> Coded:
    """A column by its distinct values."""
    values, place = np.unique(column, return_inverse=True)
    return Coded(values, place)


@dataclass(frozen=True)
class Histories:
    """Customers by what they did: ``x``, ``t_x``, ``T`` in one unit of time, and how many did just that.

    ``x`` >= 0, 0 <= ``t_x`` <= ``T``, and ``t_x`` = 0 where ``x`` = 0.
    """

    x: Vector
    t_x: Vector
    T: Vector
    weight: Vector

    @classmethod
    def of(cls, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, weight: ArrayLike = 1.0) -> Histories:  # noqa: N803 # its name in the literature
        """From anything like arrays, of one length or single numbers."""
        columns = np.broadcast_arrays(*(np.asarray(c, dtype=float) for c in (x, t_x, T, weight)))
        return cls(*(np.atleast_1d(c) for c in columns))

    def grouped(self) -> tuple[Histories, Index]:
        """The distinct histories, sorted, and which of them each row is: ``prediction[index]`` gives it back per row."""
        columns = (coded(self.x), coded(self.t_x), coded(self.T))
        key = np.zeros(len(self.x), dtype=np.int64)
        for column in columns:
            key = key * len(column.values) + column.place
        _, first, index = np.unique(key, return_index=True, return_inverse=True)
        weight = np.bincount(index, self.weight).astype(float)
        return Histories(self.x[first], self.t_x[first], self.T[first], weight), index

    def distinct(self) -> Histories:
        """The distinct histories, in no order that means anything: quicker than ``grouped`` where times are whole days."""
        columns = np.stack([self.x, self.t_x, self.T])
        if (self.weight != 1).any() or (columns >= WHOLE).any() or (columns != np.floor(columns)).any():
            return self.grouped()[0]
        x, t_x, age = columns.astype(np.int64)
        key, n = np.unique((x * WHOLE + age) * WHOLE + t_x, return_counts=True)
        return Histories.of(key // WHOLE**2, key % WHOLE, key // WHOLE % WHOLE, n)

    def few(self) -> Histories | None:
        """Some of very many rows, to begin a fit with; None where there are few, or nobody of them ordered again."""
        step = len(self) // FEW
        some = Histories(*(column[::step] for column in (self.x, self.t_x, self.T, self.weight))) if step > 1 else None
        return some if some is not None and (some.weight * some.x * some.T).any() else None

    def without_recency(self) -> Histories:
        """The distinct ``x`` and ``T``, of whatever ``t_x``, where that makes fewer rows."""
        (counts, at_x), (ages, at_age) = self.counts, self.ages
        cells = len(counts) * len(ages)
        if cells >= len(self):
            return self
        weight = np.bincount(at_x * len(ages) + at_age, self.weight, minlength=cells).astype(float)
        (there,) = weight.nonzero()
        return Histories(counts[there // len(ages)], np.zeros(len(there)), ages[there % len(ages)], weight[there])

    def __len__(self) -> int:
        return len(self.x)

    def part(self, rows: slice) -> Histories:
        """Some of the rows."""
        return Histories(self.x[rows], self.t_x[rows], self.T[rows], self.weight[rows])

    @cached_property
    def counts(self) -> Coded:
        """``x``, coded."""
        return coded(self.x)

    @cached_property
    def ages(self) -> Coded:
        """``T``, coded."""
        return coded(self.T)

    @cached_property
    def recencies(self) -> Coded:
        """``t_x``, coded."""
        return coded(self.t_x)

    @property
    def rate(self) -> float:
        """Repeat orders per unit of time, of all together."""
        return added_up(self.weight, self.x) / max(added_up(self.weight, self.T), 1e-300)

    @property
    def mean_age(self) -> float:
        """The mean of ``T``."""
        return added_up(self.weight, self.T) / float(self.weight.sum())


NEW = Histories.of(0, 0, 0)
"""One customer who has just ordered for the first time."""
