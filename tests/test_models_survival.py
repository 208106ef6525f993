"""sBG, Kaplan-Meier, log-rank: published values, by hand, simulated subscribers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import beta as beta_function

from userops.errors import InputError
from userops.models import kaplan_meier
from userops.models.kaplan_meier import Curve, log_rank
from userops.models.sbg import Sbg, Tenures


def counts(time: Sequence[float], event: Sequence[int], at: Sequence[float] = ()) -> tuple[np.ndarray, ...]:
    """Distinct times (or those ``at``), how many left, and how many were seen no further."""
    t, e = np.asarray(time, dtype=float), np.asarray(event)
    grid = np.unique(at if len(at) else t)
    left, rest = (np.array([((t == g) & (e == kind)).sum() for g in grid], dtype=float) for kind in (1, 0))
    return grid, left, rest


def curve(time: Sequence[float], event: Sequence[int], at: Sequence[float] = ()) -> Curve:
    return kaplan_meier.curve(*counts(time, event, at))


def ranked(*groups: tuple[Sequence[float], Sequence[int]]) -> kaplan_meier.LogRank | None:
    every = [t for time, _ in groups for t in time]
    curves = [curve(time, event, every) for time, event in groups]
    return log_rank([c.at_risk for c in curves], [c.churned for c in curves])


# --- Kaplan-Meier -----------------------------------------------------------------------------------------------------


def test_g3(shared: Path) -> None:
    """Survival and log-log limits as lifelines and R give them; the log-rank p of .0138."""
    rows = pl.read_csv(shared / "data/reference/lifelines_g3.csv").with_columns(
        e=(pl.col("event").cast(pl.String).str.to_lowercase() == "true").cast(pl.Int8)
    )
    rit, control = (
        (part["time"].to_list(), part["e"].to_list())
        for part in (rows.filter(pl.col("group") == "RIT"), rows.filter(pl.col("group") != "RIT"))
    )
    treated = curve(*rit)
    left = treated.churned > 0
    assert treated.survival[left] == pytest.approx([0.909, 0.779], abs=5e-4)
    other = curve(*control)
    at = np.isin(other.time, [9, 19, 32, 34])
    assert other.survival[at] == pytest.approx([0.833, 0.667, 0.5, 0.333], abs=5e-4)
    assert other.ci_low[at] == pytest.approx([0.2731, 0.1946, 0.1109, 0.0461], abs=5e-4)
    assert other.ci_high[at] == pytest.approx([0.975, 0.904, 0.804, 0.676], abs=5e-4)
    found = ranked(rit, control)
    assert found is not None
    assert found.p_value == pytest.approx(0.0138, abs=5e-5)


def test_remission_of_leukaemia() -> None:
    """Freireich et al. (1963), the textbook pair: chi-squared 16.8, p = 4.17e-05; the median of the placebo is 8 weeks."""
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    treated = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    seen = [1] * 9 + [0] * 12
    found = ranked((placebo, [1] * 21), (treated, seen))
    assert found is not None
    assert (found.statistic, found.df) == (pytest.approx(16.793, abs=5e-4), 1)
    assert found.p_value == pytest.approx(4.17e-05, rel=1e-3)
    assert curve(placebo, [1] * 21).median == 8
    assert curve(treated, seen).median == 23
    assert curve(treated, seen).survival[:2] == pytest.approx([0.857, 0.807], abs=5e-4)


@pytest.mark.parametrize(("seen", "statistic", "p"), [([1, 1, 1], 0.254237, 0.614107), ([1, 0, 1], 0.384615, 0.535143)])
def test_tiny_groups(seen: list[int], statistic: float, p: float) -> None:
    """R's survdiff."""
    found = ranked(([10, 20, 30], seen), ([10, 20, 50], seen))
    assert found is not None
    assert (found.statistic, found.p_value) == (pytest.approx(statistic, abs=5e-7), pytest.approx(p, abs=5e-7))


def test_three_groups_and_the_order_of_them() -> None:
    groups = [([1, 2, 3, 9], [1, 1, 0, 1]), ([2, 5, 6, 7], [1, 1, 1, 0]), ([8, 8, 9, 9], [1, 0, 1, 1])]
    found, turned = ranked(*groups), ranked(*groups[::-1])
    assert found is not None and turned is not None
    assert found.df == 2
    assert found.statistic == pytest.approx(turned.statistic, rel=1e-12)


def test_groups_that_cannot_be_compared() -> None:
    assert ranked(([1, 2], [1, 1])) is None
    assert ranked(([1, 2], [0, 0]), ([1, 2], [0, 0])) is None


def test_limits_where_there_are_none() -> None:
    found = curve([1, 2, 3], [0, 1, 1])
    assert found.survival.tolist() == [1, 0.5, 0]
    assert np.isnan(found.ci_low).tolist() == [True, False, True]
    assert found.median == 2
    assert curve([1, 2], [0, 0]).median is None


# --- shifted beta-geometric -------------------------------------------------------------------------------------------


def cohort(alive: Sequence[float]) -> Tenures:
    stay = np.asarray(alive, dtype=float)
    rest = np.zeros(len(stay) - 1)
    rest[-1] = stay[-1]
    return Tenures.of(np.arange(1, len(stay)), stay[:-1] - stay[1:], rest)


@pytest.mark.parametrize(
    ("segment", "parameters", "log_likelihood", "at_twelve"),
    [("regular", (0.7041, 1.1820), -1680.27, 0.170), ("highend", (0.6681, 3.8061), -1611.16, 0.378)],
)
def test_fader_and_hardie(
    shared: Path, segment: str, parameters: tuple[float, ...], log_likelihood: float, at_twelve: float
) -> None:
    """The paper of 2007: .704 1.182 and .668 3.806 from seven renewals of 1,000 customers."""
    rows = pl.read_csv(shared / "data/reference/sbg_fader_hardie_2007.csv")
    found = Sbg.fit(cohort(rows[f"{segment}_pct_surviving"].head(8).to_numpy() * 10))
    assert tuple(found.parameters.values()) == pytest.approx(parameters, abs=6e-5)
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=0.006)
    assert found.model.survival(12) == pytest.approx(at_twelve, abs=6e-4)
    assert found.converged and found.identified


def test_survival_hazard_and_lifetimes() -> None:
    model = Sbg(1.5, 3.0)
    t = np.arange(1, 2_000_000)
    assert model.survival(np.arange(5)) == pytest.approx(
        beta_function(1.5, 3.0 + np.arange(5)) / beta_function(1.5, 3.0)
    )
    assert 1 - model.hazard([1, 2, 3]) == pytest.approx(model.survival([1, 2, 3]) / model.survival([0, 1, 2]))
    assert np.exp(model.log_churn(np.array([1.0, 4.0]))) == pytest.approx(
        model.survival([0, 3]) - model.survival([1, 4])
    )
    # the sum of what is left converges slowly: its tail is 2 t S(t) for alpha = 1.5
    assert model.remaining_lifetime() == pytest.approx(
        model.survival(t).sum() + 2 * t[-1] * model.survival(t[-1]), rel=1e-5
    )
    assert model.remaining_lifetime(4) == pytest.approx((3 + 4) / 0.5)
    assert model.remaining_within(3, 2) == pytest.approx((model.survival([3, 4, 5]) / model.survival(2)).sum())
    assert model.remaining_within(3, [0, 2]).shape == (2,)
    assert model.survival(model.median()) <= 0.5 < model.survival(model.median() - 1)
    assert Sbg(0.7, 1.2).remaining_lifetime() == np.inf
    assert Sbg(1e-6, 1e6).median() > 1 << 39


def test_gradient_by_differences() -> None:
    data = Tenures.of([0, 1, 2, 5, 9], [0, 50, 20, 9, 3], [4, 3, 1, 0, 60])
    best = Sbg.fit(data)

    def likelihood(a: float, b: float) -> float:
        model = Sbg(a, b)
        left = np.where(data.churned > 0, data.churned * model.log_churn(np.maximum(data.period, 1)), 0)
        return float(left.sum() + (data.censored * model.log_survival(data.period)).sum())

    a, b = best.model.alpha, best.model.beta
    assert best.log_likelihood == pytest.approx(likelihood(a, b), rel=1e-12)
    for step in (1e-3, -1e-3):
        assert likelihood(a + step, b) < best.log_likelihood > likelihood(a, b + step)


def test_recovers_what_was_simulated() -> None:
    rng = np.random.default_rng(4)
    found = Sbg.fit(Sbg(0.9, 2.5).simulate(rng.integers(0, 15, 50_000), rng))
    off = [
        (value - true) / error
        for value, true, error in zip(
            found.parameters.values(), (0.9, 2.5), found.standard_errors.values(), strict=True
        )
    ]
    assert max(map(abs, off)) < 4


def test_a_rate_that_does_not_fall_is_geometric() -> None:
    found = Sbg.fit(cohort([1000, 800, 640, 512]))
    assert not found.identified
    assert found.model.hazard(10) == pytest.approx(0.2, abs=1e-4)
    rising = Sbg.fit(cohort([1000, 950, 800, 500]))
    assert rising.model.hazard(1) == pytest.approx((50 + 150 + 300) / 2750, rel=1e-3)


@pytest.mark.parametrize("data", [cohort([10, 10, 10]), cohort([10, 4]), Tenures.of([], [])])
def test_too_little(data: Tenures) -> None:
    with pytest.raises(InputError) as error:
        Sbg.fit(data)
    assert error.value.code == "E_NOT_FITTED"


@pytest.mark.parametrize(
    "data", [cohort([10, 0]), cohort([1, 1, 0]), Tenures.of([1, 9], [1, 0], [0, 1]), cohort([5, 0, 0])]
)
def test_tiny_cohorts(data: Tenures) -> None:
    try:
        found = Sbg.fit(data)
    except InputError:
        return
    assert np.isfinite(found.model.survival(np.arange(50))).all()
    assert np.isfinite(found.log_likelihood)
