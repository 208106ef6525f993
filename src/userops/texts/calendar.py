"""Days that move orders and visits every year: named before anything is called an anomaly."""

from __future__ import annotations

from datetime import date, timedelta

from userops.texts import Text

_FIXED: tuple[tuple[tuple[int, int], tuple[int, int], Text], ...] = (
    ((2, 14), (2, 14), Text("Valentine's Day", "情人节")),
    ((3, 7), (3, 8), Text("Women's Day sale", "三八女神节")),
    ((5, 1), (5, 5), Text("Labour Day", "劳动节")),
    ((6, 1), (6, 20), Text("618 shopping festival", "618 大促")),
    ((8, 18), (8, 18), Text("818 sale", "818 大促")),
    ((10, 1), (10, 7), Text("National Day week", "国庆黄金周")),
    ((10, 24), (11, 12), Text("Double 11", "双十一")),
    ((12, 12), (12, 12), Text("Double 12", "双十二")),
    ((12, 20), (12, 26), Text("Christmas", "圣诞季")),
    ((12, 20), (1, 6), Text("Christmas and New Year", "圣诞与元旦")),
    ((12, 30), (1, 2), Text("New Year", "元旦")),
)
"""First and last day, a month and a day each; what ends before it begins ends in the next year."""

_SPRING: tuple[date, ...] = tuple(
    map(
        date.fromisoformat,
        (
            "2012-01-23", "2013-02-10", "2014-01-31", "2015-02-19", "2016-02-08", "2017-01-28", "2018-02-16", "2019-02-05",
            "2020-01-25", "2021-02-12", "2022-02-01", "2023-01-22", "2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06",
            "2028-01-26", "2029-02-13", "2030-02-03", "2031-01-23", "2032-02-11", "2033-01-31", "2034-02-19", "2035-02-08",
        ),
    )
)  # fmt: skip
"""The first day of the lunar year (Hong Kong Observatory's tables of the Chinese calendar)."""

SPRING_FESTIVAL = Text("Spring Festival", "春节")
BLACK_FRIDAY = Text("Black Friday to Cyber Monday", "黑色星期五至网络星期一")


def known(first: date, last: date) -> Text | None:
    """What the calendar knows of most of these days (inclusive), the shortest; None: nothing, or less than half of them."""
    days = (last - first).days + 1
    every = [span for year in range(first.year - 1, last.year + 2) for span in _year(year)]
    met = [(end - begin, begin, name) for begin, end, name in every if 2 * _shared(first, last, begin, end) >= days]
    return min(met, key=lambda one: one[:2])[2] if met else None


def _shared(first: date, last: date, begin: date, end: date) -> int:
    """How many days two spans have in common."""
    return (min(last, end) - max(first, begin)).days + 1


def _year(year: int) -> list[tuple[date, date, Text]]:
    found = [(date(year, *begin), date(year + (end < begin), *end), name) for begin, end, name in _FIXED]
    found += [
        (day - timedelta(days=7), day + timedelta(days=14), SPRING_FESTIVAL) for day in _SPRING if day.year == year
    ]
    thursday = date(year, 11, 1) + timedelta(days=(3 - date(year, 11, 1).weekday()) % 7 + 21)
    found.append((thursday + timedelta(days=1), thursday + timedelta(days=4), BLACK_FRIDAY))
    return found
