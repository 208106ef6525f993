"""Charts: scales people can read, marks as long as their values, and nothing drawn that is not there."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

import polars as pl
import pytest
from rich.cells import cell_len

from golden import drawings_result, periods_result
from userops import frames, funnel, paths
from userops.outputs import charts, funnels, graphs, markdown, plain, svg, svg_funnel, svg_graph, terminal, web
from userops.results import Block, ChartBlock, Edge, FunnelBlock, GraphBlock, Node, Provenance, Result, Series, Text

ODD = {
    "all null": (None,) * 5,
    "one point": (3.0,),
    "one null": (None,),
    "nothing": (),
    "all equal": (2.0,) * 7,
    "all zero": (0.0,) * 4,
    "negative": (-5.0, -1.0, -3.0),
    "mixed": (-5.0, 0.0, 7.0, None, 2.0),
    "alone between gaps": (None, 4.0, None, 9.0, None),
    "400 points": tuple(100 + 50 * math.sin(place / 9) for place in range(400)),
    "tiny": (1e-300, 2e-12, 3e-12),
    "huge": (1e308, -1e308, 5.0),
    "not numbers": (math.nan, math.inf, -math.inf, 1.0),
    "far from zero": (1e9, 1e9 + 1, 1e9 + 2),
}


def block(*values: tuple[float | None, ...], shape: str = "lines", unfinished: int | None = None) -> ChartBlock:
    labels = tuple(f"2026-{1 + place // 28 % 12:02}-{1 + place % 28:02}" for place in range(len(values[0])))
    series = tuple(Series(Text(f"series {n}", f"序列 {n}"), run) for n, run in enumerate(values))
    return ChartBlock(Text("title", "标题"), labels, series, "number", shape, unfinished)  # type: ignore[arg-type]


def chart(*values: tuple[float | None, ...], shape: str = "lines", unfinished: int | None = None) -> charts.Chart:
    return charts.chart(block(*values, shape=shape, unfinished=unfinished), "en")


def page(view: Block) -> Result:
    return Result("growth", pl.DataFrame({"x": [1]}), {}, Provenance(None, "UTC", "monday", (), {}, ()), views=(view,))


odd = pytest.mark.parametrize("values", ODD.values(), ids=ODD)


# --- figures -----------------------------------------------------------------------------------------------------


def test_periods_that_are_not_over_are_no_part_of_the_figures():
    run = chart((None, 5.0, 9.0, 7.0, 1.0), unfinished=4).runs[0]
    assert run.figures == ("5.00", "7.00", "5.00", "9.00")
    assert chart((5.0, 1.0), unfinished=0).runs[0].figures == ("–",) * 4
    assert chart((5.0,), unfinished=9).over == 1


# --- scales ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [3, 4, 5, 6])
@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 1_017), (-3.2, 8.9), (0.11, 0.135), (-5e9, -4e9), (7, 7), (0, 0), (1e-90, 3e-90)]
)
def test_ticks_are_round_even_and_hold_all_values(low, high, most):
    ticks = charts.ticks(low, high, most)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-9 * step
    assert ticks[-1] >= high - 1e-9 * step
    assert 2 <= len(ticks) <= most + 1
    assert all(math.isclose(b - a, step, rel_tol=1e-6) for a, b in itertools.pairwise(ticks))
    assert float(f"{step:.2e}".split("e")[0]) in (1.0, 2.0, 2.5, 5.0)


def test_counts_have_whole_ticks():
    assert charts.ticks(0, 2, 5, whole=True) == [0, 1, 2]
    assert charts.ticks(0, 10, 5, whole=True) == [0, 3, 6, 9, 12]


def test_lines_start_at_zero_unless_far_from_it_and_bars_always_do():
    assert charts.value_ticks(chart((40.0, 100.0)), 5)[0] == 0
    assert charts.value_ticks(chart((80.0, 100.0)), 5)[0] == 80
    assert charts.value_ticks(chart((-80.0, -20.0)), 5)[-1] == 0
    assert charts.value_ticks(chart((80.0, 100.0), shape="stacked"), 5)[0] == 0


@pytest.mark.parametrize(
    ("value", "step", "kind", "expected"),
    [
        (2_000, 500, "count", "2,000"),
        (0.15, 0.05, "share", "15 %"),
        (0.125, 0.025, "share", "12.5 %"),
        (-0.0, 1, "count", "0"),
        (7.5, 2.5, "days", "7.5"),
        (0.30000000000000004, 0.1, "number", "0.3"),
    ],
)
def test_ticks_have_no_more_decimals_than_they_need(value, step, kind, expected):
    assert charts.tick_text(value, step, kind) == expected


@pytest.mark.parametrize("count", [0, 1, 2, 3, 14, 16, 31, 120, 400])
@pytest.mark.parametrize("most", [0, 1, 2, 3, 6, 12])
def test_labels_below_are_few_evenly_apart_and_end_with_the_last(count, most):
    places = charts.x_ticks(count, most)
    assert len(places) <= max(most, 1)
    assert places[-1:] == [count - 1] * (count > 0)
    gaps = [b - a for a, b in itertools.pairwise(places)]
    assert not gaps or max(gaps) - min(gaps) <= (0 if max(gaps) < 8 else 1)


def test_names_are_moved_apart_and_keep_their_order():
    assert charts.spread([5, 5, 5], 2, 0, 10) == [5, 7, 9]
    assert charts.spread([9, 10, 1], 3, 0, 10) == [7, 10, 1]
    assert charts.spread([], 1, 0, 1) == []


# --- characters --------------------------------------------------------------------------------------------------


@odd
@pytest.mark.parametrize("width", [2, 7, 60])
def test_a_sparkline_has_a_mark_per_value_or_per_mean_of_several(values, width):
    for over in {0, len(values) // 2, len(values)}:
        known = chart(values).runs[0].values
        drawn = charts.sparkline(known, over, width)
        assert len(drawn) <= width
        if len(values) <= width:
            assert [mark == " " for mark in drawn] == [value is None for value in known]


def test_sparklines_go_from_lowest_to_highest():
    assert charts.sparkline((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), 8, 8) == "▁▂▃▄▅▆▇█"
    assert charts.sparkline((2.0, 2.0), 2, 8) == "▄▄"
    assert charts.sparkline((0.0, 0.0), 2, 8) == "▁▁"
    assert charts.sparkline((1.0, 3.0, None, 8.0, None, None), 6, 3) == "▁█ "  # means 2, 8, none


def test_unfinished_periods_share_no_mark_and_set_no_scale():
    values = (4.0, 8.0, 4.0, 8.0, 100.0, 1.0)
    assert charts.sparkline(values, 4, 60) == "▁█▁██▁"
    assert charts.sparkline(values, 4, 3) == "▄▄█"
    assert charts.open_marks(chart(values, unfinished=4), 3) == 1


@pytest.mark.parametrize("width", [16, 40, 61])
def test_a_stacked_bar_is_as_long_as_its_values(width):
    runs = ((420.0, 512.0, 0.0, 3.0), (900.0, 931.0, None, 1.0), (-140.0, -700.0, -1.0, None), (-9.0, -90.0, 0.0, 0.0))
    stacked = chart(*runs, shape="stacked")
    left, right, unit = charts.bar_scale(stacked, width)
    assert left + 1 + right == width
    longest = 0
    for values in zip(*runs, strict=True):
        drawn = charts.stacked_bar(values, left, right, unit)
        below, above = drawn.split("│")
        longest = max(longest, len(drawn))
        assert len(below) == left
        assert abs(len(above) - sum(v for v in values if v and v > 0) / unit) <= 1
        assert abs(len(below.strip()) + sum(v for v in values if v and v < 0) / unit) <= 1
        for fill, value in zip(charts.FILLS, values, strict=False):
            assert abs(drawn.count(fill) - abs(value or 0) / unit) <= 1.5
    assert longest == width


@odd
def test_bars_of_odd_values_fit(values):
    stacked = chart(values, shape="stacked")
    left, right, unit = charts.bar_scale(stacked, 30)
    for value in stacked.runs[0].values[-charts.MAX_BARS :]:
        assert cell_len(charts.stacked_bar((value,), left, right, unit)) <= 30


def test_text_shows_the_last_thirty_bars_and_says_so():
    text = plain.render(page(block(tuple(map(float, range(48))), shape="stacked")), "en")
    assert text.count("2026-") == 30
    assert "the last 30 of 48 periods" in text


@odd
def test_a_plot_has_a_dot_for_every_value_and_none_for_a_gap(values):
    drawn = chart(values)
    ticks = charts.value_ticks(drawn, 5)
    rows = charts.plot(drawn, ticks[0], ticks[-1], 30, 9)
    assert {len(row) for row in rows} == {30}
    dots = [dot for row in rows for dot in row if dot.run is not None]
    assert bool(dots) == bool(drawn.values)
    assert all("\u2801" <= dot.character <= "\u28ff" for dot in dots)


# --- every renderer ----------------------------------------------------------------------------------------------


@odd
@pytest.mark.parametrize("shape", ["lines", "stacked"])
@pytest.mark.parametrize("unfinished", [None, 0, 1])
def test_odd_values_are_drawn_everywhere(values, shape, unfinished):
    result = page(block(values, tuple(reversed(values)), shape=shape, unfinished=unfinished))
    for lang in ("en", "zh"):
        texts = [plain.render(result, lang), markdown.render(result, lang), web.page(result, lang)]
        for width in (40, 62, 100, 160):
            texts.append(terminal.render(result, lang, width, color=False))
            if all(value is None or abs(value) < 1e7 for value in values):
                assert max(map(cell_len, texts[-1].splitlines())) <= width
        assert not [text for text in texts if re.search(r"\bnan\b|\binf\b", text.partition("</style>")[2] or text)]
        assert len(texts[2].encode()) < 200_000


def test_many_series_are_all_named(monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    runs = tuple((float(n), float(n + 1)) for n in range(11))
    for shape in ("lines", "stacked"):
        result = page(block(*runs, shape=shape))
        for text in (plain.render(result, "en"), terminal.render(result, "en", 80, color=True), web.page(result, "en")):
            assert all(f"series {n}" in text for n in range(11))


# --- the drawing in a page ---------------------------------------------------------------------------------------


@odd
@pytest.mark.parametrize("shape", ["lines", "stacked"])
def test_nothing_lies_outside_its_sheet(values, shape):
    for sheet, drawing in zip((svg.WIDE, svg.NARROW), drawings(chart(values, shape=shape)), strict=True):
        xs = [float(x) for x in re.findall(r'(?: c?x="|[ML])(-?[\d.]+)', drawing)]
        ys = [float(y) for y in re.findall(r'(?: c?y="|[ML]-?[\d.]+ )(-?[\d.]+)', drawing)]
        assert all(0 <= x <= sheet.width for x in xs)
        assert all(0 <= y <= sheet.height for y in ys)


def drawings(drawn: charts.Chart) -> list[str]:
    return re.findall(r'<svg class="(?:wide|narrow)".*?</svg>', svg.figure(drawn, "en"), re.DOTALL)


def test_lines_break_at_gaps_and_lone_points_are_dots():
    wide = drawings(chart((1.0, 2.0, None, 3.0, None, *[None] * 50, 4.0, 5.0)))[0]
    path = re.search(r'<g class="s0"><path d="([^"]+)"', wide)
    assert path
    assert path[1].count("M") == 3
    assert len(re.findall(r'<circle cx="[^"]+" cy="[^"]+" r="2.5"/>', wide)) == 1


def test_bars_of_a_period_touch_and_hang_below_zero():
    wide = drawings(chart((30.0,), (10.0,), (-20.0,), shape="stacked"))[0]
    (y0, h0), (y1, h1), (y2, h2) = (
        (float(y), float(h)) for y, h in re.findall(r'<rect x="[^"]+" y="([^"]+)" width="[^"]+" height="([^"]+)"', wide)
    )
    assert y1 + h1 == pytest.approx(y0, abs=0.11)
    assert y0 + h0 == pytest.approx(y2, abs=0.11)
    assert h0 == pytest.approx(3 * h1, abs=0.4)
    assert h2 == pytest.approx(2 * h1, abs=0.3)


def test_a_drawing_can_be_heard():
    view = periods_result().views[1]
    assert isinstance(view, ChartBlock)
    said = 'aria-label="Active users · 2026-09-14 → 2026-10-19 · DAU: First 812, Last 1,101, Lowest 812, Highest 1,101'
    assert svg.figure(charts.chart(view, "en"), "en").count(said) == 2
    wide, narrow = drawings(charts.chart(view, "en"))
    assert "<title>2026-10-19 · DAU 610*</title>" in wide
    assert "<title>" not in narrow
    heavy = replace(
        view, x_labels=view.x_labels * 60, series=tuple(replace(s, values=s.values * 60) for s in view.series)
    )
    assert "<title>" not in svg.figure(charts.chart(heavy, "en"), "en")


# --- funnels -----------------------------------------------------------------------------------------------------


def a_funnel(*counts: int) -> FunnelBlock:
    return FunnelBlock(Text("title", "标题"), Text("Users", "用户数"), tuple((Text(f"s{c}", "步"), c) for c in counts))


def test_shares_and_drops_of_a_funnel_follow_from_its_counts():
    first, second, third = funnels.funnel(a_funnel(200, 50, 0), "en").steps
    assert (first.from_start, first.from_previous, first.drop) == ("100.0 %", "–", "")
    assert (second.from_start, second.from_previous, second.drop) == ("25.0 %", "25.0 %", "150 dropped, 75.0 %")
    assert (third.from_start, third.drop, third.fraction) == ("0.0 %", "50 dropped, 100.0 %", 0.0)
    assert second.said == "2 s50 · 50 · 25.0 % of the start · 25.0 % of the step before"


def test_the_bars_of_a_funnel_are_as_long_as_their_counts_and_slopes_join_them():
    for drawing in pictures(svg_funnel.figure(funnels.funnel(a_funnel(1000, 400, 1, 0), "en"), "en")):
        tracks = re.findall(r'class="track" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', drawing)
        bars = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', drawing)
        left, full = float(tracks[0][0]), float(tracks[0][2])
        assert {float(x) for x, _, _ in bars} == {left}
        assert [float(width) for _, _, width in bars] == pytest.approx([full, 0.4 * full, 1.5, 0], abs=0.06)
        slopes = re.findall(r'class="slope" d="M[\d.]+ ([\d.]+)H([\d.]+)L([\d.]+) ([\d.]+)H', drawing)
        assert len(slopes) == 3
        for number, (top, start, end, bottom) in enumerate(slopes):
            assert float(top) == pytest.approx(float(tracks[number][1]) + float(tracks[number][3]), abs=0.11)
            assert float(bottom) == float(tracks[number + 1][1])
            assert float(start) == pytest.approx(left + float(bars[number][2]), abs=0.11)
            assert float(end) == pytest.approx(left + float(bars[number + 1][2]), abs=0.11)


def pictures(figure: str) -> list[str]:
    """The wide and the narrow drawing."""
    found = re.findall(r"<svg.*?</svg>", figure)
    assert len(found) == 2
    return found


@pytest.mark.parametrize("counts", [(), (0,), (7,), (0, 0, 0), (5, 0), (3, 9), (10**12, 1), tuple(range(40, 0, -1))])
def test_odd_funnels_are_drawn_everywhere(counts):
    result = page(a_funnel(*counts))
    for lang in ("en", "zh"):
        texts = [plain.render(result, lang), markdown.render(result, lang), web.page(result, lang)]
        for width in (40, 80):
            texts.append(terminal.render(result, lang, width, color=False))
            assert max(map(cell_len, texts[-1].splitlines())) <= width
        for text in texts:
            assert all(f"{count:,}" in text for count in counts)
            assert counts or ("no rows" if lang == "en" else "无数据") in text
            assert not re.search(r"\bnan\b|\binf\b", text.partition("</style>")[2] or text)


def drawn_funnels(cities: int = 1, **settings: Any) -> list[FunnelBlock]:
    """Of 12 users, half of whom come to the second step; the first of the cities has no name."""
    rows = [
        (f"u{n}", event, datetime(2026, 3, 1, 9), f"city {n % cities}" if n % cities else None)
        for n in range(12)
        for event in ("a", "b")[: 1 + (n < 6)]
    ]
    log = pl.DataFrame(rows, schema={"user_id": pl.String, "event": pl.String, "time": pl.Datetime, "city": pl.String},
                       orient="row")  # fmt: skip
    result = funnel.analyse(frames.events(log), steps=("a", "b"), **settings)
    return [view for view in result.views if isinstance(view, FunnelBlock)]


def test_a_funnel_is_drawn_whole_or_by_each_of_few_values_and_only_where_entries_are_mature():
    (whole,) = drawn_funnels(within="none")
    assert [(label.en, count) for label, count in whole.steps] == [("a", 12), ("b", 6)]
    parts = drawn_funnels(4, within="none", by="city")
    assert [part.title.en for part in parts] == ["city: city 1", "city: city 2", "city: city 3", "city: (none)"]
    assert [sum(part.steps[place][1] for part in parts) for place in (0, 1)] == [12, 6]
    assert drawn_funnels(6, within="none", by="city") == []
    assert drawn_funnels(within="7d") == []


# --- graphs ------------------------------------------------------------------------------------------------------


def a_graph(nodes: int, *edges: tuple[int, int, int], ends: tuple[int, ...] = ()) -> GraphBlock:
    names = tuple(Node(Text(f"event {n}", f"事件{n}"), 10, end=n in ends) for n in range(nodes))
    ordered = sorted(edges, key=lambda edge: -edge[2])
    return GraphBlock(Text("title", "标题"), names, tuple(Edge(*edge, 0.5) for edge in ordered))


def shop() -> graphs.Graph:
    block = drawings_result().views[1]
    assert isinstance(block, GraphBlock)
    return graphs.graph(block, "en")


def test_ways_begin_on_the_left_and_stop_on_the_right():
    graph = shop()
    layer = {spot.label: layer for spot, layer in zip(graph.spots, graph.layers, strict=True)}
    assert layer == {"(start)": 0, "home": 1, "search": 2, "view": 3, "cart": 4, "buy": 5, "help": 5, "(exit)": 6}
    assert [way.said[:13] for way in graph.ways if graph.goes_back(way)] == ["cart → view ·", "view → search"]


def test_few_ways_cross():
    """Two ways that need not cross: the order of the nodes would have them do so."""
    graph = graphs.graph(a_graph(4, (0, 3, 5), (1, 2, 5)), "en")
    first, second = graphs.columns(graph)[0]
    assert [{0: 3, 1: 2}[node] for _, node in first] == [node for _, node in second]


def random_graph(seed: int) -> GraphBlock:
    random = Random(seed)
    nodes = random.randint(3, 11)
    pairs = {(random.randrange(nodes - 1), random.randrange(1, nodes)) for _ in range(15)}
    return a_graph(nodes, *((a, b, random.randint(1, 9999)) for a, b in sorted(pairs)), ends=(0, nodes - 1))


@pytest.mark.parametrize("seed", range(60))
def test_no_two_nodes_touch_and_nothing_lies_outside(seed):
    block = random_graph(seed)
    graph = graphs.graph(block, "en")
    assert all(graph.layers[way.source] != graph.layers[way.target] for way in graph.ways if way.source != way.target)
    for drawing in pictures(svg_graph.figure(graph)):
        width, height = map(float, re.findall(r'viewBox="0 0 (\S+) ([\d.]+)"', drawing)[0])
        found = re.findall(r'<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', drawing)
        boxes = [tuple(map(float, box)) for box in found]
        assert len(boxes) == len(block.nodes)
        assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
        for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(boxes, 2):
            assert x + w < x2 or x2 + w2 < x or y + h < y2 or y2 + h2 < y
        paths = re.findall(r' d="([^"]+)" style', drawing)
        assert len(paths) == len(graph.ways)
        for path in paths:
            points = [tuple(map(float, point)) for point in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]
            assert all(-1 <= y <= height + 1 for _, y in points)
            assert all(-1 <= x <= width + 1 for x, _ in (points[0], points[-1]))


def test_a_graph_can_be_heard_and_says_its_numbers_under_the_pointer():
    drawn = svg_graph.figure(shop())
    assert drawn.count("<title>cart → view · 1,240 · 31.8 %</title>") == 2
    assert drawn.count('role="img" aria-label="Where paths go; view → view · 6,020 · 42.4 %;') == 2
    widths = {float(width) for width in re.findall(r"stroke-width:([\d.]+)", drawn)}
    assert (min(widths), max(widths)) == (pytest.approx(1.5 + 9.5 * 410 / 6020, abs=0.06), 11)


def test_more_layers_than_fit_beside_each_other_stand_one_below_the_other():
    chain = graphs.graph(a_graph(14, *((n, n + 1, 100 - n) for n in range(13))), "en")
    for drawing in pictures(svg_graph.figure(chain)):
        assert len(set(re.findall(r'<rect x="(\S+)"', drawing))) == 1


def test_long_names_are_cut_in_a_drawing_and_whole_under_the_pointer():
    name = "a_very_long_name_of_an_event_that_nobody_would_type"
    nodes = (Node(Text(name, "很长的事件名称" * 6), 5), Node(Text("b", "乙"), 5))
    block = GraphBlock(Text("title", "标题"), nodes, (Edge(0, 1, 5, 1.0),))
    for lang in ("en", "zh"):
        label = nodes[0].label(lang)
        drawn = svg_graph.figure(graphs.graph(block, lang))
        assert f"<title>{label} · 5</title>" in drawn
        assert f">{label}</text>" not in drawn
        assert "…</text>" in drawn


def test_a_page_of_paths_draws_the_strongest_fifteen_transitions_with_shares_of_all():
    events = [f"e{n:02}" for n in range(30)]
    rows = [(f"u{n}", event, datetime(2026, 3, 1, 9, at)) for n in range(30) for at, event in enumerate(events[n:])]
    log = pl.DataFrame(rows, schema=["user_id", "event", "time"], orient="row")
    (block,) = (view for view in paths.analyse(log).views if isinstance(view, GraphBlock))
    assert [edge.count for edge in block.edges] == [30, *range(29, 15, -1)]
    names = [node.label.en for node in block.nodes]
    strongest = block.edges[0]
    assert (names[strongest.source], names[strongest.target], strongest.share) == ("e29", "(exit)", 1.0)
    assert [node.label.en for node in block.nodes if node.end] == ["(exit)"]


@pytest.mark.parametrize(
    "edges", [(), ((0, 0, 3),), ((0, 1, 0),), ((0, 1, 1), (1, 0, 1)), ((2, 2, 1), (1, 2, 7))], ids=str
)
def test_odd_graphs_are_drawn_everywhere(edges):
    result = page(a_graph(3 if edges else 0, *edges))
    for lang in ("en", "zh"):
        texts = [plain.render(result, lang), markdown.render(result, lang), web.page(result, lang)]
        texts.append(terminal.render(result, lang, 80, color=False))
        for text in texts:
            assert bool(edges) != (("no rows" if lang == "en" else "无数据") in text)


def luminance(color: str) -> float:
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_stands_out_from_its_ground():
    schemes = re.split(r"@media \((?:prefers-color-scheme:dark|max-width)|@media print", web.STYLE)
    grounds = {0: "#ffffff", 1: "#171c1f", 3: "#ffffff"}
    for scheme, ground in grounds.items():
        colors = re.findall(r"--s\d:(#[0-9a-f]{6})", schemes[scheme])
        assert len(colors) == svg.COLORS
        assert min(contrast(color, ground) for color in colors) >= 3
    drawn = [style.color.triplet.hex for style in terminal.SERIES if style.color and style.color.triplet]
    assert min(contrast(color, "#101418") for color in drawn) >= 3
