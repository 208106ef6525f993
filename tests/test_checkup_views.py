"""The page of a check-up: cards, states and waterfalls in every drawing, in few lines, in little space, harmless."""

from __future__ import annotations

import itertools
import math
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest
from rich.cells import cell_len

import golden
from checkup import areas, checkout, checkup_result, crowded_result, daily, hostile_checkup, quiet
from golden import HOSTILE
from test_web_browser import BROWSER, PHONE, browse, measured
from userops.checkup.findings import Cause, Finding
from userops.outputs import cards, charts, markdown, plain, terminal, waterfalls, web, web_cards
from userops.pages import diagnose
from userops.results import (
    Block,
    Card,
    CardsBlock,
    CardSection,
    ChartBlock,
    Provenance,
    Result,
    Series,
    StatusBlock,
    Text,
    WaterfallBlock,
)

LANGS = ("en", "zh")


def text(words: str) -> Text:
    return Text(words, words)


def showing(*blocks: Block) -> Result:
    return Result("diagnose", pl.DataFrame({"x": [1]}), {}, Provenance(None, "UTC", "monday", (), {}, ()), views=blocks)


def lines_of(block: Block, width: int = 100) -> list[str]:
    return [line.strip() for line in terminal.render(showing(block), "en", width, color=False).splitlines()[2:]]


# --- the page ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGS)
def test_every_drawing_says_what_was_found_and_what_to_do(lang):
    result = checkup_result()
    finding = checkout()
    for drawn in (plain.render(result, lang), markdown.render(result, lang), web.page(result, lang)):
        seen = re.sub(r"\s+", " ", drawn.replace("\\", "").replace("&#x27;", "'").replace("&gt;", ">"))
        for words in (finding.title, finding.actions[0], finding.proof, finding.prevention[0], finding.causes[0].text):
            assert words is not None
            assert words(lang) in seen
        assert "87 %" in seen
        assert finding.audience is not None
        assert finding.audience in seen
        assert diagnose.GRADES["B"](lang) in seen


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_is_the_one_looked_at(lang, monkeypatch):
    monkeypatch.setattr(web, "__version__", "0")
    result = checkup_result()
    golden.check(f"checkup.{lang}.txt", plain.render(result, lang))
    golden.check(f"checkup.{lang}.md", markdown.render(result, lang))
    golden.check(f"checkup.{lang}.html", web.page(result, lang))
    golden.check(f"checkup.{lang}.terminal.txt", terminal.render(result, lang, 100, color=False))


def test_on_a_terminal_a_finding_takes_few_lines_and_says_where_the_rest_is():
    drawn = terminal.render(checkup_result(), "en", 110, color=False)
    first = drawn[drawn.index("✗ Checkout") : drawn.index("! One user")]
    assert len(first.strip().splitlines()) <= 10
    assert "Prevention" not in drawn
    assert "-o FILE.html" in drawn
    whole = terminal.render(checkup_result(whole=True), "en", 110, color=False)
    assert "Prevention" in whole
    assert "-o FILE.html" not in whole


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(lang, width):
    block = CardsBlock(text("Findings"), (diagnose.card(checkout()),))
    for line in terminal.render(showing(block), lang, width, color=False).splitlines():
        assert cell_len(line) <= width or "userops" in line or "begin_checkout" in line  # a long word of a command


def test_marks_and_words_stand_where_there_is_no_colour():
    for drawn in (plain.render(checkup_result(), "en"), terminal.render(checkup_result(), "en", 100, color=False)):
        for tone in cards.MARKS:
            assert re.search(rf"{re.escape(cards.MARKS[tone])}.*{cards.SAID[tone]('en')}", drawn)


def test_a_quiet_shop_has_a_page_too():
    result = checkup_result(())
    for drawn in (plain.render(result, "en"), markdown.render(result, "en"), terminal.render(result, "en", 80, False)):
        assert "nothing found" in drawn
    assert web.page(result, "zh").count("未发现问题") >= 1


def test_the_order_of_areas_is_not_that_of_who_calls():
    looked = areas((checkout(), *quiet()))
    shuffled = (looked[3], looked[0], *looked[4:], looked[2], looked[1])

    def page(given: tuple[object, ...]) -> tuple[Block, ...]:
        return diagnose.views(given, (), grade=None, head=(), manual_checks=(), tested=0, as_of=None)  # type: ignore[arg-type]

    assert page(looked) == page(shuffled)
    assert isinstance(page(looked)[0], StatusBlock)


# --- findings as cards -------------------------------------------------------------------------------------------


def test_a_card_tells_what_was_from_what_is():
    names = [label.en for label, _, _ in diagnose.card(checkout(), "2026-10-31").facts]
    assert names[:4] == ["Before", "In those days", "Change", "At stake"]
    assert "Now" in [label.en for label, _, _ in diagnose.card(checkout(), "2026-10-04").facts]
    assert diagnose.card(replace(checkout(), status="resolved")).tone == "ok"


@pytest.mark.parametrize(
    ("kind", "baseline", "delta", "expected"),
    [
        ("share", 0.5, -0.123, "-12.3 points"),
        ("share", 0.5, 0.00001, "0.0 points"),
        ("money", 200.0, 50.0, "+25.0 %"),
        ("money", -200.0, 50.0, "+25.0 %"),
        ("count", 0.0, 5.0, None),
        ("count", None, 5.0, None),
        ("share", 0.5, None, None),
    ],
)
def test_changes_are_points_of_shares_and_per_cent_of_others(kind, baseline, delta, expected):
    finding = Finding("a", "goals", text("t"), "warn", baseline=baseline, delta=delta, kind=kind)
    shown = {label.en: value for label, value, _ in diagnose.card(finding).facts}
    assert (shown["Change"].en if "Change" in shown else None) == expected


def test_what_only_happened_at_the_same_time_is_said_to_have():
    assert diagnose.cause_words(Cause(text("Release."), "coincides")).en == "Release: coincides, nothing more is known"
    assert (
        diagnose.cause_words(Cause(text("Fewer."), "mix", None, 0.333)).en == "Fewer: accounts for 33 % of the change"
    )


@pytest.mark.parametrize("width", [20, 40, 76])
def test_a_broken_command_still_runs(width):
    command = checkout().audience or ""
    lines = cards.command_lines(command, width)
    assert shlex.split("\n".join(lines).replace("\\\n", " ")) == shlex.split(command)
    assert all(line.endswith(" \\") for line in lines[:-1])
    quoted = "userops x --where 'a = \"b c\"' -o 'my file.csv'"
    assert shlex.split("\n".join(cards.command_lines(quoted, 12)).replace("\\\n", " ")) == shlex.split(quoted)


# --- marked charts -----------------------------------------------------------------------------------------------


def chart(values: tuple[float | None, ...], marked: tuple[int, int] | None, baseline: float | None) -> ChartBlock:
    labels = tuple(f"2026-01-{1 + place:02}" for place in range(len(values)))
    return ChartBlock(text("t"), labels, (Series(text("s"), values),), marked=marked, baseline=baseline)


def test_the_marked_days_have_marks_of_their_own():
    block = chart((4.0, 4.0, 1.0, 1.0, 4.0), (2, 3), None)
    assert charts.strip(charts.chart(block, "en"), 40) == ("██", "▁▁", "█")
    assert charts.strip(charts.chart(replace(block, marked=None), "en"), 40) == ("██▁▁█", "", "")
    long = charts.chart(chart(tuple([4.0] * 10 + [1.0] * 3 + [4.0] * 15), (10, 12), None), "en")
    before, marked, after = charts.strip(long, 12)
    assert set(marked) == {"▁"}
    assert set(before + after) == {"█"}
    assert len(before + marked + after) + 2 <= 14


@pytest.mark.parametrize(
    ("given", "expected"),
    [((1, 2), (1, 2)), ((-5, 99), (0, 3)), ((2, 1), None), ((7, 9), None), (None, None)],
)
def test_a_stretch_outside_the_chart_is_not_drawn(given, expected):
    drawn = charts.chart(chart((1.0, 2.0, 3.0, 4.0), given, math.nan), "en")
    assert drawn.marked == expected
    assert drawn.baseline is None
    assert web.page(showing(chart((1.0, 2.0, 3.0, 4.0), given, None)), "en").count('class="marked"') == (
        2 if expected else 0
    )


def test_the_scale_holds_the_baseline():
    drawn = charts.chart(chart((1.0, 2.0), None, 9.0), "en")
    assert charts.value_ticks(drawn, 5)[-1] >= 9
    assert web.page(showing(chart((1.0, 2.0), None, 9.0)), "en").count('class="base"') == 2
    assert "baseline 9" in plain.render(showing(chart((1.0, 2.0), None, 9.0)), "en")


@pytest.mark.parametrize(
    "values", [(), (None,), (3.0,), (None, None, 2.0), (1e308, -1e308), (5.0,) * 400, (math.inf, 1.0)]
)
def test_odd_charts_fit_a_card(values):
    card = Card("warn", text("b"), text("t"), chart=chart(values, (0, 1), 2.0))
    for lang in ("en", "zh"):
        result = showing(CardsBlock(text("c"), (card,)))
        assert "nan" not in web.page(result, lang).split("</style>")[1]
        assert plain.render(result, lang) and markdown.render(result, lang) and terminal.render(result, lang, 80, True)


# --- waterfalls --------------------------------------------------------------------------------------------------


def falls(start: float, *effects: float, end: float) -> WaterfallBlock:
    steps = tuple((text(f"step {place}"), effect) for place, effect in enumerate(effects))
    return WaterfallBlock(text("w"), (text("from"), start), steps, (text("to"), end), "count")


def test_bars_go_from_where_one_step_ended_to_where_the_next_does():
    drawn = waterfalls.waterfall(falls(100, -60, 20, end=60), "en")
    assert [(bar.start, bar.stop, bar.tone) for bar in drawn.bars] == [
        (0.0, 1.0, "total"), (0.4, 1.0, "down"), (0.4, 0.6, "up"), (0.0, 0.6, "total")
    ]  # fmt: skip
    assert [bar.text for bar in drawn.bars] == ["100", "-60", "+20", "60"]
    assert [bar.part for bar in drawn.bars] == ["", "150.0 %", "-50.0 %", ""]
    assert [waterfalls.picture(bar, 10) for bar in drawn.bars] == ["██████████", "    ░░░░░░", "    ▓▓", "██████"]
    assert drawn.note == ""


def test_what_the_steps_leave_is_a_step():
    drawn = waterfalls.waterfall(falls(100, -10, end=60), "en")
    assert [(bar.label, bar.text) for bar in drawn.bars][2] == ("Rest", "-30")
    exact = waterfalls.waterfall(falls(0.3, -0.1, -0.1, end=0.1), "en")  # but for what doubles cannot hold
    assert len(exact.bars) == 4


def test_an_axis_that_does_not_begin_at_zero_says_so():
    drawn = waterfalls.waterfall(falls(1000, -20, end=980), "en")
    assert drawn.note == "the axis begins at 970, not at zero"
    assert drawn.note in plain.render(showing(falls(1000, -20, end=980)), "en")
    assert waterfalls.waterfall(falls(-1000, -20, end=-1020), "en").note.startswith("the axis begins at -990")
    assert all(0 <= bar.start <= bar.stop <= 1 for bar in drawn.bars)


@pytest.mark.parametrize(
    "numbers", [(0, 0, 0), (5, 0, 5), (-3, 6, 3), (math.nan, 1, 2), (1, math.inf, 2), (1e300, 1, 1e300)]
)
def test_odd_waterfalls_are_drawn(numbers):
    block = falls(numbers[0], numbers[1], end=numbers[2])
    for drawn in (
        plain.render(showing(block), "en"),
        markdown.render(showing(block), "zh"),
        web.page(showing(block), "en"),
    ):
        assert "nan" not in drawn.split("</style>")[-1]
    assert lines_of(block)


# --- one file, small and harmless --------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGS)
def test_sixty_findings_and_a_long_table_are_half_a_megabyte_at_most(lang):
    page = web.page(crowded_result(60), lang)
    assert len(page.encode()) <= web.BUDGET == 500_000
    assert page.count("<article") == 60 + 6
    assert page.count('class="strip"') == 60
    assert cells_left_out(page) == 2_500
    assert "-o FILE" in page


def test_what_does_not_fit_is_counted():
    page = web.page(crowded_result(400), "en")
    assert len(page.encode()) <= web.BUDGET
    assert page.count("<article") < 406
    left = re.search(r"(\d+) more: all of them", page)
    assert left
    assert int(left[1]) + page.count("<article") - 6 == 400


def cells_left_out(page: str) -> int:
    found = re.search(r"([\d,]+) more rows|另有 ([\d,]+) 行", page)
    assert found
    return int((found[1] or found[2]).replace(",", ""))


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_is_well_formed_and_its_headings_go_down_in_steps(lang):
    page = web.page(checkup_result(), lang)
    heard = _Heard()
    heard.feed(page)
    assert heard.open == []
    levels = heard.levels
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert heard.drawings > 3
    assert heard.silent == 0
    assert "<script" not in page
    assert "Content-Security-Policy" in page


class _Heard(HTMLParser):
    """Open tags, levels of headings, and drawings that say nothing to who cannot see them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.levels: list[int] = []
        self.drawings = self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "svg" and given.get("aria-hidden") != "true":
            self.drawings += 1
            self.silent += given.get("role") != "img"
        assert not (tag == "th" and "scope" not in given)
        assert not any(name.startswith("on") or name in ("src", "action") for name in given)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed at once."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_pages_without_cards_are_without_their_style():
    assert web_cards.STYLE not in web.page(showing(chart((1.0, 2.0), None, None)), "en")
    assert web_cards.STYLE in web.page(checkup_result(), "en")


@pytest.mark.parametrize("lang", LANGS)
def test_hostile_text_steers_no_new_block(lang):
    result = hostile_checkup()
    control = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
    for drawn in (plain.render(result, lang), markdown.render(result, lang), terminal.render(result, lang, 60, False)):
        assert not control.search(drawn)
    page = web.page(result, lang)
    assert "<script" not in page
    assert not control.search(page)
    outside = [
        line for line in markdown.render(result, lang).splitlines() if "alert" in line and not line.startswith("    ")
    ]
    assert outside
    assert HOSTILE not in page
    fenced = markdown.render(replace(result, views=(result.views[1],)), lang)
    assert len(re.findall("^`{3,}", fenced, flags=re.MULTILINE)) % 2 == 0


def test_a_command_cannot_close_its_fence():
    section = CardSection(text("Run"), code="userops x '```' # ````")
    drawn = markdown.render(showing(CardsBlock(text("c"), (Card("info", text(""), text("t"), (), (section,)),))), "en")
    assert "`````sh\nuserops x '```' # ````\n`````" in drawn


# --- in a browser ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
def test_the_page_fits_a_phone_and_shows_in_the_dark(tmp_path):
    script = (
        "const right=Math.max(...[...d.querySelectorAll('main *')].filter(e=>!e.closest('.scroll')||e.matches('.scroll'))"
        ".map(e=>e.getBoundingClientRect().right));"
        "const c=getComputedStyle(d.querySelector('.card'));"
        "return [r.scrollWidth,r.clientWidth,right<=r.clientWidth,d.querySelectorAll('.card').length,c.borderLeftWidth].join(' ')"
    )
    told = measured(tmp_path, checkup_result(), "en", PHONE, script).split()
    assert told == [str(PHONE), str(PHONE), "true", "9", "4px"]
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    dark = "--blink-settings=preferredColorScheme=0"
    browse(tmp_path, page, f"--screenshot={picture}", "--window-size=800,1200", dark)
    assert picture.stat().st_size > 30_000


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("width", [320, 1200])
@pytest.mark.parametrize("made", [checkup_result, hostile_checkup])
def test_the_page_fits_every_window(tmp_path, made, lang, width):
    script = "return [r.scrollWidth, r.clientWidth].join(' ')"
    assert measured(tmp_path, made(), lang, width, script).split() == [str(width)] * 2


def test_the_invented_story_is_the_one_that_is_told():
    block = daily(0.6, 0.3)
    assert block.marked is not None
    assert block.x_labels[block.marked[0]] == "2026-09-07"
    assert block.x_labels[block.marked[1]] == "2026-10-04"
