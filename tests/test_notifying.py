"""Messages: when there is one, what is in it, and that nothing that befalls it hurts or tells a secret."""

from __future__ import annotations

import datetime as dt
import importlib.util
import io
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from posting import Post
from userops.checkup.findings import Finding
from userops.cli_support import notifying
from userops.errors import UsageError
from userops.results import Text

DAY = dt.date(2026, 11, 30)
DROP = Finding(
    "behaviour.checkout", "behaviour", Text("Checkout fell", "支付下降"), "warn", impact=-1800.4, status="new"
)
GOAL = Finding("goals.revenue", "goals", Text("Revenue is behind", "收入落后"), "error", status="worse")
OLD = Finding("goals.orders", "goals", Text("Orders are behind", "订单落后"), "error", status="same")
NOTE = Finding("portrait.share", "portrait", Text("Most are new", "新用户居多"), "info", status="new")
GONE = Finding("content.item", "content", Text("An item", "商品"), "info", status="resolved")


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    monkeypatch.setenv("NO_PROXY", "*")
    with Post() as here:
        yield here


def content(*findings: Finding, **more: Any) -> dict[str, Any]:
    found = notifying.message(findings or (DROP,), command="diagnose", as_of=DAY, **more)
    assert found is not None
    return found


# --- when, and what


@pytest.mark.parametrize("quiet", [(), (OLD,), (NOTE,), (GONE,), (OLD, NOTE, GONE)])
def test_nothing_new_or_worse_is_no_message(quiet: tuple[Finding, ...], post: Post) -> None:
    message = notifying.message(quiet, command="diagnose", as_of=DAY)
    assert message is None
    notifying.notify(post.address, message, warn=pytest.fail)
    assert post.received == []


def test_what_a_message_holds() -> None:
    found = content(OLD, NOTE, DROP, GOAL, GONE, report="out/report.html")
    assert found["text"].splitlines() == [
        "userops diagnose 2026-11-30: 2 new or worse",
        "- [error, worse] Revenue is behind",
        "- [warn, new] Checkout fell (-1,800)",
        "Report: out/report.html",
    ]
    assert found["findings"][1] == {
        "id": "behaviour.checkout",
        "title": "Checkout fell",
        "severity": "warn",
        "status": "new",
        "impact": -1800.4,
    }
    assert {key: found[key] for key in ("command", "as_of", "severity", "report")} == {
        "command": "diagnose",
        "as_of": "2026-11-30",
        "severity": "error",
        "report": "out/report.html",
    }
    assert found["counts"] == {"error": 2, "warn": 1, "info": 1, "new": 2, "resolved": 1, "same": 1, "worse": 1}
    assert content(GOAL, lang="zh")["text"].splitlines()[1] == "- [严重,恶化] 收入落后"


def test_a_message_stays_short_and_on_its_lines() -> None:
    long = Finding("a", "goals", Text("x" * 100 + "\n\x1b[31mred", "长" * 100), "warn", status="open")
    for lang in ("en", "zh"):
        text = content(*[long] * 60, lang=lang, report="r.html")["text"]
        assert len(text.encode()) <= notifying.LONGEST_BYTES
        assert text.splitlines()[-1].endswith("r.html")
        assert "…" in text.splitlines()[-2]
        assert "\x1b" not in text
    assert len(content(*[long] * 60)["findings"]) == 60


# --- sending


def test_one_json_post(post: Post) -> None:
    assert notifying.send(post.address, content(GOAL)) is None
    ((path, headers, body),) = post.received
    assert path == "/secret?token=hidden"
    assert headers["Content-Type"].startswith("application/json")
    assert headers["User-Agent"].startswith("userops/")
    assert body == content(GOAL)


@pytest.mark.parametrize(
    ("answers", "tries", "says"),
    [
        ([500, 200], 2, None),
        ([429, 503, 200], 3, None),
        ([500, 502, 503, 200], 3, "it answers 503"),
        ([404, 200], 1, "it answers 404"),
        ([302, 200], 1, "it answers 302"),
    ],
)
def test_what_may_pass_is_tried_again(post: Post, answers: list[int], tries: int, says: str | None) -> None:
    post.answers = [(code, "token=hidden") for code in answers]
    problem = notifying.send(post.address, content(), pause=0)
    assert len(post.received) == tries
    if says is None:
        assert problem is None
    else:
        assert problem == f"the message to http://127.0.0.1/… was not sent: {says}"


def test_nobody_there_is_a_warning_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    said: list[str] = []
    monkeypatch.setattr(notifying.send, "__kwdefaults__", {"pause": 0})
    for address in ("http://127.0.0.1:9/secret", "https://127.0.0.1:9/secret", "http://host.invalid/secret"):
        notifying.notify(address, content(), said.append)
    assert len(said) == 3
    assert all("was not sent" in line and "secret" not in line for line in said)


def test_an_address_that_never_answers_is_left(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifying, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(notifying, "TRIES", 1)
    post.answers = []
    slow = post.server.RequestHandlerClass.do_POST
    monkeypatch.setattr(post.server.RequestHandlerClass, "do_POST", lambda self: (time.sleep(0.3), slow(self)))
    monkeypatch.setattr(post.server, "handle_error", lambda *_: None)
    assert "no answer within" in (notifying.send(post.address, content()) or "")


def test_whatever_goes_wrong_is_only_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("https://secret")

    monkeypatch.setattr(notifying, "send", broken)
    said: list[str] = []
    notifying.notify("https://example.com/secret", content(), said.append)
    assert said == ["the message to https://example.com/… was not sent: RuntimeError"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('{"errcode":0,"errmsg":"ok"}', None),
        ('{"errcode":310000,"errmsg":"keywords not in content"}', "it answers 310000 keywords not in content"),
        ('{"errcode":93000,"errmsg":"invalid webhook url"}', "it answers 93000 invalid webhook url"),
        ('{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}', None),
        ('{"code":19024,"msg":"Key Words Not Found"}', "it answers 19024 Key Words Not Found"),
        ("ok", None),
        ("[1]", None),
        ("", None),
    ],
)
def test_a_chat_that_refuses_with_200(
    post: Post, monkeypatch: pytest.MonkeyPatch, body: str, problem: str | None
) -> None:
    monkeypatch.setitem(notifying.SHAPES, "127.0.0.1", notifying.SHAPES["oapi.dingtalk.com"])
    post.answers = [(200, body)]
    found = notifying.send(post.address, content())
    assert found == (problem and f"the message to http://127.0.0.1/… was not sent: {problem}")
    assert post.received[0][2] == {"msgtype": "text", "text": {"content": content()["text"]}}


def test_chats_are_sent_their_own_form() -> None:
    text = content()["text"]
    forms = {host: shape(content()) for host, shape in notifying.SHAPES.items()}
    assert forms["hooks.slack.com"] == {"text": text}
    assert forms["open.feishu.cn"] == {"msg_type": "text", "content": {"text": text}}
    assert forms["qyapi.weixin.qq.com"] == forms["oapi.dingtalk.com"]
    answer = io.BytesIO(b'{"errcode": 40014, "errmsg": "invalid"}')
    assert notifying.refusal(answer) == "it answers 40014 invalid"


# --- addresses


@pytest.mark.parametrize(
    "address",
    ["https://example.com/hook/secret", "http://localhost:8080", "https://oapi.dingtalk.com/robot/send?access_token=x"],
)
def test_addresses_that_are_taken(address: str) -> None:
    notifying.check(address)


@pytest.mark.parametrize(
    "address",
    [
        "", "secret", "hooks.slack.com/services/secret", "http://", "https:///secret", "https://user:secret@example.com",
        "https://exa mple.com/secret", "https://example.com:secret/x", "http://[secret", "https://例子.com/secret",
        "file:///etc/secret", "ftp://secret/x", "mailto:secret@example.com",
    ],
)  # fmt: skip
def test_addresses_that_are_refused_without_being_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UsageError) as caught:
        notifying.check(address)
    assert caught.value.code == "E_NOTIFY"
    assert "secret" not in caught.value.message + (caught.value.hint or "")


def test_what_is_shown_of_an_address() -> None:
    assert notifying.masked("https://hooks.slack.com/services/T/B/secret?x=1") == "https://hooks.slack.com/…"
    assert notifying.masked("https://user:secret@example.com/") == "https://example.com/…"
    assert notifying.masked("dingtalk://secret/") == "dingtalk://…"
    assert notifying.masked("secret") == "…"


# --- Apprise


class Services:
    """What is used of Apprise."""

    sent: Callable[..., None]
    works = True

    def add(self, address: str) -> bool:
        return address.startswith("feishu://")

    def notify(self, *, body: str, title: str) -> bool:
        SENT.append((title, body))
        return Services.works


SENT: list[tuple[str, str]] = []


def test_other_services_go_by_apprise(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("apprise")
    module.Apprise = Services
    monkeypatch.setitem(sys.modules, "apprise", module)
    SENT.clear()
    notifying.check("feishu://secret")
    assert notifying.send("feishu://secret", content()) is None
    assert [("userops", content()["text"])] == SENT
    monkeypatch.setattr(Services, "works", False)
    assert (
        notifying.send("feishu://secret", content()) == "the message to feishu://… was not sent: the service refused it"
    )
    with pytest.raises(UsageError) as caught:
        notifying.check("nonsense://secret")
    assert "secret" not in caught.value.message


def test_apprise_is_asked_for_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    notifying.check("https://example.com/hook")
    with pytest.raises(UsageError) as caught:
        notifying.check("feishu://secret")
    assert "userops[notify]" in (caught.value.hint or "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its own parts
@pytest.mark.skipif(importlib.util.find_spec("apprise") is None, reason="Apprise is not installed")
def test_apprise_itself_knows_these() -> None:
    token = "0123456789abcdef" * 2
    for address in (f"feishu://{token}/", f"dingtalk://{token}/", f"wecombot://{token}", "mailto://u:p@example.com"):
        notifying.check(address)
