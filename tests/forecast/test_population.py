"""What ships, and what a deployment's training makes of it; the study that it comes from."""

import json
from dataclasses import replace

import numpy as np
import pytest

from include.features.schema import SCHEMA_VERSION
from include.forecast import study as study_module
from include.forecast.design import INPUTS
from include.forecast.horizon import BUCKETS
from include.forecast.methods import FORECASTER, METHODS, PERSISTENCE
from include.forecast.population import CALIBRATED, UNLEARNT, Population, PopulationError, read_population
from include.forecast.rows import concatenate
from include.forecast.study import study
from include.forecast.targets import make_rows
from include.forecast.training import train_forecaster

SHIPPED = read_population()


@pytest.fixture(scope="module")
def rows(make_features):
    return make_rows(make_features(athletes=4, days=500, reverting=0.8))


@pytest.fixture(scope="module")
def studied(rows):
    return study(rows, 7, {"readings": 500})


def text_of(population):
    return json.dumps(population.to_json(), sort_keys=True)


def test_what_ships_rests_on_several_athletes_and_says_so():
    assert SHIPPED.athletes >= 8
    for name in BUCKETS:
        assert len(SHIPPED.served[name].ratio) >= 8
        assert 0.85 <= SHIPPED.coverage[name] <= 0.95
    assert {"made_on", "readings", "athletes", "protocol", "seed"} <= set(SHIPPED.about)
    assert (SHIPPED.spread <= UNLEARNT.spread + 1e-9).all()
    assert not any(any(bands.is_prior) for bands in SHIPPED.bands.values())


def test_a_population_survives_json(studied, tmp_path):
    for population in (SHIPPED, studied):
        path = tmp_path / "population.json"
        path.write_text(text_of(population))
        assert text_of(read_population(path)) == text_of(population)
    assert np.allclose(read_population(path).expected, studied.expected, atol=1e-4)


def test_a_population_of_other_features_is_refused_with_the_command_to_run():
    document = SHIPPED.to_json() | {"schema_version": SCHEMA_VERSION + 1}
    with pytest.raises(PopulationError, match=f"feature schema {SCHEMA_VERSION + 1}.*make population DATA="):
        Population.from_json(document)


@pytest.mark.parametrize("part", [name for name in SHIPPED.to_json() if name != "schema_version"])
def test_a_population_without_a_part_is_refused_by_name(part):
    document = SHIPPED.to_json()
    del document[part]
    with pytest.raises(PopulationError, match=f"no population: KeyError.*{part}"):
        Population.from_json(document)


def test_a_file_that_is_missing_or_no_json_is_refused_by_name(tmp_path):
    with pytest.raises(PopulationError, match=r"no population in population\.json"):
        read_population(tmp_path / "population.json")
    (tmp_path / "population.json").write_text("{")
    with pytest.raises(PopulationError, match=r"no population in population\.json"):
        read_population(tmp_path / "population.json")


def test_without_rows_the_population_answers(rows):
    forecaster = train_forecaster(rows.where(np.zeros(len(rows), dtype=bool)), 7, {}, SHIPPED)
    assert forecaster.model.coefficients == pytest.approx(SHIPPED.expected)
    assert forecaster.pooling.usual == SHIPPED.usual_volatility
    assert (forecaster.start == SHIPPED.start).all()
    assert forecaster.effect == SHIPPED.effect
    for name in CALIBRATED:
        assert np.allclose(forecaster.bands[name].half_widths, SHIPPED.bands[name].half_widths)
        assert forecaster.bands[name].is_prior == (False,) * len(BUCKETS)


def panel(make_features, athletes):
    """Athletes who revert far more than those of the population, as one of them many times over."""
    rows = make_rows(make_features(athletes=min(athletes, 6), days=500, reverting=0.8)).where(slice(None, None, 4))
    copies = [replace(rows, athlete=np.char.add(rows.athlete, f"-{copy}")) for copy in range(-(-athletes // 6))]
    together = concatenate(copies)
    return together.where(np.isin(together.athlete, np.unique(together.athlete)[:athletes]))


def distances(forecaster, own):
    """How far a forecaster is from the population, as a share of the way to one that knew no other athletes."""

    own_mean = list(INPUTS).index("own_mean")

    def share(value, first, last):
        return float(np.abs(np.asarray(value) - first).sum() / np.abs(np.asarray(last) - first).sum())

    return {
        "own_mean": share(
            forecaster.model.coefficients[own_mean], SHIPPED.expected[own_mean], own.model.coefficients[own_mean]
        ),
        "volatility": share(forecaster.pooling.usual, SHIPPED.usual_volatility, own.pooling.usual),
        "bands": share(
            forecaster.bands[PERSISTENCE].half_widths,
            SHIPPED.bands[PERSISTENCE].half_widths,
            own.bands[PERSISTENCE].half_widths,
        ),
    }


def test_the_population_is_nearly_all_for_one_athlete_and_fades_among_hundreds(make_features):
    unlearnt = replace(UNLEARNT, spread=np.full(len(UNLEARNT.spread), 10.0))
    found = {}
    for athletes in (1, 240):
        rows = panel(make_features, athletes)
        trained = train_forecaster(rows, 7, {}, SHIPPED, may_have_trees=False)
        found[athletes] = distances(trained, train_forecaster(rows, 7, {}, unlearnt, may_have_trees=False))
    assert all(share < 0.3 for share in found[1].values()), found
    assert all(share > 0.85 for share in found[240].values()), found


def test_a_study_gives_the_same_bytes(rows, studied):
    assert text_of(study(rows, 7, {"readings": 500})) == text_of(studied)


def test_a_study_leaves_the_athlete_out_that_it_judges(rows, monkeypatch):
    """Every forecaster that scores an athlete has learnt from the others alone."""
    learnt, judged = [], []
    train, score = study_module.train_forecaster, study_module.score_methods

    def train_and_note(known, *arguments, **more):
        learnt.append(set(known.athlete))
        return train(known, *arguments, **more)

    def score_and_note(forecaster, baselines, asked, records):
        judged.append((set(asked.athlete), learnt[-1]))
        return score(forecaster, baselines, asked, records)

    monkeypatch.setattr(study_module, "train_forecaster", train_and_note)
    monkeypatch.setattr(study_module, "score_methods", score_and_note)
    study(rows, 7, {})
    everybody = set(rows.athlete)
    assert [asked for asked, _ in judged] == [{name} for name in sorted(everybody)]
    assert all(known == everybody - asked for asked, known in judged)


def test_a_study_finds_what_athletes_have_in_common(studied):
    """They all come back to their mean, and nothing else moves them."""
    assert studied.athletes == pytest.approx(4.0)
    late = studied.served["29-42"]
    assert len(late.ratio) == 4 and (late.ratio < -0.1).all()
    assert (studied.start.sum(axis=1) == pytest.approx(1.0)) and (studied.start > 0).all()
    assert (studied.start[:, METHODS.index(FORECASTER)] >= UNLEARNT.start[:, METHODS.index(FORECASTER)]).all()
    assert 0.85 <= studied.coverage["15-28"] <= 0.99
    assert "athlete-0" not in text_of(studied)


def test_nothing_can_be_studied_of_one_athlete(rows):
    with pytest.raises(ValueError, match="two athletes or more"):
        study(rows.where(rows.athlete == "athlete-0"), 7, {})
