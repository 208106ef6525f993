"""The models of repeat buying by name, and what they all can do."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from userops.models.bg_nbd import BgNbd, MbgNbd
from userops.models.histories import NEW, Histories
from userops.models.likelihood import Fit, Vector
from userops.models.nbd import Nbd
from userops.models.pareto_nbd import ParetoNbd


class RepeatBuying(Protocol):
    """A model of repeat buying: parameters, and what they say of customers (one answer per row of the histories)."""

    NAME: ClassVar[str]
    DROPOUT: ClassVar[bool]

    @classmethod
    def fit(cls, h: Histories, near: Fit[Any] | None = None) -> Fit[Any]:
        """The most likely parameters; InputError where nobody ordered again. ``near``: a fit to similar histories."""
        ...

    def p_alive(self, h: Histories = NEW) -> Vector:
        """The probability of not having left yet, given the history."""
        ...

    def expected_orders(self, horizon: float, h: Histories = NEW) -> Vector:
        """Orders to come within ``horizon``, given the history."""
        ...

    def pmf(self, n: int, horizon: float, h: Histories = NEW) -> Vector:
        """The probability of just ``n`` orders within ``horizon``, given the history."""
        ...

    def draw_orders(self, horizon: float, h: Histories, rng: np.random.Generator) -> NDArray[np.int64]:
        """Orders within ``horizon``, one draw for each row of ``h``."""
        ...

    def simulate(self, ages: Vector, rng: np.random.Generator) -> Histories:
        """Histories of new customers, each seen for its age."""
        ...


MODELS: dict[str, type[RepeatBuying]] = {
    "nbd": Nbd,
    "bg-nbd": BgNbd,
    "mbg-nbd": MbgNbd,
    "pareto-nbd": ParetoNbd,
}
"""By the names that people give them."""
