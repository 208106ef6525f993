"""What texts are about: themes told by their words, and frequent words that no theme has; quotes that harm nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from userops.results import Text
from userops.texts.themes import STOP_CHARACTERS, STOP_WORDS, THEMES, Theme

FEWEST, MOST = 5, 200
"""Texts that make a topic, and how many topics are told apart, the most frequent ones."""

LONGEST_QUOTE = 80
"""Characters of a quote."""

_LETTERS = r"[\p{L}--\p{Han}][\p{L}'’--\p{Han}]+"
_PERSONAL = r"\S+@\S+|https?://\S+|\+?\d[\d -]{4,}\d"


class Topic(NamedTuple):
    """Something that texts are about: its key, its name, what to do about it (None: nobody knows), which texts they are."""

    key: str
    name: Text
    act: Text | None
    holds: pl.Series


def told(rows: pl.DataFrame) -> Iterator[Topic]:
    """The topics of rows with ``topic`` and ``text`` (null: none); ``holds`` has one truth value per row, never null.

    What the file names as topics, the most frequent ones; where it names none: the themes, then words and pairs of
    words (runs of 2 to 4 characters in Chinese) that at least :data:`FEWEST` texts without a theme share.
    """
    if rows["topic"].null_count() < rows.height:
        common = rows["topic"].drop_nulls().value_counts().sort(["count", "topic"], descending=[True, False])
        for value in common.filter(pl.col("count") >= FEWEST)["topic"].head(MOST):
            yield Topic(value, Text(value, value), None, (rows["topic"] == value).fill_null(value=False))
        return
    text = rows["text"].str.to_lowercase()
    no_theme = text.is_not_null()
    for theme in THEMES:
        holds = text.str.contains(_telling(theme)).fill_null(value=False)
        no_theme &= ~holds
        yield Topic(theme.key, theme.name, theme.act, holds)
    for words, numbers in _frequent(text.to_frame("text").with_row_index("row").filter(no_theme)):
        holds = pl.repeat(value=False, n=rows.height, eager=True).scatter(numbers, values=True)
        yield Topic(words, Text(f"“{words}”", f"“{words}”"), None, holds)


def about(key: str) -> pl.Expr:
    """Whether a row is about the topic that :func:`told` calls ``key``; never null."""
    theme = next((theme for theme in THEMES if theme.key == key), None)
    text, named = pl.col("text").str.to_lowercase(), pl.col("topic")
    written = text.str.contains(_telling(theme)) if theme else text.str.contains(key, literal=True)
    return pl.when(named.is_not_null().any()).then(named == key).otherwise(written).fill_null(value=False)


def _telling(theme: Theme) -> str:
    """What a text about a theme matches, in small letters."""
    return rf"\b(?:{theme.words})\b|{theme.characters}"


def _frequent(texts: pl.DataFrame) -> Iterator[tuple[str, list[int]]]:
    """Words that texts share, with the numbers of these texts; of those that nearly always go together only the longest."""
    each = pl.concat([*_words(texts), *_runs(texts)]).drop_nulls().unique()
    common = each.group_by("word").agg(n=pl.len(), rows=pl.col("row")).filter(pl.col("n") >= FEWEST)
    common = common.sort("n", pl.col("word").str.len_chars(), "word", descending=[True, True, False])
    kept: list[tuple[str, int]] = []
    for word, n, numbers in common.head(MOST).iter_rows():
        if not any((word in longer or longer in word) and 5 * n >= 4 * m for longer, m in kept):
            kept.append((word, n))
            yield word, numbers


def _words(texts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Words, and pairs of words that follow each other, of languages with blanks: ``row, word``."""
    said = texts.select("row", word=pl.col("text").str.extract_all(_LETTERS))
    names = ~pl.col("word").is_in(list(STOP_WORDS))
    yield said.explode("word", empty_as_null=True).filter(names)
    pairs = said.filter(pl.col("word").list.len() > 1).with_columns(
        pl.col("word").list.head(pl.col("word").list.len() - 1), next=pl.col("word").list.slice(1)
    )
    named = pairs.explode("word", "next").filter(names, ~pl.col("next").is_in(list(STOP_WORDS)))
    yield named.select("row", word=pl.concat_str("word", "next", separator=" "))


def _runs(texts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Runs of 2 to 4 Chinese characters, at every place: ``row, word``."""
    runs = texts.select("row", run=pl.col("text").str.extract_all(r"\p{Han}{2,}")).explode("run", empty_as_null=True)
    for size in (2, 3, 4):
        for start in range(size):
            parts = pl.col("run").str.slice(start).str.extract_all(rf"\p{{Han}}{{{size}}}")
            each = runs.select("row", word=parts).explode("word", empty_as_null=True)
            yield each.filter(~pl.col("word").str.contains(f"^[{STOP_CHARACTERS}]|[{STOP_CHARACTERS}]$"))


def harmless(text: pl.Expr) -> pl.Expr:
    """Text as a short quote: one line, without addresses and numbers that could be somebody's, no control characters."""
    plain = text.str.replace_all(r"[\s\p{C}]+", " ").str.replace_all(_PERSONAL, "…").str.strip_chars()
    short = plain.str.head(LONGEST_QUOTE - 1) + "…"
    return pl.when(plain.str.len_chars() > LONGEST_QUOTE).then(short).otherwise(plain)
