"""A trained forecaster: the trees' mean, persistence, and the bands of both; training makes it, serving asks it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from include.features.schema import NAMES, SCHEMA_VERSION
from include.forecast.horizon import BUCKETS, Array, growth
from include.forecast.intervals import Bands
from include.forecast.model import predict_change
from include.forecast.rows import Rows, volatility_of
from include.forecast.volatility import Pooling

if TYPE_CHECKING:
    import xgboost

MODEL_FILE = "xgboost-model"
DESCRIPTION_FILE = "forecaster.json"
FORECASTER, PERSISTENCE = "forecaster", "persistence"
WHAT_IF = {"enabled": False, "reason": "planned training load is not an input of this model"}


class ForecasterError(ValueError):
    """The artifact cannot be served by this code."""


@dataclass(frozen=True)
class Forecaster:
    """`booster` is None where there was too little to train on: then only persistence answers."""

    booster: "xgboost.Booster | None"
    pooling: Pooling
    bands: Mapping[str, Bands]
    """By method: FORECASTER and PERSISTENCE."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """dataset_version, model_version, seed, digests, notes: told, not used."""

    def change(self, method: str, features: Array, horizon_days: Array) -> Array:
        """Expected change from the last reading (ml/kg/min)."""
        booster = self.booster if method == FORECASTER else None
        return predict_change(booster, features, horizon_days, volatility_of(features, self.pooling))

    def half_width(self, method: str, features: Array, horizon_days: Array) -> Array:
        """Half widths of the bands (ml/kg/min), a column per level of intervals.LEVELS."""
        age = features[:, NAMES.index("reading_age_days")]
        return self.bands[method].half_width(horizon_days, age, volatility_of(features, self.pooling))

    def save(self, directory: Path) -> None:
        """Write `forecaster.json` and, where there are trees, `xgboost-model` (UBJSON)."""
        if self.booster is not None:
            (directory / MODEL_FILE).write_bytes(bytes(self.booster.save_raw("ubj")))
        (directory / DESCRIPTION_FILE).write_text(json.dumps(self._description(), indent=1, sort_keys=True) + "\n")

    def _description(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "features": list(NAMES),
            "has_trees": self.booster is not None,
            "volatility": vars(self.pooling),
            "bands": {method: bands.to_json() for method, bands in self.bands.items()},
            "what_if": WHAT_IF,
            "about": dict(self.about),
        }


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
        bands = {method: Bands.from_json(description["bands"][method]) for method in (FORECASTER, PERSISTENCE)}
        booster = _booster(directory / MODEL_FILE) if description["has_trees"] else None
        return Forecaster(booster, Pooling(**description["volatility"]), bands, description["about"])
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


def one_athlete(vector: list[float], count: int) -> Array:
    """A feature vector as `count` equal rows."""
    return np.tile(np.array(vector, dtype=float), (count, 1))
