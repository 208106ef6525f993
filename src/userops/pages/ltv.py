"""What a person sees of lifetime values: headline, tiers, how the model was chosen, how it tracks, in two languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from userops.models.repeat_buying import MODELS
from userops.pages import shared
from userops.results import Block, ChartBlock, Column, FactsBlock, HeatBlock, NotesBlock, Series, TableBlock, Text

if TYPE_CHECKING:
    import polars as pl

    from userops.lifetime_value.backtest import Came, Choice
    from userops.lifetime_value.fitting import SavedModel
    from userops.ltv import Story

FEW = 100
"""Fewer repeat customers than this say little."""

RELATED = 0.3
"""A correlation between how often and how much from which Gamma-Gamma is doubtful."""

NO_DROPOUT = Text(
    "NBD: nothing in these data tells customers who have left from those who wait; models of dropout fit no better. "
    "So nobody's chance of being alive is given.",
    "NBD:数据无法区分已流失与等待中的客户,含流失的模型并不更优,因此不给出存活概率。",
)


def why(choice: Choice) -> Text:
    """Why that model."""
    name = MODELS[choice.name].NAME
    if choice.why == "asked":
        return Text(f"{name}, as asked for.", f"按指定使用 {name}。")
    if choice.why == "saved":
        return Text(f"{name}, as it was saved: nothing was fitted.", f"{name},沿用所存模型,未重新拟合。")
    if choice.why == "no_dropout":
        return NO_DROPOUT
    return _by_backtest(name, choice) if choice.why == "backtest" else _by_likelihood(name)


def _by_likelihood(name: str) -> Text:
    return Text(
        f"{name}: the best log-likelihood for its number of parameters (AIC); there was no backtest.",
        f"{name}:按参数个数调整后的对数似然(AIC)最优;未做回测。",
    )


def _by_backtest(name: str, choice: Choice) -> Text:
    deviance, off = choice.deviance, choice.off
    if not choice.others:
        return Text(
            f"{name}: predicted the orders of the past best (deviance {deviance:.4f}; total off by {100 * off:.1f} %).",
            f"{name}:回测预测最准(偏差 {deviance:.4f},总量误差 {100 * off:.1f}%)。",
        )
    also = ", ".join(MODELS[other].NAME for other in choice.others)
    return Text(
        f"{name}: in the backtest as good as {also} (deviance {deviance:.4f}), and nearer to the total "
        f"(off by {100 * off:.1f} %).",
        f"{name}:回测中与 {also} 相当(偏差 {deviance:.4f}),总量更接近(误差 {100 * off:.1f}%)。",
    )


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    settings, told, found = story.settings, story.predicted, story.found
    horizon, share, unit = settings.horizon.days, f"{100 * settings.interval:g}", settings.unit_name
    unit_zh = {"day": "天", "week": "周"}[unit]
    words = [
        Text(
            "Frequency: days with an order after the first such day; recency: from the first to the last of them; T: from "
            f"the first to as-of ({found.as_of}, {settings.tz}); in {unit}s. Monetary value: mean value of the repeat days, "
            "a refund netting the order day at or before it.",
            f"频次:首单日之后的下单天数;recency:首单日至末单日;T:首单日至统计截止日({found.as_of},{settings.tz});"
            f"单位为{unit_zh}。monetary_value:复购日均金额,退款冲减其当日或之前最近的下单日。",
        ),
    ]
    if settings.realised:
        words.append(Text(
            "Cohort: the month of the first order. Revenue per user: what customers seen for that many days paid from the "
            "day of the first order (day 0) through that day, refunds netted. Complete: all of the cohort were seen so long.",
            "群组:首单月份。人均收入:已观测满该天数的客户自首单日(第 0 天)至该日的净支付额。完整:全组均已观测满。",
        ))  # fmt: skip
    if found.costs is not None:
        of, of_zh = "revenue", "收入"
        if settings.margin != 1:
            of, of_zh = f"revenue times the margin {settings.margin:g}", f"收入×毛利率 {settings.margin:g}"
        words.append(Text(
            "CAC: what was spent in the month of the first orders (on the channel, with --by channel), over the customers who "
            f"first ordered in it. Payback: the first day by which the cohort's {of} had reached that, among days that all "
            f"of it were seen. Paid back: {of} so far over costs; LTV / CAC: that and the expected ltv, over costs.",
            f"获客成本:首单月份的费用(--by channel 时按渠道)÷ 当月首单客户数。回本天数:全组均已观测的天数内,{of_zh}首次达到"
            f"费用的天数。已回本:至今{of_zh} ÷ 费用;LTV/获客成本:再加期望 ltv。",
        ))  # fmt: skip
    if told.fit is not None:
        words.append(Text(
            f"Model: {MODELS[told.name].NAME} fitted by maximum likelihood"
            + (", spending by Gamma-Gamma" if told.spend.fit and found.has_money else "") + ".",
            f"模型:{MODELS[told.name].NAME},极大似然估计" + (";金额用 Gamma-Gamma" if told.spend.fit else "") + "。",
        ))  # fmt: skip
        if found.has_money:
            words.append(Text(
                f"ltv: expected value of the orders of the next {horizon} days, discounted at {100 * settings.discount:g} % a "
                f"year of 365 days, times the margin {settings.margin:g}. What was paid so far is apart (spent).",
                f"ltv:未来 {horizon} 天订单的期望金额,按年(365 天)折现率 {100 * settings.discount:g}% 折现,"
                f"乘以毛利率 {settings.margin:g};已支付金额另列(spent)。",
            ))  # fmt: skip
        words.append(Text(
            f"Limits hold what a customer (or all together) will really bring with {share} %: parameters are drawn around "
            "their estimates, and with each of them futures. Totals: normal around the expectation.",
            f"区间({share}%)针对客户(或全体)实际将带来的金额:先抽取参数,再抽取未来;总量按正态近似。",
        ))  # fmt: skip
    if told.backtest:
        n = len(found.origins)
        origins = "an earlier day" if n == 1 else f"each of {n} earlier days"
        words.append(Text(
            f"Backtest: models are fitted to what was known at {origins} and asked for the {found.held} days after; naive_rate: the customer's own rate so far goes on; naive_past: as many orders "
            "as so far. Error of the total: (predicted - actual) / actual. Gini: of the gain curve, 1 is the true order.",
            f"回测:在 {len(found.origins)} 个历史时点拟合并预测其后 {found.held} 天;naive_rate:延续客户自身频率;"
            "naive_past:与过往次数相同。总量误差:(预测-实际)/实际;Gini:增益曲线归一化,1 为真实排序。",
        ))  # fmt: skip
    if not settings.realised:
        ranked = {
            "ltv": ("ltv", "ltv"),
            "billionths": ("expected orders", "期望订单数"),
            "spent": ("spent", "已支付额"),
        }
        en, zh = ranked.get(story.ranked_by, ("orders", "订单数"))
        words.append(Text(
            f"Tiers: by {en}, above the observed values at ranks 95, 80 and 50 %; equal values share a tier.",
            f"分层:按{zh},高于 95%、80%、50% 排名处的实际值;相同值同层。",
        ))  # fmt: skip
    return tuple(words)


def warnings(story: Story, summary: dict[str, Any]) -> list[Text]:
    """What may mislead in these numbers."""
    told, found, settings = story.predicted, story.found, story.settings
    notes: list[Text] = []
    if not summary["users"]:
        return [Text("no customer has an order here", "没有任何客户有订单")]
    if told.fit is None:
        notes.append(Text(
            f"nothing can be predicted: {told.problem}. What was paid so far is told instead",
            "无法预测:没有复购,或首单后尚未经过时间;仅列出已支付金额",
        ))  # fmt: skip
        return notes
    if told.name != "nbd" and not told.dropout:
        notes.append(Text(
            f"dropout cannot be told from these data ({MODELS[told.name].NAME} gains {told.gain or 0:.2f} in "
            "log-likelihood over NBD, which has none): no P(alive); --model nbd says the same with less",
            f"数据无法识别流失(相对 NBD 的对数似然增益 {told.gain or 0:.2f}),不给出存活概率;可用 --model nbd",
        ))  # fmt: skip
    if told.choice and told.choice.why == "no_dropout":
        notes.append(Text(
            "dropout cannot be told from these data: no P(alive) is given, and customers silent for long are expected back "
            "at their own rate",
            "数据无法识别流失:不给出存活概率,长期沉默的客户仍按其频率预期回购",
        ))  # fmt: skip
    elif told.name == "nbd":
        notes.append(Text("NBD takes nobody for lost: no P(alive) is given", "NBD 假定无人流失:不给出存活概率"))
    if told.name == "bg-nbd" and told.dropout:
        notes.append(Text(
            "BG/NBD takes everybody who ordered once for alive (P(alive) 1); MBG/NBD and Pareto/NBD do not",
            "BG/NBD 将所有一次性客户视为存活(概率 1);MBG/NBD 与 Pareto/NBD 不如此",
        ))  # fmt: skip
    again = summary["users"] - summary["one_time_users"]
    if again < FEW:
        notes.append(Text(
            f"customers with a second order day: only {again:,}: take parameters and limits with care",
            f"仅 {again:,} 个客户有复购日:参数与区间仅供参考",
        ))  # fmt: skip
    if told.fit.edge:
        names = ", ".join(told.fit.edge)
        notes.append(Text(
            f"customers differ less than the model allows for: {names} ran to the edge",
            f"客户差异小于模型所设:{names} 到达边界",
        ))  # fmt: skip
    if found.has_money and told.spend.problem is not None:
        notes.append(Text(
            f"no model of spending: {told.spend.problem.en}; every order counts as the mean, {told.spend.flat:,.2f}",
            f"金额无模型:{told.spend.problem.zh};每单按均值 {told.spend.flat:,.2f} 计",
        ))  # fmt: skip
    related = summary["spend_correlation"]
    if told.spend.fit is not None and related is not None and abs(related) > RELATED:
        notes.append(Text(
            f"who orders more often spends {'more' if related > 0 else 'less'} per order (correlation {related:.2f}): "
            "Gamma-Gamma takes them for independent",
            f"下单频次与客单价相关(相关系数 {related:.2f}),而 Gamma-Gamma 假定独立",
        ))  # fmt: skip
    off = summary["backtest_total_error"]
    if off is not None and abs(off) > 0.2:
        notes.append(Text(
            f"in the backtest the total was {100 * abs(off):.0f} % too {'high' if off > 0 else 'low'}: a trend or a season "
            "that no such model knows; the limits do not hold it",
            f"回测总量{'偏高' if off > 0 else '偏低'} {100 * abs(off):.0f}%:存在模型不含的趋势或季节性,区间未包含",
        ))  # fmt: skip
    if not found.has_money:
        notes.append(Text("no amounts: orders are predicted, no value", "没有金额:仅预测订单数"))
    if settings.saved is not None:
        notes += _of_saved(story, settings.saved)
    elif found.held and settings.backtest is not None and found.held < settings.backtest.days:
        notes.append(Text(
            f"the history is too short for a backtest of {settings.backtest.days} days; it is of {found.held}",
            f"历史不足以回测 {settings.backtest.days} 天,改为 {found.held} 天",
        ))  # fmt: skip
    if told.one_in > 1:
        notes.append(Text(
            f"the model was chosen and tested on {told.backtest.users:,} customers (1 in {told.one_in}), then fitted to all",
            f"模型的选择与回测基于 {told.backtest.users:,} 个客户(1/{told.one_in}),再对全体拟合",
        ))  # fmt: skip
    return notes


def _of_saved(story: Story, saved: SavedModel) -> Iterator[Text]:
    """What a saved model may be wrong about by now."""
    found = story.found
    if saved.as_of > found.as_of:
        yield Text(
            f"the model was fitted to data as of {saved.as_of}, later than these of {found.as_of}",
            f"模型拟合于 {saved.as_of},晚于当前截止日 {found.as_of}",
        )
    for who, who_zh, came in _came(story):
        if came.far:
            off, side, side_zh = (
                abs(100 * (came.off or 0)),
                *(("high", "高") if came.orders < came.expected else ("low", "低")),
            )
            yield Text(
                f"the model no longer fits {who}: it was {off:.0f} % too {side}: fit anew, without --model-file",
                f"模型对{who_zh}已不适用(偏{side_zh} {off:.0f}%):请重新拟合(去掉 --model-file)",
            )


def _came(story: Story) -> Iterator[tuple[str, str, Came]]:
    """Whom a saved model knows, and who came since, with what they ordered."""
    told = story.predicted.drift
    if told and told.known:
        yield "customers it was fitted to", "拟合时已有客户", told.known
    if told and told.new:
        yield "customers who came since", "其后新客", told.new


def _since(story: Story) -> Iterator[Text]:
    """What came since a saved model was fitted, beside what it had said."""
    told, saved = story.predicted.drift, story.settings.saved
    for who, who_zh, came in _came(story):
        yield Text(
            f"In the {told.days if told else 0} days since {saved.as_of if saved else ''}, {came.users:,} {who} came back "
            f"{came.orders:,} times; the model had said {came.expected:,.0f} ± {came.deviation:,.0f}.",
            f"自 {saved.as_of if saved else ''} 起 {told.days if told else 0} 天,{came.users:,} 名{who_zh}复购 {came.orders:,} 次;"
            f"模型预期 {came.expected:,.0f} ± {came.deviation:,.0f}。",
        )


TIER_COLUMNS = (
    Column("users", Text("Users", "用户数"), "count"),
    Column("expected_orders", Text("Expected orders", "期望订单"), "number"),
    Column("expected_value", Text("Expected value", "期望价值"), "money"),
    Column("value_share", Text("Of value", "价值占比"), "share", bar=True),
    Column("mean_ltv", Text("Per user", "人均"), "money"),
    Column("ltv_from", Text("From", "起"), "money"),
    Column("spent", Text("Spent so far", "已支付"), "money"),
)
TIER, TIER_ZH = Column("tier", Text("Tier", "层级")), Column("tier_zh", Text("Tier", "层级"))

USER_COLUMNS = (
    Column("user_id", Text("User", "用户")),
    Column("frequency", Text("Frequency", "频次"), "count"),
    Column("recency", Text("Recency", "recency"), "number"),
    Column("T", Text("T", "T"), "number"),
    Column("monetary_value", Text("Mean value", "复购日均额"), "money"),
    Column("p_alive", Text("P(alive)", "存活概率"), "share"),
    Column("expected_orders", Text("Expected orders", "期望订单"), "number"),
    Column("ltv", Text("LTV", "LTV"), "money"),
    Column("ltv_low", Text("Low", "下限"), "money"),
    Column("ltv_high", Text("High", "上限"), "money"),
    TIER,
)
COHORT_COLUMNS = (
    Column("cohort", Text("Cohort", "群组"), "date"),
    Column("cohort_users", Text("Users", "用户数"), "count"),
    Column("day", Text("Day", "天"), "count"),
    Column("eligible_users", Text("Seen so long", "已观测满"), "count"),
    Column("revenue_per_user", Text("Revenue per user", "人均收入"), "money", bar=True),
)


COST_COLUMNS = (
    Column("cac", Text("CAC", "获客成本"), "money"),
    Column("paid_back", Text("Paid back", "已回本"), "share"),
    Column("payback", Text("Payback, days", "回本天数"), "count"),
)
REASON, REASON_ZH = Column("reason", Text("Why not", "原因")), Column("reason_zh", Text("Why not", "原因"))
ACQUISITION_COLUMNS = (
    Column("users", Text("Users", "用户数"), "count"),
    Column("spend", Text("Cost", "费用"), "money"),
    Column("cac", Text("CAC", "获客成本"), "money"),
    Column("paid_back", Text("Paid back", "已回本"), "share"),
    Column("ltv_cac", Text("LTV / CAC", "LTV/获客成本"), "number"),
)


def customers(users: pl.DataFrame) -> TableBlock:
    """The table of customers."""
    return TableBlock(Text("Customers", "客户"), USER_COLUMNS, users, columns_zh=(*USER_COLUMNS[:-1], TIER_ZH))


def views(
    story: Story, rows: pl.DataFrame, extras: dict[str, pl.DataFrame], summary: dict[str, Any], warnings: list[Text]
) -> tuple[Block, ...]:
    """The page: headline, tiers or cohorts, how the model was chosen, tracking, calibration, definitions, warnings."""
    blocks: list[Block] = [_facts(story, summary)]
    if story.settings.realised:
        columns, zh = (*_by(story), *COHORT_COLUMNS), (*_by(story), *COHORT_COLUMNS)
        if story.found.costs is not None:
            columns, zh = (*columns, *COST_COLUMNS, REASON), (*zh, *COST_COLUMNS, REASON_ZH)
        blocks.append(TableBlock(Text("Paid by cohorts so far", "群组已实现收入"), columns, rows, columns_zh=zh))
        blocks += [curve] if (curve := _curve(story, rows)) else []
    else:
        blocks += [_tiers(story, rows), *_model(story, summary), *_charts(story, extras)]
    if (cost := extras.get("acquisition")) is not None and cost.height:
        title = Text("What customers cost and bring, months with costs", "获客成本与回报(有费用的月份)")
        blocks.append(TableBlock(title, (*_by(story), *ACQUISITION_COLUMNS), cost))
    if story.found.has_money:
        blocks.append(_reconciliation(story))
    return (*blocks, *shared.ending(definitions(story), warnings))


def _facts(story: Story, summary: dict[str, Any]) -> FactsBlock:
    days, currency = summary["horizon_days"], summary["currency"] or ""
    facts: list[tuple[Text, Any, Any]] = [
        (Text("customers", "客户"), summary["users"], "count"),
        (Text("ordered on one day only", "仅一日下单"), summary["one_time_users"], "count"),
    ]
    if story.predicted.fit is not None:
        facts.append((Text(f"orders in {days} days", f"{days} 天期望订单"), summary["expected_orders"], "number"))
        if story.found.has_money:
            facts += [
                (Text(f"value {currency}".strip(), f"期望价值 {currency}".strip()), summary["expected_value"], "money"),
                (Text("from", "下限"), summary["expected_value_low"], "money"),
                (Text("to", "上限"), summary["expected_value_high"], "money"),
                (Text("at past rates", "按既往频率"), summary["naive_expected_value"], "money"),
            ]
    if summary["revenue"] is not None:
        facts.append((Text("spent so far", "已支付"), summary["revenue"], "money"))
    return FactsBlock(tuple(facts))


def _reconciliation(story: Story) -> NotesBlock:
    """From what customers spent to the file."""
    books, found = story.found.books, story.found
    customers, refunds = int(found.users["spent"].sum()), int(found.refund_only["spent"].sum())
    outside = books.file_total - books.rejected_total - customers - refunds
    others = [
        shared.amount(en, zh, steps)
        for en, zh, steps in (
            ("refund-only customers", "仅退款客户", refunds),
            ("outside the window", "窗口外", outside),
            ("rejected rows", "剔除行", books.rejected_total),
        )
        if steps
    ]
    return shared.reconciliation([shared.amount("customers", "客户", customers), *others], books.file_total)


def _by(story: Story) -> tuple[Column, ...]:
    return shared.by_columns(story.settings.by)


def _tiers(story: Story, rows: pl.DataFrame) -> TableBlock:
    by = _by(story)
    days, as_of = story.settings.horizon.days, story.found.as_of
    title = Text(f"The next {days} days by tier, as of {as_of}", f"未来 {days} 天价值分层(截至 {as_of})")
    return TableBlock(title, (*by, TIER, *TIER_COLUMNS), rows, columns_zh=(*by, TIER_ZH, *TIER_COLUMNS))


def _model(story: Story, summary: dict[str, Any]) -> list[Block]:
    """The parameters and why this model; how all of them, and the baselines, did on the past."""
    told = story.predicted
    if told.fit is None or told.choice is None:
        return []
    kind = MODELS[told.name].NAME
    numbers = ", ".join(f"{name} {value:,.4g}" for name, value in told.fit.parameters.items())
    unit = story.settings.unit_name
    likelihood = f"log-likelihood {told.fit.log_likelihood:,.1f}"
    notes = [
        why(told.choice),
        *_since(story),
        Text(f"{kind}: {numbers} ({unit}s); {likelihood}.", f"{kind}:{numbers};{likelihood}。"),
    ]
    if summary["spend_parameters"]:
        spend = ", ".join(f"{name} {value:,.4g}" for name, value in summary["spend_parameters"].items())
        related = summary["spend_correlation"]
        tail = "" if related is None else f"; r(frequency, value) {related:.2f}"
        notes.append(Text(f"Gamma-Gamma: {spend}{tail}.", f"Gamma-Gamma:{spend}{tail}。"))
    if told.backtest and summary["expected_orders_recalibrated"] is not None:
        notes.append(_recalibrated(summary))
    blocks: list[Block] = [NotesBlock(Text("Model", "模型"), tuple(notes))]
    if told.backtest:
        blocks.append(_backtest(story))
    return blocks


def _recalibrated(summary: dict[str, Any]) -> Text:
    """What the totals would be if the model erred as it did in the backtest."""
    orders, value = summary["expected_orders_recalibrated"], summary["expected_value_recalibrated"]
    en, zh = f"{orders:,.0f} orders", f"订单 {orders:,.0f}"
    if value is not None:
        en, zh = f"{en}, value {value:,.2f}", f"{zh},价值 {value:,.2f}"
    return Text(f"Were it to err as in the backtest: {en}.", f"若按回测误差修正:{zh}。")


def _backtest(story: Story) -> TableBlock:
    """Models and baselines, means over the origins."""
    import polars as pl

    told = story.predicted
    names = [*told.candidates, "naive_rate", "naive_past"]
    measures = ("deviance", "mae", "rmse", "total_error", "gini")
    labels = {
        **{name: kind.NAME for name, kind in MODELS.items()},
        "naive_rate": "naive_rate",
        "naive_past": "naive_past",
    }
    rows = [
        (
            labels[n] + (" *" if n == told.name else ""),
            told.backtest.deviance(n),
            *(told.backtest.scores(n) or [None] * 4),
        )
        for n in names
    ]
    frame = pl.DataFrame(rows, schema={"model": pl.String, **dict.fromkeys(measures, pl.Float64)}, orient="row")
    columns = (
        Column("model", Text("Model (* chosen)", "模型(* 为所选)")),
        Column("deviance", Text("Deviance", "偏差"), "number"),
        Column("mae", Text("MAE", "MAE"), "number"),
        Column("rmse", Text("RMSE", "RMSE"), "number"),
        Column("total_error", Text("Error of total", "总量误差"), "share"),
        Column("gini", Text("Gini", "Gini"), "number"),
    )
    held = story.found.held
    return TableBlock(Text(f"Backtest: {held} days ahead", f"回测:预测 {held} 天"), columns, frame)


def _charts(story: Story, extras: dict[str, pl.DataFrame]) -> list[Block]:
    blocks: list[Block] = []
    actual, expected, predicted = Text("actual", "实际"), Text("expected", "期望"), Text("predicted", "预测")
    weeks = extras.get("tracking")
    if weeks is not None and weeks.height > 1:
        labels = tuple(day.isoformat() for day in weeks["week"])
        lines = (
            Series(actual, tuple(map(float, weeks["actual"]))), Series(expected, tuple(weeks["expected"])),
        )  # fmt: skip
        blocks.append(ChartBlock(Text("Repeat orders by week", "每周复购"), labels, lines, kind="number"))
    tenths = extras.get("calibration")
    if tenths is not None and tenths.height > 1:
        title = Text(
            f"Orders in the last {story.found.held} days, by tenths of the prediction",
            f"最近 {story.found.held} 天订单数,按预测十分位",
        )
        lines = (Series(predicted, tuple(tenths["predicted"])), Series(actual, tuple(tenths["actual"])))
        blocks.append(ChartBlock(title, tuple(map(str, tenths["tenth"])), lines, kind="number"))
    gain = extras.get("gain")
    if gain is not None and gain.height:
        title = Text(
            "Share of those orders that the best tenths by prediction brought", "按预测排序前几成客户贡献的订单占比"
        )
        lines = (
            Series(Text("model", "模型"), tuple(gain["model"])),
            Series(Text("true order", "真实排序"), tuple(gain["true_order"])),
        )
        blocks.append(ChartBlock(title, tuple(map(str, gain["tenth"])), lines, kind="share"))
    if (cells := extras.get("map")) is not None and cells.height:
        blocks.append(_map(story, cells))
    return blocks


def _map(story: Story, cells: pl.DataFrame) -> HeatBlock:
    """Expected orders by how often customers came back and how long they are silent."""
    found = {(f, s): mean for f, s, _, mean in cells.iter_rows()}
    often, silent = (sorted(set(cells[name])) for name in ("frequency_from", "silent_from"))
    days = story.settings.horizon.days
    return HeatBlock(
        Text(f"Expected orders of a customer in {days} days", f"每个客户未来 {days} 天期望订单数"),
        Text("Repeat days", "复购天数"),
        Text("Days since the last order", "距上次下单天数"),
        tuple(Text(f"{f}+", f"≥{f}") if f > 2 else Text(str(f), str(f)) for f in reversed(often)),
        tuple(Text(f"{s}+", f"≥{s}") for s in silent),
        tuple(tuple(found.get((f, s)) for s in silent) for f in reversed(often)),
        kind="number",
    )


def _curve(story: Story, rows: pl.DataFrame) -> ChartBlock | None:
    """Revenue per user of each cohort by the longest of the days that is complete for two of them or more."""
    import polars as pl

    if story.settings.by:
        return None
    lines = []
    labels = [day.isoformat() for day in rows["cohort"].unique().sort()]
    for n in story.settings.days:
        part = rows.filter(pl.col("day") == n).sort("cohort")
        values = tuple(v if done else None for v, done in part.select("revenue_per_user", "complete").iter_rows())
        if any(value is not None for value in values):
            lines.append(Series(Text(f"{n} days", f"{n} 天"), values))
    if not lines or len(labels) < 2:
        return None
    title = Text("Revenue per user within so many days, complete cohorts", "人均收入(仅完整群组)")
    return ChartBlock(title, tuple(labels), tuple(lines), kind="money")
