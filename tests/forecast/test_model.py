import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.features.schema import NAMES, SCHEMA_VERSION
from include.forecast import trees
from include.forecast.design import INPUTS, design_matrix
from include.forecast.distribution import crps
from include.forecast.forecaster import Forecaster, ForecasterError, load
from include.forecast.horizon import BUCKETS
from include.forecast.linear import penalty, solve
from include.forecast.methods import DAMPED_DRIFT, FORECASTER, METHODS, NO_REVERSION, PERSISTENCE, changes, damped_drift
from include.forecast.own_record import COMBINED, blank
from include.forecast.population import PLANNED, UNLEARNT
from include.forecast.resampling import by_athlete
from include.forecast.rows import athlete_weights, concatenate, windows_by_athlete
from include.forecast.split import choose_cuts, split
from include.forecast.targets import make_rows
from include.forecast.training import train_forecaster
from include.forecast.volatility import Pooling, fit_pooling


def folds_of(rows):
    folds = split(rows, choose_cuts(rows))
    return concatenate([folds["train"], folds["calibration"]]), folds["test"]


def mean_crps(forecaster, method, rows):
    return float(by_athlete(crps(forecaster.predictive(method, rows), rows.change), rows.athlete).mean())


def gain(forecaster, rows):
    return 1 - mean_crps(forecaster, FORECASTER, rows) / mean_crps(forecaster, PERSISTENCE, rows)


@pytest.fixture(scope="module")
def folds(make_features):
    return folds_of(make_rows(make_features(reverting=0.8)))


@pytest.fixture(scope="module")
def forecaster(folds) -> Forecaster:
    return train_forecaster(folds[0], 7, {"dataset_version": "v"}, UNLEARNT)


def test_the_change_grows_with_the_root_of_the_horizon(forecaster, folds):
    test = folds[1]
    far = np.abs(forecaster.change(FORECASTER, test.features, np.full(len(test), 42.0)))
    near = np.abs(forecaster.change(FORECASTER, test.features, np.ones(len(test))))
    assert far.max() > 0.1
    assert near.mean() == pytest.approx(far.mean() / np.sqrt(42))
    assert (forecaster.change(PERSISTENCE, test.features, test.horizon_days) == 0).all()


def test_more_and_more_frequent_training_than_usual_is_never_expected_to_cost():
    """Before any data. What is usual is what holds fitness, and after years the athlete's own."""
    prior = UNLEARNT.expected

    def expected(name, lately, usual, history_days):
        features = np.full((len(lately), len(NAMES)), np.nan)
        features[:, NAMES.index(f"{name}_21d")] = lately
        features[:, NAMES.index(f"{name}_mean")] = usual
        features[:, NAMES.index("history_days")] = history_days
        return design_matrix(features, np.full(len(lately), 42.0), np.ones(len(lately))) @ prior

    for name, holds in (("training_hours", 2.5), ("sport_sessions", 2.0)):
        lately = np.linspace(0, 12, 61)
        assert (np.diff(expected(name, lately, 4.0, 500)) > 0).all()
        assert expected(name, np.array([holds]), 10.0, 0)[0] == pytest.approx(0)
        assert expected(name, np.array([10.0]), 10.0, 1e9)[0] == pytest.approx(0, abs=1e-6)


def test_what_activities_tell_beyond_their_usual_gap_is_expected_of_the_next_readings():
    def expected(gap, usual, readings):
        features = np.full((1, len(NAMES)), np.nan)
        for name, value in (("gap", gap), ("gap_mean", usual)):
            features[:, NAMES.index(f"reading_activity_{name}")] = value
        features[:, NAMES.index("readings")] = readings
        return (design_matrix(features, np.array([42.0]), np.ones(1)) @ UNLEARNT.expected).item()

    assert expected(-2.0, 0.0, 100) == -expected(2.0, 0.0, 100) < 0
    assert expected(-1.0, -1.0, 1e9) == pytest.approx(0, abs=1e-6)
    assert expected(-1.0, -1.0, 1) < expected(-1.0, -1.0, 30) < 0


def test_reversion_that_is_there_is_found(forecaster, folds):
    assert gain(forecaster, folds[1].where(folds[1].horizon_days >= 15)) > 0.1


def test_no_skill_is_found_in_a_random_walk(make_features):
    known, test = folds_of(make_rows(make_features(athletes=8, seed=5)))
    assert gain(train_forecaster(known, 7, {}, UNLEARNT), test) < 0.05


def test_with_the_future_shuffled_the_gain_is_lost(folds):
    """Targets of other origins of the same athlete: whatever gain is left would come from looking ahead."""
    rng = np.random.default_rng(3)

    def shuffled(rows):
        order = np.arange(len(rows))
        for athlete in np.unique(rows.athlete):
            mine = np.flatnonzero(rows.athlete == athlete)
            order[mine] = rng.permutation(mine)
        change = rows.change[order] - rows.column("vo2max_last") * 0
        return type(rows)(*(change if name == "change" else getattr(rows, name) for name in rows.__dataclass_fields__))

    known, test = (shuffled(one) for one in folds)
    assert gain(train_forecaster(known, 7, {}, UNLEARNT), test) < 0.02


def test_the_same_rows_and_seed_give_the_same_bytes(forecaster, folds, tmp_path):
    again = train_forecaster(folds[0], 7, {"dataset_version": "v"}, UNLEARNT)
    for name, one in (("a", forecaster), ("b", again)):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
    for name in ("xgboost-model", "forecaster.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_saved_forecaster_answers_the_same(forecaster, folds, tmp_path):
    forecaster.save(tmp_path)
    again, test = load(tmp_path), folds[1]
    for method in (FORECASTER, PLANNED):
        one, other = (
            each.change(method, test.features, test.horizon_days, np.full(len(test), 70.0))
            for each in (again, forecaster)
        )
        assert np.allclose(one, other, atol=1e-5)
    widths = [one.half_width(FORECASTER, test.features, test.horizon_days) for one in (again, forecaster)]
    assert np.allclose(*widths, atol=1e-5)


def test_a_saved_forecaster_combines_the_same(forecaster, folds, tmp_path):
    forecaster.save(tmp_path)
    test, answers = folds[1], dict.fromkeys(BUCKETS, COMBINED)
    one, other = (
        each.served(answers, test.features, test.horizon_days, blank(each.start, len(test)))
        for each in (load(tmp_path), forecaster)
    )
    assert np.allclose(one.mean, other.mean, atol=1e-5)
    assert np.allclose(one.half_width, other.half_width, atol=1e-5)


def test_what_is_combined_is_the_weighted_mean_of_the_methods(forecaster, folds):
    test = folds[1].where(np.arange(200))
    each = dict(zip(METHODS, changes(forecaster, test.features, test.horizon_days).T, strict=True))
    assert (each[PERSISTENCE] == 0).all()
    assert np.allclose(each[FORECASTER], forecaster.change(FORECASTER, test.features, test.horizon_days))
    assert not np.allclose(each[NO_REVERSION], each[FORECASTER])
    for method in METHODS:
        certain = blank(np.tile([float(name == method) for name in METHODS], (len(BUCKETS), 1)), len(test))
        served = forecaster.served(dict.fromkeys(BUCKETS, COMBINED), test.features, test.horizon_days, certain)
        assert np.allclose(served.mean, each[method])
    half = np.array([0.5 * (name in (PERSISTENCE, DAMPED_DRIFT)) for name in METHODS])
    mixed = blank(np.tile(half, (len(BUCKETS), 1)), len(test))
    served = forecaster.served(dict.fromkeys(BUCKETS, COMBINED), test.features, test.horizon_days, mixed)
    assert np.allclose(served.mean, each[DAMPED_DRIFT] / 2)


def test_the_drift_goes_on_ever_less():
    features = np.zeros((42, len(NAMES)))
    features[:, NAMES.index("reading_mean_90d_gap")] = -3.0
    change = damped_drift(features, np.arange(1.0, 43.0))
    steps = np.diff(change, prepend=0.0)
    assert (steps > 0).all() and (np.diff(steps) < 0).all()
    assert steps[0] == pytest.approx(0.1 * 0.95)
    assert (damped_drift(-features, np.arange(1.0, 43.0)) == -change).all()


def test_an_artifact_of_another_schema_is_refused(forecaster, tmp_path):
    forecaster.save(tmp_path)
    text = (tmp_path / "forecaster.json").read_text()
    (tmp_path / "forecaster.json").write_text(
        text.replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99')
    )
    with pytest.raises(ForecasterError, match="feature schema 99"):
        load(tmp_path)
    (tmp_path / "forecaster.json").write_text(text)
    (tmp_path / "xgboost-model").write_bytes(b"no model")
    with pytest.raises(ForecasterError, match="no XGBoost model"):
        load(tmp_path)
    with pytest.raises(ForecasterError, match="no readable model"):
        load(tmp_path / "nowhere")


def test_too_few_rows_give_what_is_expected_with_prior_bands(folds, tmp_path):
    few = folds[0].where(np.arange(20))
    none = few.where(np.zeros(20, dtype=bool))
    for rows in (few, none):
        forecaster = train_forecaster(rows, 7, {}, UNLEARNT)
        assert any("prior" in note for note in forecaster.about["notes"])
        forecaster.save(tmp_path)
        again = load(tmp_path)
        assert np.abs(again.model.coefficients - UNLEARNT.expected).max() < 0.2
        assert (again.half_width(PERSISTENCE, few.features, few.horizon_days)[:, -1] > 0).all()
    assert again.model.coefficients == pytest.approx(UNLEARNT.expected)
    assert forecaster.about["crps"] == {FORECASTER: 0.0, PERSISTENCE: 0.0}


def test_no_future_load_reaches_the_forecaster(forecaster, folds):
    test = folds[1]
    told = forecaster.change(FORECASTER, test.features, test.horizon_days, test.load_ahead * 5)
    assert (told == forecaster.change(FORECASTER, test.features, test.horizon_days)).all()


def test_unknown_features_count_as_nothing_out_of_the_usual():
    features = np.full((1, len(NAMES)), np.nan)
    assert (design_matrix(features, np.array([42.0]), np.ones(1)) == 0).all()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.just(float("nan")), st.floats(-1e9, 1e9)), min_size=len(NAMES), max_size=len(NAMES)))
def test_no_feature_however_odd_makes_an_input_without_bounds(values):
    matrix = design_matrix(np.array([values]), np.array([42.0]), np.ones(1))
    assert np.isfinite(matrix).all()
    without_end = [list(INPUTS).index(name) for name in ("reading_age", "pause")]
    assert np.abs(np.delete(matrix, without_end, axis=1)).max() <= 3.0


def test_the_prior_gives_way_to_evidence():
    rng = np.random.default_rng(1)
    inputs, truth = rng.normal(size=(500, len(INPUTS))), np.linspace(-1, 1, len(INPUTS))
    prior, spread, differs = UNLEARNT.expected, UNLEARNT.spread, UNLEARNT.differs
    found = solve(inputs, inputs @ truth, np.ones(500), penalty(100_000, 1000, spread, differs), prior)
    assert found == pytest.approx(truth, abs=0.01)
    assert (solve(inputs, inputs @ truth, np.zeros(500), penalty(0, 0, spread, differs), prior) == prior).all()
    few, many, others = (penalty(*seen, spread, differs) for seen in ((10, 1), (100, 1), (100, 10)))
    assert (few > many).all() and (many > others).all() and (others > 0).all()
    assert (penalty(10, 1, spread / 2, differs) > few).all()
    assert (penalty(10, 1, spread, differs * 2) > few).all()


def test_trees_stay_where_they_pay_and_serve_the_same_way(folds, tmp_path):
    """The truth holds a product of two inputs, which no line can follow."""
    rows = folds[0]
    gap = rows.column("reading_mean_30d_gap")
    bent = np.where(rows.column("resting_hr_7d_vs_60d") > 0, gap, -gap) * 2
    curved = type(rows)(*(bent if name == "change" else getattr(rows, name) for name in rows.__dataclass_fields__))
    forecaster = train_forecaster(curved, 7, {}, UNLEARNT)
    assert forecaster.model.booster.num_boosted_rounds() == trees.ROUNDS
    assert any(note.startswith("trees kept") for note in forecaster.about["notes"])
    forecaster.save(tmp_path)
    one, other = (each.change(FORECASTER, rows.features, rows.horizon_days) for each in (forecaster, load(tmp_path)))
    assert np.allclose(one, other, atol=1e-5)


def test_trees_are_left_out_where_they_do_not_pay(make_features):
    forecaster = train_forecaster(make_rows(make_features(athletes=8, seed=5)), 7, {}, UNLEARNT)
    assert forecaster.model.booster.num_boosted_rounds() == 0
    assert any(note.startswith("no trees") for note in forecaster.about["notes"])


def test_volatility_leans_on_others_while_pairs_are_few():
    pooling = Pooling(usual=1.0)
    pooled = pooling.pooled([3.0, 3.0, np.nan, 0.0], [1, 1000, 0, 1000], [7, 7000, 0, 7000])
    assert 1.0 < pooled[0] < 1.6
    assert pooled[1] == pytest.approx(3 * 1.2533, abs=0.05)
    assert pooled[2] == 1.0
    assert pooled[3] == pooling.floor


def test_one_wild_athlete_hardly_moves_the_usual_volatility():
    usual = fit_pooling(np.array([1.0] * 6 + [60.0]), np.ones(7), 1.3, 8.0).usual
    assert usual == pytest.approx((6 * 1.2533 + 3 * 1.3 + 8 * 1.3) / 15)


def test_the_usual_volatility_is_a_weighted_mean():
    pooling = fit_pooling(np.array([1.0, 1.0, 3.0, np.nan]), np.array([0.5, 0.5, 1.0, 1.0]))
    assert pooling.usual == pytest.approx(2 * 1.2533, abs=0.001)
    assert fit_pooling(np.array([np.nan]), np.ones(1)) == Pooling()


def test_athletes_count_the_same_once_there_is_enough_of_them():
    days = np.datetime64("2024-01-01") + np.concatenate([np.arange(400), np.arange(0, 400, 4), np.arange(3)])
    names = np.repeat(["a", "b", "c"], [400, 100, 3])
    weights = athlete_weights(names, days)
    assert weights[:400].sum() == pytest.approx(weights[400:500].sum())
    assert weights[500:].sum() == pytest.approx(0.1)
    assert list(windows_by_athlete(names, days)) == [15, 15, 1]
