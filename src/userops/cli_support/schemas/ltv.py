"""``userops ltv``: a row is a tier, a customer, or a cohort."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


class LtvTier(Open):
    """One tier, the most valuable first; with --by one for each value of the column, which is then there too."""

    tier: str
    tier_zh: str
    users: int
    users_share: float | None = Field(description="of all customers")
    mean_frequency: float | None = Field(description="repeat days of a customer so far")
    expected_orders: float | None = Field(description="days with an order within the horizon")
    expected_value: float | None = Field(description="sum of ltv")
    value_share: float | None = Field(description="of the expected value of all customers")
    mean_ltv: float | None
    ltv_from: float | None = Field(description="the smallest ltv in the tier")
    spent: float | None = Field(description="so far, refunds netted; null without amounts")


class LtvUser(Open):
    """One customer, with --per-user; sorted by user_id."""

    user_id: str
    frequency: int = Field(description="days with an order after the first such day")
    recency: float = Field(description="from the first to the last of them, in --time-unit")
    T: float = Field(description="from the first order's day to as_of, in --time-unit")
    monetary_value: float | None = Field(description="mean value of the repeat days; null without one")
    p_alive: float | None = Field(description="null where dropout cannot be told from the data")
    expected_orders: float | None
    ltv: float | None = Field(description="expected value within the horizon, discounted, times the margin")
    ltv_low: float | None = Field(description="what the customer really brings lies between, with --interval")
    ltv_high: float | None
    tier: str
    tier_zh: str
    spent: float | None


class LtvCohort(Open):
    """With --realised: what a cohort has paid by so many days after the first order."""

    cohort: date = Field(description="the month of the first order, its first day")
    cohort_users: int
    day: int
    eligible_users: int = Field(description="seen for that many days by as_of")
    revenue_per_user: float | None = Field(description="of those; null where there is none")
    complete: bool = Field(description="whether all of the cohort were seen so long")
    cac: float | None = Field(None, description="with --costs: what was spent in that month, over its customers")
    paid_back: float | None = Field(None, description="revenue per user, times the margin, over cac")
    payback: int | None = Field(None, description="the first day by which the cohort had paid its costs")
    reason: str | None = Field(None, description="why there is no cac, or no payback yet")
    reason_zh: str | None = None


class LtvCame(Open):
    """Days with an order that came since a saved model was fitted, beside what it had said."""

    users: int
    orders: int
    expected: float
    deviation: float = Field(description="standard deviation of what comes around what is expected")
    off: float | None = Field(description="(orders - expected) / expected")


class LtvDrift(Open):
    """Whether a saved model still holds."""

    since: date
    days: int
    drifted: bool = Field(description="off by more than a tenth and three deviations, of known or new customers")
    known: LtvCame | None = Field(description="customers it was fitted to; of many a fixed share")
    new: LtvCame | None = Field(description="customers who came since")


class LtvCandidate(Open):
    """A model that was fitted; measures are means over the origins of the backtest."""

    model: str
    chosen: bool
    log_likelihood: float
    deviance: float | None = Field(description="minus twice the mean log-probability of the orders that came")
    mae: float | None
    rmse: float | None
    total_error: float | None
    gini: float | None


class LtvBacktest(Open):
    """How the chosen model, and under naive_rate and naive_past the baselines, did on the past: means over origins."""

    origins: list[date]
    days: int = Field(description="predicted from each of them")
    users: int = Field(description="that were looked at")
    mae: float | None = Field(description="of orders per customer; value_mae and so on are of value")
    rmse: float | None
    total_error: float | None = Field(description="(predicted - actual) / actual")
    gini: float | None = Field(description="of the gain curve; 1 is the true order")
    naive_rate: dict[str, float | None] = Field(description="each customer's own rate goes on")
    naive_past: dict[str, float | None] = Field(description="as many orders, and as much, as so far")


class LtvSummary(Open):
    """All customers together."""

    model: str | None = Field(description="null: nothing can be predicted")
    parameters: dict[str, float] | None = Field(description="r, alpha; a, b or s, beta; in --time-unit")
    standard_errors: dict[str, float] | None
    log_likelihood: float | None
    dropout_identified: bool = Field(description="whether the data tell who has left")
    spend_parameters: dict[str, float] | None = Field(description="p, q, v; null where no model of spending holds")
    spend_log_likelihood: float | None
    spend_correlation: float | None = Field(description="of how often and how much; the model takes it for 0")
    backtest: LtvBacktest | None
    candidates: list[LtvCandidate]
    users: int
    one_time_users: int
    orders: int
    revenue: float | None
    currency: str | None
    horizon_days: int
    expected_orders: float | None
    expected_orders_low: float | None
    expected_orders_high: float | None
    expected_value: float | None
    expected_value_low: float | None
    expected_value_high: float | None
    mean_ltv: float | None
    expected_orders_recalibrated: float | None = Field(description="times what came over what was said in the backtest")
    expected_value_recalibrated: float | None
    naive_expected_orders: float = Field(description="at each customer's own rate so far")
    naive_expected_value: float | None = Field(description="the same of value, not discounted")
    backtest_mae: float | None
    backtest_rmse: float | None
    backtest_total_error: float | None
    backtest_gini: float | None
    cac: float | None = Field(description="costs over customers, of the months with costs")
    paid_back: float | None = Field(description="what those paid so far, times the margin, over the costs")
    ltv_cac: float | None = Field(description="the same with what they are still expected to bring")
    drift: LtvDrift | None = Field(description="with --model-file: what came since it was fitted")
    refund_only_users: int


ENVELOPE = Envelope[LtvTier | LtvUser | LtvCohort, LtvSummary]
