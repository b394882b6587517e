"""Whether the population that ships is of the features that this code makes."""

import pytest

from include.forecast.population import read_population
from infra.population import fingerprint
from infra.population.fingerprint import feature_fingerprint


def test_what_ships_is_of_the_features_that_this_code_makes() -> None:
    """Where this fails, features changed: `make population DATA=FOLDER` makes the file anew."""
    assert read_population().about["fingerprint"] == feature_fingerprint()


def test_the_fingerprint_changes_with_the_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    before = feature_fingerprint()
    real = fingerprint.design_matrix
    monkeypatch.setattr(fingerprint, "design_matrix", lambda *arguments: real(*arguments) * 1.001)
    assert feature_fingerprint() != before
