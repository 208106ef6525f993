"""What a person sees of churn: scores, tenths, drivers in words, users by risk, a reason for each, in two languages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from userops.models.repeat_buying import MODELS
from userops.pages import shared
from userops.results import Block, ChartBlock, Column, FactsBlock, Series, TableBlock, Text

if TYPE_CHECKING:
    import polars as pl

    from userops.churn import Story

HARDLY = 0.6
"""An area under the curve below this is hardly better than chance."""

OFF = 0.05
"""A mean prediction this far from what came is told."""

TWICE = 2.0
"""A silence this many times the own rhythm is told with the longest one before."""

JUDGES = {
    "logistic": Text("logistic regression", "逻辑回归"),
    "btyd": Text("BTYD (repeat buying)", "BTYD(复购模型)"),
    "recency": Text("recency alone", "仅最近一次"),
}
"""What tells the probability, by its key."""


def judge(story: Story, key: str) -> Text:
    """What people call one of the ways."""
    buying = story.learned.tested_buying
    if key == "btyd" and buying is not None:
        kind = MODELS[buying.name].NAME
        return Text(f"BTYD: {kind}", f"BTYD:{kind}")
    return JUDGES[key]


def driver_names(story: Story) -> dict[str, tuple[Text, Text]]:
    """By its key what a driver is called, and the number of a user that stands for it."""
    days = story.settings.days
    acted = Text("days with an order", "下单天数") if story.found.of_orders else Text("active days", "活跃天数")
    values = story.values
    return {
        "silence": (Text("Silence", "沉默时长"), Text("days silent", "沉默天数")),
        "own_rhythm": (
            Text("Silence beside the own rhythm", "沉默对比自身节奏"),
            Text("times the usual gap silent", "沉默为平均间隔的倍数"),
        ),
        "rhythm": (Text("Rhythm", "节奏"), Text("days between visits", "平均间隔天数")),
        "frequency": (Text("Frequency", "频次"), acted),
        "trend": (
            Text("Trend", "趋势"),
            Text(f"{acted.en} in the last {days} less those in the {days} before", f"近 {days} 天减此前 {days} 天的{acted.zh}"),
        ),
        "tenure": (Text("Tenure", "资历"), Text("days since first seen", "首次出现至今天数")),
        "breadth": (Text("Breadth", "广度"), Text(f"different values of {values}", f"{values} 不同取值数")),
        "money": (Text("Money", "金额"), Text("spent in all", "累计支付")),
    }  # fmt: skip


def in_words(story: Story) -> list[pl.Series]:
    """Of each driver its Chinese name and what it does in words: ``driver_zh, words, words_zh``."""
    import polars as pl

    names, told = driver_names(story), story.learned.drivers
    zh, words, words_zh = [], [], []
    for row in told.iter_rows(named=True):
        name, what = names[row["driver"]]
        text = _quarters(what, row)
        zh.append(name.zh)
        words.append(text.en)
        words_zh.append(text.zh)
    texts = {"driver_zh": zh, "words": words, "words_zh": words_zh}
    return [pl.Series(key, values, dtype=pl.String) for key, values in texts.items()]


def _quarters(what: Text, row: dict[str, Any]) -> Text:
    """Who left of those at either end."""
    if row["low_to"] is None:
        return Text(f"{what.en}: users hardly differ", f"{what.zh}:用户间差异很小")
    low, high = _short(row["low_to"]), _short(row["high_from"])
    least, most = f"{100 * row['low_rate']:.0f}", f"{100 * row['high_rate']:.0f}"
    return Text(
        f"{what.en}: {high} or more, {most} % left; {low} or less, {least} % left",
        f"{what.zh}:≥{high} 者流失 {most}%,≤{low} 者流失 {least}%",
    )


def _short(value: float) -> str:
    """A number with no more digits than it is read with."""
    return f"{value:,.0f}" if abs(value) >= 10 or value == round(value) else f"{value:,.1f}"


def reasons(story: Story) -> tuple[pl.Expr, pl.Expr]:
    """One plain sentence per user, from what they did beside their own rhythm; the first that fits. English, Chinese."""
    import polars as pl

    horizon, of_orders = story.settings.days, story.found.of_orders
    silent, recent, earlier = pl.col("silent_days"), pl.col("recent"), pl.col("earlier")
    rhythm = pl.max_horizontal(pl.col("rhythm_days").round().cast(pl.Int64), pl.lit(1, pl.Int64))
    once, never = pl.col("days") == 1, (pl.col("days") > 2) & (silent > pl.col("longest_gap"))
    late, less = silent > pl.col("rhythm_days"), recent < earlier

    def days(number: pl.Expr) -> pl.Expr:
        return pl.format("{} {}", number, pl.when(number == 1).then(pl.lit("day")).otherwise(pl.lit("days")))

    ago = pl.when(silent == 0).then(pl.lit("today")).otherwise(pl.format("{} ago", days(silent)))
    ago_zh = pl.when(silent == 0).then(pl.lit("今天")).otherwise(pl.format("{} 天前", silent))
    usual = pl.format("usually back after {}", days(rhythm))
    usual_zh = pl.format("通常间隔 {} 天", rhythm)
    came, came_zh = ("ordered", "下单") if of_orders else ("here", "到访")
    english = (
        pl.when(once)
        .then(pl.format(came + " on one day only, {}", ago))
        .when(late & never & (silent >= TWICE * pl.col("rhythm_days")))
        .then(pl.format("silent for {}, {}; never so long before ({} at most)", days(silent), usual, "longest_gap"))
        .when(late)
        .then(pl.format("silent for {}, {}", days(silent), usual))
        .when(less)
        .then(pl.format(came + " {}, but comes less: on {} in the last " + str(horizon) + ", {} before", ago, days(recent), "earlier"))
        .otherwise(pl.format(came + " {}, {}: within the own rhythm", ago, usual))
    )  # fmt: skip
    chinese = (
        pl.when(once)
        .then(pl.format("仅 1 天" + came_zh + ",{}", ago_zh))
        .when(late & never & (silent >= TWICE * pl.col("rhythm_days")))
        .then(pl.format("已沉默 {} 天,{};此前最长仅 {} 天", silent, usual_zh, "longest_gap"))
        .when(late)
        .then(pl.format("已沉默 {} 天,{}", silent, usual_zh))
        .when(less)
        .then(pl.format("{}" + came_zh + ",但频次下降:近 " + str(horizon) + " 天 {} 天,此前 {} 天", ago_zh, recent, earlier))
        .otherwise(pl.format("{}" + came_zh + ",{}:符合自身节奏", ago_zh, usual_zh))
    )  # fmt: skip
    return english, chinese


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    settings, told, found = story.settings, story.learned, story.found
    days, (train, test, now) = settings.days, (story.day(place) for place in range(3))
    high, low = (f"{100 * border:.1f}" for border in told.borders)
    act, act_zh = ("order (refunds are none)", "订单(退款不算)") if found.of_orders else ("event", "事件")
    more = [name for name in ("breadth", "money") if name in told.drivers["driver"].to_list()]
    names = driver_names(story)
    also, also_zh = (", ".join(names[name][1](lang) for name in more) for lang in ("en", "zh"))
    words = [
        Text(
            f"Left: no {act} in the {days} days after a cutoff, the end of a day in {settings.tz}. Asked about: everybody with "
            "one up to it. Several on a day are one active day.",
            f"流失:截止日({settings.tz} 日终)之后 {days} 天内无{act_zh};对象为截止日前出现过的所有用户;同日多次计为一个活跃日。",
        ),
        Text(
            f"Learned at {train} from who left by {test}; tested at {test} on who left by {now}: AUC, Brier score, lift and "
            f"calibration are of these later labels, which nothing had seen. Scores at {now} are of the same models, learned "
            f"at {test}. What is known at a cutoff comes from rows up to it.",
            f"训练:{train} 截止,标签至 {test};检验:{test} 截止,标签至 {now};AUC、Brier、提升度与校准均基于未参与训练的后期标签。"
            f"{now} 的得分由同样的模型以 {test} 为截止重新训练得到。各截止日的特征只用其之前的数据。",
        ),
        Text(
            "Logistic regression of silence (days, and beside the mean and the longest gap), rhythm (mean, last, longest "
            f"gap), active days, active days in the last {days} days and in those before, days since first seen"
            + (f", {also}" if also else "")
            + "; its log-odds are calibrated by what it says of users it was not fitted to (five folds, Platt).",
            f"逻辑回归:沉默天数(并对比平均与最长间隔)、间隔(平均、最近、最长)、活跃天数、近 {days} 天与此前 {days} 天活跃天数、资历"
            + (f"、{also_zh}" if also_zh else "")
            + ";用五折交叉预测做 Platt 校准。",
        ),
        Text(
            "Beside it two baselines: BTYD, the probability of no active day by a model of repeat buying (NBD, BG/NBD or MBG/NBD, by "
            "AIC); and recency alone, a logistic curve of the days silent. Users are scored by whichever has the smallest "
            "Brier score.",
            "两个基线:BTYD(复购模型给出的零次概率;NBD、BG/NBD、MBG/NBD 按 AIC 选);仅最近一次(沉默天数的逻辑曲线)。"
            "以 Brier 得分最小者为用户打分。",
        ),
        Text(
            "AUC: the chance that who left was given more than who stayed. Brier: mean squared error, 0 is right. Lift: the "
            "share that left over the base rate. Calibration error: mean distance of predicted and actual, over tenths.",
            "AUC:流失者得分高于留存者的概率。Brier:均方误差,越小越好。提升度:流失率与基准之比。校准误差:各十分位预测与实际的平均差。",
        ),
        Text(
            f"Risk: high where the odds of leaving are at least twice the average's (from {high} %), low where they are less than half "
            f"of them (below {low} %).",
            f"风险:流失胜率(odds)不低于平均两倍为高(≥{high}%),不足一半为低(<{low}%)。",
        ),
        Text(
            "Drivers: what the AUC of the logistic regression loses on the later users when the columns of a driver are shuffled "
            "among them (mean of five); the weight is its share of all losses. They go together with leaving; they need not cause it.",
            "驱动因素:在后期用户上打乱该因素各列后逻辑回归 AUC 的损失(五次平均),权重为其占全部损失之比;为相关,未必为因果。",
        ),
    ]
    return tuple(words)


def warnings(story: Story, summary: dict[str, Any]) -> list[Text]:
    """What may mislead in these numbers."""
    told, notes = story.learned, []
    if told.chosen != "logistic":
        better = judge(story, told.chosen)
        notes.append(Text(
            f"the logistic regression did worse on the later users than {better.en} (Brier {summary['logistic_brier']:.4f} "
            f"against {summary['brier']:.4f}); users are scored by the latter, and the drivers are those of the former",
            f"逻辑回归在后期用户上不如 {better.zh}(Brier {summary['logistic_brier']:.4f} 对 {summary['brier']:.4f});"
            "用户按后者打分,驱动因素仍来自前者",
        ))  # fmt: skip
    if summary["auc"] < HARDLY:
        notes.append(Text(
            f"an AUC of {summary['auc']:.2f} is hardly better than chance: do not act on single users",
            f"AUC {summary['auc']:.2f} 与随机相差无几,请勿据此对单个用户采取行动",
        ))  # fmt: skip
    off = summary["predicted_rate"] - summary["base_rate"]
    if abs(off) > OFF:
        notes.append(Text(
            f"on the later users {100 * summary['predicted_rate']:.1f} % were expected to leave, {100 * summary['base_rate']:.1f} % "
            "did: a season or a trend; go by the order of users more than by the numbers",
            f"后期用户预测流失 {100 * summary['predicted_rate']:.1f}%,实际 {100 * summary['base_rate']:.1f}%:存在季节性或趋势,"
            "宜看排序而非绝对值",
        ))  # fmt: skip
    if told.buying is None:
        notes.append(Text("no model of repeat buying could be fitted", "复购模型无法拟合"))
    elif not told.buying.tells:
        notes.append(Text(
            "dropout cannot be told from these data: the model of repeat buying is NBD, in which nobody leaves for good, and no "
            "P(alive) is given",
            "数据无法识别永久流失:复购模型为 NBD(假定无人离开),不给出存活概率",
        ))  # fmt: skip
    currencies = story.found.books.currencies
    if story.found.of_orders and len(currencies) > 1:
        notes.append(Text(
            "amounts are in several currencies, so money is no feature; --where 'currency=...' chooses one",
            "金额含多种币种,未作特征;可用 --where 'currency=...' 选择",
        ))  # fmt: skip
    return notes


TENTH_COLUMNS = (
    Column("tenth", Text("Tenth", "十分位"), "count"),
    Column("users", Text("Users", "用户数"), "count"),
    Column("churned", Text("Left", "流失"), "count"),
    Column("churn_rate", Text("Share that left", "流失率"), "share", bar=True),
    Column("predicted", Text("Predicted", "预测"), "share"),
    Column("lift", Text("Lift", "提升度"), "number", bar=True),
    Column("captured", Text("Of all who left", "累计捕获"), "share"),
)
USER_COLUMNS = (
    Column("user_id", Text("User", "用户")),
    Column("p_churn", Text("P(leaves)", "流失概率"), "share", bar=True),
    Column("btyd_p_churn", Text("By BTYD", "BTYD"), "share"),
)
TIERS = (Column("risk", Text("Risk", "风险")), Column("risk_zh", Text("Risk", "风险")))
REASONS = (Column("reason", Text("Reason", "原因")), Column("reason_zh", Text("Reason", "原因")))


def users(rows: pl.DataFrame) -> TableBlock:
    """The table of users."""
    english, chinese = ((*USER_COLUMNS, tier, reason) for tier, reason in zip(TIERS, REASONS, strict=True))
    return TableBlock(Text("Users", "用户"), english, rows, columns_zh=chinese)


def views(
    story: Story,
    rows: pl.DataFrame,
    drivers: pl.DataFrame,
    risks: pl.DataFrame,
    summary: dict[str, Any],
    warnings: list[Text],
) -> tuple[Block, ...]:
    """The page: headline, who is at risk, drivers, tenths, calibration, the ways compared, definitions, warnings."""
    blocks: list[Block] = [_facts(summary), _risks(story, risks), _drivers(story, drivers)]
    blocks += [_tenths(story, rows), *_calibration(story, rows), _judges(story)]
    return (*blocks, *shared.ending(definitions(story), warnings))


def _facts(summary: dict[str, Any]) -> FactsBlock:
    return FactsBlock((
        (Text("users", "用户"), summary["users"], "count"),
        (Text(f"expected to leave, {summary['horizon_days']} days", f"{summary['horizon_days']} 天预期流失"),
         round(summary["expected_churned"]), "count"),
        (Text("AUC", "AUC"), summary["auc"], "number"),
        (Text("Brier", "Brier"), f"{summary['brier']:.3f}", "text"),
        (Text(f"AUC, active within {summary['horizon_days']} days", f"AUC(近 {summary['horizon_days']} 天活跃者)"),
         summary["recent_auc"], "number"),
        (Text("left when tested", "检验期流失率"), summary["base_rate"], "share"),
        (Text("lift of the top tenth", "首十分位提升度"), summary["lift_top_decile"], "number"),
        (Text("calibration error", "校准误差"), summary["calibration_error"], "share"),
    ))  # fmt: skip


def _risks(story: Story, risks: pl.DataFrame) -> TableBlock:
    import polars as pl

    days, day = story.settings.days, story.day(2)
    columns = (
        Column("users", Text("Users", "用户数"), "count"),
        Column("users_share", Text("Share", "占比"), "share", bar=True),
        Column("expected", Text("Expected to leave", "预期流失"), "count"),
        Column("p_from", Text("P from", "概率自"), "share"),
        Column("p_to", Text("to", "至"), "share"),
    )
    title = Text(f"Risk not to come back within {days} days, as of {day}", f"未来 {days} 天流失风险(截至 {day})")
    whole = risks.with_columns(expected=pl.col("expected_churned").round().cast(pl.Int64))
    return TableBlock(title, (TIERS[0], *columns), whole, columns_zh=(TIERS[1], *columns))


def _drivers(story: Story, drivers: pl.DataFrame) -> TableBlock:
    import polars as pl

    names = driver_names(story)
    labels = pl.Series("label", [names[name][0].en for name in drivers["driver"]], dtype=pl.String)
    weight = Column("weight", Text("Weight", "权重"), "share", bar=True)
    english = (Column("label", Text("Driver", "因素")), weight, Column("words", Text("In words", "说明")))
    chinese = (Column("driver_zh", Text("Driver", "因素")), weight, Column("words_zh", Text("In words", "说明")))
    return TableBlock(Text("What drives it", "驱动因素"), english, drivers.with_columns(labels), columns_zh=chinese)


def _tenths(story: Story, rows: pl.DataFrame) -> TableBlock:
    test, now = story.day(1), story.day(2)
    return TableBlock(
        Text(f"Tested: users of {test} by tenths of risk, and who left by {now}", f"检验:{test} 的用户按风险十分位,至 {now} 的流失"),
        TENTH_COLUMNS,
        rows,
    )  # fmt: skip


def _calibration(story: Story, rows: pl.DataFrame) -> list[Block]:
    """Predicted beside actual, the least likely to leave first."""
    if rows.height < 2:
        return []
    back = rows.reverse()
    series = (
        Series(Text("predicted", "预测"), tuple(back["predicted"])),
        Series(Text("actual", "实际"), tuple(back["churn_rate"])),
    )
    title = Text("Calibration: share that left, predicted and actual, by tenths", "校准:各十分位预测与实际流失率")
    return [ChartBlock(title, tuple(map(str, back["tenth"])), series, kind="share")]


def _judges(story: Story) -> TableBlock:
    """The model and the baselines on the later labels."""
    import polars as pl

    told = story.learned
    keys = list(told.scores)
    frame = pl.DataFrame({
        "way": [judge(story, key).en + (" *" if key == told.chosen else "") for key in keys],
        "way_zh": [judge(story, key).zh + (" *" if key == told.chosen else "") for key in keys],
        "auc": [f"{told.scores[key].auc:.4f}" for key in keys],
        "brier": [f"{told.scores[key].brier:.4f}" for key in keys],
        "lift": [told.scores[key].lift for key in keys],
    })  # fmt: skip
    scores = (
        Column("auc", Text("AUC", "AUC")),
        Column("brier", Text("Brier", "Brier")),
        Column("lift", Text("Lift of the top tenth", "首十分位提升度"), "number"),
    )
    ways = (Column("way", Text("Way (* used)", "方法(* 采用)")), Column("way_zh", Text("Way (* used)", "方法(* 采用)")))
    return TableBlock(
        Text("The model and the baselines", "模型与基线"), (ways[0], *scores), frame, columns_zh=(ways[1], *scores)
    )
