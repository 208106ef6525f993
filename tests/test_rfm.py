"""RFM tiers: by hand, against published counts, against DuckDB, and under everything that must not matter."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from userops import account, frames, grids, partition, rfm, tables
from userops.errors import InputError, UsageError


def orders(*rows: tuple[object, ...]) -> pl.DataFrame:
    """Rows of (user_id, day of January 2026, amount)."""
    schema = {"user_id": pl.String, "ordered_at": pl.Datetime("us"), "amount": pl.Float64}
    at = [(user, datetime(2026, 1, int(str(day))), amount) for user, day, amount in rows]
    return pl.DataFrame(at, schema=schema, orient="row")


BY_HAND = orders(
    ("a", 31, 100.0), ("a", 20, 50.0), ("a", 10, 50.0), ("a", 25, -30.0),
    ("b", 30, 10.0), ("b", 1, 10.5),
    ("c", 15, 500.0),
    ("d", 2, 0.0),
    ("e", 5, 20.0),
    ("x", 6, -5.0),
)  # fmt: skip
"""Five customers and one (x) with a refund only; d's order is worth nothing but is an order; a had 30 back."""


def customers(result: rfm.RfmResult) -> dict[str, tuple[object, ...]]:
    assert result.users is not None
    columns = ("user_id", "recency_days", "orders", "monetary", "r", "f", "m")
    return {row[0]: row[1:] for row in result.users.select(columns).iter_rows()}


def test_by_hand() -> None:
    result = rfm.analyse(BY_HAND, bins=5, per_user=True)
    # recency 0 1 16 26 29 -> cuts 0 1 16 26; orders 1 1 1 2 3 -> cuts 1 1 1 2; money 0 20 20.5 170 500 -> 0 20 20.5 170
    assert result.cuts == rfm.Cuts((0, 1, 16, 26), (1, 1, 1, 2), (0.0, 20.0, 20.5, 170.0), result.cuts.thresholds)
    assert customers(result) == {
        "a": (0, 3, 170.0, 5, 5, 4),
        "b": (1, 2, 20.5, 4, 4, 3),
        "c": (16, 1, 500.0, 3, 1, 5),
        "d": (29, 1, 0.0, 1, 1, 1),
        "e": (26, 1, 20.0, 2, 1, 2),
    }
    assert result.summary["users"] == 5
    assert result.summary["refund_only_users"] == 1
    assert result.summary["refund_only_revenue"] == -5.0
    assert result.summary["repeat_rate"] == pytest.approx(2 / 5)
    # gaps: a 10, 11; b 29
    assert (result.summary["median_gap_days"], result.summary["p80_gap_days"]) == (11, 29)


def test_every_tier_is_there_and_the_money_adds_up() -> None:
    result = rfm.analyse(BY_HAND)
    assert result.rows["segment"].to_list() == [s.name for s in grids.built_in("champions11").segments]
    assert result.rows["users"].sum() == 5
    assert result.rows["users_share"].sum() == pytest.approx(1)
    assert result.rows["revenue"].sum() == pytest.approx(710.5)
    empty = result.rows.filter(pl.col("users") == 0)
    assert empty["mean_orders"].null_count() == empty.height > 0


def test_cn8_compares_with_the_mean_inclusively() -> None:
    # recency 0 10 20 (mean 10), orders 1 2 3 (mean 2), money 10 20 30 (mean 20): u2 is high on all three
    rows = orders(("u1", 31, 4), ("u1", 30, 3), ("u1", 1, 3), ("u2", 21, 15), ("u2", 20, 5), ("u3", 11, 30))
    result = rfm.analyse(rows, segments="cn8", per_user=True)
    assert result.users is not None
    named = dict(result.users.select("user_id", "segment_zh").iter_rows())
    assert named == {"u1": "一般价值客户", "u2": "重要价值客户", "u3": "重要挽留客户"}


def test_cn8_is_above_only_where_the_threshold_is_the_lowest_value() -> None:
    rows = orders(("u1", 31, 10), ("u2", 31, 10), ("u3", 31, 10), ("u3", 30, 10))
    median = rfm.analyse(rows, segments="cn8", cn8_threshold="median", per_user=True)
    # the median of orders is 1, which everyone reaches: only u3 is above it; nobody is more recent than day 0
    assert dict(median.users.select("user_id", "segment").iter_rows()) == {  # type: ignore[union-attr]
        "u1": "General win-back", "u2": "General win-back", "u3": "Important keep",
    }  # fmt: skip


def test_a_window_limits_orders_and_money_but_not_as_of() -> None:
    result = rfm.analyse(BY_HAND, since=date(2026, 1, 12), until=date(2026, 1, 26), per_user=True)
    assert customers(result) == {"a": (11, 1, 20.0, 5, 1, 1), "c": (16, 1, 500.0, 3, 1, 3)}
    assert result.provenance.as_of == "2026-01-31"


def test_lines_fold_to_orders() -> None:
    lines = pl.DataFrame(
        {
            "user_id": ["a", "a", "a", "a", "b", "b"],
            "order_id": ["1", "1", "1", "C1", "2", "2"],
            "ordered_at": [datetime(2026, 1, d) for d in (3, 2, 9, 10, 4, 5)],
            "amount": [10.0, 5.0, -4.0, -1.0, 7.0, -7.0],
        }
    )
    result = rfm.analyse(frames.orders(lines, grain="line"), as_of=date(2026, 1, 10), per_user=True)
    # order 1 is dated by its earliest line that is not negative (the 2nd); order 2, refunded whole, is still an order
    assert {u: row[:3] for u, row in customers(result).items()} == {"a": (8, 1, 10.0), "b": (6, 1, 0.0)}


def test_a_repeated_order_id_stops_when_nothing_says_what_a_row_is() -> None:
    twice = BY_HAND.with_columns(order_id=pl.lit("7"))
    with pytest.raises(InputError) as stop:
        rfm.analyse(twice)
    assert stop.value.code == "E_REPEATED_ORDER_ID"
    assert "--grain" in str(stop.value.hint)
    assert rfm.analyse(frames.orders(twice, grain="order")).summary["orders"] == 8


def test_saved_cuts_keep_everyone_where_they_are() -> None:
    first = rfm.analyse(BY_HAND, per_user=True)
    more = pl.concat([BY_HAND, orders(*((f"n{i}", 31, 9999.0) for i in range(20)))])
    again = rfm.analyse(more, cuts=first.cuts, per_user=True)
    assert {u: row for u, row in customers(again).items() if not u.startswith("n")} == customers(first)


def test_migration_against_an_earlier_table() -> None:
    before = pl.DataFrame({"user_id": ["a", "b", "gone"], "segment": ["Lost", "Champions", "New"]})
    result = rfm.analyse(BY_HAND, previous=before)
    moved = result.extras["migration"]
    assert moved["users"].sum() == 6
    assert moved.filter(pl.col("to").is_null())["from"].to_list() == ["New"]
    assert moved.filter(pl.col("from").is_null())["users"].sum() == 3
    assert moved.group_by("from").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1.0] * 4)


def test_by_takes_the_value_at_the_first_row() -> None:
    rows = BY_HAND.with_columns(channel=pl.when(pl.col("amount") > 60).then(pl.lit("ads")).otherwise(pl.lit("seo")))
    result = rfm.analyse(rows, by="channel")
    assert result.rows.group_by("channel").agg(pl.col("users").sum()).sort("channel").rows() == [("ads", 1), ("seo", 4)]
    assert result.rows["revenue"].sum() == pytest.approx(710.5)


@pytest.mark.parametrize("segments", ["champions11", "cn8", "value-tiers", "kmeans:3"])
@pytest.mark.parametrize(
    "rows",
    [orders(("a", 1, 5.0)), orders(("a", 1, 0.0), ("b", 1, 0.0)), orders(*[("a", 1, 5.0)] * 4, *[("b", 1, 5.0)] * 4)],
    ids=["one row", "nothing paid", "identical"],
)
def test_small_and_degenerate_input_still_tiers_everyone(rows: pl.DataFrame, segments: str) -> None:
    result = rfm.analyse(rows, segments=segments)
    assert result.rows["users"].sum() == rows["user_id"].n_unique()
    for column in result.rows.select(pl.selectors.float()):
        assert not column.is_nan().any()
        assert not column.is_infinite().any()


def test_refunds_only_makes_no_tier() -> None:
    result = rfm.analyse(orders(("a", 1, -5.0), ("b", 2, -6.0)))
    assert result.summary["users"] == 0
    assert result.rows["users"].sum() == 0
    assert result.summary["repeat_rate"] is None
    assert result.summary["refund_only_users"] == 2


def test_rejects_are_counted_by_reason() -> None:
    bad = pl.DataFrame(
        {
            "user_id": ["a", None, " ", "null", "b", "c", "d"],
            "ordered_at": [datetime(2026, 1, 1)] * 4 + [None] + [datetime(2026, 1, 1)] * 2,
            "amount": [1.0, 1.0, 1.0, 1.0, 1.0, float("nan"), None],
        }
    )
    report = rfm.analyse(bad).provenance.inputs[0]
    assert report.rejected == {
        "missing_user_id": 2, "placeholder_user_id": 1, "missing_time": 1, "missing_amount": 1, "non_finite_amount": 1,
    }  # fmt: skip
    assert report.rows_read == 7 == report.rows_used + sum(report.rejected.values())


def test_nothing_usable_says_why() -> None:
    with pytest.raises(InputError) as stop:
        rfm.analyse(BY_HAND.with_columns(user_id=pl.lit(None, dtype=pl.String)))
    assert "no user id" in stop.value.message


def test_a_lone_row_far_ahead_is_no_as_of() -> None:
    typo = pl.concat([BY_HAND, orders(("a", 1, 5.0)).with_columns(ordered_at=datetime(2062, 1, 1))])
    with pytest.raises(InputError) as stop:
        rfm.analyse(typo)
    assert stop.value.code == "E_LONE_FUTURE_ROW"


def test_several_currencies_stop() -> None:
    with pytest.raises(InputError) as stop:
        rfm.analyse(
            BY_HAND.with_columns(currency=pl.when(pl.col("amount") > 60).then(pl.lit("EUR")).otherwise(pl.lit("USD")))
        )
    assert stop.value.code == "E_MIXED_CURRENCIES"


@pytest.mark.parametrize(
    "wrong",
    [{"bins": 4}, {"bins": 1}, {"segments": "champion"}, {"segments": "kmeans:x"}, {"frequency_cuts": (3, 2, 1, 0)}],
)
def test_impossible_settings_are_usage_errors(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        rfm.analyse(BY_HAND, **wrong)


def test_warnings_that_matter() -> None:
    many = orders(*((f"u{i}", 1 + i % 28, 10.0 + i) for i in range(70)), *((f"u{i}", 29, 5.0) for i in range(30)))
    said = " ".join(w.en for w in rfm.analyse(many).provenance.warnings)
    assert "57 % of customers bought once: any second order scores at least 3 on frequency" in said
    assert "frequency: cuts coincide, 2 of 5 scores are used" in said
    assert "monetary: cuts coincide" not in said


def test_a_result_draws_itself() -> None:
    result = rfm.analyse(BY_HAND)
    assert "Champions" in repr(result)
    assert "<table" in result._repr_html_()


# --- what must not matter -------------------------------------------------------------------------------------------

ROW = st.tuples(
    st.sampled_from("abcdefgh"), st.integers(1, 31), st.integers(-2000, 20000).map(lambda cents: cents / 100)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_order_partitions_and_copies_of_the_frame_do_not_matter(
    rows: list[tuple[str, int, float]], rng: object
) -> None:
    frame = orders(*rows)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=rng.randint(0, 999))  # type: ignore[attr-defined]
    one = rfm.analyse(frame, per_user=True)
    for other in (rfm.analyse(shuffled, per_user=True), rfm.analyse(shuffled.lazy(), per_user=True, partitions=8)):
        assert other.rows.equals(one.rows)
        assert other.users is not None
        assert other.users.equals(one.users)
        assert other.summary == one.summary
    assert rfm.analyse(frame).rows.equals(one.rows)  # hashed ids give what the ids themselves give


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=60))
def test_scaling_all_amounts_moves_nobody(rows: list[tuple[str, int, float]]) -> None:
    frame = orders(*rows)
    twice = frame.with_columns(pl.col("amount") * 2)
    one, two = rfm.analyse(frame, per_user=True), rfm.analyse(twice, per_user=True)
    assert one.users is not None
    assert two.users is not None
    assert one.users["segment"].equals(two.users["segment"])
    assert (one.users["monetary"] * 2).to_list() == pytest.approx(two.users["monetary"].to_list())


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=80), st.integers(2, 7))
def test_against_plain_python(rows: list[tuple[str, int, float]], bins: int) -> None:
    """The definitions once more, in twenty lines that share nothing with the product."""
    result = rfm.analyse(orders(*rows), bins=bins, segments="kmeans:2", as_of=date(2026, 1, 31), per_user=True)
    bought = {u: [r for r in rows if r[0] == u] for u in {r[0] for r in rows if r[2] >= 0}}
    value = {
        u: (31 - max(d for _, d, a in own if a >= 0), sum(a >= 0 for *_, a in own), round(sum(a for *_, a in own), 2))
        for u, own in bought.items()
    }

    def scored(u: str, axis: int) -> int:
        ordered = sorted(v[axis] for v in value.values())
        below = sum(value[u][axis] > ordered[-(-k * len(ordered) // bins) - 1] for k in range(1, bins))
        return bins - below if axis == 0 else 1 + below

    wanted = {u: (*value[u], *(scored(u, axis) for axis in range(3))) for u in value}
    assert customers(result) == wanted


def test_rows_after_as_of_are_rejected() -> None:
    result = rfm.analyse(BY_HAND, as_of=date(2026, 1, 20), per_user=True)
    assert result.provenance.inputs[0].rejected == {"after_as_of": 3}
    assert customers(result)["a"][:3] == (0, 2, 100.0)


def test_partitions_follow_the_number_of_rows() -> None:
    assert [partition.count_for(n) for n in (None, 0, 12_500_000, 12_500_001, 50_000_000)] == [1, 1, 1, 3, 8]


def test_beyond_the_limit_gaps_are_those_of_a_fixed_share_of_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share is what the exact count gives for those customers alone, and the result says how many they are."""
    many = orders(*((f"u{i}", 1 + (i * k) % 31, 5.0) for i in range(400) for k in range(1, 4)))
    looked_at = many.filter(pl.col("user_id").hash(tables.USER_SEED) % rfm.GAPS_ONE_USER_IN == 0)
    assert 5 < looked_at["user_id"].n_unique() < 80
    exact = rfm.analyse(looked_at).summary
    monkeypatch.setattr(rfm, "EXACT_GAPS_UP_TO", 0)
    for partitions in (1, 8):
        sampled = rfm.analyse(many, partitions=partitions).summary
        assert sampled["gap_users_one_in"] == 16
        assert (sampled["median_gap_days"], sampled["p80_gap_days"]) == (
            exact["median_gap_days"],
            exact["p80_gap_days"],
        )


def test_beyond_the_limit_repeated_order_ids_are_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "EXACT_UP_TO", 0)
    once = orders(*((f"u{i}", 1, 5.0) for i in range(2_000))).with_row_index("order_id")
    assert rfm.analyse(once).summary["orders"] == 2_000
    with pytest.raises(InputError) as stop:
        rfm.analyse(pl.concat([once, once.head(1_000)]))
    assert "1,000 rows" in stop.value.message
