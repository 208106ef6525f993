"""Names of events that are known without being told: stages of buying as shops, GA4, 神策 and Taobao call them."""

from __future__ import annotations

from collections.abc import Collection

STAGES: tuple[tuple[str, ...], ...] = (
    ("view_item", "product_view", "view_product", "product_viewed", "viewed_product", "item_view", "viewproduct",
     "commoditydetail", "pv", "view", "浏览商品", "商品浏览", "浏览商品详情页"),
    ("add_to_cart", "addtocart", "added_to_cart", "product_added", "cart_add", "addtoshoppingcart", "cart", "加购",
     "加入购物车", "加购物车"),
    ("begin_checkout", "checkout_started", "start_checkout", "initiate_checkout", "checkout", "shipping_details",
     "add_shipping_info", "submitorder", "submit_order", "提交订单", "下单"),
    ("add_payment_info", "payment_details", "payment_started", "payment_info_entered", "开始支付"),
    ("purchase", "order_completed", "completed_purchase", "purchase_completed", "purchase_complete", "payment_done",
     "payorder", "pay_order", "order_paid", "buy", "pay", "支付订单", "支付成功", "支付", "购买"),
)  # fmt: skip
"""Stages in the order people go through them; of each the first name that a file has is a step."""

FAILURES = ("error", "fail", "bug", "exception", "crash", "timeout", "declin", "reject", "错误", "失败", "异常", "崩溃")
"""What names of events hold that tell of something that went wrong."""


ONCE = (
    "sign_up",
    "signup",
    "register",
    "registration",
    "first_open",
    "first_visit",
    "install",
    "app_install",
    "注册",
    "激活",
)
"""Events that users have once: how often they occur is how many users are new."""


def steps(names: Collection[str]) -> tuple[str, ...]:
    """The steps of buying among the names of events, in order; empty unless there are two or more."""
    known = {name.strip().lower(): name for name in sorted(names, reverse=True)}
    found = [next((known[name] for name in stage if name in known), None) for stage in STAGES]
    there = tuple(name for name in found if name is not None)
    return there if len(there) > 1 else ()


def buying(names: Collection[str]) -> str | None:
    """The event that is a purchase; None where none is known by its name."""
    known = {name.strip().lower(): name for name in sorted(names, reverse=True)}
    return next((known[name] for name in STAGES[-1] if name in known), None)


def is_failure(name: str) -> bool:
    """Whether an event by its name tells of something that went wrong."""
    return any(word in name.lower() for word in FAILURES)
