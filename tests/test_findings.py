"""Findings in order, as a table, and what an area says of itself; the words and days they are made of."""

from __future__ import annotations

import re
from datetime import date
from itertools import permutations

import pytest

from userops.checkup.findings import AREAS, SCHEMA, Cause, Finding, Looked, Severity, ranked, table
from userops.results import Text
from userops.texts import calendar
from userops.texts.symptoms import SYMPTOMS


def finding(name: str, severity: Severity = "warn", impact: float | None = None, p: float | None = None) -> Finding:
    """A small one."""
    return Finding(id=name, area="behaviour", title=Text(name, name), severity=severity, impact=impact, p_value=p)


def test_the_worst_first() -> None:
    """Severity, then money whether lost or won, then how sure it is, then the id; however they came."""
    several = [
        finding("a", "error", -10.0), finding("b", "error", 5.0), finding("c", "warn", -99.0), finding("d", p=0.01),
        finding("e", p=0.02), finding("f"), finding("g", "info", -1e9),
    ]  # fmt: skip
    for order in list(permutations(several))[::500]:
        assert [one.id for one in ranked(order)] == list("abcdefg")


def test_the_status_of_an_area() -> None:
    """That of its worst finding; ok without one; skipped where nothing could be looked at."""
    assert Looked("goals").status == "ok"
    assert Looked("goals", (finding("a", "info"), finding("b", "error"), finding("c"))).status == "error"
    assert Looked("goals", (finding("a", "info"),)).status == "info"
    assert Looked("demand", skipped=True).status == "skipped"


def test_a_row_per_finding() -> None:
    """Every column of the schema, in the order given; texts in English, the title in Chinese beside."""
    one = Finding(
        id="x", area="data", title=Text("Late", "迟到"), severity="warn", since=date(2024, 1, 2), value=0.5, n=7,
        causes=(Cause(Text("why", "因"), "rate"),), actions=(Text("do", "做"), Text("more", "再")), proof=Text("seen", "见"),
    )  # fmt: skip
    rows = table([one, finding("y")])
    assert dict(rows.schema) == SCHEMA
    first = rows.row(0, named=True)
    assert (first["title"], first["title_zh"], first["proof"]) == ("Late", "迟到", "seen")
    assert (first["causes"], first["actions"], first["also"]) == (["why"], ["do", "more"], [])
    assert (first["since"], first["value"], first["n"], first["status"]) == (date(2024, 1, 2), 0.5, 7, "open")
    assert rows["id"].to_list() == ["x", "y"]
    assert dict(table([]).schema) == SCHEMA


def test_words_are_complete() -> None:
    """Both languages say something, and fill in the same names."""
    for family, symptom in SYMPTOMS.items():
        assert symptom.good in (-1, 0, 1), family
        assert symptom.actions, family
        for text in (symptom.label, symptom.proof, *symptom.actions, *symptom.prevention):
            assert text.en.strip(), family
            assert re.search(r"[一-鿿]|→", text.zh), (family, text.zh)
            names = [set(re.findall(r"\{(\w+)\}", each)) for each in (text.en, text.zh)]
            assert names[0] >= names[1], (family, text)
            assert names[0] <= {"event", "previous", "segment"}, (family, text)
    assert all(text.en and text.zh for text in AREAS.values())


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        (date(2025, 6, 18), date(2025, 6, 18), "618 shopping festival"),
        (date(2025, 11, 9), date(2025, 11, 12), "Double 11"),
        (date(2024, 2, 8), date(2024, 2, 17), "Spring Festival"),
        (date(2026, 2, 16), date(2026, 2, 23), "Spring Festival"),
        (date(2024, 11, 29), date(2024, 12, 2), "Black Friday to Cyber Monday"),
        (date(2023, 11, 24), date(2023, 11, 24), "Black Friday to Cyber Monday"),
        (date(2024, 12, 31), date(2024, 12, 31), "New Year"),
        (date(2024, 12, 31), date(2025, 1, 1), "New Year"),
        (date(2024, 12, 24), date(2024, 12, 25), "Christmas"),
        (date(2024, 12, 28), date(2024, 12, 29), "Christmas and New Year"),
        (date(2010, 12, 24), date(2011, 1, 3), "Christmas and New Year"),
        (date(2023, 1, 1), date(2023, 1, 2), "New Year"),
        (date(2026, 2, 14), date(2026, 2, 14), "Valentine's Day"),  # within those of Spring Festival
        (date(2025, 10, 3), date(2025, 10, 6), "National Day week"),
        (date(2025, 9, 25), date(2025, 10, 22), None),
        (date(2025, 8, 17), date(2025, 8, 23), None),
        (date(2025, 7, 4), date(2025, 7, 4), None),
    ],
)
def test_days_of_the_calendar(first: date, last: date, name: str | None) -> None:
    """Days that most of a window falls on."""
    known = calendar.known(first, last)
    assert (known.en if known else None) == name
