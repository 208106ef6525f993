"""Columns that look like personal data: by what they are called, and by what a sample of them holds.

Looking only tells what is likely. It is there so that nothing leaves by oversight, not to prove that nothing does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import polars as pl

SAMPLE = 1_000
"""Values of a column that are looked at, the first ones."""

_WORDS = frozenset({
    "phone", "mobile", "tel", "telephone", "cellphone", "whatsapp", "wechat", "weixin", "email", "mail", "addr", "address",
    "street", "openid", "unionid", "idfa", "idfv", "oaid", "imei", "gaid", "aaid", "passport", "ssn", "iban", "birthday",
    "birthdate", "dob", "surname", "nickname", "username", "firstname", "lastname", "fullname", "ip", "qq",
})  # fmt: skip
_NAMES = frozenset({
    "name", "first_name", "last_name", "full_name", "user_name", "customer_name", "real_name", "family_name", "given_name",
    "id_card", "idcard", "id_number", "bank_card", "card_number", "card_no", "national_id", "date_of_birth", "open_id",
    "union_id", "device_id", "anonymous_id", "ip_address", "evidence", "example",
})  # fmt: skip
_CHINESE = (
    "手机",
    "电话",
    "邮箱",
    "邮件",
    "身份证",
    "姓名",
    "名字",
    "昵称",
    "地址",
    "住址",
    "银行卡",
    "微信",
    "生日",
    "护照",
)

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


class Personal(NamedTuple):
    """A column that looks personal: what it looks like, and the share of its sample that does (None: by its name)."""

    column: str
    looks_like: str
    share: float | None


def personal_columns(frame: pl.DataFrame) -> list[Personal]:
    """The columns of the frame that look like personal data, in their order; ``user_id`` is none of them."""
    found = []
    for column, dtype in frame.schema.items():
        if column == "user_id":
            continue
        if by_name(column):
            found.append(Personal(column, "name of the column", None))
        elif dtype.is_integer() or dtype.base_type() in (pl.String, pl.Categorical, pl.Enum):
            sample = frame[column].drop_nulls().head(SAMPLE).cast(pl.String).to_list()
            kind, share = _kind(sample)
            if kind:
                found.append(Personal(column, kind, share))
    return found


def by_name(column: str) -> bool:
    """True for names that promise personal data, in English (whole words) and Chinese."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower().strip()
    name = re.sub(r"[\s.\-]+", "_", name)
    return name in _NAMES or not _WORDS.isdisjoint(name.split("_")) or any(word in name for word in _CHINESE)


def looks_like(text: str) -> str | None:
    """What personal data the text holds: email, mobile, id card, bank card or ip; None where it looks like none."""
    return next((kind for kind, holds in _KINDS.items() if holds(text)), None)


def _kind(sample: list[str]) -> tuple[str | None, float]:
    """What most of the sample that looks like something looks like, and the share that looks like anything."""
    kinds = [kind for kind in map(looks_like, sample) if kind]
    return (max(sorted(set(kinds)), key=kinds.count), len(kinds) / len(sample)) if kinds else (None, 0.0)


def is_id_card(digits: str) -> bool:
    """True for a Chinese identity number: 17 digits and the check character of GB 11643 (ISO 7064, MOD 11-2)."""
    if not re.fullmatch(r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]", digits):
        return False
    return _CHECKS[sum(int(d) * w for d, w in zip(digits, _WEIGHTS, strict=False)) % 11] == digits[-1].upper()


def is_bank_card(digits: str) -> bool:
    """True for 16 to 19 digits with the check digit of Luhn (ISO/IEC 7812), beginning as cards do."""
    if not re.fullmatch(r"[3-6]\d{15,18}", digits):
        return False
    doubled = (2 * int(digit) if place % 2 else int(digit) for place, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _holds(pattern: str, check: Callable[[str], bool] | None = None) -> Callable[[str], bool]:
    compiled = re.compile(pattern)

    def holds(text: str) -> bool:
        return any(check is None or check(re.sub(r"[ -]", "", found.group())) for found in compiled.finditer(text))

    return holds


def _is_ip6(text: str) -> bool:
    import ipaddress

    if text.count(":") < 2 or len(text) > 45:
        return False
    try:
        return ipaddress.ip_address(text.strip()).version == 6
    except ValueError:
        return False


_is_ip4 = _holds(r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])")

_KINDS: dict[str, Callable[[str], bool]] = {
    "email": _holds(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*\.\w{2,}"),
    "id card": _holds(r"(?<![\dA-Za-z])\d{17}[\dXx](?![\dA-Za-z])", is_id_card),
    "mobile": _holds(r"(?<![\dA-Za-z])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\dA-Za-z])"),
    "bank card": _holds(
        r"(?<![\d.A-Za-z])\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}(?:[ -]?\d{1,3})?(?![\dA-Za-z])", is_bank_card
    ),
    "ip": lambda text: _is_ip4(text) or _is_ip6(text),
}
