"""The population that ships with the project: made anew when features change, and nothing of anybody in it."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from include.features import readings
from include.features.schema import SCHEMA_VERSION
from include.forecast.population import SHIPPED_FILE, read_population
from include.garmin.document import SourceError
from infra.population.__main__ import make_population
from infra.population.fingerprint import feature_fingerprint

SOURCE = "synthetic:athletes=3,years=2,seed=5"
ON = date(2026, 1, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("population")
    for name in ("first.json", "second.json"):
        make_population(SOURCE, ON, folder / name)
    return (folder / "first.json").read_bytes(), (folder / "second.json").read_bytes()


def test_the_shipped_population_is_that_of_the_features_of_this_code() -> None:
    population = read_population()
    assert population.about["fingerprint"] == feature_fingerprint(), (
        "features or inputs have another meaning now: run `make population DATA=FOLDER` and measure anew"
    )
    assert json.loads(SHIPPED_FILE.read_text())["schema_version"] == SCHEMA_VERSION


def test_the_fingerprint_moves_when_a_feature_does(monkeypatch: pytest.MonkeyPatch) -> None:
    before = feature_fingerprint()
    monkeypatch.setattr(readings, "VOLATILITY_TOLERANCE_DAYS", 5)
    assert feature_fingerprint() != before


def test_the_same_athletes_give_the_same_bytes(made: tuple[bytes, bytes]) -> None:
    first, second = made
    assert first == second


def test_it_says_what_it_rests_on(made: tuple[bytes, bytes]) -> None:
    about = json.loads(made[0])["about"]
    assert about["athletes"] == 3
    assert about["readings"] > 100
    assert about["made_on"] == "2026-01-01"
    assert about["fingerprint"] == feature_fingerprint()


def test_no_name_and_no_day_of_an_athlete_is_in_it(made: tuple[bytes, bytes]) -> None:
    document = json.loads(made[0])
    days = re.findall(r"\d{4}-\d{2}-\d{2}", json.dumps({**document, "about": {**document["about"], "made_on": ""}}))
    assert not days
    assert "athlete-0" not in made[0].decode()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        make_population(str(tmp_path / "nowhere"), ON, tmp_path / "population.json")
