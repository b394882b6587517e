from dataclasses import replace

import numpy as np
import pytest

from include.forecast import backtest
from include.forecast.baselines import BANISTER, DAMPED_DRIFT, LOCAL_LEVEL, PLAIN_PERSISTENCE, RIDGE, fit_baselines
from include.forecast.dataset import make_dataset, read_rows, write_dataset
from include.forecast.groups import leave_out
from include.forecast.methods import FORECASTER, PERSISTENCE
from include.forecast.own_record import COMBINED
from include.forecast.population import PLANNED
from include.forecast.scores import Scores
from include.forecast.series import level_gaps
from include.forecast.split import choose_cuts, origins_by_athlete
from include.forecast.targets import daily_load, make_rows
from include.forecast.volatility import Pooling


@pytest.fixture(scope="module")
def rows(make_features):
    return make_rows(make_features(athletes=4, reverting=0.8))


def names(rows):
    return [str(one) for one in np.unique(rows.athlete)]


def test_walking_forward_nothing_is_learnt_from_what_comes_later(rows):
    folds = list(backtest.walk_forward(rows, names(rows), names(rows)))
    assert len(folds) >= 3
    for fold in folds:
        cut = np.datetime64(fold.name)
        assert rows.target_day[fold.learnt].max() < cut
        assert (cut - rows.origin_day[fold.learnt].max()).astype(int) > 45
        assert rows.origin_day[fold.scored].min() >= cut
    scored = np.sum([fold.scored for fold in folds], axis=0)
    assert scored.max() == 1


def test_a_row_whose_target_lies_past_the_cut_is_gone(rows):
    fold = next(backtest.walk_forward(rows, names(rows), names(rows)))
    straddling = (rows.origin_day < np.datetime64(fold.name)) & (rows.target_day >= np.datetime64(fold.name))
    assert straddling.any()
    assert not (straddling & (fold.learnt | fold.scored)).any()


def test_an_athlete_left_out_is_never_learnt_from(rows):
    folds = list(backtest.leave_one_out(rows, names(rows), names(rows)))
    assert [fold.name for fold in folds] == names(rows)
    for fold in folds:
        assert fold.name not in rows.athlete[fold.learnt]
        assert set(rows.athlete[fold.scored]) == {fold.name}


def test_held_out_athletes_are_scored_and_not_learnt_from(rows):
    held, others = names(rows)[:1], names(rows)[1:]
    for protocol in (backtest.walk_forward, backtest.leave_one_out):
        for fold in protocol(rows, held, others):
            assert set(rows.athlete[fold.scored]) == set(held)
            assert not set(rows.athlete[fold.learnt]) & set(held)


def test_every_method_is_scored_on_the_same_rows(rows):
    done = backtest.run(rows, backtest.leave_one_out(rows, names(rows)[:2], names(rows)), 7)
    expected = {
        COMBINED,
        FORECASTER,
        PERSISTENCE,
        PLANNED,
        PLAIN_PERSISTENCE,
        DAMPED_DRIFT,
        LOCAL_LEVEL,
        BANISTER,
        RIDGE,
    }
    assert expected <= set(done.scores)
    assert {len(one.crps) for one in done.scores.values()} == {len(done.rows)}
    assert done.scores[FORECASTER].crps.mean() < done.scores[PLAIN_PERSISTENCE].crps.mean()
    assert done.scores[COMBINED].crps.mean() < done.scores[PLAIN_PERSISTENCE].crps.mean()
    assert done.by_combined.all()
    assert backtest.run(rows, iter(()), 7) is None


@pytest.fixture(scope="module")
def short(make_features):
    return make_rows(make_features(athletes=3, days=500, reverting=0.8))


@pytest.fixture(scope="module")
def deployed(short):
    return backtest.alone(short, ["athlete-0"], names(short), 7)


def test_alone_every_row_of_the_scored_athlete_is_answered_once(short, deployed):
    assert set(deployed.rows.athlete) == {"athlete-0"}
    assert len(deployed.rows) == (short.athlete == "athlete-0").sum()
    pairs = set(zip(deployed.rows.origin_day, deployed.rows.target_day, strict=True))
    assert len(pairs) == len(deployed.rows)
    assert {COMBINED, PERSISTENCE, PLAIN_PERSISTENCE, backtest.SERVED} <= set(deployed.scores)
    assert [name.split()[0] for name in deployed.forecasters] == ["athlete-0"] * len(deployed.forecasters)


def test_alone_what_is_served_is_what_the_gate_let_answer(deployed):
    served = deployed.scores[backtest.SERVED]
    assert deployed.by_combined.any()
    late = np.isin(np.arange(len(deployed.rows)), np.flatnonzero(deployed.rows.horizon_days > 42))
    assert served.error[deployed.by_combined] == pytest.approx(deployed.scores[COMBINED].error[deployed.by_combined])
    others = ~deployed.by_combined & ~late
    assert served.error[others] == pytest.approx(deployed.scores[PERSISTENCE].error[others])


def test_alone_nothing_before_a_day_moves_when_the_athletes_future_does(short, deployed):
    day = np.datetime64("2022-09-15")
    own = short.athlete == "athlete-0"
    change = np.where(own & (short.target_day > day), short.change + 7.0, short.change)
    features = np.where((own & (short.origin_day > day))[:, None], short.features * 1.5, short.features)
    moved = backtest.alone(replace(short, change=change, features=features), ["athlete-0"], names(short), 7)
    known = deployed.rows.target_day <= day
    assert (moved.rows.target_day[known] == deployed.rows.target_day[known]).all()
    for name, scores in deployed.scores.items():
        for field in Scores.__dataclass_fields__:
            one, other = (getattr(each, field)[known] for each in (scores, moved.scores[name]))
            assert (one == other).all(), (name, field)
    assert (deployed.by_combined[known] == moved.by_combined[known]).all()
    assert not np.allclose(deployed.scores[COMBINED].error, moved.scores[COMBINED].error)


def test_alone_the_scored_athlete_is_in_no_population(short, monkeypatch):
    learnt = []
    real = backtest.study

    def study_and_note(rows, *arguments):
        learnt.append(sorted(set(rows.athlete)))
        return real(rows, *arguments)

    monkeypatch.setattr(backtest, "study", study_and_note)
    backtest.alone(short, names(short)[:2], names(short), 7)
    assert learnt == [["athlete-1", "athlete-2"], ["athlete-0", "athlete-2"]]


def test_alone_needs_two_others_to_start_from(short):
    two = short.where(short.athlete != "athlete-2")
    assert backtest.alone(two, names(two), names(two), 7) is None


def test_every_row_is_judged_once_by_what_has_not_seen_its_group(rows):
    for few in (4, 1):
        part = rows.where(np.isin(rows.athlete, names(rows)[:few]))
        judged = np.zeros(len(part), dtype=int)
        for known, asked in leave_out(part):
            judged += asked
            assert not (known & asked).any()
            if few == 4:
                assert not set(part.athlete[known]) & set(part.athlete[asked])
            else:
                first, last = part.origin_day[asked].min(), part.target_day[asked].max()
                assert ((part.target_day[known] < first) | (part.origin_day[known] > last)).all()
        assert (judged == 1).all()


def test_local_level_is_the_kalman_filter():
    day, reading = np.array([0, 10, 11]), np.array([50.0, 52.0, 52.0])
    prior = 1.0 / 2.0 + 0.1 * 10
    gain = prior / (prior + 1)
    second = 50 + gain * 2
    last = prior * (1 - gain) + 0.1
    third = second + last / (last + 1) * (52 - second)
    assert level_gaps(day, reading) == pytest.approx([0, second - 52, third - 52])


def test_the_load_of_each_day_is_found_again_from_its_weekly_mean():
    load = np.random.default_rng(1).gamma(2, 30, 400)
    keep = np.exp(-1 / 7)
    mean, weight, told = 0.0, 0.0, []
    for one in load:
        mean, weight = keep * mean + one, keep * weight + 1
        told.append(mean / weight)
    told = np.array(told)
    told[100:110] = np.nan
    found = daily_load(told)
    assert np.isnan(found[:30]).all()
    assert np.isnan(found[100:110]).all()
    assert found[60:100] == pytest.approx(load[60:100], abs=0.5)
    assert found[111:] == pytest.approx(load[111:], abs=0.1)


def test_more_load_never_lowers_a_load_average():
    from include.features.training import _weighted

    load = np.random.default_rng(2).gamma(2, 30, 200)
    more = load.copy()
    more[100] += 50
    for days in (7, 14, 28, 42):
        before, after = _weighted(load, days), _weighted(more, days)
        known = ~np.isnan(before)
        assert known.sum() > 150
        assert (after[known] >= before[known] - 1e-9).all()


def test_banister_uses_the_load_ahead_only_when_it_is_told(rows):
    other = type(rows)(*(value * 3 if name == "load_ahead" else value for name, value in vars(rows).items()))
    for known in (False, True):
        baseline = fit_baselines(rows, Pooling(), load_is_known=known)[BANISTER]
        same = np.allclose(baseline.change(rows), baseline.change(other), equal_nan=True)
        assert same == (not known)


def test_a_long_file_is_thinned_evenly(rows, tmp_path):
    write_dataset(make_dataset(rows, choose_cuts(rows)), tmp_path, {})
    whole, thin = read_rows(tmp_path / "train"), read_rows(tmp_path / "train", 1000)
    step = -(-len(whole) // 1000)
    assert step > 1
    assert (thin.change == whole.change[::step]).all()
    assert (thin.origin_day == whole.origin_day[::step]).all()


def test_origins_are_counted_once(rows):
    found = origins_by_athlete(rows)
    for athlete in names(rows):
        assert (found[athlete] == np.unique(rows.origin_day[rows.athlete == athlete])).all()
    assert origins_by_athlete(rows.where(np.zeros(len(rows), bool))) == {}
