"""Pseudonyms that join, keys that are asked for, and text that can be printed."""

from __future__ import annotations

import hashlib
import hmac
import re

import polars as pl
import pytest

from userops.errors import UsageError
from userops.outputs.privacy import KEY_VARIABLE, load_key, pseudonymise, terminal_safe

KEY = b"0123456789abcdef"


def test_a_pseudonym_is_the_keyed_hash_of_the_id():
    frame = pl.DataFrame({"user_id": ["b", "a", None, "b", "用户"], "n": [1, 2, 3, 4, 5]})
    out = pseudonymise(frame, "user_id", KEY)
    by_hand = {
        text: "v1:" + hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()[:32] for text in ("a", "b", "用户")
    }
    assert dict(zip(out["n"], out["user_id"], strict=True)) == {
        1: by_hand["b"],
        2: by_hand["a"],
        3: None,
        4: by_hand["b"],
        5: by_hand["用户"],
    }
    assert out.columns == frame.columns


def test_pseudonyms_are_sorted_so_that_order_tells_nothing():
    frame = pl.DataFrame({"user_id": [f"{number:05}" for number in range(500)]})
    out = pseudonymise(frame, "user_id", KEY)["user_id"]
    assert out.is_sorted()
    assert out.n_unique() == 500
    assert pseudonymise(frame.reverse(), "user_id", KEY)["user_id"].equals(out)


def test_integer_ids_and_their_text_have_one_pseudonym():
    numbers = pseudonymise(pl.DataFrame({"user_id": [17850, None]}), "user_id", KEY)
    assert (
        numbers["user_id"].to_list()
        == pseudonymise(pl.DataFrame({"user_id": ["17850", None]}), "user_id", KEY)["user_id"].to_list()
    )


def test_another_key_gives_other_pseudonyms():
    frame = pl.DataFrame({"user_id": ["a"]})
    assert pseudonymise(frame, "user_id", KEY).item() != pseudonymise(frame, "user_id", KEY + b"!").item()


def test_no_rows_no_pseudonyms():
    assert pseudonymise(pl.DataFrame(schema={"user_id": pl.String, "n": pl.Int64}), "user_id", KEY).height == 0


def test_the_key_comes_from_the_file_before_the_environment(tmp_path):
    file = tmp_path / "key"
    file.write_bytes(b"file-key-of-enough-bytes\r\n")
    environ = {KEY_VARIABLE: "environment-key-of-enough"}
    assert load_key(environ) == b"environment-key-of-enough"
    assert load_key(environ, str(file)) == b"file-key-of-enough-bytes"


def test_no_key_a_short_key_and_a_missing_file_are_usage_errors(tmp_path):
    with pytest.raises(UsageError) as nothing:
        load_key({})
    assert KEY_VARIABLE in (nothing.value.hint or "")
    with pytest.raises(UsageError, match="only 5 bytes"):
        load_key({KEY_VARIABLE: "short"})
    with pytest.raises(UsageError, match="cannot be read"):
        load_key({}, str(tmp_path / "absent"))
    (tmp_path / "short").write_text("123456789012345\n")
    with pytest.raises(UsageError, match="only 15 bytes") as short:
        load_key({KEY_VARIABLE: "x" * 40}, str(tmp_path / "short"))
    assert "123456789012345" not in str(short.value)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain 用户 é 👩‍💻", "plain 用户 é 👩‍💻"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x9b2J", "2J"),
        ("a\r\nb\tc", "a b c"),
        ("\u202egpj.exe\u2069", "gpj.exe"),
        ("\x00\x07\x7f", ""),
        ("name\udcff.csv", "name\ufffd.csv"),
    ],
)
def test_text_for_people_steers_nothing(text, safe):
    assert terminal_safe(text) == safe


def test_every_control_character_is_gone():
    everything = "".join(map(chr, range(0x3000)))
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", terminal_safe(everything))
