"""Golden files: what a rendering was when someone last looked at it and found it good.

``USEROPS_UPDATE_GOLDEN=1 pytest`` rewrites them; the diff is then for the eyes. And the results they are made from:
invented shops, as an analysis would hand them over.
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from userops.results import (
    ChartBlock,
    Column,
    Edge,
    FactsBlock,
    FunnelBlock,
    GraphBlock,
    HeatBlock,
    InputReport,
    Node,
    NotesBlock,
    Provenance,
    Result,
    Series,
    TableBlock,
    Text,
)

FOLDER = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("USEROPS_UPDATE_GOLDEN"))  # read before the fixture that clears the environment


def check(name: str, actual: str) -> None:
    """Compare with the golden file ``name``, byte for byte (or rewrite it)."""
    path = FOLDER / name
    if UPDATE:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(actual.encode())
    assert actual == path.read_bytes().decode(), f"{name} differs; USEROPS_UPDATE_GOLDEN=1 rewrites it"


SEGMENTS = (
    # segment, segment_zh, users, mean recency, mean orders, revenue
    ("Champions", "重要价值用户", 1_284, 8.4, 14.2, 5_914_208.50),
    ("Loyal", "忠诚用户", 902, 31.7, 6.8, 1_502_377.25),
    ("Potential loyalists", "潜力用户", 688, 24.9, 2.6, 402_118.00),
    ("New customers", "新用户", 411, 11.2, 1.0, 98_640.75),
    ("Promising", "有希望用户", 263, 38.0, 1.0, 61_029.90),
    ("Needs attention", "需关注用户", 377, 72.3, 3.1, 288_904.40),
    ("About to sleep", "即将沉睡用户", 352, 97.8, 1.4, 104_220.00),
    ("At risk", "流失风险用户", 796, 201.5, 4.4, 811_395.10),
    ("Cannot lose them", "重要挽留用户", 84, 243.1, 11.9, 402_880.60),
    ("Hibernating", "沉睡用户", 613, 268.4, 1.8, 171_555.30),
    ("Lost", "流失用户", 108, 402.6, 1.0, 9_870.00),
)

GRID = (
    (402, 211, 98, 61, 22),
    (240, 251, 196, 120, 64),
    (130, 205, 260, 214, 118),
    (71, 160, 233, 301, 262),
    (None, 74, 170, 388, 1_327),
)


def rfm_result(command: str = "rfm") -> Result:
    """RFM tiers of an invented shop: two columns with bars, a 5 × 5 grid, facts, notes, a warning."""
    users = sum(row[2] for row in SEGMENTS)
    revenue = round(sum(row[5] for row in SEGMENTS), 2)
    rows = pl.DataFrame(
        SEGMENTS,
        schema=["segment", "segment_zh", "users", "mean_recency_days", "mean_orders", "revenue"],
        orient="row",
    ).with_columns(
        users_share=pl.col("users") / users,
        mean_monetary=pl.col("revenue") / pl.col("users"),
        revenue_share=pl.col("revenue") / revenue,
    )
    total = {"segment": "All", "segment_zh": "合计", "users": users, "users_share": 1.0, "mean_recency_days": None,
             "mean_orders": 5.9, "revenue": revenue, "mean_monetary": revenue / users,
             "revenue_share": 1.0}  # fmt: skip
    shown = pl.concat([rows, pl.DataFrame([total]).select(rows.columns).cast(dict(rows.schema))])
    name = Column("segment", Text("Segment", "分层"))
    name_zh = Column("segment_zh", Text("Segment", "分层"))
    columns = (
        Column("users", Text("Users", "用户数"), "count"),
        Column("users_share", Text("of users", "用户占比"), "share", bar=True),
        Column("mean_recency_days", Text("Days since", "距今天数"), "days"),
        Column("mean_orders", Text("Orders", "订单数"), "number"),
        Column("revenue", Text("Revenue", "收入"), "money"),
        Column("revenue_share", Text("of revenue", "收入占比"), "share", bar=True),
    )
    scores = tuple(Text(str(score), str(score)) for score in range(1, 6))
    warning = Text(
        "frequency: 3 of 4 cuts are equal to 1 order, so scores 2 to 4 are empty; "
        "--frequency-cuts 1,2,4 would fill them",
        "频次:4 个切点中有 3 个都等于 1 单,得分 2 至 4 为空;可用 --frequency-cuts 1,2,4",
    )
    definitions = (
        Text(
            "Recency: calendar days from the last order's date to the as-of date.",
            "最近一次消费:最后下单日到统计截止日的自然日数。",
        ),
        Text(
            "Cuts: the observed values at rank ceil(k·n/bins). Equal values always get equal scores.",
            "切点:第 ceil(k·n/bins) 位的观测值;相同的值得分必然相同。",
        ),
    )
    return Result(
        command=command,
        rows=rows,
        summary={
            "users": users,
            "revenue": revenue,
            "repeat_rate": 0.6561,
            "median_gap_days": 28.0,
            "p80_gap_days": float("nan"),
        },
        provenance=Provenance(
            as_of="2026-10-31",
            tz="Asia/Shanghai",
            week_start="monday",
            inputs=(
                InputReport("orders.parquet", "canonical", 52_310, 51_877, {"missing_user_id": 391, "after_as_of": 42}),
            ),
            settings={"bins": 5, "monetary": "total", "segments": "champions11", "frequency_cuts": None, "since": None},
            definitions=definitions,
            warnings=(warning,),
        ),
        extras={
            "cuts": pl.DataFrame(
                {"measure": ["recency_days", "orders"], "cuts": [[14.0, 40.0, 91.0, 210.0], [1.0, 1.0, 1.0, 4.0]]}
            )
        },
        views=(
            FactsBlock(
                (
                    (Text("Users", "用户数"), users, "count"),
                    (Text("Revenue", "收入"), revenue, "money"),
                    (Text("Repeat rate", "复购率"), 0.6561, "share"),
                    (Text("Median gap, days", "复购间隔中位数(天)"), 28.0, "days"),
                    (Text("Last order", "最后下单日"), "2026-10-31", "date"),
                )
            ),
            TableBlock(Text("Segments", "用户分层"), (name, *columns), shown, (name_zh, *columns), total_row=True),
            HeatBlock(
                Text("Users by score", "各得分用户数"),
                Text("recency", "R 得分"),
                Text("frequency", "F 得分"),
                scores,
                scores,
                GRID,
            ),
            NotesBlock(
                Text("How it adds up", "对账"),
                (
                    Text(
                        "9,767,199.80 in the file = 9,767,199.80 in segments + 0.00 of users with refunds only; "
                        "433 of 52,310 rows rejected",
                        "文件合计 9,767,199.80 = 各分层 9,767,199.80 + 仅退款用户 0.00;52,310 行中剔除 433 行",
                    ),
                ),
            ),
            NotesBlock(Text("Definitions", "口径"), definitions),
            NotesBlock(Text("Warnings", "警告"), (warning,), tone="warning"),
        ),
    )


WEEKS = ("2026-09-14", "2026-09-21", "2026-09-28", "2026-10-05", "2026-10-12", "2026-10-19")

COHORTS = (
    # users, share of them in week 0, 1, ...: the last one of each is of a week that is not over
    (1_284, (1.0, 0.4302, 0.2967, 0.2406, 0.2059, 0.1231)),
    (1_102, (1.0, 0.4546, 0.3031, 0.2359, 0.1404)),
    (980, (1.0, 0.4082, 0.2745, 0.1469)),
    (1_433, (1.0, 0.3824, 0.1612)),
    (1_211, (1.0, 0.2196)),
    (640, (1.0,)),
)


def periods_result() -> Result:
    """Periods of an invented shop: a cohort table with its corner, lines with gaps, bars below zero."""
    count = len(WEEKS)
    average = (1.0, 0.4182, 0.2918, 0.2384, 0.2059, None)
    cohorts = HeatBlock(
        Text("Weekly retention", "周留存"),
        Text("first week", "首周"),
        Text("weeks after", "之后第几周"),
        (*(Text(week, week) for week in WEEKS), Text("Average", "加权平均")),
        tuple(Text(str(week), str(week)) for week in range(count)),
        (*((*shares, *[None] * (count - len(shares))) for _, shares in COHORTS), average),
        kind="share",
        lead_title=Text("Users", "用户数"),
        lead=(*(users for users, _ in COHORTS), 6_650),
        unfinished=tuple(tuple(week == len(shares) - 1 for week in range(count)) for _, shares in (*COHORTS, (0, ()))),
        total_row=True,
        shade_from=1,
    )
    active = ChartBlock(
        Text("Active users", "活跃用户"),
        WEEKS,
        (
            Series(Text("DAU", "日活"), (812, 940, None, 1_024, 1_101, 610)),
            Series(Text("WAU", "周活"), (None, 3_210, 3_350, 3_290, 3_480, 3_350)),
        ),
        unfinished=5,
    )
    stickiness = ChartBlock(
        Text("Stickiness", "粘性"),
        WEEKS,
        (Series(Text("DAU / MAU", "日活/月活"), (0.112, 0.124, 0.119, 0.131, 0.127, 0.135)),),
        kind="share",
    )
    growth = ChartBlock(
        Text("Growth", "增长"),
        WEEKS,
        (
            Series(Text("New", "新增"), (420, 512, 488, 390, 455, 120)),
            Series(Text("Retained", "留存"), (900, 931, 1_012, 1_040, 1_077, 1_003)),
            Series(Text("Resurrected", "回流"), (140, 122, 160, 171, 133, 60)),
            Series(Text("Churned", "流失"), (None, -398, -431, -449, -391, -520)),
        ),
        shape="stacked",
        unfinished=5,
    )
    return Result(
        command="retention",
        rows=pl.DataFrame({"cohort": list(WEEKS), "cohort_users": [users for users, _ in COHORTS]}),
        summary={"users": 6_650},
        provenance=Provenance("2026-10-22", "Asia/Shanghai", "monday", (), {}, ()),
        views=(cohorts, active, stickiness, growth),
    )


STEPS = (
    (Text("visit", "访问"), 48_310),
    (Text("view_item", "浏览商品"), 40_277),
    (Text("add_to_cart", "加入购物车"), 12_904),
    (Text("begin_checkout", "开始结账"), 6_112),
    (Text("purchase", "支付成功"), 4_087),
)

PLACES = (("(start)", 9_120), ("home", 9_840), ("search", 6_310), ("view", 14_200), ("cart", 3_900), ("buy", 1_450),
          ("help", 610), ("(exit)", 9_120))  # fmt: skip

WAYS = (
    # from, to, times, share of what leaves the first
    (3, 3, 6_020, 0.4239), (0, 1, 5_900, 0.6469), (2, 3, 4_480, 0.7100), (1, 2, 3_940, 0.4004),
    (3, 7, 3_310, 0.2331), (1, 3, 3_105, 0.3155), (0, 2, 2_370, 0.2599), (3, 4, 2_840, 0.2000), (1, 7, 2_650, 0.2693),
    (4, 5, 1_450, 0.3718), (5, 7, 1_290, 0.8897), (4, 3, 1_240, 0.3179), (3, 2, 1_010, 0.0711), (4, 7, 800, 0.2051),
    (4, 6, 410, 0.1051),
)  # fmt: skip


def drawings_result() -> Result:
    """A funnel, and a graph with a way to itself, ways back and long ways."""
    funnel = FunnelBlock(Text("Checkout", "结账漏斗"), Text("Users", "用户数"), STEPS)
    nodes = tuple(Node(Text(name, name), weight, end=name.startswith("(")) for name, weight in PLACES)
    graph = GraphBlock(Text("Where paths go", "路径走向"), nodes, tuple(Edge(*way) for way in WAYS))
    return Result(
        command="paths",
        rows=pl.DataFrame({"step": [count for _, count in STEPS]}),
        summary={"users": STEPS[0][1]},
        provenance=Provenance("2026-10-22", "Asia/Shanghai", "monday", (), {}, ()),
        views=(funnel, graph),
    )


HOSTILE = "\x1b[31m<script>alert('1')</script>|`=\u202e\x9bJ &amp;\nend"
"""Text that tries to steer a terminal, a browser, a table and a spreadsheet."""


def hostile_result() -> Result:
    """A result whose every text comes from an enemy."""
    text = Text(HOSTILE, HOSTILE)
    frame = pl.DataFrame({HOSTILE: [HOSTILE, None], "n": [float("nan"), float("inf")]})
    columns = (Column(HOSTILE, text), Column("n", text, "number", bar=True))
    return Result(
        command="rfm",
        rows=frame,
        summary={HOSTILE: HOSTILE, "worst": float("-inf"), "nested": [{"x": float("nan")}]},
        provenance=Provenance(
            HOSTILE,
            HOSTILE,
            "monday",
            (InputReport(HOSTILE, HOSTILE, 2, 2, {HOSTILE: 0}),),
            {HOSTILE: HOSTILE},
            (text,),
            (text,),
        ),
        views=(
            FactsBlock(((text, HOSTILE, "text"),)),
            TableBlock(text, columns, frame),
            HeatBlock(
                text,
                text,
                text,
                (text, text),
                (text,),
                ((float("nan"),), (1.0,)),
                lead_title=text,
                lead=(1, None),
                unfinished=((True,), (False,)),
                total_row=True,
            ),
            ChartBlock(text, (HOSTILE, HOSTILE), (Series(text, (float("nan"), 2.0)), Series(text, (1e308, -1e308)))),
            ChartBlock(text, (HOSTILE,), (Series(text, (float("inf"),)), Series(text, (-3.0,))), "money", "stacked", 0),
            FunnelBlock(text, text, ((text, 3), (text, 5), (text, 0))),
            GraphBlock(text, (Node(text, 1, True), Node(text, 2)), (Edge(0, 1, 2, 1.0), Edge(1, 1, 1, None))),
            NotesBlock(text, (text,), tone="warning"),
        ),
    )
