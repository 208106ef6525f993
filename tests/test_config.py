"""Where settings come from: the command line, then the environment, then the nearest file, then the default."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Userops = Callable[..., Any]


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text("user_id,ordered_at,amount\n1,2026-01-01,10\n2,2026-01-03,5\n3,2026-01-04,7\n")
    return path


def zone(userops: Userops, *options: str) -> str:
    """The time zone in force for ``rfm``."""
    ran = userops("rfm", "orders.csv", "-q", "--json", *options)
    assert ran.code == 0, ran.err
    found: str = json.loads(ran.out)["meta"]["tz"]
    return found


def test_every_source_hides_the_next(userops: Userops, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source is added in front of all others, from the weakest to the strongest."""
    assert zone(userops) == "UTC"
    personal = Path("personal/userops/config.toml")
    personal.parent.mkdir(parents=True)
    personal.write_text('tz = "Asia/Tokyo"\n')
    assert zone(userops) == "Asia/Tokyo"
    Path("pyproject.toml").write_text('[tool.userops]\ntz = "Asia/Shanghai"\n')
    assert zone(userops) == "Asia/Shanghai"
    Path("userops.toml").write_text('tz = "Europe/Berlin"\n')
    assert zone(userops) == "Europe/Berlin"
    inner = Path("inner")
    inner.mkdir()
    monkeypatch.chdir(inner)
    Path("orders.csv").write_text(orders.read_text())
    assert zone(userops) == "Europe/Berlin"  # found above
    Path("pyproject.toml").write_text('[tool.userops]\ntz = "Europe/Paris"\n')
    assert zone(userops) == "Europe/Paris"  # the nearest
    monkeypatch.setenv("USEROPS_TZ", "America/New_York")
    assert zone(userops) == "America/New_York"
    assert zone(userops, "--tz", "Africa/Lagos") == "Africa/Lagos"
    monkeypatch.delenv("USEROPS_TZ")
    assert zone(userops, "--no-config") == "UTC"


def test_a_pyproject_without_our_table_is_passed_over(
    userops: Userops, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("userops.toml").write_text('tz = "Europe/Berlin"\n')
    Path("inner").mkdir()
    monkeypatch.chdir("inner")
    Path("orders.csv").write_text(orders.read_text())
    Path("pyproject.toml").write_text('[project]\nname = "x"\n')
    assert zone(userops) == "Europe/Berlin"


def test_a_file_can_be_named_or_refused(userops: Userops, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("userops.toml").write_text('tz = "Europe/Berlin"\n')
    Path("other.toml").write_text('tz = "Asia/Tokyo"\n')
    assert zone(userops, "--config", "other.toml") == "Asia/Tokyo"
    assert zone(userops, "--config=other.toml") == "Asia/Tokyo"
    assert zone(userops, "--no-config") == "UTC"
    monkeypatch.setenv("USEROPS_CONFIG", "other.toml")
    assert zone(userops) == "Asia/Tokyo"
    for no in ("1", "true"):
        monkeypatch.setenv("USEROPS_NO_CONFIG", no)
        assert zone(userops) == "UTC"
    for yes in ("0", "false"):
        monkeypatch.setenv("USEROPS_NO_CONFIG", yes)
        assert zone(userops) == "Asia/Tokyo"


def test_a_table_of_a_command_wins_over_the_key_for_all(userops: Userops, orders: Path) -> None:
    Path("userops.toml").write_text(
        'tz = "Asia/Tokyo"\nlang = "zh"\n[rfm]\ntz = "Europe/Berlin"\nsave-cuts = "cuts.json"\n'
    )
    assert zone(userops) == "Europe/Berlin"
    assert Path("cuts.json").exists()
    assert json.loads(userops("inspect", "orders.csv", "-q", "--json").out)["meta"]["tz"] == "Asia/Tokyo"


def test_every_kind_of_value(userops: Userops, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("Wer,Wann,Total paid,Ort\n1,2026-01-01,10,Ulm\n2,2026-01-03,5,Bonn\n")
    Path("userops.toml").write_text(
        'as-of = 2026-01-02\nwhere = "Ort=Ulm"\nfail_if = ["users > 0"]\nquiet = true\n'
        '[map]\nuser_id = "Wer"\nordered_at = "Wann"\namount = "Total paid"\n'
        '[rfm]\nbins = 3\nsegments = "cn8"\nfrequency_cuts = [1, 2]\n'
    )
    ran = userops("rfm", "orders.csv", "--json")
    assert ran.code == 4, ran.err
    assert ran.err == ""
    meta = json.loads(ran.out)["meta"]
    assert meta["as_of"] == "2026-01-02"
    assert meta["settings"]["frequency_cuts"] == [1, 2]
    assert meta["inputs"][0]["rows_used"] == 1


def test_what_can_be_repeated_in_a_variable(userops: Userops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "orders.csv").write_text("Wer,Wann,Total paid\n1,2026-01-01,10\n2,2026-01-03,5\n")
    monkeypatch.setenv("USEROPS_MAP", "user_id=Wer;ordered_at=Wann;amount=Total paid")
    monkeypatch.setenv("USEROPS_FAIL_IF", "users > 5;revenue >= 15")
    monkeypatch.setenv("USEROPS_FORMAT", "json")
    ran = userops("rfm", "orders.csv")
    assert ran.code == 4, ran.err
    assert json.loads(ran.out)["summary"]["revenue"] == 15


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("binz = 4\n", ["unknown key 'binz' in", "userops.toml", "did you mean 'bins'?"]),
        ("[rfm]\ncutz = 4\n", ["unknown key 'cutz' in [rfm] of", "did you mean 'cuts'?"]),
        ("[rmf]\nbins = 4\n", ["unknown key 'rmf'", "did you mean 'rfm'?"]),
        ("[inspect]\nbins = 4\n", ["unknown key 'bins' in [inspect] of"]),
        ("bins = \n", ["userops.toml", "is not TOML", "line 1"]),
        ('bins = "many"\n', ["'--bins'", "integer", "configuration file", "userops config show"]),
        ('lang = "fr"\n', ["unknown --lang 'fr'"]),
        ('as-of = "soon"\n', ["--as-of cannot be 'soon'"]),
    ],
)
def test_a_mistake_in_the_file_is_exit_2(text: str, words: list[str], userops: Userops, orders: Path) -> None:
    Path("userops.toml").write_text(text)
    ran = userops("rfm", "orders.csv")
    assert (ran.code, ran.out) == (2, "")
    for word in words:
        assert word in ran.err
    assert userops("rfm", "orders.csv", "-q", "--csv", "--no-config").code == 0


def test_the_business_may_be_described(userops: Userops, orders: Path) -> None:
    Path("userops.toml").write_text(
        'vertical = "e-commerce"\n[goals]\nrepeat_rate = ">= 0.3"\n[funnel]\nsteps = ["a", "b"]\n[activation]\nevent = "a"\n'
    )
    assert zone(userops) == "UTC"


def test_a_bad_variable_is_named(userops: Userops, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USEROPS_BINS", "many")
    ran = userops("rfm", "orders.csv")
    assert ran.code == 2
    assert "USEROPS_BINS" in ran.err


def test_config_show_names_each_source(userops: Userops, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("userops.toml").write_text('tz = "Asia/Tokyo"\nbins = 4\n[map]\nuser_id = "Wer"\n')
    monkeypatch.setenv("USEROPS_BINS", "6")
    ran = userops("config", "show", "--json")
    assert ran.code == 0, ran.err
    found = {(r["command"], r["option"]): (r["value"], Path(r["source"]).name) for r in json.loads(ran.out)["rows"]}
    assert found["rfm", "--bins"] == ("6", "USEROPS_BINS")
    assert found["rfm", "--tz"] == found["inspect", "--tz"] == ("Asia/Tokyo", "userops.toml")
    assert found["rfm", "--map"] == ("['user_id=Wer']", "userops.toml")
    assert found["rfm", "--week-start"] == ("monday", "default")
    assert json.loads(ran.out)["summary"]["file"] == str(Path("userops.toml").resolve())
    off = json.loads(userops("config", "show", "--json", "--no-config").out)
    assert "userops.toml" not in json.dumps(off["rows"])


def test_the_file_holds_for_config_show_and_doctor_too(userops: Userops) -> None:
    Path("userops.toml").write_text('lang = "zh"\nbins = 4\n')
    assert "选项" in userops("config", "show").out
    assert "安装情况" in userops("doctor").out
    assert "userops.toml" in userops("doctor").out
    assert "userops.toml" not in userops("doctor", "--no-config").out


def test_help_works_beside_a_broken_file(userops: Userops) -> None:
    Path("userops.toml").write_text("bins = \n")
    for line in ("--help", "rfm --help", "--version"):
        assert userops(*line.split()).code == 0


def test_an_empty_environment_is_enough(orders: Path) -> None:
    import userops

    source = str(Path(userops.__file__).parents[1])
    for line in (["rfm", str(orders), "--csv"], ["--help"], ["doctor"]):
        command = [sys.executable, "-m", "userops", *line]
        done = subprocess.run(
            command, capture_output=True, text=True, env={"PYTHONPATH": source}, cwd=orders.parent, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
        assert "\x1b" not in done.stdout + done.stderr
