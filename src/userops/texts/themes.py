"""What users write about, as data: themes by the words that tell them, words that tell nothing, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from userops.texts import Text


class Theme(NamedTuple):
    """A theme: its key, its name, the words (beginnings of words) and the characters that tell it, what to do first."""

    key: str
    name: Text
    words: str
    characters: str
    act: Text


THEMES: tuple[Theme, ...] = (
    Theme("payment", Text("payment", "支付"), "pay(s|ed|ing|ment|ments)?|paid|check ?out|checkouts?|billing|charged|card declined",
          "支付|付款|付不了|结账|扣款|下单失败",
          Text("Pay once yourself on every platform and version, and read the provider's refusals of these days.",
               "在各端各版本亲自支付一次,并查看支付渠道这几天的失败记录。")),
    Theme("stock", Text("stock", "缺货"), "sold out|out of stock|restock(ed|ing)?|unavailable|no stock|nothing left",
          "缺货|断货|无货|没货|售罄|补货",
          Text("Restock what is asked for, take it off the front page meanwhile, and tell those who asked when it is back.",
               "补足被问到的商品,缺货期间撤下主推位,到货后通知询问过的用户。")),
    Theme("delivery", Text("delivery", "物流"), "deliver(y|ed|ies)|ship(ping|ped|ment)|parcel|courier|package|arrived late|late",
          "物流|快递|发货|配送|送货|到货慢",
          Text("Compare promised and actual days by carrier and region, and promise what holds.",
               "按承运商与地区对比承诺与实际时效,只承诺做得到的。")),
    Theme("returns", Text("returns and refunds", "退换货"), "return(s|ed|ing)?|refund(s|ed|ing)?|exchange",
          "退货|退款|换货|退换",
          Text("Walk through a return as a customer does, and take out steps.", "以顾客身份走一遍退货流程并精简步骤。")),
    Theme("quality", Text("quality", "质量"), "quality|broken|defect(s|ive)?|damaged|wrong (colou?r|item|size)|smaller|larger|fake",
          "质量|破损|坏了|瑕疵|色差|假货|做工",
          Text("Look at these items and their pictures; talk to the supplier of the worst.",
               "检查这些商品及其图片,并与问题最多的供应商沟通。")),
    Theme("price", Text("price", "价格"), "prices?|expensive|overpriced|worth|costly|discounts?|coupons?",
          "价格|太贵|贵了|涨价|不值|优惠|折扣",
          Text("Compare the price of the best sellers with two competitors.", "对比畅销品与两家竞品的价格。")),
    Theme("app", Text("app and site", "应用与网站"), "app|bugs?|crash(es|ed|ing)?|freez(es|ing)|slow|loads?|loading|log ?in|update",
          "卡顿|闪退|崩溃|打不开|登录|加载|更新|应用|软件",
          Text("Read crash and error reports by version, and take the worst version back.",
               "按版本查看崩溃与报错,回退问题最多的版本。")),
    Theme("support", Text("support", "客服"), "support|service|staff|rude|answer(ed|s)?|repl(y|ies|ied)|agent",
          "客服|服务|态度|回复|不理",
          Text("Read twenty of these conversations and name the three most frequent questions.",
               "抽读二十段对话,列出最常见的三个问题。")),
    Theme("messages", Text("messages", "消息打扰"), "spam|messages|e-?mails?|newsletters?|notifications?|unsubscribe",
          "骚扰|短信|推送|打扰|退订|广告",
          Text("Halve how often one person is written to, and measure what is lost.", "将单人触达频次减半,并评估影响。")),
)  # fmt: skip
"""What most complaints of shops and apps are about."""

STOP_WORDS: frozenset[str] = frozenset({
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because",
    "been", "before", "being", "both", "but", "by", "can", "could", "did", "do", "does", "doing", "down", "each",
    "ever", "every", "few", "for", "from", "get", "got", "had", "has", "have", "having", "he", "her", "here", "his",
    "how", "i", "if", "in", "into", "is", "it", "its", "just", "me", "more", "most", "my", "never", "no", "not", "of",
    "off", "on", "once", "one", "only", "or", "other", "our", "out", "over", "own", "really", "same", "she", "should",
    "since", "so", "some", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "through", "time", "to", "too", "under", "until", "up", "us", "very", "was", "we", "were", "what",
    "when", "where", "which", "while", "who", "why", "will", "with", "would", "you", "your",
})  # fmt: skip
"""English words that name nothing."""

STOP_CHARACTERS = "的了是我你他她它们在有不也都很就和与及或但被把给让这那个一吗呢吧啊呀哦又还再没要会能可以为"
"""Chinese characters with which no name of anything begins or ends."""
