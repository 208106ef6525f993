"""What a check-up says of each metric: its name, what to do when it is ill, how to prevent it, what would prove a cure.

``{event}``, ``{previous}``, ``{segment}`` are filled in by the check-up. A prescription is a proposal to be tried on a part of the
audience, never a promise.
"""

from __future__ import annotations

from typing import NamedTuple

from userops.texts import Text


class Symptom(NamedTuple):
    """Words for one metric. ``good``: 1 where more is better, -1 where less is, 0 where neither."""

    label: Text
    good: int
    actions: tuple[Text, ...]
    prevention: tuple[Text, ...]
    proof: Text


_BACK_WITHIN = Text(
    "more of the audience come back and buy within 14 days than of the comparison group",
    "14 天内触达人群的回访购买率高于对照组",
)

SYMPTOMS: dict[str, Symptom] = {
    "step": Symptom(
        Text("{previous} → {event}", "{previous} → {event}"),
        1,
        (
            Text(
                "Walk through {previous} to {event} yourself on {segment}, and read its errors and releases of those days.",
                "在{segment}上亲自走一遍「{previous}」到「{event}」,核对当日的报错与发版记录。",
            ),
            Text(
                "Win back those who stopped there: a message with their basket, once it works again.",
                "修复后召回停在此处的用户:推送其未完成的购物车。",
            ),
        ),
        (
            Text(
                "Watch this step by segment every night (--history, --fail-on warn), and test it before each release.",
                "每晚按分组监控该步骤(--history、--fail-on warn),并在每次发版前回归测试。",
            ),
        ),
        Text(
            "the step is back at its usual rate within 7 days of the repair", "修复后 7 天内该步骤转化率恢复到平时水平"
        ),
    ),
    "failures": Symptom(
        Text("user-days with {event}", "出现「{event}」的用户日占比"),
        -1,
        (
            Text(
                "Find what raised {event}: releases, payment providers and partners of those days.",
                "排查「{event}」升高的原因:当日的发版、支付渠道与合作方。",
            ),
        ),
        (Text("Alert on {event} per active user.", "对每活跃用户的「{event}」设置告警。"),),
        Text("{event} is back at its usual share within 7 days", "7 天内「{event}」占比恢复到平时水平"),
    ),
    "reach": Symptom(
        Text("user-days with {event}", "有「{event}」行为的用户日占比"),
        0,
        (Text("Look at what changed around {event} in those days.", "查看当时「{event}」相关的改动。"),),
        (),
        Text("the share is back at its usual level", "占比恢复到平时水平"),
    ),
    "active_users": Symptom(
        Text("active users a day", "日活跃用户数"),
        1,
        (
            Text(
                "Compare with campaigns, releases and outages of those days; check tracking first.",
                "对照当日的活动、发版与故障;先排查埋点。",
            ),
        ),
        (Text("Keep a calendar of campaigns and releases beside the numbers.", "将活动与发版日历与数据并列记录。"),),
        Text("active users are back at their usual number for that weekday", "日活恢复到同星期几的平时水平"),
    ),
    "new_users": Symptom(
        Text("new users a day", "日新增用户数"),
        1,
        (
            Text(
                "Look at budgets, landing pages and tracking of the channels that changed.",
                "检查发生变化的渠道的预算、落地页与埋点。",
            ),
        ),
        (Text("Watch new users by channel every night.", "每晚按渠道监控新增。"),),
        Text("new users are back at their usual number within 14 days", "14 天内新增恢复到平时水平"),
    ),
    "new_users_share": Symptom(
        Text("share of new users", "新增用户占比"),
        0,
        (
            Text(
                "Check whether this mix of newcomers is wanted: compare what they are worth.",
                "确认该来源结构是否符合预期:比较其价值。",
            ),
        ),
        (),
        Text("the mix of newcomers is as planned", "新增来源结构符合计划"),
    ),
    "activation_rate": Symptom(
        Text("activation rate of newcomers", "新用户激活率"),
        1,
        (
            Text(
                "Help newcomers of {segment} to their first {event}: a shorter way there, a first-order offer, a reminder on day 2.",
                "帮助{segment}的新用户完成首次「{event}」:缩短路径、首单优惠、次日提醒。",
            ),
        ),
        (Text("Judge channels by activated newcomers, not by sign-ups.", "按激活用户而非注册数评价渠道。"),),
        Text("the activation rate of newcomers is back within 14 days", "14 天内新用户激活率恢复"),
    ),
    "retention": Symptom(
        Text("day-{event} retention of newcomers", "新用户第 {event} 日留存"),
        1,
        (
            Text(
                "Ask newcomers of {segment} what they missed, and give them a reason to come back on day {event}.",
                "访谈{segment}的新用户,并为其设计第 {event} 日的回访理由。",
            ),
        ),
        (Text("Watch retention by channel and by week of sign-up.", "按渠道与注册周监控留存。"),),
        Text(
            "retention of the next two weekly cohorts is back at its usual rate", "之后两周的新用户留存恢复到平时水平"
        ),
    ),
    "orders": Symptom(
        Text("orders a day", "日订单数"),
        1,
        (
            Text(
                "Check stock, prices, payment and traffic of those days, in this order.",
                "依次检查当日的库存、价格、支付与流量。",
            ),
        ),
        (Text("Alert on orders by hour against the same weekday.", "按小时与同星期几对比监控订单。"),),
        Text(
            "orders are back at their usual number for that weekday within 7 days", "7 天内订单恢复到同星期几的平时水平"
        ),
    ),
    "orders_share": Symptom(
        Text("share of orders", "订单占比"),
        1,
        (
            Text(
                "Check stock, price and visibility of {segment} in those days.", "检查当时{segment}的库存、价格与曝光。"
            ),
            Text(
                "Tell its usual buyers when it is back; offer the nearest alternative until then.",
                "恢复后通知其常购客户;在此之前推荐最接近的替代品。",
            ),
        ),
        (Text("Alert on stock of what sells most, a week before it runs out.", "对畅销品设置提前一周的库存预警。"),),
        Text("its share of orders is back within 14 days", "14 天内其订单占比恢复"),
    ),
    "aov": Symptom(
        Text("average order value", "客单价"),
        1,
        (Text("Look at discounts, bundles and the mix of items in those days.", "查看当时的折扣、组合与商品结构。"),),
        (Text("Put a floor under discounts.", "为折扣设定下限。"),),
        Text("the average order value is back within 28 days", "28 天内客单价恢复"),
    ),
    "refund_rate": Symptom(
        Text("refund rate", "退款率"),
        -1,
        (
            Text(
                "Read the reasons for refunds of {segment} in those days; stop selling what is at fault.",
                "查看{segment}当时的退款原因;下架问题商品。",
            ),
        ),
        (Text("Sample quality before each delivery; show sizes and photos of buyers.", "到货抽检;展示尺码与买家秀。"),),
        Text("the refund rate of the next 28 days is back at its usual level", "之后 28 天退款率恢复到平时水平"),
    ),
    "repeat_rate": Symptom(
        Text("second order within 30 days", "30 天内复购率"),
        1,
        (
            Text(
                "Write to first-time buyers of {segment} within two weeks: how to use it, what goes with it.",
                "首购后两周内触达{segment}的首购客户:使用指南与搭配推荐。",
            ),
        ),
        (Text("Watch the second order by channel of the first.", "按首单渠道监控复购。"),),
        Text("the next 28 days' first-time buyers repeat as usual", "之后 28 天首购客户的复购恢复"),
    ),
    "rhythm": Symptom(
        Text("{event} of customers against their own rhythm", "老客{event}相对自身节奏"),
        1,
        (
            Text(
                "Call or write to them personally before a discount: ask what is wrong, then offer what they usually buy.",
                "先一对一回访而非直接发券:了解原因,再推荐其常购商品。",
            ),
        ),
        (
            Text(
                "Look every week at the best customers who are silent for longer than usual (userops lifecycle, userops churn).",
                "每周检查沉默时间超过平时的高价值客户(userops lifecycle、userops churn)。",
            ),
        ),
        _BACK_WITHIN,
    ),
    "cac": Symptom(
        Text("cost per new user", "获客成本"),
        -1,
        (
            Text(
                "Cut the budget of {segment} back to what it was; pay again for more only where newcomers activate.",
                "将{segment}预算恢复到此前水平;仅为能激活的新用户加价。",
            ),
        ),
        (
            Text(
                "Set a ceiling for the cost per activated newcomer of each channel.",
                "为各渠道设定单个激活用户成本上限。",
            ),
        ),
        Text(
            "the cost per new user is back within 14 days, with no fewer activated newcomers",
            "14 天内获客成本恢复,且激活新用户不减少",
        ),
    ),
    "spend": Symptom(
        Text("spend a day", "日投放花费"),
        0,
        (Text("Check that somebody wanted this budget.", "确认该预算变动是否符合计划。"),),
        (),
        Text("spend is as planned", "花费符合计划"),
    ),
    "invites_per_user": Symptom(
        Text("invitations per active user", "人均邀请数"),
        1,
        (
            Text(
                "See what changed in the reward or the way to invite; offer the old reward to half of the inviters.",
                "检查邀请奖励或入口的改动;对一半邀请者恢复原奖励做对照。",
            ),
        ),
        (Text("Change a reward for a part of the users first.", "调整奖励前先小流量实验。"),),
        Text("those with the old reward invite more within 28 days", "28 天内恢复原奖励的一组邀请更多"),
    ),
    "invite_conversion": Symptom(
        Text("invitations that are accepted", "邀请转化率"),
        1,
        (Text("Walk through the invitation as an invited friend would.", "以被邀请者身份走一遍流程。"),),
        (Text("Test the invitation with every release.", "每次发版回归邀请流程。"),),
        Text("acceptance is back within 14 days", "14 天内邀请转化率恢复"),
    ),
}
"""Words by family of metrics; titles and numbers are made by the check-up."""


def to(text: Text, whom: Text) -> Text:
    """Advice with the segment that it is for."""
    apart = f" {whom.zh} " if whom.zh.isascii() else whom.zh  # Latin letters stand apart from Chinese ones
    return Text(text.en.replace("{segment}", whom.en), text.zh.replace("{segment}", apart).strip())
