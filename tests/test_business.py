"""The files of a business sorted by what they hold, the columns worth breaking down by, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from rawtable import binary, text
from userops import demo
from userops.checkup.goals import Goal
from userops.cli_support import business, business_files, config
from userops.cli_support.diagnostics import Talk
from userops.cli_support.options import Common
from userops.cli_support.running import Run
from userops.errors import InputError, UsageError
from userops.inputs import dimensions
from userops.outputs import saving

KINDS = ("events", "orders", "costs", "referrals", "feedback")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("business") / "shop"
    demo.write(demo.Settings(customers=300, days=120), str(place), saving.write_atomically)
    return place


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "personal"))
    stack = ExitStack()
    return lambda **common: Run(Common(**common), Talk(quiet=True), stack, ())


def every(kind: str, table: object) -> tuple[str, ...]:
    found = dimensions.dimensions(table, kind)  # type: ignore[arg-type] # as it is called
    return (*found, *(name for name in dimensions.subjects(table, kind) if name not in found))  # type: ignore[arg-type]


def test_a_folder_is_sorted_by_what_its_files_hold(run: Callable[..., Run], folder: Path) -> None:
    got = business_files.read(run(), [str(folder)], dict.fromkeys(KINDS), every)
    assert all(getattr(got, kind) is not None for kind in KINDS)
    assert got.users is not None
    assert got.users.height == 300
    assert set(got.kept["users"]) >= {"channel", "platform", "country", "city", "age_group"}
    assert got.kept["events"] == ("channel", "platform", "item_id")
    assert got.kept["orders"] == ("channel", "platform", "category", "product_id")
    assert {"item_id", "channel"} <= set(got.events.rows.collect_schema())  # type: ignore[union-attr] # is there
    one_by_one = {kind: [str(next(folder.glob(f"{kind}.*")))] for kind in KINDS}
    named = business_files.read(run(users_table=str(folder / "users.parquet")), None, one_by_one, every)
    assert named.kept["orders"] == got.kept["orders"]
    assert named.users is not None
    assert named.users.equals(got.users)


def test_what_a_command_does_not_take_is_left_out_and_what_it_needs_is_asked_for(
    run: Callable[..., Run], folder: Path
) -> None:
    named = dict.fromkeys(KINDS[:-1])
    assert business_files.read(run(), [str(folder)], named, ["channel"]).feedback is None
    feedback = [str(folder / "feedback.csv")]
    with pytest.raises(UsageError, match="neither events nor orders"):
        business_files.read(run(), feedback, dict.fromkeys(KINDS), ())
    assert business_files.read(run(), feedback, dict.fromkeys(KINDS), (), needs_acts=False).feedback is not None
    Path("notes.csv").write_text("user_id,note\nu,x\n", encoding="utf-8")
    with pytest.raises(InputError, match="neither events nor orders"):
        business_files.read(run(), ["notes.csv"], dict.fromkeys(KINDS), (), needs_acts=False)


def test_files_beside_the_orders_know_nothing_of_their_layout(run: Callable[..., Run], folder: Path) -> None:
    Path("cdnow.csv").write_text(
        "customer_id,date,number_of_cds,dollar_value\n1,1997-01-01,1,9.5\n2,1997-02-01,1,9.5\n", encoding="utf-8"
    )
    got = business_files.read(run(layout="cdnow"), ["cdnow.csv", str(folder / "costs.csv")], dict.fromkeys(KINDS), ())
    assert got.orders is not None
    assert got.costs is not None


# --- columns --------------------------------------------------------------------------------------------------------


def test_a_condition_narrows_the_files_that_have_its_column_and_names_the_others(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    """``size`` is in one of three files; where two are of one kind, both must have it."""
    (tmp_path / "orders.csv").write_text("user_id,ordered_at,amount,size\na,2026-01-01,1,L\nb,2026-01-02,2,S\n")
    (tmp_path / "more.csv").write_text("user_id,ordered_at,amount\na,2026-01-03,3\n")
    (tmp_path / "events.csv").write_text("user_id,event,time\na,visit,2026-01-01\n")
    (tmp_path / "costs.csv").write_text("date,channel,spend\n2026-01-01,ads,1\n")
    files = ["orders.csv", "events.csv", "costs.csv"]
    got = business_files.read(run(where=["size=L", "amount>0"]), files, dict.fromkeys(KINDS), ())
    assert got.orders is not None and got.events is not None
    assert got.orders.rows.filter(pl.col("reject") == 0).collect()["user_id"].to_list() == ["a"]
    assert got.events.rows.filter(pl.col("reject") == 0).collect().height == 1
    assert [text.en.split(" as ")[0] for text in got.mind] == [
        "--where 'size=L' leaves events.csv, costs.csv",
        "--where 'amount>0' leaves events.csv, costs.csv",
    ]
    assert business_files.read(run(where=["amount>0"]), ["orders.csv"], dict.fromkeys(KINDS), ()).mind == ()
    with pytest.raises(InputError, match=r"no column 'size' in more\.csv"):
        business_files.read(run(where=["size=L"]), ["orders.csv", "more.csv"], dict.fromkeys(KINDS), ())


def test_columns_that_go_by_our_own_names_are_not_broken_down_by(run: Callable[..., Run], tmp_path: Path) -> None:
    rows = [f"u{k},2026-01-{k % 28 + 1:02},{k},{'yes' if k % 2 else 'no'},{'a' if k % 3 else 'b'}" for k in range(60)]
    for name in ("reject", "instant"):
        (tmp_path / f"{name}.csv").write_text("\n".join([f"user_id,ordered_at,amount,{name},plan", *rows]))
        got = business_files.read(run(), [f"{name}.csv"], dict.fromkeys(KINDS), every)
        assert got.kept["orders"] == ("plan",)
        assert got.orders is not None
        assert got.orders.rows.filter(pl.col("reject") == 0).collect().height == 60


def test_columns_of_few_values_the_usual_ones_first() -> None:
    n = 200
    frame = pl.DataFrame(
        {
            "user_id": [f"u{i}" for i in range(n)],
            "ordered_at": [f"2026-03-{i % 28 + 1:02}" for i in range(n)],
            "amount": [i / 7 for i in range(n)],
            "currency": ["USD", "EUR"] * (n // 2),
            "colour": ["red", "blue", None, "green"] * (n // 4),
            "gift": [True, False] * (n // 2),
            "utm_source": ["ads", "seo"] * (n // 2),
            "Platform": ["ios", "web"] * (n // 2),
            "country": ["US"] * n,
            "note": [f"note {i}" for i in range(n)],
            "size": ["1", "2"] * (n // 2),
            "email": ["a@b", "c@d"] * (n // 2),
            "order_id": [f"o{i}" for i in range(n)],
        }
    )
    assert dimensions.dimensions(binary(frame), "orders") == ("channel", "Platform", "colour", "gift")
    many = frame.with_columns(pl.col("colour").alias(f"c{i}") for i in range(20))
    assert len(dimensions.dimensions(binary(many), "orders")) == dimensions.MOST
    assert dimensions.dimensions(binary(frame.clear()), "orders") == ()
    assert dimensions.dimensions(binary(frame.head(1)), "orders") == ()


def test_what_rows_are_about() -> None:
    table = text("uid,event,ts,sku,URL,utm_campaign\nu,view,2026-03-01,s1,/a,spring\n")
    assert dimensions.subjects(table, "events") == ("item_id", "URL", "utm_campaign")
    assert dimensions.subjects(text("user_id,ordered_at,amount\nu,2026-03-01,1\n"), "orders") == ()


# --- what it says of itself -----------------------------------------------------------------------------------------


def told(toml: str) -> business.Business:
    Path("userops.toml").write_text(toml, encoding="utf-8")
    return business.parse(config.read("userops.toml"))


def test_the_configuration_of_the_shop(run: Callable[..., Run], folder: Path) -> None:
    shop = business.read(run(), files=[str(folder)])
    assert shop.goals[0] == Goal("activation_rate", ">=", 0.4)
    assert len(shop.goals) == 11
    assert shop.steps == ("visit", "view_item", "add_to_cart", "begin_checkout", "purchase")
    assert (shop.within, shop.activation_event, shop.activation_within) == ("7d", "purchase", timedelta(days=7))
    assert shop.vertical == "e-commerce"
    assert shop.goals[-1].met(0.03)
    assert not shop.goals[-1].met(0.031)
    assert business.read(run(no_config=True), files=[str(folder)]) == business.Business()
    assert business.read(run(no_config=True), str(folder / "userops.toml")) == shop
    told('vertical = "saas"\n')
    assert business.read(run(), files=[str(folder)]).vertical == "saas"  # the configuration in force says something


def test_goals_as_people_write_them(run: Callable[..., Run]) -> None:
    goals = told('[goals]\nnps = ">25"\nrefund_rate = "<= 3 %"\ncac = "<1.5e1"\n').goals
    assert goals == (Goal("nps", ">", 25.0), Goal("refund_rate", "<=", 0.03), Goal("cac", "<", 15.0))
    assert str(goals[1]) == "refund_rate <= 0.03"
    assert business.read(run()).goals == goals


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[goals]\nrepeat_rat = ">= 0.5"\n', "unknown metric 'repeat_rat'"),
        ('[goals]\nnps = "25"\n', "nps in [goals]"),
        ("[goals]\nnps = 25\n", "nps in [goals]"),
        ('[goals]\nnps = ">= nan"\n', "nps in [goals]"),
        ("goals = 3\n", "goals is no table"),
        ("[funnel]\nsteps = 3\n", "steps in [funnel]"),
        ('[funnel]\nsteps = ["view", ""]\n', "--steps"),
        ('[funnel]\nwithin = "soon"\n', "within in [funnel]"),
        ('[activation]\nevnt = "buy"\n', "unknown key 'evnt'"),
        ("[activation]\nwithin = 7\n", "[activation] takes"),
        ("vertical = 3\n", "vertical is no text"),
    ],
)
def test_mistakes_in_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as error:
        told(toml)
    assert said in error.value.message
    assert error.value.hint


def test_a_file_of_goals_holds_nothing_else(run: Callable[..., Run]) -> None:
    Path("goals.toml").write_text('[gols]\nnps = ">= 25"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="unknown key 'gols'") as error:
        business.read(run(), "goals.toml")
    assert "goals" in str(error.value.hint)
    with pytest.raises(UsageError, match=r"missing\.toml"):
        business.read(run(), "missing.toml")
