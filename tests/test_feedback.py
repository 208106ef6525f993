"""Tables of feedback: what is recognised, what every column holds, what does not count and why."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from rawtable import binary, text
from userops import frames
from userops.errors import InputError
from userops.inputs import layouts
from userops.inputs.feedback import to_feedback
from userops.inputs.mapping import ReadOptions

SURVEY = """\
user_id,time,score,rating,text,topic,platform,channel
a,2026-03-01 10:00:00,10,5,Lovely,app,ios,ads
b,2026-03-02 10:00:00,0,1,"Pay button, broken",payment,android,seo
,2026-03-03 10:00:00,7,4,,,,
guest,2026-03-04 10:00:00,,5,fine,,ios,
c,2026-03-05 10:00:00,11,,too much,,ios,
d,2026-03-06 10:00:00,7.5,6,half,,ios,
e,2026-03-07 10:00:00,,,only words,,ios,
f,not a day,9,5,,,,
g,,9,5,,,,
h,2026-03-08 10:00:00,many,2,,,,
i,2027-01-01 10:00:00,9,5,,,,
"""


def read(rows: str, **options: object) -> frames.Feedback:
    return to_feedback([text(rows, "feedback.csv")], ReadOptions(**options))  # type: ignore[arg-type] # of their kinds


def reasons(table: frames.Feedback) -> list[str]:
    return [frames.REASONS[code] for code in table.rows.collect()["reject"]]


def test_answers_on_their_scales_and_why_others_do_not_count() -> None:
    table = read(SURVEY, as_of=date(2026, 12, 31))
    rows = table.rows.collect()
    assert rows["user_id"].to_list()[:4] == ["a", "b", None, None]  # nobody's answers count
    assert rows["score"].to_list()[:4] == [10, 0, 7, None]
    assert rows["rating"].to_list()[:4] == [5, 1, 4, 5]
    assert rows.schema["score"] == rows.schema["rating"] == pl.Int8
    assert rows["text"].to_list()[1:3] == ["Pay button, broken", None]
    assert rows["topic"].to_list()[:3] == ["app", "payment", None]
    assert rows["platform"].to_list()[:2] == ["ios", "android"]
    assert reasons(table) == [
        *("ok", "ok", "ok", "ok", "off_the_scale", "off_the_scale", "unreadable_number", "unreadable_time"),
        *("missing_time", "ok", "after_as_of"),
    ]
    assert rows["rating"][9] == 2  # its score cannot be read, its stars can


def test_a_survey_of_nobody_needs_no_user() -> None:
    rows = read("submitted_at,NPS\n2026-03-01,9\n2026-03-02,3\n").rows.collect()
    assert rows["score"].to_list() == [9, 3]
    assert rows["rating"].to_list() == rows["user_id"].to_list() == [None, None]
    assert rows["reject"].to_list() == [0, 0]


@pytest.mark.parametrize(
    ("header", "cells", "kind"),
    [
        ("user_id,time,score,text,rating", "u,2026-03-01,9,good,5", "feedback"),
        ("用户ID,评价时间,满意度,评价内容", "u,2026-03-01,5,很好", "feedback"),
        ("customer_id,order_id,date,stars,comment", "u,o,2026-03-01,5,fine", "feedback"),
        ("user_id,ordered_at,amount,rating", "u,2026-03-01,9.5,5", "orders"),
        ("user_id,event,time,score", "u,level_up,2026-03-01,9", "events"),
        ("user_id,signed_up_at,score", "u,2026-03-01,9", "users"),
        ("date,channel,spend", "2026-03-01,ads,9.5", "costs"),
        ("referrer_id,invited_at,user_id", "u,2026-03-01,v", "referrals"),
        ("user_id,event,time,referrer", "u,open,2026-03-01,a.example", "events"),
    ],
)
def test_what_a_file_is(header: str, cells: str, kind: str) -> None:
    assert layouts.recognise(text(f"{header}\n{cells}\n")).kind == kind


def test_frames_and_files_agree() -> None:
    frame = pl.DataFrame(
        {
            "user_id": ["a", None, "-1"],
            "time": [date(2026, 3, 1)] * 3,
            "score": [10.0, 3.5, None],
            "rating": [None, 9, 1],
        }
    )
    ours, read_in = frames.feedback(frame), to_feedback([binary(frame)], ReadOptions())
    columns = ["user_id", "time", "instant", "score", "rating", "text", "topic", "reject"]
    assert ours.rows.select(columns).collect().equals(read_in.rows.select(columns).collect())
    assert reasons(ours) == ["ok", "off_the_scale", "ok"]


def test_mistakes() -> None:
    with pytest.raises(InputError, match="no column for score"):
        read("user_id,time,text\nu,2026-03-01,hello\n")
    with pytest.raises(InputError, match="no column for time"):
        read("user_id,score\nu,9\n")
    with pytest.raises(InputError, match="no column for score"):
        frames.feedback(pl.DataFrame({"user_id": ["u"], "time": [date(2026, 3, 1)]}))
    with pytest.raises(InputError, match="not a number"):
        frames.feedback(pl.DataFrame({"time": [date(2026, 3, 1)], "score": ["9"]}))
    assert frames.feedback(pl.DataFrame(schema={"time": pl.Date, "score": pl.Int8})).rows.collect().is_empty()


def test_conditions_and_lists_choose_answers() -> None:
    rows = read(SURVEY, where=("platform=ios",), only_users=pl.DataFrame({"user_id": ["a", "b"]})).rows.collect()
    assert rows.filter(pl.col("reject") == 0)["user_id"].to_list() == ["a"]
