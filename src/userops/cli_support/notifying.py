"""One message when something is new or worse: a JSON POST, or any of Apprise's services.

What it takes to send never changes the analysis: a message that does not arrive is a warning, and the exit code stays.
Addresses hold secrets (a webhook's path is its password), so that nothing of them is ever shown but the host.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from userops import __version__
from userops.checkup.findings import ORDER
from userops.cli_support.diagnostics import printable
from userops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from http.client import HTTPResponse

    from userops.checkup.findings import Finding
    from userops.results import Lang

TIMEOUT_SECONDS, TRIES, PAUSE_SECONDS = 10, 3, 1.0
"""Of one try; how many; before the second, and twice that before the third."""

LONGEST_BYTES = 3_500
"""Of the text: WeCom takes 4,096, all others more."""

TELLING = ("new", "worse", "open")
"""What a finding must be to be told; ``open``: there is no earlier report, so that everything is new."""

_STATUS_ZH = {"new": "新增", "worse": "恶化", "open": "发现"}
_SEVERITY_ZH = {"error": "严重", "warn": "警告"}


def check(address: str) -> None:
    """UsageError for an address that nothing can be sent to; it is looked at before anything is read."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme in ("http", "https"):
        if not host or parts.username is not None or not address.isascii() or " " in address or port == 0:
            hint = "it takes http(s)://HOST/PATH, without user and password; best set as USEROPS_NOTIFY"
            raise UsageError.notify_address(masked(address), "it is no address to post to", hint)
    elif not parts.scheme or "://" not in address:
        hint = "give it whole, such as https://example.com/hook; best set as USEROPS_NOTIFY"
        raise UsageError.notify_address(masked(address), "it is no address", hint)
    else:
        _apprise(address)


def masked(address: str) -> str:
    """An address as it may be shown: scheme and host of http(s), of others the scheme."""
    scheme, separator, _ = address.partition("://")
    if not separator or not scheme.isalnum():
        return "…"
    if scheme not in ("http", "https"):
        return f"{scheme}://…"
    try:
        return f"{scheme}://{urlsplit(address).hostname or ''}/…"
    except ValueError:
        return f"{scheme}://…"


def message(
    findings: Sequence[Finding], *, command: str, as_of: date | None, report: str | None = None, lang: Lang = "en"
) -> dict[str, Any] | None:
    """What is sent; None when nothing is new or worse (findings of severity info are nobody's alarm).

    ``text`` for people; ``command``, ``as_of``, ``severity`` (the worst that is told), ``counts`` (of all findings, by
    severity and by status), ``findings`` (those told: ``id, title, severity, status, impact``), ``report`` (its path).
    """
    told = [one for one in findings if one.status in TELLING and one.severity != "info"]
    if not told:
        return None
    told.sort(key=lambda one: (ORDER.index(one.severity), TELLING.index(one.status)))
    open_ones = [one for one in findings if one.status != "resolved"]
    counts = {severity: sum(one.severity == severity for one in open_ones) for severity in ORDER}
    return {
        "text": _text(told, f"userops {command} {as_of or ''}".strip(), report, lang),
        "command": command,
        "as_of": as_of.isoformat() if as_of else None,
        "severity": told[0].severity,
        "counts": {**counts, **dict(sorted(Counter(one.status for one in findings).items()))},
        "findings": [
            {
                "id": one.id,
                "title": one.title(lang),
                "severity": one.severity,
                "status": one.status,
                "impact": one.impact,
            }
            for one in told
        ],
        "report": report,
    }


def send(address: str, content: dict[str, Any], *, pause: float = PAUSE_SECONDS) -> str | None:
    """None when the message has arrived, else what went wrong, fit to be shown."""
    if urlsplit(address).scheme in ("http", "https"):
        problem = _post(address, content, pause)
    else:
        problem = None if _apprise(address).notify(body=content["text"], title="userops") else "the service refused it"
    return f"the message to {masked(address)} was not sent: {printable(problem)}" if problem else None


def notify(address: str, content: dict[str, Any] | None, warn: Callable[[str], None]) -> None:
    """Send what there is to send; whatever happens is at most a warning."""
    if content is None:
        return
    try:
        problem = send(address, content)
    except Exception as unforeseen:  # of a service's own code: the analysis is done, and stands
        problem = f"the message to {masked(address)} was not sent: {type(unforeseen).__name__}"
    if problem:
        warn(problem)


# --- what is said ------------------------------------------------------------------------------------------------------


def _text(told: Sequence[Finding], head: str, report: str | None, lang: Lang) -> str:
    """The message for people, as many findings as there is room for."""
    zh = lang == "zh"
    head += f":{len(told)} 项新增或恶化" if zh else f": {len(told)} new or worse"
    tail = [f"{'报告' if zh else 'Report'}: {report}"] if report else []
    lines = [_line(one, lang) for one in told]
    for shown in range(len(lines), -1, -1):
        left = len(lines) - shown
        more = [f"… 另有 {left} 项" if zh else f"… and {left} more"] if left else []
        text = "\n".join([head, *lines[:shown], *more, *tail])
        if len(text.encode()) <= LONGEST_BYTES:
            break
    return text


def _line(one: Finding, lang: Lang) -> str:
    if lang == "zh":
        how = f"{_SEVERITY_ZH[one.severity]},{_STATUS_ZH[one.status]}"
    else:
        how = one.severity if one.status == "open" else f"{one.severity}, {one.status}"
    money = f" ({one.impact:+,.0f})" if one.impact else ""
    return f"- [{how}] {printable(one.title(lang))}{money}"


# --- how it is sent ----------------------------------------------------------------------------------------------------


def _whole(content: dict[str, Any]) -> dict[str, Any]:
    return content


def _slack(content: dict[str, Any]) -> dict[str, Any]:
    return {"text": content["text"]}


def _dingtalk_or_wecom(content: dict[str, Any]) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": content["text"]}}


def _feishu(content: dict[str, Any]) -> dict[str, Any]:
    return {"msg_type": "text", "content": {"text": content["text"]}}


SHAPES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "hooks.slack.com": _slack,
    "oapi.dingtalk.com": _dingtalk_or_wecom,
    "qyapi.weixin.qq.com": _dingtalk_or_wecom,
    "open.feishu.cn": _feishu,
    "open.larksuite.com": _feishu,
}
"""Hosts that take a message of their own form; all others are sent everything."""

_CODES, _WORDS = ("errcode", "code", "StatusCode"), ("errmsg", "msg", "StatusMessage")


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would arrive without its message, as a GET."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Nothing: the redirect is the answer."""


def _post(address: str, content: dict[str, Any], pause: float) -> str | None:
    """None when the POST was taken; tried again where that may help: no connection, 429, 5xx."""
    host = urlsplit(address).hostname or ""
    body = json.dumps(SHAPES.get(host, _whole)(content), ensure_ascii=False, allow_nan=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": f"userops/{__version__}"}
    opener = build_opener(_NoRedirect)
    problem: str | None = None
    for turn in range(TRIES):
        if turn:
            time.sleep(pause * turn)
        try:
            request = Request(address, data=body, headers=headers, method="POST")  # noqa: S310 # http(s): send() looks
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return refusal(answer) if host in SHAPES else None
        except HTTPError as answered:
            answered.close()
            problem = f"it answers {answered.code}"
            if answered.code != 429 and answered.code < 500:
                return problem
        except (OSError, HTTPException, ValueError) as failed:
            problem = _words(getattr(failed, "reason", failed))
    return problem


def _words(problem: object) -> str:
    """What went wrong on the way; not in the words of the exception, which may hold the address."""
    if isinstance(problem, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS} s"
    return getattr(problem, "strerror", None) or type(problem).__name__


def refusal(answer: HTTPResponse) -> str | None:
    """Why a service did not take a message although it answers 200: DingTalk, WeCom and Feishu say so in the body."""
    try:
        said = json.loads(answer.read(65_536))
    except ValueError:
        return None
    codes = [said[name] for name in _CODES if name in said] if isinstance(said, dict) else []
    wrong = next((code for code in codes if code not in (0, "0")), None)
    if wrong is None:
        return None
    words = next((str(said[name]) for name in _WORDS if said.get(name)), "")
    return f"it answers {wrong} {words}".strip()[:200]


def _apprise(address: str) -> Any:
    """Apprise with the one address; UsageError where it is not installed or knows no such service."""
    try:
        from apprise import Apprise
    except ImportError:
        hint = "plain http(s) needs nothing; for other services: pip install 'userops[notify]'"
        raise UsageError.notify_address(masked(address), "that service needs Apprise", hint) from None
    services = Apprise()
    if not services.add(address):
        hint = "see Apprise's documentation for the form of each service's address"
        raise UsageError.notify_address(masked(address), "Apprise knows no such address", hint)
    return services
