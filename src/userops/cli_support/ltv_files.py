"""The files that ltv takes and writes: a saved model, costs beside orders."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from userops.errors import InputError, UsageError
from userops.lifetime_value.fitting import SavedModel, Spend
from userops.models.gamma_gamma import GammaGamma
from userops.models.likelihood import Fit, restored
from userops.models.repeat_buying import MODELS
from userops.outputs import saving
from userops.results import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from userops.cli_support.running import Run
    from userops.frames import Costs, Orders

SCHEMA = "userops.ltv-model/1"


def read_model(path: str) -> SavedModel:
    """A model that ``--save-model`` wrote; UsageError where the file holds none."""
    from pydantic import BaseModel, ConfigDict, ValidationError

    class Saved(BaseModel):
        model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    class SavedFit(Saved):
        parameters: dict[str, float]
        standard_errors: dict[str, float] | None
        log_likelihood: float
        log_likelihood_per_user: float
        converged: bool
        edge: list[str]
        users: float
        curvature: list[list[float]]

        def fit(self, kind: type[Any]) -> Fit[Any]:
            return restored(
                kind,
                self.parameters,
                log_likelihood=self.log_likelihood,
                converged=self.converged,
                edge=self.edge,
                weight=self.users,
                curvature=self.curvature,
            )

    class SavedSpend(Saved):
        gamma_gamma: SavedFit | None
        value_of_order: float
        correlation: float | None
        problem: str | None
        problem_zh: str | None

    class Document(Saved):
        schema_: str
        model: Literal[*MODELS]  # type: ignore[valid-type] # the names of the models
        time_unit: Literal["day", "week"]
        as_of: date
        users: int
        dropout_identified: bool
        dropout_gain: float | None
        buying: SavedFit
        spending: SavedSpend | None
        currency: str | None

    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("schema", SCHEMA) != SCHEMA:
            hint = "write it anew with --save-model"
            raise UsageError.settings_file(path, f"is {found['schema']}, not {SCHEMA}", hint)
        saved = Document(**({"schema_": found.pop("schema", None)} | found))
        fit = saved.buying.fit(MODELS[saved.model])
        spend = None
        if (s := saved.spending) is not None:
            problem = Text(s.problem, s.problem_zh or s.problem) if s.problem else None
            gamma = s.gamma_gamma.fit(GammaGamma) if s.gamma_gamma else None
            spend = Spend(gamma, s.value_of_order, s.correlation, problem)
    except OSError as reason:
        raise UsageError.settings_file(path, reason.strerror or "cannot be read") from None
    except (ValueError, AttributeError, TypeError, RecursionError, ValidationError):
        raise UsageError.settings_file(path, "holds no saved model", "write one with --save-model") from None
    return SavedModel(
        saved.model, saved.time_unit, saved.as_of, saved.users, fit, saved.dropout_identified, saved.dropout_gain, spend,
        saved.currency,
    )  # fmt: skip


def with_costs(run: Run, files: Sequence[str] | None, costs: Sequence[str], by: str | None) -> tuple[Orders, Costs]:
    """Orders and costs, each read by the options that are about it; InputError where the orders have no column ``by``."""
    from userops.cli_support import business_files

    given = business_files.read(run, None, {"orders": list(files or ["-"]), "costs": costs}, [by] if by else [])
    assert given.orders is not None and given.costs is not None  # they were named
    for text in given.mind:
        run.talk.warn(text(run.common.lang))
    columns = given.orders.rows.collect_schema().names()
    if by is not None and by not in columns:
        raise InputError.column_unknown(by, given.orders.name, columns)
    return given.orders, given.costs


def write_model(path: str, saved: SavedModel | None) -> None:
    """A model for later data's ``--model-file``; InputError where none could be fitted."""
    if saved is None:
        raise InputError.not_fitted("no model", f"these data tell nothing, and {path} was not written")
    spend = saved.spend
    document = {
        "schema": SCHEMA,
        "model": saved.model,
        "time_unit": saved.time_unit,
        "as_of": saved.as_of.isoformat(),
        "users": saved.users,
        "dropout_identified": saved.dropout,
        "dropout_gain": saved.gain,
        "buying": _plain(saved.fit),
        "spending": spend
        and {
            "gamma_gamma": _plain(spend.fit) if spend.fit else None,
            "value_of_order": spend.flat,
            "correlation": spend.correlation,
            "problem": spend.problem.en if spend.problem else None,
            "problem_zh": spend.problem.zh if spend.problem else None,
        },
        "currency": saved.currency,
    }

    def write(handle: BinaryIO) -> None:
        handle.write((json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())

    saving.write_atomically(path, write)


def _plain(fit: Fit[Any]) -> dict[str, Any]:
    """A fit as JSON holds it."""
    return {
        "parameters": fit.parameters,
        "standard_errors": fit.standard_errors if fit.identified else None,
        "log_likelihood": fit.log_likelihood,
        "log_likelihood_per_user": fit.log_likelihood / fit.weight,
        "converged": fit.converged,
        "edge": list(fit.edge),
        "users": fit.weight,
        "curvature": fit.curvature.tolist(),
    }
