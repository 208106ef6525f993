"""The files that ``rfm`` takes: saved cuts, grids."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from userops import grids, rfm
from userops.errors import UsageError
from userops.outputs import saving
from userops.texts.segments import BUILT_IN

if TYPE_CHECKING:
    from typing import BinaryIO

SCHEMA = "userops.cuts/1"


def grid(segments: str) -> str | grids.Grid:
    """A grid file as a grid; the name of a segmentation as it is, checked."""
    if segments.startswith("kmeans"):
        return segments
    if segments in BUILT_IN:
        return segments
    path = Path(segments)
    if path.suffix != ".toml" and not path.is_file():
        return grids.built_in(segments).name  # raises: unknown, with the closest name
    try:
        return grids.parse(tomllib.loads(path.read_text(encoding="utf-8")), segments)
    except OSError as problem:
        raise UsageError.settings_file(segments, problem.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError.settings_file(segments, f"is not TOML: {problem}") from None


def read_cuts(path: str) -> rfm.Cuts:
    """Cuts that ``--save-cuts`` wrote."""
    from pydantic import BaseModel, ConfigDict, ValidationError

    class Saved(BaseModel):
        model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
        schema_: str
        recency_days: tuple[int, ...]
        orders: tuple[int, ...]
        monetary: tuple[float, ...]
        thresholds: tuple[float, float, float] | None

    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        saved = Saved(**({"schema_": found.pop("schema", None)} | found))
    except OSError as problem:
        raise UsageError.settings_file(path, problem.strerror or "cannot be read") from None
    except (ValueError, AttributeError, TypeError, ValidationError):
        raise UsageError.settings_file(path, "holds no saved cuts", "write them with --save-cuts") from None
    if saved.schema_ != SCHEMA:
        raise UsageError.settings_file(path, f"is {saved.schema_}, not {SCHEMA}", "write it anew with --save-cuts")
    return rfm.Cuts(saved.recency_days, saved.orders, saved.monetary, saved.thresholds)


def write_cuts(path: str, result: rfm.RfmResult) -> None:
    """The cuts of a result, for next month's ``--cuts``."""
    cuts = result.cuts
    document = {
        "schema": SCHEMA,
        "recency_days": cuts.recency,
        "orders": cuts.frequency,
        "monetary": cuts.monetary,
        "thresholds": cuts.thresholds,
    }

    def write(handle: BinaryIO) -> None:
        handle.write((json.dumps(document, indent=2) + "\n").encode())

    saving.write_atomically(path, write)
