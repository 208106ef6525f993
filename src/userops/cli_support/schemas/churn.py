"""``userops churn``: a row is a tenth of the users, or a user."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


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


ENVELOPE = Envelope[ChurnTenth | ChurnUser, ChurnSummary]
