"""What users say: the published values of NPS, what is a change and what is none, topics in two scripts, the shop."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from userops import demo, frames
from userops.checkup import complaints, demand, topics
from userops.checkup.findings import Finding, Looked
from userops.models import shop as _shop  # noqa: F401  # numpy is loaded once, not in the middle of a test

LAST = date(2026, 6, 30)


def answers(rows: list[tuple[int, int | None, str | None]], **columns: Any) -> pl.DataFrame:
    """Rows of (days before the last, score, text)."""
    frame = pl.DataFrame(
        {
            "user_id": [f"u{place}" for place in range(len(rows))],
            "time": pl.Series([LAST - timedelta(days=ago) for ago, *_ in rows], dtype=pl.Date),
            "score": pl.Series([score for _, score, _ in rows], dtype=pl.Int8),
            "text": pl.Series([text for *_, text in rows], dtype=pl.String),
        }
    )
    return frame.with_columns(pl.Series(name, values) for name, values in columns.items())


def look(frame: pl.DataFrame, **options: Any) -> Looked:
    return demand.look(frames.feedback(frame), **options)


def by_id(looked: Looked, *, scale: bool = True) -> dict[str, Finding]:
    return {finding.id: finding for finding in looked.findings if scale or finding.metric != "scale"}


# --- the scores -----------------------------------------------------------------------------------------------------


def test_nps_as_published() -> None:
    third, half = demand.net_promoter(50, 100 / 3, 100 / 6), demand.net_promoter(240, 120, 40)
    assert third is not None
    assert half is not None
    assert [round(value, 4) for value in third] == [33.3333, 7.4536, 14.6090]
    assert [round(value, 4) for value in half] == [50.0, 3.3541, 6.5740]
    assert demand.net_promoter(0, 0, 0) is None
    assert demand.net_promoter(0, 7, 0) == (0.0, 0.0, 0.0)


def test_two_waves_are_compared_with_both_errors() -> None:
    now, before = demand.net_promoter(30, 40, 30), demand.net_promoter(240, 120, 40)
    assert now is not None
    assert before is not None
    tested = demand.compared(now, before)
    assert tested.statistic == pytest.approx(-50 / (0.6 * 100 + 3.3541**2) ** 0.5, rel=1e-4)
    assert demand.compared(now, now).p == 1.0
    everybody, nobody = demand.net_promoter(40, 0, 0), demand.net_promoter(0, 0, 40)
    assert demand.compared(nobody, everybody).p == 0.0  # type: ignore[arg-type] # of some
    assert demand.compared(everybody, everybody).p == 1.0  # type: ignore[arg-type]


def waves(now: list[int], before: list[int]) -> list[tuple[int, int | None, str | None]]:
    return [(i % 80, score, None) for i, score in enumerate(now)] + [
        (100 + i % 80, s, None) for i, s in enumerate(before)
    ]


def test_nps_that_fell_is_a_warning_with_its_numbers() -> None:
    found = by_id(look(answers(waves([10] * 20 + [3] * 40, [10] * 40 + [3] * 20))))["demand.nps"]
    assert (found.severity, found.value, found.baseline, found.n) == ("warn", -2000 / 60, 2000 / 60, 60)
    assert found.title.en == "NPS fell from 33 to -33"
    assert found.title.zh == "NPS 由 33 降至 -33"
    assert found.p_value is not None
    assert found.p_value < 0.001
    assert (found.since, found.until) == (LAST - timedelta(days=89), LAST)
    assert found.actions
    assert found.prevention
    assert found.proof is not None
    assert "2026-09-28" in found.proof.en


def test_a_rise_is_worth_knowing_and_chance_is_not() -> None:
    rise = by_id(look(answers(waves([10] * 40 + [3] * 20, [10] * 20 + [3] * 40))))
    assert rise["demand.nps"].severity == "info"
    assert "rose" in rise["demand.nps"].title.en
    assert not look(answers(waves([10] * 31 + [3] * 29, [10] * 33 + [3] * 27))).findings


def test_too_few_are_said_and_not_scored() -> None:
    looked = look(answers(waves([3] * 29, [10] * 60)))
    assert not looked.findings
    assert any("29 answers in 90 days are too few" in text.en for text in looked.left_out)
    assert "NPS" not in [evidence.label.en for evidence in looked.evidence]


def test_a_window_is_held_against_as_many_days_before() -> None:
    frame = answers([(5, 3, None)] * 40 + [(15, 10, None)] * 40 + [(40, 3, None)] * 400)
    found = by_id(look(frame, since=LAST - timedelta(days=9), until=LAST))["demand.nps"]
    assert (found.value, found.baseline, found.n) == (-100.0, 100.0, 40)
    month = answers([(5, 3, None)] * 100 + [(30, 10, None)] * 100 + [(80, 3, None)] * 400)
    assert by_id(look(month, as_of=LAST))["demand.nps"].since == LAST - timedelta(
        days=27
    )  # many answers: 28 days are enough
    assert "demand.nps" not in by_id(look(month, as_of=LAST - timedelta(days=60)))


def test_stars_count_where_nobody_scores() -> None:
    frame = answers(waves([0] * 60, [0] * 60)).drop("score").with_columns(rating=pl.Series([2] * 40 + [5] * 80))
    found = by_id(look(frame))["demand.csat"]
    assert (found.value, found.baseline, found.severity, found.kind) == (1 / 3, 1.0, "warn", "share")
    labels = {evidence.label.en: evidence for evidence in look(frame, asked=120).evidence}
    assert labels["CSAT, share of 4 and 5 stars"].value == 1 / 3
    assert labels["users who answered"].value == 0.5
    assert "NPS" not in labels


def test_segments_that_fell_are_corrected_for_how_many_there_are() -> None:
    rows = waves([3] * 100 + [10] * 100, [10] * 100 + [3] * 100)
    frame = answers(rows, platform=(["android"] * 100 + ["ios"] * 100) * 2)
    found = by_id(look(frame, by=["platform", "nothing"]), scale=False)
    assert {name: finding.severity for name, finding in found.items()} == {
        "demand.nps.platform=android": "warn",
        "demand.nps.platform=ios": "info",
    }
    users = frame.select("user_id", plan="platform")
    told = by_id(look(frame.drop("platform"), by=["plan"], users=users))
    assert "demand.nps.plan=android" in told
    for name in ("satisfied", "promoters", "value"):  # our own columns go by such names
        assert f"demand.nps.{name}=android" in by_id(look(frame.rename({"platform": name}), by=[name]))


def test_a_segment_is_a_cause_where_the_whole_fell_and_nothing_where_all_fell_alike() -> None:
    rows = waves([3] * 100 + [10, 3] * 50, [10] * 100 + [10, 3] * 50)
    frame = answers(rows, platform=(["android"] * 100 + ["ios"] * 100) * 2)
    found = by_id(look(frame, by=["platform"]), scale=False)
    assert list(found) == ["demand.nps"]
    assert [(cause.segment, cause.effect) for cause in found["demand.nps"].causes] == [("platform=android", -200.0)]
    alike = answers(waves([3, 3, 3, 10] * 50, [10, 10, 10, 3] * 50), platform=(["android"] * 100 + ["ios"] * 100) * 2)
    assert by_id(look(alike, by=["platform"]))["demand.nps"].causes == ()
    only = frame.with_columns(platform=pl.lit("web"))
    assert by_id(look(only, by=["platform"]))["demand.nps"].causes == ()


def test_another_scale_is_noticed() -> None:
    from_one = answers([(i % 80, 1 + i % 10, None) for i in range(400)])
    assert "was it asked from 1 to 10?" in by_id(look(from_one))["demand.scale"].title.en
    assert "demand.scale" not in by_id(look(answers([(i % 80, i % 11, None) for i in range(400)])))
    assert "demand.scale" not in by_id(look(from_one.head(200)))


# --- topics ---------------------------------------------------------------------------------------------------------


def told(*texts: str | None, named: list[str] | None = None) -> dict[str, list[bool]]:
    rows = pl.DataFrame(
        {"text": texts, "topic": named or [None] * len(texts)}, schema={"text": pl.String, "topic": pl.String}
    )
    return {topic.key: topic.holds.to_list() for topic in topics.told(rows) if topic.holds.any()}


def test_themes_are_told_by_whole_words() -> None:
    found = told("I cannot PAY", "lovely repayable lates", "支付一直失败", "Sold out again, and late", None, "")
    assert found["payment"] == [True, False, True, False, False, False]
    assert found["stock"] == found["delivery"] == [False, False, False, True, False, False]


def test_frequent_words_of_two_scripts() -> None:
    texts = ["the dark mode hurts", "dark mode again", "no dark mode", "dark mode!", "Dark Mode", "blue"]
    texts += ["夜间模式太亮", "没有夜间模式", "夜间模式呢", "要夜间模式", "夜间模式很差"]
    found = told(*texts)
    assert found["dark mode"] == [True] * 5 + [False] * 6
    assert found["夜间模式"] == [False] * 6 + [True] * 5
    assert set(found) == {"dark mode", "夜间模式"}  # not their parts
    assert told(*["ab cd"] * 4) == {}


def test_topics_of_the_file_come_first() -> None:
    found = told(*["I cannot pay"] * 6, named=["billing"] * 5 + ["other"])
    assert found == {"billing": [True] * 5 + [False]}


def test_quotes_harm_nobody() -> None:
    texts = [
        "mail a.b@c.example\x1b[31m now",
        "call +49 170 1234567\nplease",
        "x" * 200,
        "see https://e.example/u?id=7 ",
    ]
    quotes = pl.DataFrame({"text": texts}).select(topics.harmless(pl.col("text"))).to_series().to_list()
    assert quotes[:2] == ["mail … [31m now", "call … please"] or quotes[0].startswith("mail …")
    assert "\x1b" not in "".join(quotes)
    assert "1234567" not in quotes[1]
    assert len(quotes[2]) == topics.LONGEST_QUOTE
    assert quotes[3] == "see …"


def test_topics_are_those_of_the_days_asked_for() -> None:
    """Payment was cursed at through the first month and delivery in the last; the rise of a topic counts every answer."""
    early = [(170 - i, 1, "Cannot pay") for i in range(28)] * 2
    late = [(27 - i, 1, "It arrived late") for i in range(28)] * 2
    frame = answers([*[(ago, 9, "Fine") for ago in range(180)] * 2, *early, *late])

    def told(**options: Any) -> set[str]:
        return {one.split("topic=")[1].split(".")[0] for one in by_id(look(frame, **options)) if "topic=" in one}

    assert told() == {"payment", "delivery"}
    assert told(since=LAST - timedelta(days=60)) == told(since=LAST - timedelta(days=9)) == {"delivery"}
    assert told(until=LAST - timedelta(days=60)) == {"payment"}
    assert told(since=LAST - timedelta(days=30), until=LAST - timedelta(days=26)) == {"delivery"}  # two of its answers
    assert told(since=LAST - timedelta(days=120), until=LAST - timedelta(days=60)) == set()
    one = by_id(look(frame, since=LAST - timedelta(days=9)))["demand.topic_share.topic=delivery"]
    assert one.baseline == 0  # none of the 416 answers before the last 28 days


def test_complaints_that_rise_name_days_place_and_words() -> None:
    usual = [(ago, 10 if ago % 4 else 4, "Fine") for ago in range(180)] * 2
    bad = [(100 + i % 28, 1, "Pay button does nothing") for i in range(20)]
    frame = answers(usual + bad, platform=["ios", "android", "web"] * 120 + ["android"] * 20)
    found = by_id(look(frame, by=["platform"]))["demand.topic_share.topic=payment.2026-02"]
    assert found.severity == "warn"
    assert (found.since, found.until) == (LAST - timedelta(days=125), LAST - timedelta(days=98))
    assert [(cause.segment, cause.share, cause.how) for cause in found.causes] == [
        ("platform=android", 1.0, "coincides")
    ]
    assert found.also[0].en == "a user: “Pay button does nothing”"
    assert found.baseline is not None
    assert found.baseline < 0.02
    assert look(frame.sample(fraction=1.0, shuffle=True, seed=3), by=["platform"]).findings == tuple(
        look(frame, by=["platform"]).findings
    )


def test_those_who_wrote_are_known_by_name() -> None:
    usual = [(ago, 10 if ago % 4 else 4, "Fine") for ago in range(180)] * 2
    frame = answers([*usual, *[(100 + i % 28, 1, "I cannot PAY") for i in range(20)], (5, 1, "paid")])
    finding = by_id(look(frame))["demand.topic_share.topic=payment.2026-02"]
    wrote = complaints.voices(finding)
    assert wrote is not None
    assert sorted(wrote.of(frames.feedback(frame).rows).collect()["user_id"]) == sorted(
        f"u{i}" for i in range(360, 380)
    )
    named = frame.with_columns(topic=pl.when(pl.col("text") == "paid").then(pl.lit("payment")))
    assert wrote.of(frames.feedback(named).rows).collect().is_empty()  # the file's own topics, and not in these days
    assert (
        complaints.voices(by_id(look(answers(waves([10] * 20 + [3] * 40, [10] * 40 + [3] * 20))))["demand.nps"]) is None
    )


def test_the_shop_says_what_ails_it_and_a_quiet_one_does_not() -> None:
    by = ("channel", "platform", "country", "city", "age_group")
    for seed in range(2):
        ill, quiet = (demo.tables(demo.Settings(seed=seed, stories=stories)) for stories in (True, False))
        found = {f.segment: f for f in look(ill.feedback, users=ill.users, by=by).findings if f.severity == "warn"}
        assert found["topic=payment"].causes[0].segment == "platform=android"
        assert found["topic=payment"].since in (date(2025, 9, 25), date(2025, 9, 24))
        assert {f.severity for f in look(quiet.feedback, users=quiet.users, by=by).findings} <= {"info"}


# --- nothing, and odd things ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[], [(0, None, None)], [(0, 9, None)], [(0, 0, "")] * 3])
def test_little_or_nothing(rows: list[tuple[int, int | None, str | None]]) -> None:
    looked = look(answers(rows))
    assert not looked.findings
    assert looked.left_out
    assert looked.skipped == (not any(score is not None for _, score, _ in rows))


def test_no_file() -> None:
    looked = demand.look(None)
    assert (looked.status, len(looked.left_out)) == ("skipped", 1)
