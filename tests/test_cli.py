"""The command line as a user meets it: commands, options, formats, exit codes, errors and their hints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
import typer

from userops import __version__
from userops.cli import app
from userops.cli_support import schemas
from userops.cli_support.settings import commands_of, options_of

Userops = Callable[..., Any]
"""The ``userops`` fixture: runs a command line, gives ``code``, ``out`` and ``err``."""

ROWS = "user_id,ordered_at,amount,city\n007,2026-01-01,10,Ulm\n007,2026-01-05,20,Ulm\n8,2026-01-03,5,Köln\n9,2026-01-04,7,Ulm\n"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Three customers, four orders, one of them with an id that begins with zeros."""
    path = tmp_path / "orders.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def failed(ran: Any, code: int, *words: str) -> None:
    """The run ended with ``code``, one error block that has all the words, and nothing on stdout."""
    assert (ran.code, ran.out) == (code, ""), ran
    assert ran.err.count("userops: error: ") == 1
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err


# --- usage ----------------------------------------------------------------------------------------------------------


def test_version(userops: Userops) -> None:
    for option in ("--version", "-V"):
        ran = userops(option)
        assert (ran.code, ran.out, ran.err) == (0, f"userops {__version__}\n", "")


def test_nothing_given_shows_the_way(userops: Userops) -> None:
    ran = userops()
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: userops COMMAND" in ran.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rfmm", ["No such command 'rfmm'", "Did you mean 'rfm'?", "userops --help"]),
        ("rfmm --help", ["No such command 'rfmm'", "Did you mean 'rfm'?"]),
        ("config shw", ["No such command 'shw'", "userops config --help"]),
        ("rfm ORDERS --bin 4", ["No such option: --bin", "--bins", "userops rfm --help"]),
        ("rfm ORDERS --bins many", ["'--bins'", "integer"]),
        ("rfm ORDERS --bins 1", ["--bins cannot be '1'", "from 2 to 20"]),
        ("rfm ORDERS --format tabel", ["unknown --format 'tabel'", "did you mean 'table'?", "parquet"]),
        ("rfm ORDERS -f exel", ["unknown --format 'exel'", "known: table, csv"]),
        ("rfm ORDERS --lang fr", ["unknown --lang 'fr'", "en, zh"]),
        ("rfm ORDERS --week-start mondey", ["unknown --week-start 'mondey'", "did you mean 'monday'?"]),
        ("rfm ORDERS --json --csv", ["cannot be used together", "choose one format"]),
        ("rfm ORDERS --csv --format json", ["--csv and --format json", "choose one format"]),
        ("rfm ORDERS -o tiers.xyz", ["tiers.xyz", ".csv", ".parquet", ".html", "--format"]),
        ("rfm ORDERS -o tiers", ["tiers", ".csv", "--format"]),
        ("rfm ORDERS -o tiers.parquet.gz", ["tiers.parquet.gz"]),
        ("rfm ORDERS -o none/tiers.csv", ["none/tiers.csv", "mkdir -p 'none'"]),
        ("rfm ORDERS --rejects r.xyz", ["r.xyz", ".csv"]),
        ("rfm ORDERS -o ORDERS", ["orders.csv would be read and overwritten", "another name"]),
        ("rfm ORDERS --rejects ORDERS", ["orders.csv would be read and overwritten"]),
        ("rfm ORDERS --as-of soon", ["--as-of cannot be 'soon'", "2026-11-30", "today", "yesterday"]),
        ("rfm ORDERS --as-of 2026-02-30", ["--as-of cannot be '2026-02-30'"]),
        ("rfm ORDERS --since 2026-02-01 --until 2026-01-01", ["--since cannot be '2026-02-01'", "--until 2026-01-01"]),
        ("rfm ORDERS --tz Asia/Shangai", ["unknown time zone 'Asia/Shangai'", "did you mean 'Asia/Shanghai'?"]),
        ("rfm ORDERS --segments champions12", ["did you mean 'champions11'?", "cn8", "kmeans:K"]),
        ("rfm ORDERS --segments kmeans:x", ["kmeans:x", "kmeans:5"]),
        ("rfm ORDERS --segments champions11 --bins 4", ["--bins cannot be '4'", "champions11"]),
        ("rfm ORDERS --recency-cuts 1,2,x,4", ["--recency-cuts cannot be '1,2,x,4'", "commas"]),
        ("rfm ORDERS --recency-cuts 1,2", ["--recency-cuts", "4 ascending numbers"]),
        ("rfm ORDERS --frequency-cuts 4,3,2,1", ["--frequency-cuts", "ascending"]),
        ("rfm ORDERS --monetary-cuts 1,2,3,inf", ["--monetary-cuts cannot be '1.0,2.0,3.0,inf'"]),
        ("rfm ORDERS --monetary-cuts nan,1,2,3", ["--monetary-cuts"]),
        ("rfm ORDERS --frequency-cuts 1,2,3,99999999999999999999", ["--frequency-cuts"]),
        ("rfm ORDERS --as-of 9999-12-31", ["--as-of cannot be '9999-12-31'"]),
        ("rfm ORDERS --cuts none.json", ["none.json", "No such file"]),
        ("rfm ORDERS --map user_id", ["--map cannot be 'user_id'", "user_id=Kunde"]),
        ("rfm ORDERS --map user=city", ["unknown role 'user'", "did you mean 'user_id'?"]),
        ("rfm ORDERS --layout shopify", ["unknown layout 'shopify'", "did you mean 'shopify-orders'?"]),
        ("rfm ORDERS --where city", ["--where cannot be 'city'", "COLUMN=VALUE"]),
        ("rfm ORDERS --encoding utf-99", ["utf-99"]),
        ("rfm ORDERS --delimiter xx", ["xx"]),
        ("rfm ORDERS --pseudonymise --per-user", ["pseudonyms need a key", "USEROPS_PSEUDONYM_KEY", "--key-file"]),
        ("rfm ORDERS --pseudonymise --key-file none.key", ["none.key"]),
        (
            "rfm ORDERS --pseudonymise --key-file ORDERS --rejects r.csv",
            ["--rejects and --pseudonymise", "as they are"],
        ),
        ("rfm ORDERS --by user_id", ["--by cannot be 'user_id'", "names of the result"]),
        ("rfm ORDERS --fail-if users", ["--fail-if cannot be 'users'", "metric"]),
        ("rfm ORDERS --fail-if users<many", ["--fail-if cannot be 'users<many'"]),
        ("rfm ORDERS --fail-if users<nan", ["--fail-if cannot be 'users<nan'"]),
        ("rfm ORDERS --fail-if repeat_rat<1", ["unknown metric 'repeat_rat'", "did you mean 'repeat_rate'?"]),
        ("rfm ORDERS --config none.toml", ["none.toml", "No such file"]),
        ("schema rmf", ["unknown command 'rmf'", "did you mean 'rfm'?"]),
        ("schema", ["COMMAND", "userops schema --help"]),
        ("help format", ["unknown topic 'format'", "did you mean 'formats'?"]),
        ("demo --customers 0", ["--customers cannot be '0'"]),
    ],
)
def test_a_mistake_on_the_command_line_is_exit_2(line: str, words: list[str], userops: Userops, orders: Path) -> None:
    before = sorted(path.name for path in orders.parent.iterdir())
    failed(userops(*line.replace("ORDERS", str(orders)).split()), 2, *words)
    assert sorted(path.name for path in orders.parent.iterdir()) == before
    assert orders.read_text(encoding="utf-8") == ROWS


def test_the_door_out_is_tried_before_anything_is_read(userops: Userops) -> None:
    for options in (["--json", "--csv"], ["-o", "x.xyz"], ["--fail-if", "x"], ["--map", "x"], ["--pseudonymise"]):
        failed(userops("rfm", "missing.csv", *options), 2)


def test_no_input_at_all(userops: Userops) -> None:
    failed(userops("rfm"), 2, "no file given", "pipe data in")
    failed(userops("rfm", ""), 2, "no file given")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("missing.csv", ["no such file: missing.csv"]),
        ("order.csv", ["did you mean 'orders.csv'?"]),
        ("none-*.csv", ["no such file: none-*.csv", "glob"]),
        ("orders.csv --map amount=Total", ["no column 'Total'", "user_id, ordered_at, amount, city"]),
        ("orders.csv --where town=Ulm", ["no column 'town'", "city"]),
        ("orders.csv --where city=Bonn", ["no usable rows"]),
        ("orders.csv --by town", ["no column 'town'", "city"]),
        ("orders.csv --as-of 2020-01-01", ["no usable rows"]),
        ("orders.csv --only-users missing.csv", ["no such file: missing.csv"]),
        ("orders.csv --compare-with orders.csv", ["no column 'segment' in orders.csv"]),
        ("orders.csv --layout shopify-orders", ["shopify-orders", "leave out --layout"]),
        ("empty.csv", ["empty.csv holds no rows"]),
        ("header.csv", ["header.csv"]),
    ],
)
def test_an_input_that_cannot_be_used_is_exit_3(line: str, words: list[str], userops: Userops, orders: Path) -> None:
    (orders.parent / "empty.csv").touch()
    (orders.parent / "header.csv").write_text("user_id,ordered_at,amount\n")
    failed(userops("rfm", *line.split()), 3, *words)


def test_errors_for_programs(userops: Userops, orders: Path) -> None:
    for line, code, exit_code in (
        ("missing.csv", "E_NOT_FOUND", 3),
        ("orders.csv --bins 1", "E_BAD_VALUE", 2),
        ("orders.csv --nope", "E_USAGE", 2),
        ("orders.csv -f exel", "E_UNKNOWN_NAME", 2),
    ):
        ran = userops("rfm", *line.split(), "--log-format", "json", "-q")
        (said,) = map(json.loads, ran.err.splitlines())
        assert (said["level"], said["code"], said["exit"], ran.code) == ("error", code, exit_code, exit_code)
        assert said["message"]
        assert said["hint"]
    notes = [json.loads(line) for line in userops("rfm", orders, "--csv", "--log-format=json").err.splitlines()]
    assert {"level", "message"} <= set(notes[0])
    assert notes[0]["level"] == "note"


def test_a_path_cannot_steer_the_terminal(userops: Userops) -> None:
    ran = userops("rfm", "\x1b[2Jevil.csv")
    failed(ran, 3)
    assert "\x1b" not in ran.err
    assert "\x1b" not in json.loads(userops("rfm", "\x1b[2Jevil.csv", "--log-format", "json").err)["message"]


# --- formats and files ----------------------------------------------------------------------------------------------

FORMS = {
    "tiers.csv": b"segment,", "tiers.tsv": b"segment\t", "tiers.json": b"{\n", "tiers.ndjson": b'{"segment"',
    "tiers.jsonl": b'{"segment"', "tiers.parquet": b"PAR1", "tiers.arrow": b"ARROW1", "tiers.md": b"# ",
    "tiers.html": b"<!doctype html>", "tiers.txt": b"userops rfm", "tiers.csv.gz": b"\x1f\x8b",
    "TIERS.CSV": b"segment,", "tiers.json.zst": b"\x28\xb5\x2f\xfd",
}  # fmt: skip


def test_the_suffix_chooses_the_format(userops: Userops, orders: Path) -> None:
    for name, beginning in FORMS.items():
        ran = userops("rfm", orders, "-q", "-o", name)
        assert (ran.code, ran.out, ran.err) == (0, "", "")
        assert Path(name).read_bytes().lower().startswith(beginning.lower()), name


def test_a_format_named_wins_over_the_suffix(userops: Userops, orders: Path) -> None:
    assert userops("rfm", orders, "-q", "--json", "-o", "tiers.csv").code == 0
    assert json.loads(Path("tiers.csv").read_text())["schema"] == "userops.rfm/1"


def test_stdout_formats_agree_with_files(userops: Userops, orders: Path) -> None:
    for form, name in (
        ("csv", "a.csv"),
        ("json", "a.json"),
        ("markdown", "a.md"),
        ("table", "a.txt"),
        ("html", "a.html"),
    ):
        shown = userops("rfm", orders, "-q", "--format", form)
        assert userops("rfm", orders, "-q", "-o", name).code == 0
        assert Path(name).read_text(encoding="utf-8") == shown.out
        assert userops("rfm", orders, "-q", "--format", form, "-o", "-").out == shown.out
    assert userops("rfm", orders, "-q").out == Path("a.txt").read_text(encoding="utf-8")
    assert userops("rfm", orders, "-q", "--csv").out == Path("a.csv").read_text(encoding="utf-8")


def test_text_ids_stay_text_and_numbers_come_back_as_numbers(userops: Userops, orders: Path, tmp_path: Path) -> None:
    ids = pl.Series("user_id", [7, 7, 12, 100], dtype=pl.Int32)
    pl.read_csv(orders, try_parse_dates=True).with_columns(ids).write_parquet(tmp_path / "orders.parquet")
    for suffix, read in (("parquet", pl.read_parquet), ("arrow", pl.read_ipc)):
        userops("rfm", "orders.parquet", "-q", "--per-user", "-o", f"users.{suffix}")
        found = read(tmp_path / f"users.{suffix}")["user_id"]
        assert (found.dtype, sorted(found)) == (pl.Int32, [7, 12, 100])
        userops("rfm", orders, "-q", "--per-user", "-o", f"users.{suffix}")
        found = read(tmp_path / f"users.{suffix}")["user_id"]
        assert (found.dtype, list(found)) == (pl.String, ["007", "8", "9"])
    rows = json.loads(userops("rfm", "orders.parquet", "-q", "--per-user", "--json").out)["rows"]
    assert [row["user_id"] for row in rows] == ["100", "12", "7"]  # in order of their text
    assert userops("rfm", orders, "-q", "--per-user", "--csv").out.splitlines()[1].startswith("007,")


def test_the_result_joins_its_input(userops: Userops, shop: Path) -> None:
    userops("rfm", shop / "orders.parquet", "-q", "--per-user", "-o", "tiers.parquet")
    joined = pl.read_parquet(shop / "orders.parquet").join(pl.read_parquet("tiers.parquet"), on="user_id")
    assert joined.height > 0


def test_excel_options(userops: Userops, tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("user_id,ordered_at,amount\n=1+1,2026-01-01,5\n")
    assert userops("rfm", "o.csv", "-q", "--per-user", "--csv", "--bom", "--excel-safe").out.startswith("\ufeffuser_id")
    assert "'=1+1," in userops("rfm", "o.csv", "-q", "--per-user", "--csv", "--excel-safe").out
    assert "\n=1+1," in userops("rfm", "o.csv", "-q", "--per-user", "--csv").out


# --- the JSON envelope ----------------------------------------------------------------------------------------------

ENVELOPES = {
    "rfm": ["rfm SHOP/orders.parquet", "rfm SHOP/orders.csv --by channel", "rfm SHOP/orders.parquet --segments cn8 --lang zh",
            "rfm SHOP/orders.parquet --per-user", "rfm SHOP/orders.parquet --per-user --bins 3 --segments cn8"],
    "retention": ["retention SHOP/events.parquet", "retention SHOP/orders.csv --value", "retention SHOP/events.parquet --brackets 1-7,8-30",
                  "retention SHOP/events.parquet --users-table SHOP/users.parquet --by country --period week",
                  "retention SHOP/events.parquet --cohort-by event --cohort recurring --lang zh --periods 3"],
    "activity": ["activity SHOP/events.parquet", "activity SHOP/orders.csv --histogram", "activity SHOP/events.parquet --by event"],
    "growth": ["growth SHOP/events.parquet --period week", "growth SHOP/orders.csv --by channel --lang zh"],
    "lifecycle": ["lifecycle SHOP/orders.parquet", "lifecycle SHOP/events.parquet --per-user",
                  "lifecycle SHOP/orders.csv --transitions-from 2025-03-31"],
    "churn": ["churn SHOP/events.parquet --horizon 30d", "churn SHOP/events.parquet --horizon 30d --per-user --lang zh"],
    "audit": ["audit SHOP/orders.parquet SHOP/events.parquet SHOP/users.parquet", "audit SHOP/orders.csv --lang zh"],
    "diagnose": ["diagnose SHOP/orders.parquet SHOP/events.parquet SHOP/referrals.csv SHOP/feedback.csv --lang zh"],
    "inspect": ["inspect SHOP/orders.parquet", "inspect SHOP/events.parquet", "inspect SHOP/users.parquet", "inspect SHOP/costs.csv"],
    "demo": ["demo --out new --customers 50 --days 30"],
    "doctor": ["doctor"],
    "config show": ["config show"],
}  # fmt: skip


@pytest.mark.parametrize(("command", "line"), [(c, line) for c, lines in ENVELOPES.items() for line in lines])
def test_json_is_what_its_schema_says(command: str, line: str, userops: Userops, shop: Path) -> None:
    schema = json.loads(userops("schema", command).out)
    jsonschema.Draft202012Validator.check_schema(schema)
    ran = userops(*line.replace("SHOP", str(shop)).split(), "--json", "-q")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out, parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))
    jsonschema.validate(found, schema, format_checker=jsonschema.FormatChecker())
    assert list(found)[:4] == ["schema", "meta", "summary", "rows"]
    assert found["schema"] == f"userops.{command.replace(' ', '-')}/1"
    assert found["rows"]


def test_every_command_with_json_has_a_schema() -> None:
    group = typer.main.get_command(app)
    assert set(schemas.ENVELOPES) == {name for name, _ in commands_of(group) if "json" in options_of(group)[name]}


def test_meta_tells_where_the_numbers_came_from(userops: Userops, orders: Path) -> None:
    found = json.loads(
        userops("rfm", orders, "-q", "--json", "--as-of", "2026-01-04", "--where", "city=Ulm", "--bins", "5").out
    )
    meta = found["meta"]
    (report,) = meta["inputs"]
    assert meta["as_of"] == "2026-01-04"
    assert (report["rows_read"], report["rows_used"], report["rejected"]["after_as_of"]) == (4, 2, 1)
    assert report["rows_read"] == report["rows_used"] + sum(report["rejected"].values())
    assert meta["settings"]["where"] == ["city=Ulm"]
    assert meta["settings"]["bins"] == 5
    assert meta["version"] == __version__
    assert meta["definitions"]


def test_settings_are_those_the_command_has_and_none_of_how_it_ran(userops: Userops, orders: Path) -> None:
    plain = userops("rfm", orders, "--json").out
    assert (
        userops("rfm", orders, "--json", "-q", "--color", "always", "--log-format", "json", "--no-config").out == plain
    )
    settings = json.loads(userops("demo", "--customers", "5", "--days", "9", "--json", "-q").out)["meta"]["settings"]
    assert set(settings) == {"customers", "days", "seed", "stories", "lang", "pseudonymise"}


def test_keys_stay_english_and_definitions_do_not(userops: Userops, orders: Path) -> None:
    en, zh = (json.loads(userops("rfm", orders, "-q", "--json", "--lang", lang).out) for lang in ("en", "zh"))
    assert en["rows"] == zh["rows"]
    assert en["summary"] == zh["summary"]
    assert en["meta"]["definitions"] != zh["meta"]["definitions"]


# --- judging --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("users < 4", 4), ("users < 3", 0), ("users <= 3", 4), ("users > 2", 4), ("users >= 4", 0), ("users == 3", 4),
        ("users != 3", 0), ("repeat_rate<0.34", 4), ("revenue >= 42.00", 4), ("revenue > 4.2e1", 0),
    ],
)  # fmt: skip
def test_fail_if(condition: str, code: int, userops: Userops, orders: Path) -> None:
    ran = userops("rfm", orders, "--fail-if", condition, "-o", "tiers.csv")
    assert ran.code == code
    assert Path("tiers.csv").read_text().startswith("segment,")
    assert ("--fail-if" in ran.err) == (code == 4)


def test_null_breaches_and_every_breach_is_told(userops: Userops, tmp_path: Path) -> None:
    (tmp_path / "once.csv").write_text("user_id,ordered_at,amount\n1,2026-01-01,5\n")
    ran = userops(
        "rfm",
        "once.csv",
        "--csv",
        "--fail-if",
        "median_gap_days > 1000",
        "--fail-if",
        "users > 0",
        "--fail-if",
        "users > 9",
    )
    assert ran.code == 4
    assert ran.out.startswith("segment,")
    assert "median_gap_days is null" in ran.err
    assert "users is 1" in ran.err
    assert "users > 9" not in ran.err
    assert userops("rfm", "once.csv", "-q", "--csv", "--fail-if", "users > 0").err == ""


def test_only_a_number_can_be_judged(userops: Userops, shop: Path) -> None:
    failed(userops("rfm", shop / "orders.parquet", "-q", "--fail-if", "currency < 1"), 2, "unknown metric 'currency'")


# --- the options of rfm ---------------------------------------------------------------------------------------------


def rows(ran: Any) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)["rows"]
    return found


def test_saved_cuts_give_the_same_scores_again(userops: Userops, shop: Path) -> None:
    users = ["rfm", shop / "orders.parquet", "-q", "--per-user", "--json"]
    first = rows(userops(*users, "--save-cuts", "cuts.json"))
    assert rows(userops(*users, "--cuts", "cuts.json")) == first
    saved = json.loads(Path("cuts.json").read_text())
    assert saved["schema"] == "userops.cuts/1"
    by_hand = ",".join(map(str, saved["recency_days"]))
    assert [r["r"] for r in rows(userops(*users, "--recency-cuts", by_hand))] == [r["r"] for r in first]
    earlier = rows(userops(*users, "--cuts", "cuts.json", "--as-of", "2025-03-31"))
    assert earlier != first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "holds no saved cuts"),
        ("[1, 2]", "holds no saved cuts"),
        ('{"schema": "userops.cuts/1"}', "holds no saved cuts"),
        ('{"schema": "userops.cuts/9", "recency_days": [1], "orders": [1], "monetary": [1], "thresholds": null}', "userops.cuts/9"),
        ('{"schema": "userops.cuts/1", "recency_days": [1], "orders": [1], "monetary": [1], "thresholds": null}', "a file of 5 bins"),
        ('{"schema": "userops.cuts/1", "recency_days": [2, 1], "orders": [1], "monetary": [1], "thresholds": null}', "ascending"),
        ('{"schema": "userops.cuts/1", "recency_days": [1], "orders": [1], "monetary": [NaN], "thresholds": null}', "no saved cuts"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_cuts(text: str, words: str, userops: Userops, orders: Path) -> None:
    Path("cuts.json").write_text(text)
    failed(userops("rfm", orders, "--cuts", "cuts.json"), 2, words)


def test_who_moved(userops: Userops, orders: Path) -> None:
    for suffix in ("csv", "parquet", "ndjson.gz"):
        assert userops("rfm", orders, "-q", "--per-user", "--as-of", "2026-01-04", "-o", f"last.{suffix}").code == 0
        found = json.loads(userops("rfm", orders, "-q", "--json", "--compare-with", f"last.{suffix}").out)
        assert found["summary"]["moved_users"] + found["summary"]["stayed_users"] == 3
        assert sum(row["users"] for row in found["tables"]["migration"]) == 3


def test_only_these_users(userops: Userops, orders: Path) -> None:
    Path("some.csv").write_text("user_id\n007\n9\n")
    assert [
        r["user_id"] for r in rows(userops("rfm", orders, "-q", "--per-user", "--json", "--only-users", "some.csv"))
    ] == ["007", "9"]
    assert userops("rfm", orders, "-q", "--per-user", "--where", "city=Köln", "-o", "köln.parquet").code == 0
    assert [
        r["user_id"] for r in rows(userops("rfm", orders, "-q", "--per-user", "--json", "--only-users", "köln.parquet"))
    ] == ["8"]


def test_rejects_are_written_with_their_reason(userops: Userops, orders: Path) -> None:
    orders.write_text(ROWS + "10,not a day,5,Ulm\n,2026-01-02,5,Ulm\n", encoding="utf-8")
    ran = userops("rfm", orders, "--csv", "--rejects", "rejects.csv")
    assert ran.code == 0
    assert "2 rows that do not count" in ran.err
    found = pl.read_csv("rejects.csv", infer_schema=False)
    assert found.height == 2
    assert "not a day" in Path("rejects.csv").read_text()


def test_by_breaks_down_and_adds_up(userops: Userops, orders: Path) -> None:
    found = rows(userops("rfm", orders, "-q", "--json", "--by", "city"))
    assert {row["city"] for row in found} == {"Ulm", "Köln"}
    assert sum(row["users"] for row in found) == 3
    assert sum(row["revenue"] for row in found) == 42


def test_the_window_counts_orders_inside_it(userops: Userops, orders: Path) -> None:
    found = rows(userops("rfm", orders, "-q", "--json", "--per-user", "--since", "2026-01-02", "--until", "2026-01-04"))
    assert [(row["user_id"], row["orders"]) for row in found] == [("8", 1), ("9", 1)]


def test_as_of_is_told_when_it_was_not_given(userops: Userops, orders: Path) -> None:
    ran = userops("rfm", orders, "--per-user", "--json")
    assert "as of 2026-01-05" in ran.err
    assert [row["recency_days"] for row in json.loads(ran.out)["rows"]] == [0, 2, 1]
    assert "as of" not in userops("rfm", orders, "--csv", "--as-of", "2026-01-05").err


@pytest.mark.parametrize(("word", "ago"), [("today", 0), ("yesterday", 1)])
def test_as_of_in_words(word: str, ago: int, userops: Userops, orders: Path) -> None:
    before = datetime.now(UTC).date()
    found = json.loads(userops("rfm", orders, "-q", "--json", "--as-of", word).out)["meta"]["as_of"]
    assert found in {str(day - timedelta(days=ago)) for day in (before, datetime.now(UTC).date())}


def test_chinese(userops: Userops, orders: Path) -> None:
    ran = userops("rfm", orders, "--segments", "cn8", "--lang", "zh", "--as-of", "2026-01-05", "-q")
    assert "RFM 分层(截至 2026-01-05)" in ran.out
    assert "重要价值" in ran.out
    assert "Segment" not in ran.out


def test_pseudonyms(userops: Userops, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = ["rfm", orders, "-q", "--per-user", "--json", "--pseudonymise"]
    Path("key").write_text("k" * 40)
    first = [row["user_id"] for row in rows(userops(*users, "--key-file", "key"))]
    assert len(set(first)) == 3
    assert not {"007", "8", "9"} & set(first)
    monkeypatch.setenv("USEROPS_PSEUDONYM_KEY", "k" * 40)
    assert [row["user_id"] for row in rows(userops(*users))] == first
    for form in ("table", "csv", "markdown", "html", "ndjson"):
        shown = userops("rfm", orders, "-q", "--per-user", "--pseudonymise", "-f", form).out
        assert "007" not in shown
        assert all(name in shown for name in first)
    monkeypatch.setenv("USEROPS_PSEUDONYM_KEY", "x" * 40)
    assert [row["user_id"] for row in rows(userops(*users))] != first
    monkeypatch.setenv("USEROPS_PSEUDONYM_KEY", "short")
    failed(userops(*users), 2, "USEROPS_PSEUDONYM_KEY", "bytes")


CATCH_ALL = '[[segment]]\nname = "Rest"\nname_zh = "其他"\n'


def test_a_grid_of_ones_own(userops: Userops, orders: Path) -> None:
    Path("grid.toml").write_text('bins = 3\n[[segment]]\nname = "VIP"\nr = "2-3"\nm = "3"\n' + CATCH_ALL)
    found = rows(userops("rfm", orders, "-q", "--json", "--bins", "3", "--segments", "grid.toml"))
    assert [(row["segment"], row["segment_zh"]) for row in found] == [("VIP", "VIP"), ("Rest", "其他")]
    assert sum(row["users"] for row in found) == 3


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ('bins = 2\n[[segment]]\nname = "A"\nr = "2"\n', ["4 of 8 cells belong to no segment: 111 112 121 122", "catches the rest"]),
        (CATCH_ALL + '[[segment]]\nname = "Late"\nf = "5"\n', ["rule 2 (Late) can never match", "rule 1"]),
        ('[[segment]]\nname = "A"\nrecency = "2"\n' + CATCH_ALL, ["unknown key 'recency' in grid.toml: segment 1", "known: f, m, name"]),
        ("sections = 1\n" + CATCH_ALL, ["unknown key 'sections' in grid.toml"]),
        ('[[segment]]\nname = "A"\nr = "0-9"\n' + CATCH_ALL, ["rule 1: r cannot be '0-9'", "scores run from 1 to 5"]),
        ('[[segment]]\nr = "1"\n' + CATCH_ALL, ["segment 1 has no name"]),
        ("bins = 5\n", ["holds no segments", "[[segment]]"]),
        ("bins = \n", ["grid.toml", "is not TOML"]),
    ],
)  # fmt: skip
def test_a_grid_with_a_mistake_names_the_cells(grid: str, words: list[str], userops: Userops, orders: Path) -> None:
    Path("grid.toml").write_text(grid)
    failed(userops("rfm", orders, "--segments", "grid.toml"), 2, *words)


def test_a_map_and_several_files(userops: Userops, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"part-{number}.csv").write_text(f"Wer,Wann,Wieviel\n{number},2026-01-0{number},5\n")
    mapped = ["--map", "user_id=Wer", "--map", "ordered_at=Wann", "--map", "amount=Wieviel"]
    for given in (["part-1.csv", "part-2.csv"], ["part-*.csv"]):
        assert len(rows(userops("rfm", *given, *mapped, "-q", "--per-user", "--json"))) == 2


# --- the other commands ---------------------------------------------------------------------------------------------


def test_inspect(userops: Userops, orders: Path) -> None:
    found = json.loads(userops("inspect", orders, "-q", "--json").out)
    assert (found["summary"]["kind"], found["summary"]["rows"], found["summary"]["users"]) == ("orders", 4, 3)
    assert {row["column"]: row["role"] for row in found["rows"]}["user_id"] == "user_id"
    assert "orders" in userops("inspect", orders).out


def test_demo_and_what_it_says_to_try(userops: Userops, tmp_path: Path) -> None:
    ran = userops("demo", "--out", "shop", "--customers", "60", "--days", "40")
    assert ran.code == 0
    tries = re.findall(r"^- userops (.+)$", ran.out, re.MULTILINE)
    assert tries
    for line in tries:
        assert userops(*line.split()).code == 0, line
    assert {
        row["file"] for row in json.loads(userops("demo", "--customers", "60", "--days", "40", "--json").out)["rows"]
    } == {path.name for path in (tmp_path / "shop").iterdir()}


def test_doctor(userops: Userops) -> None:
    found = {row["what"]: row["value"] for row in json.loads(userops("doctor", "--json").out)["rows"]}
    assert found["userops"] == __version__
    assert found["polars"] == pl.__version__
    assert found["configuration"] == "none"


def test_topics(userops: Userops) -> None:
    for topic, word in (
        ("exit-codes", "130"),
        ("formats", "ndjson"),
        ("environment", "USEROPS_TZ"),
        ("layouts", "shopify"),
    ):
        ran = userops("help", topic)
        assert (ran.code, ran.err) == (0, "")
        assert word in ran.out
        assert topic in userops("help").out
    assert userops("help", "rfm").out == userops("rfm", "--help").out


def test_quiet_and_verbose(userops: Userops, orders: Path) -> None:
    assert userops("rfm", orders, "-q", "--csv").err == ""
    said = userops("rfm", orders, "--csv").err
    assert "4 rows read, 4 count" in said
    failed(userops("rfm", orders, "-q", "--bins", "1"), 2)
    assert "Traceback" in userops("rfm", orders, "-vv", "--bins", "1").err


def test_copies_are_alike_in_every_column_also_of_several_files(userops: Userops, tmp_path: Path) -> None:
    rows = ["a,2025-01-01,10,web", "a,2025-01-01,10,app", "b,2025-01-02,20,web", "b,2025-01-02,20,web"]
    (tmp_path / "one.csv").write_text("\n".join(["user_id,ordered_at,amount,source", *rows]) + "\n")
    (tmp_path / "two.csv").write_text("user_id,ordered_at,amount,source\nc,2025-01-03,10,web\nc,2025-01-03,10,app\n")
    for files in (["one.csv"], ["one.csv", "two.csv"]):
        told = json.loads(userops("rfm", *(tmp_path / file for file in files), "--json", "-q").out)
        assert (
            "1 row is an exact copy of another row; it is counted (--drop-duplicates drops it)"
            in told["meta"]["warnings"]
        )


def test_the_allocator_is_told_unless_somebody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "import os, userops; print(os.environ['_RJEM_MALLOC_CONF'])"
    monkeypatch.delenv("_RJEM_MALLOC_CONF", raising=False)
    assert "narenas" in subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout
    monkeypatch.setenv("_RJEM_MALLOC_CONF", "narenas:7")
    assert (
        subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout == "narenas:7\n"
    )


def test_options_as_they_would_be_typed() -> None:
    """What differs from the defaults, flags of two sides and repeated ones too; of one panel only."""
    from userops.cli_support.options import INPUT, Common, as_typed

    assert as_typed(Common(), INPUT) == []
    chosen = Common(where=["a=1", "b>2"], week_start="sunday", decimal_comma=False, drop_duplicates=True, json=True)
    words = as_typed(chosen, INPUT)
    assert words[:4] == ["--where", "a=1", "--where", "b>2"]
    assert words[4:] == ["--week-start", "sunday", "--decimal-point", "--drop-duplicates"]
