"""What a command prints with ``--json``, as JSON Schema: for programs that read it.

The models here describe; they do not run. A test holds real output of every command against them.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from userops.errors import UsageError


class Open(BaseModel):
    """Later versions may add keys; those named here stay."""

    model_config = ConfigDict(extra="allow")


class InputMeta(Open):
    """What became of the rows of one input: rows_read = rows_used + the sum of rejected."""

    name: str
    layout: str
    rows_read: int
    rows_used: int
    rejected: dict[str, int] = Field(description="rows that do not count, by reason")


class Meta(Open):
    """Where the numbers came from."""

    as_of: date | None = Field(description="the data counts as complete through the end of this day")
    tz: str
    week_start: str
    inputs: list[InputMeta]
    settings: dict[str, Any] = Field(description="every option in force, defaults included")
    definitions: list[str] = Field(description="the rules in words, in the language of --lang")
    warnings: list[str]
    version: str


Row = TypeVar("Row", bound=BaseModel)
Summary = TypeVar("Summary", bound=BaseModel)


class Envelope(Open, Generic[Row, Summary]):
    """What every command prints with --json. Never NaN; dates are ISO 8601; money is in currency units."""

    schema_: str = Field(alias="schema", description="userops.COMMAND/1")
    meta: Meta
    summary: Summary
    rows: list[Row]


class RfmTier(Open):
    """One segment, in order of value; those without customers are there with null means."""

    segment: str
    segment_zh: str
    users: int
    users_share: float | None = Field(description="of all customers")
    mean_recency_days: float | None
    mean_orders: float | None
    mean_monetary: float | None
    revenue: float = Field(description="refunds netted")
    revenue_share: float | None = Field(description="of the revenue of all tiers")


class RfmUser(Open):
    """One customer, with --per-user; sorted by user_id."""

    user_id: str
    last_order: date
    recency_days: int
    orders: int
    monetary: float
    r: int
    f: int
    m: int
    score: str = Field(description="r, f and m in a row")
    segment: str
    segment_zh: str


class RfmSummary(Open):
    """All customers together."""

    users: int
    orders: int
    revenue: float
    currency: str | None
    repeat_rate: float | None = Field(description="customers with two orders or more, of all")
    median_gap_days: int | None = Field(description="days from one order date of a customer to the next")
    p80_gap_days: int | None
    gap_users_one_in: int = Field(description="gaps were taken from one customer in so many")
    refund_only_users: int
    refund_only_revenue: float
    known_revenue: float = Field(description="of the tiers and of refund-only customers")
    file_total: float = Field(description="of every row that holds an amount, rejected ones included")
    moved_users: int | None = Field(None, description="with --compare-with: in another segment than before")
    stayed_users: int | None = Field(None, description="with --compare-with: in the same segment")


class RetentionCell(Open):
    """One cohort and one period, N periods after the start."""

    cohort: date | str | None = Field(description="the first day of the cohort's period, or the value of a column")
    cohort_users: int
    period: int | str = Field(description="N; with --brackets the range, such as 1-3")
    users: int = Field(description="returned, of the eligible; of all so far where nobody is eligible yet")
    eligible_users: int = Field(description="users for whom the period is over by as-of")
    retention: float | None = Field(description="users / eligible_users; with --value net revenue retention")
    ci_low: float | None = Field(description="Wilson; null for recurring cohorts and values")
    ci_high: float | None
    complete: bool = Field(description="whether all users of the cohort are eligible")
    left_censored: bool = Field(description="cohort of the file's first period: may hold users who started before")
    revenue: float | None = Field(None, description="with --value: in period N, of eligible users")
    cohort_revenue: float | None = Field(None, description="with --value: of the same users in period 0")
    gross_retention: float | None = Field(None, description="with --value: each user at most with period 0's revenue")


class RetentionAverage(Open):
    """All cohorts together."""

    period: int | str
    retention: float | None
    eligible_users: int


class RetentionSummary(Open):
    """All cohorts together; also flat as d1_retention, w4_retention, m3_retention and so on."""

    users: int = Field(description="in the cohorts that are reported")
    cohorts: int
    average: list[RetentionAverage]
    events: int | None = Field(None, description="rows that count, of events")
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = None
    currency: str | None = None


class ActivityDay(Open):
    """One calendar day of the reporting window, silent days included."""

    date: date
    dau: int
    wau: int | None = Field(description="distinct users of 7 days; null before a full week of history")
    mau: int | None = Field(description="of --mau-days; null before a full window of history")
    stickiness: float | None = Field(description="dau / mau")
    new_users: int


class ActiveDays(Open):
    """With --histogram: users by number of active days in the trailing window."""

    active_days: int
    users: int


class ActivitySummary(Open):
    """Everybody together, and the last day that is reported."""

    users: int = Field(description="seen up to as-of")
    events: int | None = Field(None, description="rows that count, of events")
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = None
    currency: str | None = None
    date: str | None = Field(description="the last day reported; dau to new_users are of it")
    dau: int | None
    wau: int | None
    mau: int | None
    stickiness: float | None
    new_users: int | None
    mean_dau: float | None = Field(description="over the days reported")
    mean_stickiness: float | None = Field(description="over the days reported that have one")
    active_days_mean: float | None = Field(description="days on which an active user was, in the last --mau-days")


class GrowthPeriod(Open):
    """One period that the reporting window touches, silent ones included."""

    period_start: date
    new: int
    retained: int
    resurrected: int
    churned: int | None = Field(description="null in the first period of the data, as are net and quick_ratio")
    active: int = Field(description="new + retained + resurrected")
    net: int | None = Field(description="new + resurrected - churned")
    quick_ratio: float | None = Field(description="(new + resurrected) / churned; null where nobody churned")
    complete: bool = Field(description="whether the period is over by as-of")


class GrowthSummary(Open):
    """Everybody together, and the last reported period that is over."""

    users: int = Field(description="seen up to as-of")
    events: int | None = Field(None, description="rows that count, of events")
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = None
    currency: str | None = None
    period_start: str | None = Field(description="the last period that is over; new to churn_rate are of it")
    new: int | None
    retained: int | None
    resurrected: int | None
    churned: int | None
    active: int | None
    net: int | None
    quick_ratio: float | None
    retention_rate: float | None = Field(description="retained, of those active the period before")
    churn_rate: float | None = Field(description="churned, of those active the period before")
    mean_quick_ratio: float | None = Field(description="over the reported periods that are over and have one")


class LifecycleStage(Open):
    """One stage, in the order of a life that goes on; those without users are there with a null median."""

    stage: str
    stage_zh: str
    users: int
    users_share: float | None = Field(description="of all users")
    revenue: float | None = Field(description="refunds netted; null where rows hold no money")
    median_recency_days: int | None = Field(description="a value that somebody has, the lower of two")


class LifecycleUser(Open):
    """One user, with --per-user; sorted by user_id."""

    user_id: str
    stage: str
    stage_zh: str
    first_seen: date = Field(description="the sign-up, if that was before the first act")
    last_seen: date = Field(description="the last act; of users who never acted, the sign-up")
    recency_days: int
    orders: int | None = Field(None, description="of orders: refunds excluded")
    active_days: int | None = Field(None, description="of events: days with at least one")
    last_gap_days: int | None = Field(description="days between the last two days with an act; null: there is but one")
    revenue: float | None


class LifecycleMove(Open):
    """With --transitions-from: users by their stage then and now."""

    from_: str | None = Field(alias="from", description="null: not there yet")
    to: str
    users: int
    share: float = Field(description="of the users who were in the earlier stage")


class LifecycleSummary(Open):
    """All users together; and for every stage its users and its share, such as churned_users and churned_share."""

    users: int
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = None
    currency: str | None = None
    refund_only_users: int | None = None
    refund_only_revenue: float | None = None
    events: int | None = Field(None, description="rows that count, of events")
    active_within_days: int = Field(description="recency up to which users count as active")
    silent_after_days: int
    churned_after_days: int
    mature_orders: int = Field(description="orders (active days) from which a user is mature")
    moved_users: int | None = Field(None, description="with --transitions-from: in another stage than then")
    stayed_users: int | None = Field(None, description="with --transitions-from: in the same stage")


class PathsTransition(Open):
    """One step from event to event within sessions; the most frequent first."""

    source: str = Field(description="(start): the session begins")
    target: str = Field(description="(exit): the session ends")
    transitions: int
    users: int
    share: float = Field(description="of all that leaves the source")
    median_seconds: float | None = Field(description="from the one to the other; null for (start) and (exit)")


class PathsSession(Open):
    """One session, with --sessions; sorted by user_id and session."""

    user_id: str
    session: int = Field(description="the first session of the user is 1")
    started_at: datetime = Field(description="on the clock of --tz")
    events: int
    seconds: float = Field(description="from its first event to its last")


class PathsStep(Open):
    """With --step-matrix: one step and event."""

    step: int
    event: str = Field(description="(exit): the session is over by then")
    sessions: int
    share: float = Field(description="of all sessions; adds up to 1 for each step")


class PathsSummary(Open):
    """All sessions that are reported, as cut by --start-at and --end-at."""

    users: int
    events: int
    sessions: int
    bounce_rate: float = Field(description="sessions with a single event, of all")
    sessions_per_user: float
    mean_events_per_session: float
    median_events_per_session: float
    mean_session_seconds: float
    median_session_seconds: float


class LatePeriod(Open):
    """One period, with --late-rows."""

    period_start: date
    rows: int
    late_rows: int = Field(description="arrived after the last day of the period")
    late_share: float | None
    users_then: int = Field(description="active users as a report at the end of the period saw them")
    users_now: int
    users_change: int
    median_lag_hours: float | None
    p90_lag_hours: float | None
    max_lag_days: float | None
    complete: bool = Field(description="whether the period is over by as-of")


class LateSummary(Open):
    """All rows together, with --late-rows."""

    users: int
    rows: int
    late_rows: int
    late_share: float
    data_through: str | None = Field(description="when the latest row arrived")
    median_lag_hours: float
    p90_lag_hours: float
    p99_lag_hours: float
    settled_after_days: int | None = Field(description="after a period's end, until 99 % of its rows were there")
    changed_periods: int = Field(description="periods whose active users are no longer those of the report then")
    negative_lags: int = Field(description="rows that arrived before they happened; lag 0")
    unknown_arrivals: int = Field(description="rows that do not say when they arrived; lag 0")


class SurvivalPeriod(Open):
    """One period of a curve, with --by of one group."""

    period: int = Field(description="whole periods since the start; 0 is the start itself")
    at_risk: int = Field(description="seen through the period, or leaving in it")
    churned: int = Field(description="left in it")
    survival: float | None = Field(description="Kaplan-Meier; null beyond what was seen")
    ci_low: float | None = Field(description="null where survival is 0 or 1, and beyond what was seen")
    ci_high: float | None
    projected: float | None = Field(description="shifted beta-geometric; null where it cannot be fitted")


class SurvivalSummary(Open):
    """Everybody together."""

    users: int = Field(description="distinct users; of counts, those of the first period")
    subscriptions: int
    churned: int = Field(description="in a period that is over")
    churned_in_unfinished_period: int
    active: int
    periods: int = Field(description="the last period that somebody was seen through")
    horizon: int = Field(description="the period that the projection goes to")
    alpha: float | None = Field(description="of Beta(alpha, beta), the chances to leave; null where not fitted")
    beta: float | None
    log_likelihood: float | None
    median_lifetime: int | None = Field(description="the first period with at most half still there; null: not yet")
    median_lifetime_projected: int | None
    survival_at_horizon: float | None = Field(description="projected")
    expected_lifetime: float | None = Field(description="periods, of a new subscriber; null where alpha <= 1: infinite")
    expected_remaining_lifetime: float | None = Field(description="of those who are there; null where alpha <= 1")
    expected_remaining_within_horizon: float | None = Field(description="of the next so many periods")
    log_rank: float | None = Field(None, description="with --by: chi-squared of the test that groups leave alike")
    log_rank_df: int | None = None
    log_rank_p: float | None = None


class FileColumn(Open):
    """One column of a file."""

    role: str | None = Field(description="what it is to userops; null: nothing")
    column: str
    dtype: str
    nulls: int | None
    example: str
    file: str | None = Field(None, description="with several inputs")


class FileSummary(Open):
    """What userops sees in a file."""

    kind: str | None
    layout: str
    rows: int
    users: int | None
    first: str | None
    last: str | None


class WrittenFile(Open):
    """One file of the simulated shop."""

    file: str
    rows: int | None
    bytes: int
    what: str
    what_zh: str


class ShopSummary(Open):
    """The simulated shop."""

    customers: int
    days: int
    seed: int


class Setting(Open):
    """One option and where its value came from."""

    command: str
    option: str
    value: Any
    source: str


class Finding(Open):
    """One line of the report on the installation."""

    what: str
    value: str


class Nothing(Open):
    """No summary of its own."""


class FunnelStep(Open):
    """One step; with --by one for each value of the column, which is then there too."""

    step: int
    event: str = Field(description="the step as it was given; with --order any: any N")
    users: int = Field(description="users (sessions, pairs: --count) who reached it, of all entries")
    mature_users: int = Field(description="of entries whose whole window is over by the end of as_of")
    from_start: float | None = Field(description="mature_users of those at step 1")
    from_previous: float | None = Field(description="mature_users of those at the step before; null at step 1")
    dropped: int | None = Field(description="mature users of the step before who did not reach this one")
    ci_low: float | None = Field(description="Wilson, of from_start")
    ci_high: float | None
    median_seconds_from_start: float | None = Field(description="latest entry to earliest completion, mature entries")
    p90_seconds_from_start: float | None


class FunnelUser(Open):
    """One user who entered, with --per-user or --stopped-at; sorted by user_id."""

    user_id: str
    level: int = Field(description="the deepest step reached")
    entered_at: str = Field(description="the latest entry that leads to reached_at, clocks of --tz")
    reached_at: str = Field(description="the earliest time at which that step was done")
    mature: bool = Field(description="whether the window of that entry is over")


class FunnelTold(Open):
    """One step of one user, with --explain."""

    step: int
    event: str
    matched: str | None = Field(description="the event of the row that was this step; null: the step was not done")
    at: str | None
    reason: str = Field(description="matched, or why not: after_window, only_before, no_such_row, ...")
    seen: str | None = Field(description="the event of the row that shows the reason")
    seen_at: str | None
    seconds_from_start: float | None


class FunnelSummary(Open):
    """All together."""

    users: int = Field(description="who entered; with --explain 1")
    events: int = Field(description="rows that count; with --explain the user's rows that were looked at")
    mature_users: int | None = None
    converted: int | None = Field(None, description="mature users who did all steps")
    conversion: float | None = Field(None, description="converted / mature_users")
    steps: int
    median_seconds: float | None = Field(None, description="to the last step")
    level: int | None = Field(None, description="with --explain: steps done")


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


class ChurnTenth(Open):
    """Users at tested_at by tenths of the probability, the highest first: what was predicted, and what came.

    Drivers and users by risk are in the further tables `drivers` and `risks`.
    """

    tenth: int = Field(description="1 is the tenth most likely to leave; equal probabilities stay together")
    users: int
    churned: int = Field(description="without an act in the horizon after")
    churn_rate: float
    predicted: float = Field(description="mean probability; beside churn_rate the calibration")
    lift: float = Field(description="churn_rate over that of all")
    captured: float = Field(description="of all who left, the share in this tenth and those before")
    p_from: float = Field(description="the smallest probability in the tenth")


class ChurnUser(Open):
    """One user at as_of, with --per-user; sorted by user_id."""

    user_id: str
    p_churn: float = Field(description="the probability of no act within the horizon, by the summary's model")
    risk: str = Field(description="high, medium or low; by high_from and low_below of the summary")
    reason: str = Field(description="one sentence, from what the user did beside the own rhythm")
    reason_zh: str
    risk_zh: str
    btyd_p_churn: float | None = Field(description="the same by the model of repeat buying")
    recency_p_churn: float = Field(description="the same by how long the user has been silent alone")
    p_alive: float | None = Field(description="null where dropout cannot be told from the data")
    silent_days: int = Field(description="since the last act")
    rhythm_days: float | None = Field(description="mean gap between active days; null with one only")
    longest_gap_days: int | None
    active_days: int
    recent_active_days: int = Field(description="in the last horizon")
    earlier_active_days: int = Field(description="in the horizon before that")
    tenure_days: int = Field(description="since the first act")


class ChurnSummary(Open):
    """All users together; every score is of labels later than anything the model had seen."""

    model: str = Field(description="what scores the users: logistic, btyd or recency, by the smallest Brier score")
    auc: float = Field(description="of the model, at tested_at")
    brier: float = Field(description="likewise, as are lift_top_decile and calibration_error")
    base_rate: float = Field(description="the share that left, of the users at tested_at")
    lift_top_decile: float
    calibration_error: float = Field(description="mean distance of predicted and churn_rate, over tenths by users")
    predicted_rate: float = Field(description="mean probability at tested_at, to be held against base_rate")
    logistic_auc: float
    logistic_brier: float
    btyd_model: str | None = Field(description="nbd, bg-nbd or mbg-nbd, at as_of")
    btyd_auc: float | None
    btyd_brier: float | None
    recency_auc: float
    recency_brier: float
    dropout_identified: bool = Field(description="whether the data tell who has left")
    recent_users: int = Field(description="at tested_at, active within the horizon before it")
    recent_base_rate: float | None = Field(description="of these; recent_auc likewise")
    recent_auc: float | None
    horizon_days: int
    trained_at: date = Field(description="learned from who left between this day and tested_at")
    tested_at: date = Field(description="tested on who left between this day and scored_at")
    scored_at: date = Field(description="as_of")
    trained_users: int
    tested_users: int
    users: int = Field(description="scored")
    high_users: int
    medium_users: int
    low_users: int
    expected_churned: float = Field(description="sum of p_churn")
    high_from: float = Field(description="risk is high from this probability on: twice the odds of base_rate")
    low_below: float = Field(description="risk is low below this one: half those odds")


class AarrrMetric(Open):
    """One metric; with --by one for each value of the column, which is then there too."""

    stage: str = Field(description="acquisition, activation, retention, revenue or referral")
    metric: str
    value: float | None = Field(description="null: what is missing is in reason")
    numerator: float | None = Field(description="null for medians and paybacks")
    denominator: float | None = Field(description="of a median: how many values it is of")
    ci_low: float | None = Field(description="Wilson; null for what is no share of users or invitations")
    ci_high: float | None
    previous: float | None = Field(description="the value in the days before; null where the data begin within them")
    reason: str | None = Field(description="why there is no value")
    since: date = Field(description="the days the value is of")
    until: date


class AarrrSummary(Open):
    """Everybody together; every metric is also here, under its own name."""

    users: int
    events: int | None = None
    orders: int | None = None
    revenue: float | None = None
    currency: str | None = None
    since: date = Field(description="the reporting window")
    until: date
    new_users: float | None
    spend: float | None
    cac: float | None
    activation_rate: float | None
    median_hours_to_value: float | None
    d1: float | None
    d7: float | None
    d30: float | None
    paid_conversion: float | None
    arpu: float | None
    arppu: float | None
    aov: float | None
    repeat_rate: float | None
    ltv_7: float | None
    ltv_30: float | None
    ltv_90: float | None
    ltv_cac: float | None
    payback_days: float | None
    invites: float | None
    invite_conversion: float | None
    k_factor: float | None
    cycle_days: float | None


class AuditFinding(Open):
    """What one check says of one file."""

    id: str = Field(description="DQ01 to DQ19")
    file: str
    check: str
    check_zh: str
    severity: str = Field(description="high, medium or low: what such a finding does to numbers")
    status: str = Field(description="ok, info, warn, error or skipped")
    affected: int | None = Field(description="how many of unit; null where the check was skipped")
    unit: str = Field(description="rows, orders, users, days, hours, columns or files")
    share: float | None = Field(description="of all of them; null where nobody can tell")
    evidence: str = Field(description="what was found, or why the check was skipped")
    evidence_zh: str
    fix: str | None = Field(description="what to do; null where there is nothing to be done")
    fix_zh: str | None


class AuditSummary(Open):
    """All files together."""

    grade: str = Field(description="A to D; the rule is among the definitions")
    checks: int
    errors: int
    warnings: int
    infos: int
    passed: int
    skipped: int
    rows: int = Field(description="rows read")
    users: int = Field(description="different user ids of all files")
    first: date | None = Field(description="the first day, without strays")
    last: date | None
    events: int | None = Field(None, description="rows that count, of events")
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = Field(None, description="null without amounts, and for several currencies")
    currency: str | None = None


class DiagnoseFinding(Open):
    """One finding of the check-up, the worst first; beside an earlier report, those that are gone come last."""

    id: str = Field(description="stable from night to night; --show and --audience take it")
    area: str = Field(description="data, portrait, demand, goals, behaviour or content")
    title: str
    title_zh: str
    status: str = Field(description="open; beside an earlier report new, worse, same, better or resolved")
    severity: str = Field(description="error: goes on and costs; warn: wants somebody's eye; info: worth knowing")
    metric: str | None
    segment: str | None = Field(description="column=value; null: everybody")
    since: date | None = Field(description="its days; until is null where it goes on")
    until: date | None
    value: float | None = Field(description="the metric on these days")
    baseline: float | None = Field(description="what it was before, or around them")
    target: float | None = Field(description="of a goal")
    delta: float | None = Field(description="value - baseline; of a goal value - target")
    n: int | None = Field(description="how many were counted in value")
    p_value: float | None = Field(description="of its own test, for the windows that were tried")
    q_value: float | None = Field(description="after Benjamini-Hochberg over everything that was tested")
    impact: float | None = Field(description="money at stake, in the currency of the orders; negative is lost")
    causes: list[str] = Field(description="at most three, of how much each accounts for a part")
    also: list[str] = Field(description="what moved for the same reason")
    actions: list[str]
    prevention: list[str]
    proof: str | None = Field(description="what would show that it worked, by when")
    audience: str | None = Field(description="the command that lists whom to act on")
    reproduce: str | None = Field(description="the command that gives the numbers again")
    confidence: str = Field(description="high, medium or low; no better than the data")


class DiagnoseDay(Open):
    """--show ID: one day of the metric of a finding; its numbers are sums of those inside."""

    day: date
    numerator: float
    denominator: float
    value: float | None
    inside: bool = Field(description="whether the finding is of this day")


class DiagnoseCustomers(Open):
    """--show ID of customers who went quiet: how many of them did so much in as many days before, and in its days."""

    before: int
    lately: int
    customers: int


class DiagnoseUser(Open):
    """--audience ID: one user a finding is about."""

    user_id: str
    group: str = Field(description="act, or compare: a fifth are left alone, to see whether acting helped")
    finding: str


class DiagnoseSummary(Open):
    """The state of every part, and the numbers of the last 28 days and of the last day that the files tell."""

    grade: str = Field(description="of the data, A to D, as audit has it")
    findings: int
    error_findings: int = Field(description="without the resolved ones; so are the next two")
    warn_findings: int
    info_findings: int
    new: int = Field(description="beside an earlier report; so are the next two")
    worse: int
    resolved: int
    tested: int = Field(description="comparisons that were tested together")
    data_status: str = Field(description="error, warn, info, ok or skipped, as are the others")
    portrait_status: str
    demand_status: str
    goals_status: str
    behaviour_status: str
    content_status: str
    users: int
    events: int | None = None
    orders: int | None = None
    revenue: float | None = Field(None, description="refunds netted")
    currency: str | None = None


class DiagnoseShown(Open):
    """--show ID: the numbers of the finding, and the sums of its days where it has days."""

    value: float | None
    baseline: float | None
    impact: float | None
    n: int | None
    numerator: float | None = None
    denominator: float | None = None


class DiagnoseAudience(Open):
    """--audience ID: how many users there are of each group."""

    users: int
    act: int
    compare: int


ENVELOPES: dict[str, Any] = {
    "rfm": Envelope[RfmTier | RfmUser, RfmSummary],
    "retention": Envelope[RetentionCell | LatePeriod, RetentionSummary | LateSummary],
    "activity": Envelope[ActivityDay | ActiveDays | LatePeriod, ActivitySummary | LateSummary],
    "growth": Envelope[GrowthPeriod | LatePeriod, GrowthSummary | LateSummary],
    "lifecycle": Envelope[LifecycleStage | LifecycleUser | LifecycleMove | LatePeriod, LifecycleSummary | LateSummary],
    "paths": Envelope[PathsTransition | PathsSession | PathsStep, PathsSummary],
    "funnel": Envelope[FunnelStep | FunnelUser | FunnelTold, FunnelSummary],
    "survival": Envelope[SurvivalPeriod, SurvivalSummary],
    "ltv": Envelope[LtvTier | LtvUser | LtvCohort, LtvSummary],
    "churn": Envelope[ChurnTenth | ChurnUser, ChurnSummary],
    "aarrr": Envelope[AarrrMetric, AarrrSummary],
    "audit": Envelope[AuditFinding, AuditSummary],
    "diagnose": Envelope[
        DiagnoseFinding | DiagnoseDay | DiagnoseCustomers | DiagnoseUser,
        DiagnoseSummary | DiagnoseShown | DiagnoseAudience,
    ],
    "inspect": Envelope[FileColumn, FileSummary],
    "demo": Envelope[WrittenFile, ShopSummary],
    "config show": Envelope[Setting, Nothing],
    "doctor": Envelope[Finding, Nothing],
}


def of(command: str) -> dict[str, Any]:
    """The JSON Schema of a command's envelope; UsageError for a command that has none."""
    if command not in ENVELOPES:
        raise UsageError.unknown_name("command", command, list(ENVELOPES))
    schema: dict[str, Any] = ENVELOPES[command].model_json_schema(by_alias=True)
    schema["title"] = f"userops {command} --json"
    schema["properties"]["schema"]["const"] = f"userops.{command.replace(' ', '-')}/1"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def text_of(command: str) -> str:
    """The same as indented text."""
    return json.dumps(of(command), indent=2, ensure_ascii=False)
