"""A trained forecaster: its mean, the methods it is combined with, and their bands."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from include.features.schema import NAMES, SCHEMA_VERSION
from include.forecast import methods
from include.forecast.design import INPUTS
from include.forecast.distribution import LEVELS, Predictive
from include.forecast.horizon import BUCKETS, LAST_DAYS, Array, bucket_index, growth
from include.forecast.intervals import Bands
from include.forecast.methods import FORECASTER, METHODS, PERSISTENCE
from include.forecast.model import ChangeModel
from include.forecast.own_record import ANSWERS, COMBINED, Records
from include.forecast.population import CALIBRATED, PLANNED
from include.forecast.rows import Rows, is_whole, volatility_of
from include.forecast.volatility import Pooling
from include.forecast.what_if import NO_EFFECT, OFF, LoadEffect

if TYPE_CHECKING:
    import xgboost

MODEL_FILE = "xgboost-model"
DESCRIPTION_FILE = "forecaster.json"
WHAT_IF = {"enabled": False, "reason": OFF}
"""What an artifact says that met no gate."""
_LAST_READING, _AGE = NAMES.index("vo2max_last"), NAMES.index("reading_age_days")


class ForecasterError(ValueError):
    """The artifact cannot be served by this code."""


@dataclass(frozen=True)
class Forecaster:
    """What answers, and how surely.

    Attributes:
        bands: by what is calibrated: FORECASTER, PERSISTENCE and PLANNED.
        start: the weights (bucket × method of METHODS) of an athlete none of whose forecasts has come due.
        effect: what planned load changes.
        about: dataset_version, model_version, seed, digests and notes, for people to read.
    """

    model: ChangeModel
    pooling: Pooling
    bands: Mapping[str, Bands]
    start: Array
    effect: LoadEffect = NO_EFFECT
    about: Mapping[str, Any] = field(default_factory=dict)
    calibrated: tuple[str, ...] = (FORECASTER, PERSISTENCE)

    def volatility(self, features: Array) -> Array:
        """The athletes' pooled volatility (ml/kg/min over 28 d)."""
        return volatility_of(features, self.pooling)

    def row_scale(self, rows: Rows) -> Array:
        """Volatility × growth of each row: the unit of the bands (ml/kg/min)."""
        return row_scale(rows, self.pooling)

    def change(self, method: str, features: Array, horizon_days: Array, load_ahead: Array | None = None) -> Array:
        """Expected change from the last reading (ml/kg/min); PLANNED needs `load_ahead` (mean a day to the target)."""
        if method == PERSISTENCE:
            return np.zeros(len(features))
        volatility = self.volatility(features)
        change = self.model.change(features, horizon_days, volatility)
        if method == PLANNED and load_ahead is not None:
            change = change + self.effect.difference(features, load_ahead, horizon_days, volatility)[:, 0]
        return change

    def half_width(self, method: str, features: Array, horizon_days: Array) -> Array:
        """Half widths of the bands (ml/kg/min), a column per level of distribution.LEVELS."""
        return self.bands[method].half_width(horizon_days, features[:, _AGE], self.volatility(features))

    def predictive(self, method: str, rows: Rows) -> Predictive:
        """The distributions that one method alone gives the changes of rows."""
        return Predictive(
            self.change(method, rows.features, rows.horizon_days, rows.load_ahead),
            self.half_width(method, rows.features, rows.horizon_days),
            is_whole(rows.features[:, _LAST_READING]),
        )

    def served(
        self, served_by: Mapping[str, str], features: Array, horizon_days: Array, records: Records
    ) -> Predictive:
        """The distributions of what answers the bucket of each horizon, by each row's own record."""
        bucket = bucket_index(horizon_days)
        weights = records.weights[np.arange(len(bucket)), bucket]
        change = np.sum(weights * methods.changes(self, features, horizon_days), axis=1)
        return Predictive(
            np.where(is_combined(served_by, horizon_days), change, 0.0),
            self._served_half_width(served_by, features, horizon_days, records),
            is_whole(features[:, _LAST_READING]),
        )

    def _served_half_width(
        self, served_by: Mapping[str, str], features: Array, horizon_days: Array, records: Records
    ) -> Array:
        """A later day never has a narrower band, also where another method answers it."""
        bucket = bucket_index(horizon_days)
        widest = np.zeros((len(horizon_days), len(LEVELS)))
        for index, (name, last_day) in enumerate(zip(BUCKETS, LAST_DAYS, strict=True)):
            answer = served_by[name]
            reached = np.minimum(horizon_days, last_day)
            if answer == COMBINED:
                width = self.mixed_half_width(records.weights[:, index], features, reached)
            else:
                width = self.half_width(PERSISTENCE, features, reached)
            width = width * records.scales[:, index, [ANSWERS.index(answer)]]
            widest = np.where((bucket >= index)[:, None], np.maximum(widest, width), widest)
        return widest

    def mixed_half_width(self, weights: Array, features: Array, horizon_days: Array) -> Array:
        """Half widths of the mixture of quantiles, by the weights of each row (a column per method)."""
        return methods.mixed(weights, {kind: self.half_width(kind, features, horizon_days) for kind in self.calibrated})

    def save(self, directory: Path) -> None:
        """Write `forecaster.json` (core, bands, scale) and `xgboost-model` (UBJSON; without trees where none pay)."""
        (directory / MODEL_FILE).write_bytes(bytes(self.model.booster.save_raw("ubj")))
        (directory / DESCRIPTION_FILE).write_text(json.dumps(self._description(), indent=1, sort_keys=True) + "\n")

    def _description(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "features": list(NAMES),
            "coefficients": dict(zip(INPUTS, self.model.coefficients.tolist(), strict=True)),
            "trees": self.model.booster.num_boosted_rounds(),
            "volatility": vars(self.pooling),
            "bands": {method: bands.to_json() for method, bands in self.bands.items()},
            "weights": {
                name: dict(zip(METHODS, self.start[index].tolist(), strict=True)) for index, name in enumerate(BUCKETS)
            },
            "load_effect": self.effect.to_json(),
            "about": dict(self.about),
        }


def is_combined(served_by: Mapping[str, str], horizon_days: Array) -> npt.NDArray[np.bool_]:
    """Which horizons the combined forecast answers; the others are persistence's."""
    answers: npt.NDArray[np.bool_] = np.array([served_by[name] == COMBINED for name in BUCKETS])
    return answers[bucket_index(horizon_days)]


def row_scale(rows: Rows, pooling: Pooling) -> Array:
    """Volatility × growth: the unit of the bands."""
    scale: Array = rows.volatility(pooling) * growth(rows.horizon_days, rows.column("reading_age_days"))
    return scale


def load(directory: Path) -> Forecaster:
    """The forecaster that `save` wrote.

    Raises:
        ForecasterError: a file is missing or unreadable, or it was made for another feature schema.
    """
    try:
        description = json.loads((directory / DESCRIPTION_FILE).read_text())
        if description["schema_version"] != SCHEMA_VERSION or description["features"] != list(NAMES):
            raise ForecasterError(
                f"the model was made for feature schema {description['schema_version']}, this code has {SCHEMA_VERSION}"
            )
        bands = {name: Bands.from_json(description["bands"][name]) for name in CALIBRATED}
        coefficients = np.array([description["coefficients"][name] for name in INPUTS], dtype=float)
        model = ChangeModel(coefficients, _booster(directory / MODEL_FILE))
        start = np.array(
            [[description["weights"][name][method] for method in METHODS] for name in BUCKETS], dtype=float
        )
        effect = LoadEffect(**description["load_effect"])
        return Forecaster(model, Pooling(**description["volatility"]), bands, start, effect, description["about"])
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ForecasterError(f"no readable model in the artifact: {error!r}") from error


def _booster(path: Path) -> "xgboost.Booster":
    import xgboost as xgb

    booster = xgb.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(path.read_bytes()))
    except xgb.core.XGBoostError as error:
        raise ForecasterError(f"{path.name} is no XGBoost model: {str(error).splitlines()[0]}") from error
    return booster


def all_persistence() -> dict[str, str]:
    """Every bucket answered by persistence: what serves where no gate has spoken."""
    return dict.fromkeys(BUCKETS, PERSISTENCE)
