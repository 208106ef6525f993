"""The file that lifecycle takes and writes: saved thresholds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from userops import lifecycle
from userops.errors import UsageError
from userops.outputs import saving

if TYPE_CHECKING:
    from typing import BinaryIO

SCHEMA = "userops.thresholds/1"


def read_thresholds(path: str) -> lifecycle.Thresholds:
    """Thresholds that ``--save-thresholds`` wrote; UsageError where the file holds none."""
    from pydantic import BaseModel, ConfigDict, StrictInt, ValidationError

    class Saved(BaseModel):
        model_config = ConfigDict(extra="forbid")
        schema_: str
        acts: Literal["orders", "active_days"]
        active_within_days: StrictInt
        silent_after_days: StrictInt
        churned_after_days: StrictInt
        mature_orders: StrictInt

    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        saved = Saved(**({"schema_": found.pop("schema", None)} | found))
    except OSError as problem:
        raise UsageError.settings_file(path, problem.strerror or "cannot be read") from None
    except (ValueError, AttributeError, TypeError, RecursionError, ValidationError):
        raise UsageError.settings_file(path, "holds no saved thresholds", "write them with --save-thresholds") from None
    if saved.schema_ != SCHEMA:
        hint = "write it anew with --save-thresholds"
        raise UsageError.settings_file(path, f"is {saved.schema_}, not {SCHEMA}", hint)
    return lifecycle.Thresholds(**saved.model_dump(exclude={"schema_"}))


def write_thresholds(path: str, thresholds: lifecycle.Thresholds) -> None:
    """The thresholds of a result, for next month's ``--thresholds``."""
    document = {
        "schema": SCHEMA,
        "acts": thresholds.acts,
        "active_within_days": thresholds.active_within_days,
        "silent_after_days": thresholds.silent_after_days,
        "churned_after_days": thresholds.churned_after_days,
        "mature_orders": thresholds.mature_orders,
    }

    def write(handle: BinaryIO) -> None:
        handle.write((json.dumps(document, indent=2) + "\n").encode())

    saving.write_atomically(path, write)
