"""Which export a file is, and which of its columns plays which role: the known exports as data, and the recogniser.

Header names are compared without case, spaces, underscores, hyphens and byte order marks (``Customer ID``,
``customer_id`` and ``CustomerID`` are one name). A known export is a file that has every column of its
``signature``; of several the one with the most columns wins. Any other file goes by synonyms. A name given with
``--map`` beats everything, and two columns that could equally well play a role are never chosen between.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import polars as pl

from userops.errors import InputError, UsageError, closest
from userops.inputs import times, values

if TYPE_CHECKING:
    from userops.frames import Grain
    from userops.inputs.raw import RawTable

Kind = Literal["orders", "events", "users", "subscriptions", "costs", "referrals", "feedback"]

REQUIRED: dict[Kind, tuple[str, ...]] = {
    "orders": ("user_id", "ordered_at", "amount"),
    "events": ("user_id", "event", "time"),
    "users": ("user_id",),
    "subscriptions": (),
    "costs": ("date", "spend"),
    "referrals": ("referrer_id", "invited_at"),
    "feedback": ("time",),
}
"""The roles a table of each kind is for. Orders without an amount still serve what only counts; subscriptions are
told in one of several ways; feedback has a score, a rating or both."""


def normalised(name: str) -> str:
    """A header name as it is compared: NFKC, no case, no separators, no byte order mark."""
    return re.sub(r"[\s_\-\ufeff\u200b]+", "", unicodedata.normalize("NFKC", name)).casefold()


def _names(*names: str) -> frozenset[str]:
    return frozenset(normalised(name) for name in names)


# --- the known exports ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows whose ``column`` holds one of ``values`` (any value when empty); the others with ``unless``."""

    column: str
    values: frozenset[str] = frozenset()
    unless: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """One known export.

    ``signature``: the columns it always has. ``roles``: the columns of each role, the first that is filled counts.
    ``grain``: what a row is, where the export says so. ``closed``: rows that are no orders, or no events.
    ``refunded``: orders whose money went back whole. ``totals_on_first_line``: fields of the order stand on its first
    line only. ``unit_open``: the amounts may be in minor units (cents). ``month_first``: how its dates go when they
    do not tell. ``timezone``: of times without one. ``positions``, ``shapes``: a file without a header, its columns
    in order and what some of them must look like. ``event_names``: the export's words for events.
    ``same_event``: roles in which copies of one event are alike, besides the event id.
    """

    name: str
    kind: Kind
    signature: frozenset[str]
    roles: Mapping[str, tuple[str, ...]]
    source_url: str = ""
    grain: Grain | None = None
    closed: tuple[Rule, ...] = ()
    refunded: tuple[Rule, ...] = ()
    totals_on_first_line: bool = False
    unit_open: bool = False
    month_first: bool = False
    timezone: str | None = None
    encoding: str | None = None
    positions: tuple[str, ...] = ()
    shapes: Mapping[str, str] = field(default_factory=dict)
    event_names: Mapping[str, str] = field(default_factory=dict)
    same_event: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


_SHOPIFY = Layout(
    "shopify-orders",
    "orders",
    _names("Name", "Email", "Financial Status", "Created at", "Lineitem quantity", "Total"),
    {
        "order_id": ("Name",),
        "user_id": ("Email", "Phone"),
        "ordered_at": ("Created at",),
        "amount": ("Total",),
        "refunded": ("Refunded Amount",),
        "currency": ("Currency",),
        "status": ("Financial Status",),
        "channel": ("Source",),
        "product_id": ("Lineitem sku",),
        "quantity": ("Lineitem quantity",),
    },
    "https://docs.xbp.app/docs/development/integrations/shopify/order-format",
    grain="line",
    closed=(Rule("Financial Status", frozenset({"voided"})), Rule("Cancelled at")),
    totals_on_first_line=True,
)

_WOOCOMMERCE = Layout(
    "woocommerce-orders",
    "orders",
    _names("order_id", "order_date", "status", "order_total"),
    {
        "order_id": ("order_id",),
        "user_id": ("customer_id", "customer_email", "billing_email"),
        "ordered_at": ("order_date",),
        "amount": ("order_total",),
        "currency": ("order_currency",),
        "status": ("status",),
    },
    "https://woocommerce.com/document/import-and-export-of-woocommerce-orders",
    closed=(Rule("status", frozenset({"cancelled", "failed", "pending", "trash", "checkout-draft"})),),
    refunded=(Rule("status", frozenset({"refunded"})),),
    month_first=True,
)

_STRIPE = Layout(
    "stripe-payments",
    "orders",
    _names("id", "Created (UTC)", "Amount", "Amount Refunded", "Currency", "Status"),
    {
        "order_id": ("id",),
        "user_id": ("Customer ID", "Customer Email"),
        "ordered_at": ("Created (UTC)",),
        "amount": ("Amount",),
        "refunded": ("Amount Refunded",),
        "currency": ("Currency",),
        "status": ("Status",),
    },
    "https://docs.cello.so/guides/attribution/stripe-reports",
    grain="order",
    closed=(Rule("Status", frozenset({"paid", "succeeded", "refunded", "partially refunded"}), unless=True),),
    unit_open=True,
    timezone="UTC",
)

_UCI = Layout(
    "uci-online-retail",
    "orders",
    _names("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"),
    {
        "order_id": ("InvoiceNo",),
        "user_id": ("CustomerID",),
        "ordered_at": ("InvoiceDate",),
        "product_id": ("StockCode",),
        "quantity": ("Quantity",),
        "unit_price": ("UnitPrice",),
    },
    "https://archive.ics.uci.edu/dataset/352/online+retail",
    grain="line",
)

_CDNOW = Layout(
    "cdnow",
    "orders",
    _names("customer_id", "date", "number_of_cds", "dollar_value"),
    {"user_id": ("customer_id",), "ordered_at": ("date",), "quantity": ("number_of_cds",), "amount": ("dollar_value",)},
    "https://github.com/CamDavidsonPilon/lifetimes/blob/master/lifetimes/datasets/CDNOW_master.txt",
    grain="order",
)

_SEGMENT = Layout(
    "segment-tracks",
    "events",
    _names("id", "anonymous_id", "event", "event_text", "received_at", "sent_at"),
    {
        "user_id": ("user_id", "anonymous_id"),
        "event": ("event_text", "event"),
        "time": ("timestamp", "received_at"),
        "ingested_at": ("received_at",),
        "event_id": ("id",),
    },
    "https://github.com/segmentio/segment-docs/blob/develop/src/connections/storage/warehouses/schema.md",
    timezone="UTC",
    aliases=("rudderstack-tracks",),
)

LAYOUTS: tuple[Layout, ...] = (
    _SHOPIFY,
    _WOOCOMMERCE,
    _STRIPE,
    replace(
        _STRIPE,
        signature=_names("id", "Created date (UTC)", "Amount", "Amount Refunded", "Currency", "Status"),
        roles={**_STRIPE.roles, "ordered_at": ("Created date (UTC)",)},
    ),
    Layout(
        "taobao-orders",
        "orders",
        _names("订单编号", "买家会员名", "买家实际支付金额", "订单状态", "订单创建时间", "订单付款时间"),
        {
            "order_id": ("订单编号",),
            "user_id": ("买家会员名",),
            "ordered_at": ("订单付款时间", "订单创建时间"),
            "amount": ("买家实际支付金额",),
            "status": ("订单状态",),
        },
        "",
        grain="order",
        closed=(Rule("订单状态", frozenset({"交易关闭"})),),
        encoding="gb18030",
    ),
    _UCI,
    replace(
        _UCI,
        name="uci-online-retail-ii",
        signature=_names("Invoice", "StockCode", "Quantity", "InvoiceDate", "Price", "Customer ID"),
        roles={**_UCI.roles, "order_id": ("Invoice",), "user_id": ("Customer ID",), "unit_price": ("Price",)},
        source_url="https://archive.ics.uci.edu/dataset/502/online+retail+ii",
    ),
    _CDNOW,
    replace(
        _CDNOW,
        signature=frozenset(),
        positions=("customer_id", "date", "number_of_cds", "dollar_value"),
        shapes={"customer_id": r"\d+", "date": r"199[78](0[1-9]|1[0-2])[0-3]\d", "number_of_cds": r"\d+"},
    ),
    replace(
        _CDNOW,
        signature=frozenset(),
        positions=("master_id", "customer_id", "date", "number_of_cds", "dollar_value"),
        shapes={"master_id": r"\d+", "customer_id": r"\d+", "date": r"199[78](0[1-9]|1[0-2])[0-3]\d"},
    ),
    Layout(
        "ga4-bigquery",
        "events",
        _names("event_date", "event_timestamp", "event_name", "user_pseudo_id"),
        {
            "user_id": ("user_id", "user_pseudo_id"),
            "event": ("event_name",),
            "time": ("event_timestamp",),
            "amount": ("ecommerce.purchase_revenue", "ecommerce.purchase_revenue_in_usd"),
            "order_id": ("ecommerce.transaction_id",),
            "channel": ("traffic_source.medium",),
        },
        "https://developers.google.com/analytics/bigquery/event-schema",
        timezone="UTC",
    ),
    Layout(
        "amplitude-export",
        "events",
        _names("amplitude_id", "event_type", "event_time", "uuid"),
        {
            "user_id": ("user_id", "amplitude_id"),
            "event": ("event_type",),
            "time": ("event_time",),
            "event_id": ("$insert_id", "uuid"),
            "session_id": ("session_id",),
            "ingested_at": ("server_upload_time",),
        },
        "https://amplitude.com/docs/apis/analytics/export",
        timezone="UTC",
    ),
    Layout(
        "mixpanel-export",
        "events",
        _names("event", "properties.distinct_id", "properties.time"),
        {
            "user_id": ("properties.distinct_id",),
            "event": ("event",),
            "time": ("properties.time",),
            "event_id": ("properties.$insert_id",),
        },
        "https://docs.mixpanel.com/reference/raw-event-export",
        same_event=("event", "user_id", "time"),
    ),
    _SEGMENT,
    Layout(
        "posthog-batch",
        "events",
        _names("uuid", "event", "distinct_id", "person_id", "properties", "timestamp"),
        {
            "user_id": ("person_id", "distinct_id"),
            "event": ("event",),
            "time": ("timestamp",),
            "event_id": ("uuid",),
            "ingested_at": ("_inserted_at", "created_at"),
        },
        "https://posthog.com/docs/data-pipelines/batch-exports/s3",
        timezone="UTC",
    ),
    Layout(
        "sensors-log",
        "events",
        _names("distinct_id", "time", "type", "event", "properties"),
        {
            "user_id": ("login_id", "identities.$identity_login_id", "distinct_id"),
            "event": ("event",),
            "time": ("time",),
        },
        "https://manual.sensorsdata.cn/sa/docs/tech_knowledge_layout",
        closed=(Rule("type", frozenset({"track"}), unless=True),),
    ),
    Layout(
        "sensors-events",
        "events",
        _names("event", "user_id", "distinct_id", "date", "time"),
        {"user_id": ("user_id",), "event": ("event",), "time": ("time",), "ingested_at": ("$receive_time",)},
        "https://manual.sensorsdata.cn/sa/docs/dataTablesAndDataTypes/v0300",
    ),
    Layout(
        "taobao-userbehavior",
        "events",
        frozenset(),
        {
            "user_id": ("user_id",),
            "event": ("behavior",),
            "time": ("timestamp",),
            "item_id": ("item_id",),
            "category_id": ("category_id",),
        },
        "https://tianchi.aliyun.com/dataset/649",
        timezone="Asia/Shanghai",
        positions=("user_id", "item_id", "category_id", "behavior", "timestamp"),
        shapes={"behavior": "pv|buy|cart|fav", "timestamp": r"-?\d+"},
        event_names={"pv": "view", "cart": "cart", "fav": "favourite", "buy": "purchase"},
    ),
    Layout(
        "rees46-events",
        "events",
        _names("event_time", "event_type", "product_id", "category_id", "brand", "price", "user_id", "user_session"),
        {
            "user_id": ("user_id",),
            "event": ("event_type",),
            "time": ("event_time",),
            "session_id": ("user_session",),
            "item_id": ("product_id",),
            "category_id": ("category_id",),
            "amount": ("price",),
        },
        "https://rees46.com/en/datasets",
        timezone="UTC",
    ),
    Layout(
        "retailrocket",
        "events",
        _names("timestamp", "visitorid", "event", "itemid", "transactionid"),
        {
            "user_id": ("visitorid",),
            "event": ("event",),
            "time": ("timestamp",),
            "item_id": ("itemid",),
            "order_id": ("transactionid",),
        },
        "https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
    ),
)
"""Every export userops knows, most of them read from public importers and documentation."""

NO_LAYOUT = "none"
"""What ``--layout`` takes to skip the known exports."""


def layout_named(name: str) -> Layout | None:
    """The first layout of that name, or None (``generic`` and ``canonical`` are not layouts)."""
    return next((layout for layout in LAYOUTS if name in (layout.name, *layout.aliases)), None)


# --- synonyms ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Synonyms:
    """Names a role goes by: ``plain`` ones say it, ``vague`` ones count only where no plain one is there."""

    plain: frozenset[str]
    vague: frozenset[str] = frozenset()


def _synonyms(plain: str, vague: str = "") -> Synonyms:
    return Synonyms(_names(*plain.split()), _names(*vague.split()))


_SHARED = {
    "user_id": _synonyms(
        "uid customer_id customer cust_id member_id buyer_id distinct_id client_id account_id user customer_no member_no"
        " 用户ID 用户编号 会员ID 会员编号 会员号 客户编号 客户ID 买家ID 顾客编号 用户标识",
        "email customer_email user_email phone mobile buyer member"
        " 邮箱 手机号 手机号码 会员名 买家会员名 用户名 客户 用户 买家",
    ),
    "channel": _synonyms("utm_source acquisition_channel marketing_channel 渠道 来源渠道 推广渠道", "source 来源"),
    "ingested_at": _synonyms("received_at loaded_at inserted_at synced_at"),
    "order_id": _synonyms(
        "order_no order_number order_num invoice invoice_no invoice_id transaction_id trade_no"
        " 订单号 订单编号 订单ID 交易号 交易编号"
    ),
}

SYNONYMS: dict[Kind, dict[str, Synonyms]] = {
    "orders": {
        **_SHARED,
        "ordered_at": _synonyms(
            "order_time order_date order_datetime order_timestamp order_created_at created_at paid_at payment_time"
            " payment_date pay_time purchase_time purchase_date purchased_at transaction_date transaction_time"
            " invoice_date 下单时间 下单日期 订单时间 订单日期 订单创建时间 创建时间"
            " 付款时间 支付时间 订单付款时间 购买时间 交易时间 消费时间",
            "timestamp date dt time datetime create_time 日期 时间",
        ),
        "amount": _synonyms(
            "total revenue gmv sales order_amount order_total order_value total_amount total_price total_paid"
            " paid_amount amount_paid pay_amount payment_amount sales_amount transaction_amount"
            " 实付金额 实付款 实付 实收金额 支付金额 付款金额 订单金额 订单总额 总金额 成交金额 交易金额 消费金额",
            "value price spend payment monetary total_value 金额 总价 销售额",
        ),
        "currency": _synonyms("currency_code order_currency 币种 货币"),
        "product_id": _synonyms(
            "sku product item_id stock_code 商品ID 商品编号 商品编码", "product_name item 商品名称 商品"
        ),
        "quantity": _synonyms("qty item_quantity 数量 商品数量 购买数量", "units"),
        "unit_price": _synonyms("price_per_unit item_price 单价 商品单价", "price"),
        "status": _synonyms("order_status 订单状态", "状态"),
    },
    "events": {
        **_SHARED,
        "event": _synonyms(
            "event_name event_type action behavior behaviour behavior_type 事件 事件名 事件名称 行为 行为类型",
            "activity 动作",
        ),
        "time": _synonyms(
            "event_time timestamp occurred_at event_timestamp event_at ts 时间 事件时间 发生时间 行为时间",
            "created_at datetime date dt 日期",
        ),
        "session_id": _synonyms("session user_session visit_id 会话ID"),
        "item_id": _synonyms("product_id itemid sku 商品ID"),
        "event_id": _synonyms("insert_id message_id uuid"),
        "amount": _synonyms("revenue order_amount total_amount 金额 订单金额 支付金额 实付金额", "total value price"),
        "currency": _synonyms("currency_code 币种 货币"),
        "ingested_at": _synonyms("received_at loaded_at inserted_at synced_at server_time server_upload_time"),
    },
    "users": {
        **_SHARED,
        "user_id": replace(_SHARED["user_id"], vague=_SHARED["user_id"].vague | _names("id")),
        "signed_up_at": _synonyms(
            "signup_at signup_date signup_time registered_at registration_date register_time joined_at join_date"
            " 注册时间 注册日期",
            "created_at",
        ),
    },
    "subscriptions": {
        "user_id": _SHARED["user_id"],
        "started_at": _synonyms(
            "start_at start_date start_time subscription_start subscribed_at subscription_date activated_at"
            " 开始时间 开始日期 订阅时间 订阅日期 开通时间 开通日期",
            "start created_at signup_date signed_up_at",
        ),
        "ended_at": _synonyms(
            "end_at end_date end_time subscription_end cancelled_at canceled_at cancel_date churned_at churn_date"
            " terminated_at 结束时间 结束日期 取消时间 取消日期 退订时间 退订日期",
            "end expired_at 到期时间",
        ),
        "tenure": _synonyms("tenure_months lifetime duration 在网时长 存续期", "months"),
        "churned": _synonyms("churn is_churned has_churned cancelled canceled 流失 是否流失 已流失"),
        "period": _synonyms("renewal renewals 期 期数 周期", "year month week"),
        "alive": _synonyms("survivors subscribers still_active 留存人数 存续人数", "active users remaining"),
    },
    "costs": {
        "date": _synonyms("day spend_date cost_date 日期 投放日期", "time timestamp month week dt 时间"),
        "channel": replace(_SHARED["channel"], vague=_SHARED["channel"].vague | _names("platform", "medium", "平台")),
        "spend": _synonyms("cost costs ad_spend adspend spend_amount 花费 消耗 投放费用 广告费 费用 成本", "amount 金额"),
        "currency": _synonyms("currency_code 币种 货币"),
    },
    "referrals": {
        "referrer_id": _synonyms("inviter_id inviter referrer invited_by referrer_user_id 邀请人 邀请人ID 推荐人 推荐人ID"),
        "invited_at": _synonyms("invite_time invite_date invitation_time sent_at 邀请时间 邀请日期", "time created_at date"),
        "user_id": _synonyms("invitee_id invitee referred_id referred_user_id joined_id 被邀请人 被邀请人ID 受邀用户 用户ID"),
    },
    "feedback": {
        "user_id": _SHARED["user_id"],
        "time": _synonyms(
            "answered_at responded_at submitted_at reviewed_at rated_at feedback_time feedback_date review_time review_date"
            " survey_date response_time 反馈时间 评价时间 评论时间 提交时间 填写时间",
            "timestamp created_at datetime date dt day 时间 日期",
        ),
        "score": _synonyms("nps nps_score likelihood_to_recommend recommend_score NPS评分 NPS得分 推荐分 推荐意愿", "评分 得分"),
        "rating": _synonyms("csat csat_score stars star_rating satisfaction satisfaction_score 满意度 满意度评分 星级"),
        "text": _synonyms(
            "comment comments review review_text feedback feedback_text verbatim answer 反馈 反馈内容 评价 评价内容 评论 评论内容"
            " 意见",
            "message content body note 内容",
        ),
        "topic": _synonyms("topics theme tag 主题 话题 问题类型 反馈类型", "category reason 分类 原因"),
        "platform": _synonyms("os device_type 平台 终端"),
        "channel": _SHARED["channel"],
    },
}  # fmt: skip
"""The names of each role, besides the role's own."""

ROLES: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *(role for roles in SYNONYMS.values() for role in roles),
            *("refunded", "category_id", "platform", "consent", "email"),
            *("started_at", "ended_at", "tenure", "churned", "period", "alive"),
            *("date", "spend", "referrer_id", "invited_at"),
        ]
    )
)
"""Every role ``--map`` can name."""

_TIMES = frozenset(
    {"ordered_at", "time", "ingested_at", "signed_up_at", "started_at", "ended_at", "invited_at", "date"}
)
_NUMBERS = frozenset({"amount", "quantity", "unit_price", "refunded", "spend", "tenure", "score", "rating"})


# --- the recogniser ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recognition:
    """What a file is.

    ``layout``: the export's name; ``generic`` by synonyms, ``canonical`` when the names are already ours. ``roles``:
    the columns of each role, in the order in which they are asked. ``open``: roles that several columns could play.
    ``variant``: the known export. ``nobody``: no column says whose the rows are, and none need to.
    """

    kind: Kind | None
    layout: str
    roles: dict[str, tuple[str, ...]]
    open: dict[str, tuple[str, ...]] = field(default_factory=dict)
    variant: Layout | None = None
    nobody: bool = False


def columns_of(schema: Mapping[str, pl.DataType], prefix: str = "") -> dict[str, pl.DataType]:
    """Every column with its type; the fields of a struct beside it, as ``struct.field``."""
    columns: dict[str, pl.DataType] = {}
    for name, dtype in schema.items():
        columns[prefix + name] = dtype
        if isinstance(dtype, pl.Struct):
            columns |= columns_of({inner.name: inner.dtype for inner in dtype.fields}, f"{prefix}{name}.")  # type: ignore[misc]
    return columns


def recognise(
    table: RawTable, *, layout: str | None = None, mapping: Mapping[str, str] | None = None, want: Kind | None = None
) -> Recognition:
    """What ``table`` is and which columns play which role.

    ``layout`` forces a known export (``none``: none of them), ``mapping`` gives columns of roles, ``want`` the kind
    that is needed. A role nobody plays is left out, one that several could play is in ``open``: see :func:`playing`.
    Raises UsageError for an unknown role or layout; InputError for an unknown column, for two layouts that fit
    equally well, and for a known export of another kind.
    """
    columns = columns_of(table.schema)
    mapped = _mapped(mapping or {}, columns, table.name)
    known = _known_export(table, layout, want)
    if (
        known is not None
        and want not in (None, "users", known.kind)
        and not set(REQUIRED[want]) - {"amount"} <= set(mapped)
    ):
        raise InputError.wrong_kind(table.name, known.name, known.kind, want)
    if known is not None and want in (None, known.kind, "users"):
        roles = _roles_of(known, columns)
        own = {role: (role,) for role in SYNONYMS[known.kind] if role in columns and role not in roles}
        return Recognition(want or known.kind, known.name, {**own, **roles, **mapped}, variant=known)
    kind = want or _kind(table, columns, mapped)
    roles, unclear = _by_name(table, columns, kind or "users", mapped)
    ours = kind is not None and all(roles.get(role) == (role,) for role in REQUIRED[kind] or roles)
    return Recognition(kind, "canonical" if ours else "generic", roles, unclear)


def is_of(kind: Kind, table: RawTable, mapping: Mapping[str, str] | None = None) -> bool:
    """Whether a table has every column that a kind is for, by name."""
    columns = columns_of(table.schema)
    roles, _ = _by_name(table, columns, kind, _mapped(mapping or {}, columns, table.name))
    return set(REQUIRED[kind]) <= set(roles)


def playing(recognition: Recognition, role: str, table: RawTable) -> tuple[str, ...]:
    """The columns that play a role that is needed; InputError where there is none, or a choice to make."""
    if role in recognition.roles:
        return recognition.roles[role]
    if role in recognition.open:
        raise InputError.column_ambiguous(role, table.name, recognition.open[role])
    names = list(table.schema)
    raise InputError.column_missing(role, table.name, names, _nearest(role, recognition, table))


def _mapped(mapping: Mapping[str, str], columns: Mapping[str, pl.DataType], name: str) -> dict[str, tuple[str, ...]]:
    """The roles given by hand; a column may be written in any case and with any separators."""
    found: dict[str, tuple[str, ...]] = {}
    for role, column in mapping.items():
        if role not in ROLES:
            raise UsageError.unknown_name("role", role, ROLES)
        found[role] = (column_named(column, columns, name),)
    return found


def column_named(column: str, columns: Iterable[str], table: str) -> str:
    """The file's own spelling of a column; InputError with the closest one when there is none."""
    names = list(columns)
    alike = [name for name in names if normalised(name) == normalised(column)]
    if column in names:
        return column
    if len(alike) != 1:
        raise InputError.column_unknown(column, table, names)
    return alike[0]


def _known_export(table: RawTable, name: str | None, want: Kind | None) -> Layout | None:
    """The known export a table is; of several that fit, the one with most columns, of the wanted kind first."""
    if name in (NO_LAYOUT, "generic", "canonical"):
        return None
    if name is not None and layout_named(name) is None:
        raise UsageError.unknown_name("layout", name, [*dict.fromkeys(known.name for known in LAYOUTS), NO_LAYOUT])
    candidates = [known for known in LAYOUTS if name is None or name in (known.name, *known.aliases)]
    fitting = [known for known in candidates if _fits(known, table, forced=name is not None)]
    if want is not None and any(known.kind == want for known in fitting):
        fitting = [known for known in fitting if known.kind == want]
    widest = max((_width(known) for known in fitting), default=0)
    best = [known for known in fitting if _width(known) == widest]
    if len(best) > 1:
        raise InputError.layout_ambiguous(table.name, [known.name for known in best])
    if not best and name is not None:
        raise InputError.layout_unfit(table.name, name, list(table.schema))
    return best[0] if best else None


def _width(layout: Layout) -> int:
    return len(layout.signature) + len(layout.positions)


def _fits(layout: Layout, table: RawTable, *, forced: bool) -> bool:
    """Whether a table has the columns; forced, whether it has those of some user and some time."""
    if table.headerless:
        return len(layout.positions) == len(table.schema) and (forced or _shaped(layout, table))
    if layout.positions:
        return False
    header = _names(*columns_of(table.schema))
    if not forced:
        return layout.signature <= header
    return all(
        _names(*layout.roles[role]) & header for role in layout.roles if role in ("user_id", "ordered_at", "time")
    )


def _shaped(layout: Layout, table: RawTable) -> bool:
    """Whether the first rows of a file without a header look like the layout's columns, every one of them."""
    places = {column: table.head.columns[layout.positions.index(column)] for column in layout.shapes}
    checks = [
        pl.col(places[column]).cast(pl.String).str.strip_chars().str.contains(f"^(?:{shape})$").all()
        for column, shape in layout.shapes.items()
    ]
    return bool(checks) and table.head.height > 0 and all(table.head.select(check).item() for check in checks)


def _roles_of(layout: Layout, columns: Mapping[str, pl.DataType]) -> dict[str, tuple[str, ...]]:
    """The layout's roles with the file's spelling of each column, without the columns that the file lacks."""
    spelled = {normalised(name): name for name in reversed(list(columns))}
    if layout.positions:
        spelled = dict(zip(map(normalised, layout.positions), columns, strict=False))
    there = {
        role: tuple(spelled[n] for n in map(normalised, names) if n in spelled) for role, names in layout.roles.items()
    }
    return {role: names for role, names in there.items() if names}


def _kind(table: RawTable, columns: Mapping[str, pl.DataType], mapped: Mapping[str, tuple[str, ...]]) -> Kind | None:
    """The kind a table of no known layout most likely is; None where it is nobody's, and tells of no spend or score."""
    orders, events, lives, costs, referrals, feedback = (
        {role for part in _by_name(table, columns, kind, mapped) for role in part}
        for kind in ("orders", "events", "subscriptions", "costs", "referrals", "feedback")
    )
    if {"event", "time"} <= events and "user_id" in orders:
        return "events"
    if "time" in feedback and feedback & {"score", "rating"} and "amount" not in orders:
        return "feedback"
    if referrals >= {"referrer_id", "invited_at", "user_id"} and "amount" not in orders:
        return "referrals"
    if "user_id" not in orders:
        return "costs" if costs >= {"date", "spend"} else None
    if "ordered_at" in orders and (orders & {"amount", "order_id"} or _says_order(columns, mapped)):
        return "orders"
    return "subscriptions" if lives >= {"started_at", "ended_at"} or lives >= {"tenure", "churned"} else "users"


def _says_order(columns: Iterable[str], mapped: Mapping[str, object]) -> bool:
    """Whether some column is about a purchase, by its name."""
    return "ordered_at" in mapped or any(
        re.search("order|purchase|paid|下单|订单|购买|付款|支付", normalised(c)) for c in columns
    )


def _by_name(
    table: RawTable, columns: Mapping[str, pl.DataType], kind: Kind, mapped: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Roles by name, and the roles that two columns could play as well.

    In falling order: given by hand, the role's own name, its plain synonyms, its vague ones.
    """
    taken = {column for names in mapped.values() for column in names}
    free = [column for column in columns if column not in taken]
    roles, unclear = dict(mapped), {}
    for role, names in SYNONYMS[kind].items():
        if role in mapped:
            continue
        found = [role] if role in free else _candidates(table, free, role, names)
        if len(found) == 1:
            roles[role] = (found[0],)
        elif found:
            unclear[role] = tuple(found)
    if "unit_price" in roles and roles["unit_price"] == roles.get("amount"):
        del roles["amount" if "quantity" in roles else "unit_price"]
    return roles, unclear


def _candidates(table: RawTable, free: list[str], role: str, names: Synonyms) -> list[str]:
    """The columns of the best rank that has any, and whose values could be what the role wants."""
    for rank in (_names(role), names.plain, names.vague):
        found = [column for column in free if normalised(column) in rank and _could_be(table, column, role)]
        if found:
            return found
    return []


def _could_be(table: RawTable, column: str, role: str) -> bool:
    """Whether the first values of a column look like what the role wants."""
    if column not in table.head.columns:
        return True
    head = table.head[column]
    if role in _TIMES:
        return times.looks_like_times(head)
    return values.looks_like_numbers(head) if role in _NUMBERS else not head.dtype.is_nested()


def _nearest(role: str, recognition: Recognition, table: RawTable) -> str | None:
    """The free column most like a role: by name, else the only one with values that fit."""
    taken = {column for names in recognition.roles.values() for column in names}
    names = SYNONYMS[recognition.kind or "users"].get(role, Synonyms(frozenset()))
    columns = [column for column in table.schema if column not in taken][:200]
    by_name = {normalised(column): column for column in columns}
    for name in (role, *sorted(names.plain), *sorted(names.vague)):
        near = closest(normalised(name), by_name)
        if near is not None and _could_be(table, by_name[near], role):
            return by_name[near]
    fitting = [column for column in columns if role in _TIMES and _could_be(table, column, role)]
    return fitting[0] if len(fitting) == 1 else None
