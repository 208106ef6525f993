"""NBD, BG/NBD, MBG/NBD, Pareto/NBD: published values, extremes, gradients, simulated customers."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import integrate
from scipy.special import betaln

from userops.errors import InputError
from userops.models.bg_nbd import BgNbd, MbgNbd
from userops.models.histories import Histories
from userops.models.nbd import Nbd
from userops.models.pareto_nbd import ParetoNbd
from userops.models.repeat_buying import MODELS as BY_NAME

PAPER = BgNbd(0.243, 4.414, 0.793, 2.426)
MODELS = [
    Nbd(0.385, 12.07),
    PAPER,
    BgNbd(2.0, 9.0, 1.0, 0.4),
    MbgNbd(0.525, 6.183, 0.891, 1.614),
    MbgNbd(0.3, 2.0, 0.2, 0.7),
    ParetoNbd(0.553, 10.578, 0.606, 11.669),
    ParetoNbd(1.4, 3.0, 2.2, 0.8),
    ParetoNbd(0.8, 5.0, 1.0, 5.0),
]
SOME = Histories.of([0, 1, 2, 9, 40, 3], [0, 0.5, 30.4, 38, 39, 12], [38.9, 38.9, 38.9, 38, 39, 31])
EXTREME = Histories.of(
    [0, 0, 1, 1000, 1000, 5000, 3], [0, 0, 1e-3, 364, 3, 365, 1e-3], [0, 1e5, 1e4, 365, 3, 365, 1e-3]
)


@pytest.fixture(scope="module")
def cdnow(shared: Path) -> Histories:
    """The 2,357 customers of the papers, in weeks, calibrated on 39."""
    rows = pl.read_csv(shared / "data/reference/cdnow_customers_summary.csv")
    return Histories.of(*(rows[name].to_numpy() for name in ("frequency", "recency", "T"))).grouped()[0]


def name(model: Any) -> str:
    return repr(model)


# --- published ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "parameters", "errors", "log_likelihood"),
    [
        (BgNbd, (0.242593, 4.413532, 0.792886, 2.425752), (0.01256, 0.3782, 0.1857, 0.7053), -9582.425560567),
        (ParetoNbd, (0.553277, 10.577645, 0.606223, 11.668097), (0.04763, 0.84272, 0.18728, 6.2110), -9594.97393),
        (MbgNbd, (0.524838, 6.182988, 0.891356, 1.614000), None, -9582.1327),
    ],
)
def test_cdnow(cdnow: Histories, kind: Any, parameters: tuple[float, ...], errors: Any, log_likelihood: float) -> None:
    """Fader, Hardie and Lee (2005) and CLVTools print .243 4.414 .793 2.426, -9582.4 and .553 10.578 .606 11.669, -9595.0."""
    found = kind.fit(cdnow)
    assert found.converged and found.identified and not found.edge
    assert tuple(found.parameters.values()) == pytest.approx(parameters, rel=3e-5)
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=1e-4)
    if errors:
        assert tuple(found.standard_errors.values()) == pytest.approx(errors, rel=1e-3)


def test_what_bg_nbd_expects_of_cdnow(cdnow: Histories) -> None:
    model = BgNbd.fit(cdnow).model
    coming = [float(model.expected_orders(t)[0]) for t in (0.1429, 1, 3, 31.8571, 32, 78)]
    assert coming == pytest.approx([0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576], abs=5e-4)
    assert PAPER.expected_orders(39, Histories.of(2, 30.43, 38.86))[0] == pytest.approx(1.2260281747671, rel=1e-12)
    assert PAPER.expected_orders(2, Histories.of(10, 35, 39))[0] == pytest.approx(0.391569207091, rel=1e-11)


def test_bg_nbd_of_the_walkthrough() -> None:
    """The BTYD walkthrough, pages 19 to 23: a customer of 26 orders, and what more orders say of one who went silent."""
    model = BgNbd(0.2425967, 4.413659, 0.7929869, 2.426164)
    loyal = Histories.of(26, 216 / 7, 31)
    assert model.expected_orders(52, loyal)[0] == pytest.approx(25.75659, abs=5e-4)
    assert model.p_alive(loyal)[0] == pytest.approx(0.9688523, abs=5e-6)
    assert model.expected_orders(52)[0] == pytest.approx(1.444004, abs=5e-7)
    silent = model.expected_orders(52, Histories.of([10, 15, 20, 25], 20, 39))
    assert silent == pytest.approx([0.3474606, 0.04283391, 0.004158973, 0.0003583685], rel=1e-6)


def test_bg_nbd_probabilities() -> None:
    """R BTYD, bgnbd.pmf."""
    assert PAPER.pmf(10, 2)[0] == pytest.approx(1.07869e-07, rel=1e-5)
    assert PAPER.pmf(0, 39)[0] == pytest.approx(0.5737864, abs=5e-8)
    assert [float(PAPER.pmf(n, 30)[0]) for n in range(11, 21)] == pytest.approx(
        [0.0019995214, 0.0015170236, 0.0011633150, 0.0009003148, 0.0007023638,
         0.0005517902, 0.0004361913, 0.0003467171, 0.0002769613, 0.0002222260], abs=5e-11
    )  # fmt: skip


def test_pareto_nbd_of_the_walkthrough() -> None:
    """The BTYD walkthrough, pages 6 to 10; its parameters are printed to fewer digits than its predictions."""
    model = ParetoNbd(0.55315, 10.57633, 0.60625, 11.67150)
    loyal = Histories.of(26, 216 / 7, 31)
    assert model.expected_orders(52, loyal)[0] == pytest.approx(25.45647, rel=5e-5)
    assert model.p_alive(loyal)[0] == pytest.approx(0.997874, abs=5e-6)
    assert model.expected_orders(52)[0] == pytest.approx(1.473434, abs=1e-4)
    silent = model.expected_orders(52, Histories.of([10, 15, 20, 25], 20, 39))
    assert silent == pytest.approx([0.7062289, 0.1442396, 0.02250658, 0.00309267], rel=2e-3)


def test_pareto_nbd_where_others_underflow() -> None:
    """lifetimes' two neighbours, and CLVTools' four customers with more than 150 orders."""
    neighbours = ParetoNbd(0.55, 10.58, 0.61, 11.67).expected_orders(10, Histories.of([132, 133], 200, 200))
    assert neighbours == pytest.approx([6.2060517889632418, 6.2528722475748113], rel=1e-12)
    frequent = Histories.of(
        [221, 254, 161, 204], [103.42857, 97.14286, 94.71429, 98.57143], [103.57143, 97.28571, 98, 99.42857]
    )
    alive = ParetoNbd(0.5143, 2.8845, 0.2856, 14.1087).p_alive(frequent)
    assert alive == pytest.approx([0.999596, 0.999558, 0.749488, 0.994255], abs=5e-7)


@pytest.mark.parametrize(("kind", "never", "often"), [(BgNbd, -0.59947382, 100.7957), (MbgNbd, -0.41792826, 100.7869)])
def test_likelihood_of_single_customers(kind: Any, never: float, often: float) -> None:
    value, _ = kind(0.25, 4.0, 0.8, 2.5).rows(Histories.of([0, 200], [0, 38], 40))
    assert value == pytest.approx([never, often], abs=5e-5)


@pytest.mark.parametrize(
    ("model", "horizon", "history", "expected"),
    [
        (PAPER, 365, (1000, 364, 365), 730.2313091172608),
        (PAPER, 365, (5000, 364, 365), 30.005730523601),
        (PAPER, 3650, (0, 0, 1000), 0.629965690013974),
        (BgNbd(0.11, 2.24, 0.31, 0.50), 30, (0, 0, 1), 0.5645886155327847),  # NaN in lifetimes, its issue 302
    ],
)
def test_overflow_probes(model: BgNbd, horizon: float, history: tuple[float, ...], expected: float) -> None:
    """Against sixty digits of mpmath."""
    assert model.expected_orders(horizon, Histories.of(*history))[0] == pytest.approx(expected, rel=1e-11)


def test_a_shop_without_dropout(shared: Path) -> None:
    """UCI Online Retail to June 2011: the dropout models find nobody leaving, and no likelihood beyond NBD's."""
    rows = pl.read_parquet(shared / "data/orders/online_retail.parquet").filter(
        pl.col("CustomerID").is_not_null(), pl.col("Quantity") > 0, pl.col("UnitPrice") > 0
    )
    days = rows.select("CustomerID", day=pl.col("InvoiceDate").dt.date()).filter(pl.col("day") <= pl.date(2011, 6, 30))
    first, last = pl.col("day").min(), pl.col("day").max()
    each = days.group_by("CustomerID").agg(
        x=pl.col("day").n_unique() - 1, t_x=(last - first).dt.total_days() / 7,
        T=(pl.date(2011, 6, 30) - first).dt.total_days() / 7,
    )  # fmt: skip
    h, _ = Histories.of(*(each[column].to_numpy() for column in ("x", "t_x", "T"))).grouped()
    assert h.weight.sum() == 2960
    plain = Nbd.fit(h)
    assert tuple(plain.parameters.values()) == pytest.approx((0.7442, 9.0474), abs=5e-5)
    assert plain.log_likelihood == pytest.approx(-15325.4553, abs=5e-5)
    for kind in (BgNbd, MbgNbd, ParetoNbd):
        found: Any = kind.fit(h)
        assert not found.identified
        assert abs(found.log_likelihood - plain.log_likelihood) < 1e-4
        assert found.model.p_alive(h).min() > 0.999


# --- properties -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_gradients(model: Any) -> None:
    _, slopes = model.rows(SOME)
    parameters = [getattr(model, field) for field in model.__slots__] if type(model) is not MbgNbd else None
    parameters = parameters or [model.r, model.alpha, model.a, model.b]
    for place, slope in enumerate(slopes):
        step = 1e-5 * parameters[place]
        up, down = ([*parameters[:place], parameters[place] + side, *parameters[place + 1 :]] for side in (step, -step))
        difference = (type(model)(*up).rows(SOME)[0] - type(model)(*down).rows(SOME)[0]) / (2 * step)
        assert slope == pytest.approx(difference, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_probabilities_add_up_to_one_and_to_the_expectation(model: Any) -> None:
    for h in (Histories.of(0, 0, 0), Histories.of([0, 3, 8], [0, 9, 2], [7, 10, 10])):
        n = np.arange(200)
        probability = np.array([model.pmf(int(k), 6.0, h) for k in n])
        assert probability.min() >= 0
        assert probability.sum(axis=0) == pytest.approx(1, abs=1e-9)
        assert n @ probability == pytest.approx(model.expected_orders(6.0, h), rel=1e-8)


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_draws_agree_with_probabilities(model: Any) -> None:
    h = Histories.of(np.full(20_000, 3), 9, 10)
    drawn = model.draw_orders(12.0, h, np.random.default_rng(1))
    one = h.part(slice(0, 1))
    assert drawn.mean() == pytest.approx(float(model.expected_orders(12.0, one)[0]), rel=0.06)
    assert (drawn == 0).mean() == pytest.approx(float(model.pmf(0, 12.0, one)[0]), abs=0.015)


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_nothing_is_ever_nan(model: Any) -> None:
    with np.errstate(all="raise", under="ignore"):
        value, slopes = model.rows(EXTREME)
        assert np.isfinite(value).all() and all(np.isfinite(slope).all() for slope in slopes)
        assert ((model.p_alive(EXTREME) >= 0) & (model.p_alive(EXTREME) <= 1)).all()
        for horizon in (0.0, 1e-6, 1.0, 1e6):
            expected = model.expected_orders(horizon, EXTREME)
            assert np.isfinite(expected).all() and (expected >= 0).all()
            assert all(np.isfinite(model.pmf(n, horizon, EXTREME)).all() for n in (0, 1, 200))


def test_expectations_of_bg_nbd_against_an_integral() -> None:
    """Over the chance to leave, for parameters of every size; where the series overflows, too."""
    rng = np.random.default_rng(7)
    lost = 0
    for kind in [BgNbd, MbgNbd] * 60:
        r, alpha, a, b, t, age = np.exp(rng.uniform([-3, -3, -2, -3, -3, -2], [3, 6, 8, 10, 8, 8]))
        x = int(np.exp(rng.uniform(-1, 8)))
        model, h = kind(r, alpha, a, b), Histories.of(x, 0.9 * age if x else 0, age)
        lost += not np.isfinite(model._of_series(t, h, a))[0]
        rest = b + x + kind.FIRST

        def over(
            y: float, a: float = a, rest: float = rest, n: float = r + x, ratio: float = t / (alpha + age)
        ) -> float:
            stay, leave = -np.logaddexp(0, y), -np.logaddexp(0, -y)  # y: the log of the odds to leave
            return float(
                np.exp(a * leave + rest * stay - betaln(a, rest) - leave)
                * -np.expm1(-n * np.log1p(np.exp(leave) * ratio))
            )

        middle, spread = np.log(a / rest), np.sqrt(1 / a + 1 / rest)
        low, high = 20 * spread + 40 / min(a, 1), 20 * spread + 40 / min(rest, 1)
        edges = [max(middle - low, -700), middle - 5 * spread, middle, middle + 5 * spread, middle + high]
        truth = sum(integrate.quad(over, u, v, limit=200, epsrel=1e-12)[0] for u, v in pairwise(edges))
        alive = model.p_alive(h)[0]
        assert model.expected_orders(t, h)[0] == pytest.approx(alive * truth, rel=1e-5)
    assert lost > 5


def test_expectation_is_smooth_where_a_is_one() -> None:
    near = [
        float(BgNbd(0.24, 4.4, a, 2.4).expected_orders(39, SOME)[2])
        for a in (1 - 1e-4, 1 - 1e-6, 1, 1 + 1e-6, 1 + 1e-4)
    ]
    assert near[2] == pytest.approx((near[0] + near[4]) / 2, rel=1e-7)
    assert near[1:4] == pytest.approx([near[2]] * 3, rel=1e-5)
    assert np.isfinite(BgNbd(0.24, 4.4, 0.4, 0.6).expected_orders(39)).all()  # a + b = 1


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_recovers_what_was_simulated(model: Any) -> None:
    rng = np.random.default_rng(3)
    h = model.simulate(rng.uniform(20, 60, 20_000), rng)
    assert (h.t_x <= h.T).all() and ((h.x > 0) == (h.t_x > 0)).all()
    found = type(model).fit(h.grouped()[0])
    assert found.converged
    truth, errors = [getattr(model, key) for key in found.parameters], found.standard_errors.values()
    off = [(value - true) / error for value, true, error in zip(found.parameters.values(), truth, errors, strict=True)]
    assert max(map(abs, off)) < 4
    drawn = [[getattr(m, key) for key in found.parameters] for m in found.draws(400, seed=1)]
    assert np.std(drawn, axis=0) == pytest.approx(list(errors), rel=0.25)


def test_grouping_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    ages = rng.integers(50, 90, 4_000) / 7
    h = PAPER.simulate(ages, rng)
    h = Histories.of(h.x, np.where(h.x > 0, np.ceil(h.t_x * 7) / 7, 0), ages)
    small, index = h.grouped()
    assert len(small) < len(h) / 3
    assert (small.x[index] == h.x).all() and (small.t_x[index] == h.t_x).all() and (small.T[index] == h.T).all()
    shuffled = rng.permutation(len(h))
    again, _ = Histories.of(h.x[shuffled], h.t_x[shuffled], h.T[shuffled]).grouped()
    assert BgNbd.fit(again).parameters == BgNbd.fit(small).parameters
    assert tuple(BgNbd.fit(h).parameters.values()) == pytest.approx(
        tuple(BgNbd.fit(small).parameters.values()), rel=1e-6
    )


@pytest.mark.parametrize("kind", BY_NAME.values())
class TestTooLittle:
    def test_nobody_came_back(self, kind: Any) -> None:
        with pytest.raises(InputError) as error:
            kind.fit(Histories.of([0, 0], 0, [30, 20]))
        assert error.value.code == "E_NOT_FITTED"
        assert kind.NAME in error.value.message

    def test_no_time_passed(self, kind: Any) -> None:
        with pytest.raises(InputError):
            kind.fit(Histories.of([0, 0], 0, 0))

    @pytest.mark.parametrize("many", [1, 50])
    def test_customers_who_are_all_alike(self, kind: Any, many: int) -> None:
        """No difference between customers can be told: the edge, everybody at the one rate there is."""
        found = kind.fit(Histories.of(np.full(many, 3), 20, 30))
        assert found.edge and not found.identified
        assert found.model.expected_orders(30, Histories.of(3, 20, 30))[0] == pytest.approx(3, rel=0.01)
        for model in found.draws(20, seed=0):
            assert np.isfinite(model.expected_orders(30, SOME)).all()
            assert model.draw_orders(30.0, SOME, np.random.default_rng(0)).min() >= 0


def test_a_million_customers_take_a_second() -> None:
    """Processor time, and room for a slow machine; most customers share their history with others."""
    rng = np.random.default_rng(1)
    ages = rng.integers(27 * 7, 39 * 7, 1_000_000) / 7
    h = PAPER.simulate(ages, rng)
    h, _ = Histories.of(h.x, np.where(h.x > 0, np.ceil(h.t_x * 7) / 7, 0), ages).grouped()
    assert h.weight.sum() == 1_000_000
    start = time.process_time()
    found = BgNbd.fit(h)
    assert time.process_time() - start < 4
    assert tuple(found.parameters.values()) == pytest.approx((0.243, 4.414, 0.793, 2.426), rel=0.1)
