"""What is known of athletes before a deployment has data of its own: figures with their evidence, and no data.

`population.json` ships with the project; `make population DATA=…` makes it (include.forecast.study). A deployment's
training starts from it: for one athlete it is nearly all of the model, among hundreds it fades.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from include.features.schema import SCHEMA_VERSION
from include.forecast.design import INPUTS
from include.forecast.evidence import NO_COMPARISON, Comparison
from include.forecast.horizon import BUCKETS, Array
from include.forecast.intervals import Bands, prior_bands
from include.forecast.methods import DAMPED_DRIFT, FORECASTER, METHODS, NO_REVERSION, PERSISTENCE
from include.forecast.volatility import USUAL_VOLATILITY
from include.forecast.what_if import NO_EFFECT, LoadEffect

SHIPPED_FILE = Path(__file__).with_name("population.json")
PLANNED = "planned"
"""The forecaster that is told the load ahead."""
CALIBRATED = (FORECASTER, PERSISTENCE, PLANNED)

EXPECTED: dict[str, float] = {
    "own_mean": 0.3,
    "last_step": -0.15,
    "activity_gap": 0.5,
    "reading_age": -0.15,
    "volume": 0.3,
    "frequency": 0.2,
    "load": 0.15,
    "form": 0.1,
    "pause": -0.1,
}
"""What each input is expected to do before any athlete was seen, in volatilities over 42 d: a reading falls back by a
third of its gap to the own mean, a step is partly taken back, the readings of days follow those of activities, time
without readings or runs costs, much and frequent training helps, more than usual helps. Rounded from simulated athletes
(Banister's response, garmin.synthetic) and from the first four real ones."""
EXPECTED_SPREAD = 0.2
"""How far a coefficient is expected to be from it, on inputs and target of size about 1."""
EXPECTED_DIFFERENCE = 0.3
"""How much the coefficient of one athlete is expected to differ from that of another."""
FIRST_WEIGHTS = {FORECASTER: 0.75, PERSISTENCE: 0.1, NO_REVERSION: 0.1, DAMPED_DRIFT: 0.05}
"""What each method counts before any athlete was seen: docs/forecast.md says what else was tried."""


class PopulationError(ValueError):
    """A file that is no population, or one of other features than this code has."""


@dataclass(frozen=True)
class Population:
    """What training starts from.

    Attributes:
        athletes: how many athletes it rests on; one with few windows counts as part of one.
        expected, spread, differs: by input of design.INPUTS: the mean coefficient, how uncertain that mean is, and how
            much one athlete's differs from another's (standard deviations).
        usual_volatility: of a reading over 28 d (ml/kg/min).
        bands: by what is calibrated: in units of the athlete's own scale.
        start: weights of METHODS by bucket, for an athlete none of whose forecasts has come due.
        effect: what planned load changes.
        served: by bucket: athletes' CRPS of the combined forecast against persistence, each left out of training.
        what_if: the same of the forecaster that is told the load ahead against the one that is not, beyond 14 d.
        placebo: the same against one that is told the load of other days.
        coverage: by bucket: share of readings inside the 90 % bands of the combined forecast, all athletes alike.
        about: date, readings, fingerprint of the features, protocol, and how much athletes differ in volatility and in
            the width of their bands: for people and tests.
    """

    athletes: float
    expected: Array
    spread: Array
    differs: Array
    usual_volatility: float
    bands: Mapping[str, Bands]
    start: Array
    effect: LoadEffect
    served: Mapping[str, Comparison]
    what_if: Comparison
    placebo: Comparison
    coverage: Mapping[str, float]
    about: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        def by_input(values: Array) -> dict[str, float]:
            return {name: round(float(value), 4) for name, value in zip(INPUTS, values, strict=True)}

        return {
            "schema_version": SCHEMA_VERSION,
            "athletes": round(self.athletes, 3),
            "inputs": {
                "expected": by_input(self.expected),
                "spread": by_input(self.spread),
                "differs": by_input(self.differs),
            },
            "usual_volatility": round(self.usual_volatility, 4),
            "bands": {name: bands.to_json() for name, bands in self.bands.items()},
            "weights": {
                name: dict(zip(METHODS, np.round(row, 6).tolist(), strict=True))
                for name, row in zip(BUCKETS, self.start, strict=True)
            },
            "load_effect": self.effect.to_json(),
            "evidence": {
                "served": {name: comparison.to_json() for name, comparison in self.served.items()},
                "what_if": self.what_if.to_json(),
                "placebo": self.placebo.to_json(),
                "coverage_90": {name: round(share, 4) for name, share in self.coverage.items()},
            },
            "about": dict(self.about),
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Population":
        """The population that `to_json` wrote.

        Raises:
            PopulationError: a part is missing or wrong, or it was made for another feature schema.
        """
        try:
            if document["schema_version"] != SCHEMA_VERSION:
                raise PopulationError(
                    f"the population was made for feature schema {document['schema_version']}, this code has "
                    f"{SCHEMA_VERSION}: run `make population DATA=FOLDER`"
                )
            inputs, evidence = document["inputs"], document["evidence"]
            expected, spread, differs = (
                np.array([inputs[part][name] for name in INPUTS], dtype=float)
                for part in ("expected", "spread", "differs")
            )
            return Population(
                athletes=float(document["athletes"]),
                expected=expected,
                spread=spread,
                differs=differs,
                usual_volatility=float(document["usual_volatility"]),
                bands={name: Bands.from_json(document["bands"][name]) for name in CALIBRATED},
                start=_shares(document["weights"]),
                effect=LoadEffect(**document["load_effect"]),
                served={name: Comparison.from_json(evidence["served"][name]) for name in BUCKETS},
                what_if=Comparison.from_json(evidence["what_if"]),
                placebo=Comparison.from_json(evidence["placebo"]),
                coverage={name: float(evidence["coverage_90"][name]) for name in BUCKETS},
                about=document["about"],
            )
        except (KeyError, TypeError) as error:
            raise PopulationError(f"no population: {error!r}") from error


def _shares(weights: Mapping[str, Mapping[str, float]]) -> Array:
    table = np.array([[weights[name][method] for method in METHODS] for name in BUCKETS], dtype=float)
    normed: Array = table / table.sum(axis=1, keepdims=True)
    return normed


UNLEARNT = Population(
    athletes=0.0,
    expected=np.array([EXPECTED[name] for name in INPUTS]),
    spread=np.full(len(INPUTS), EXPECTED_SPREAD),
    differs=np.full(len(INPUTS), EXPECTED_DIFFERENCE),
    usual_volatility=USUAL_VOLATILITY,
    bands=dict.fromkeys(CALIBRATED, prior_bands()),
    start=_shares(dict.fromkeys(BUCKETS, FIRST_WEIGHTS)),
    effect=NO_EFFECT,
    served=dict.fromkeys(BUCKETS, NO_COMPARISON),
    what_if=NO_COMPARISON,
    placebo=NO_COMPARISON,
    coverage=dict.fromkeys(BUCKETS, float("nan")),
    about={},
)
"""What is expected before any athlete was seen: the study of a population starts from it."""


def read_population(path: Path = SHIPPED_FILE) -> Population:
    """The population of a file, by default the one that ships with the project.

    Raises:
        PopulationError: the file is missing or unreadable, or made for another feature schema.
    """
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise PopulationError(f"no population in {path.name}: {error}") from error
    return Population.from_json(document)
