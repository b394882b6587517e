import numpy as np
import pytest

from include.forecast.forecaster import FORECASTER, PERSISTENCE, Forecaster, ForecasterError, load
from include.forecast.model import fit, shrink
from include.forecast.rows import athlete_weights
from include.forecast.split import choose_cuts, split
from include.forecast.targets import make_rows
from include.forecast.training import mean_crps, train_forecaster
from include.forecast.volatility import Pooling, fit_pooling


@pytest.fixture(scope="module")
def folds(make_features):
    rows = make_rows(make_features(reverting=0.8))
    return split(rows, choose_cuts(rows))


@pytest.fixture(scope="module")
def forecaster(folds) -> Forecaster:
    return train_forecaster(folds["train"], folds["calibration"], 7, {"dataset_version": "v"})


def test_a_week_ahead_is_persistence(forecaster, folds):
    test = folds["test"]
    change = forecaster.change(FORECASTER, test.features, test.horizon_days)
    assert (change[test.horizon_days <= 7] == 0).all()
    assert np.abs(change[test.horizon_days >= 14]).max() > 0.1
    assert (forecaster.change(PERSISTENCE, test.features, test.horizon_days) == 0).all()
    assert list(shrink([1, 7, 14, 42])) == [0, 0, 1, 1]


def test_reversion_that_is_there_is_found(forecaster, folds):
    late = folds["test"].where(folds["test"].horizon_days >= 15)
    assert mean_crps(forecaster, FORECASTER, late) < 0.9 * mean_crps(forecaster, PERSISTENCE, late)


def test_no_skill_is_found_in_a_random_walk(make_features):
    rows = make_rows(make_features(athletes=8, seed=5))
    folds = split(rows, choose_cuts(rows))
    forecaster = train_forecaster(folds["train"], folds["calibration"], 7, {})
    gain = 1 - mean_crps(forecaster, FORECASTER, folds["test"]) / mean_crps(forecaster, PERSISTENCE, folds["test"])
    assert gain < 0.05


def test_the_same_rows_and_seed_give_the_same_bytes(forecaster, folds, tmp_path):
    again = train_forecaster(folds["train"], folds["calibration"], 7, {"dataset_version": "v"})
    for name, one in (("a", forecaster), ("b", again)):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
    for name in ("xgboost-model", "forecaster.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_saved_forecaster_answers_the_same(forecaster, folds, tmp_path):
    forecaster.save(tmp_path)
    again = load(tmp_path)
    test = folds["test"]
    assert (again.change(FORECASTER, test.features, test.horizon_days)
            == forecaster.change(FORECASTER, test.features, test.horizon_days)).all()  # fmt: skip
    widths = [one.half_width(FORECASTER, test.features, test.horizon_days) for one in (again, forecaster)]
    assert np.allclose(*widths, atol=1e-5)


def test_an_artifact_of_another_schema_is_refused(forecaster, tmp_path):
    forecaster.save(tmp_path)
    text = (tmp_path / "forecaster.json").read_text()
    (tmp_path / "forecaster.json").write_text(text.replace('"schema_version": 1', '"schema_version": 99'))
    with pytest.raises(ForecasterError, match="feature schema 99"):
        load(tmp_path)
    (tmp_path / "forecaster.json").write_text(text)
    (tmp_path / "xgboost-model").write_bytes(b"no model")
    with pytest.raises(ForecasterError, match="no XGBoost model"):
        load(tmp_path)
    with pytest.raises(ForecasterError, match="no readable model"):
        load(tmp_path / "nowhere")


def test_too_few_rows_give_persistence_with_prior_bands(folds, tmp_path):
    few = folds["train"].where(np.arange(20))
    none = few.where(np.zeros(20, dtype=bool))
    with pytest.raises(ValueError, match="training rows"):
        fit(few, Pooling(), 7)
    forecaster = train_forecaster(none, few, 7, {})
    assert forecaster.booster is None
    assert any("no trees" in note for note in forecaster.about["notes"])
    assert any("prior" in note for note in forecaster.about["notes"])
    forecaster.save(tmp_path)
    assert not (tmp_path / "xgboost-model").exists()
    assert load(tmp_path).booster is None
    assert mean_crps(forecaster, FORECASTER, none) == 0
    width = forecaster.half_width(PERSISTENCE, few.features, few.horizon_days)
    assert (width[:, -1] > 0).all()


def test_volatility_leans_on_others_while_pairs_are_few():
    pooling = Pooling(usual=1.0)
    pooled = pooling.pooled([3.0, 3.0, np.nan, 0.0], [1, 1000, 0, 1000], [7, 7000, 0, 7000])
    assert 1.0 < pooled[0] < 1.6
    assert pooled[1] == pytest.approx(3, abs=0.05)
    assert pooled[2] == 1.0
    assert pooled[3] == pooling.floor


def test_the_usual_volatility_counts_athletes_not_rows():
    pooling = fit_pooling(np.array([1.0, 1.0, 1.0, 3.0, np.nan]), np.array(["a", "a", "a", "b", "c"]))
    assert pooling.usual == pytest.approx(np.sqrt(5))
    assert fit_pooling(np.array([np.nan]), np.array(["a"])) == Pooling()


def test_weights():
    weights = athlete_weights(np.array(["a", "a", "a", "b"]))
    assert weights[:3].sum() == pytest.approx(weights[3])
    assert weights.mean() == pytest.approx(1)
