import numpy as np
import pytest

from include.features.schema import NAMES
from include.forecast.baselines import LOCAL_LEVEL, fit_baselines
from include.forecast.coverage import Coverage, judge, t_975
from include.forecast.distribution import Predictive
from include.forecast.evaluation import BucketResult, MethodResult, Skill, evaluate, score_methods
from include.forecast.forecaster import FORECASTER, PERSISTENCE
from include.forecast.gate import decide, judge_bucket, judge_what_if, served_crps, worse_than_champion
from include.forecast.intervals import prior_bands
from include.forecast.resampling import Interval, resample
from include.forecast.rows import Rows, concatenate
from include.forecast.scores import score, skill
from include.forecast.split import choose_cuts, split
from include.forecast.targets import make_rows
from include.forecast.training import train_forecaster

FIT = Coverage(0.9, 0.86, 0.95, "fit")


def method(crps=1.0, coverage=FIT, athletes=None):
    crps_by_athlete = np.full(8, crps) if athletes is None else np.array(athletes, dtype=float)
    return MethodResult(1.0, 1.0, 0.0, crps, 0.8, coverage, 3.0, crps_by_athlete)


def bucket(crps=0.1, low=0.02, rmse=0.05, ours=None, theirs=None):
    skills = {
        name: Skill(value, Interval(low, value + 0.1, 0.1), value) for name, value in (("crps", crps), ("rmse", rmse))
    }
    methods = {FORECASTER: ours or method(0.9), PERSISTENCE: theirs or method(1.0)}
    athletes = tuple(f"a{index}" for index in range(len(methods[FORECASTER].athlete_crps)))
    return BucketResult("15-28", 400, 80.0, athletes, methods, skills, PERSISTENCE, skills["crps"])


def test_a_proven_forecaster_answers():
    verdict = judge_bucket(bucket())
    assert (verdict.served_by, verdict.reasons, verdict.blocks) == (FORECASTER, (), ())


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (bucket(crps=0.049), "at least"),
        (bucket(low=-0.001), "95 % bound"),
        (bucket(rmse=-0.01), "RMSE"),
        (bucket(ours=method(athletes=[0.5] * 4 + [1.01] * 4)), "50% of athletes"),
        (bucket(ours=method(athletes=[0.5] * 7 + [1.2])), "the worst-off athlete is 20% worse"),
        (bucket(ours=method(athletes=[0.5] * 4), theirs=method(athletes=[1.0] * 4)), "4 athletes"),
        (bucket(ours=method(0.9, Coverage(0.7, 0.6, 0.8, "unfit"))), "unfit"),
        (bucket(ours=method(0.9, Coverage(0.7, 0.0, 1.0, "unknown"))), "unknown"),
    ],
)
def test_each_condition_alone_sends_the_bucket_to_persistence(result, reason):
    verdict = judge_bucket(result)
    assert verdict.served_by == PERSISTENCE
    assert len(verdict.reasons) == 1
    assert reason in verdict.reasons[0]
    assert verdict.blocks == ()


def test_wrong_bands_of_persistence_block_the_package():
    unfit = bucket(crps=0.0, theirs=method(1.0, Coverage(0.6, 0.5, 0.7, "unfit")))
    gate = decide([unfit], [], [])
    assert not gate.approved
    assert "60.0%" in gate.reasons[0]


def test_untested_bands_serve_with_low_confidence():
    gate = decide([bucket(crps=0.0, theirs=method(1.0, Coverage(1.0, 0.0, 1.0, "unknown")))], [], [])
    assert gate.approved
    assert gate.buckets["15-28"].confidence == "low"
    nothing = decide([BucketResult("15-28", 0, 0.0, (), {}, {})], [], [])
    assert nothing.approved
    assert nothing.served_by == {"15-28": PERSISTENCE}
    assert nothing.buckets["15-28"].confidence == "low"


@pytest.mark.parametrize("found", [(["train has targets"], []), ([], ["15-28 d: CRPS 9% worse"])])
def test_a_leak_or_a_better_champion_fails_the_gate(found):
    assert not decide([bucket()], *found).approved


def test_coverage_is_a_statement_about_athletes():
    assert judge(np.array([0.9] * 12), 300).verdict == "fit"
    assert judge(np.array([0.6] * 12), 300).verdict == "unfit"
    assert judge(np.array([1.0] * 12), 2000).verdict == "unfit"
    assert judge(np.array([1.0] * 4), 40).verdict == "fit"
    assert judge(np.array([0.6, 1.0, 0.7, 0.95]), 100).verdict == "fit"
    assert judge(np.array([0.2, 0.3]), 100).verdict == "unknown"
    assert judge(np.array([0.2, 0.3, 0.2]), 10).verdict == "unknown"
    assert judge(np.zeros(0), 0).verdict == "unknown"


def test_students_t():
    assert t_975(3) == 3.182
    assert t_975(11) == pytest.approx(2.201, abs=0.01)
    assert t_975(30) == pytest.approx(2.042, abs=0.01)
    assert t_975(1000) == pytest.approx(1.962, abs=0.01)


def test_a_flat_series_makes_no_infinite_skill():
    flat = skill(np.array([0.01]), np.array([0.0]), np.ones((1, 1)))
    assert flat[0] == 0


def test_bootstrap_over_athletes_seldom_approves_a_forecaster_that_is_no_better():
    """Athlete effects with mean zero: the lower bound should be above 0 in few of many worlds (nominal 2.5 %)."""
    rng = np.random.default_rng(1)
    approved = 0
    for world in range(200):
        theirs = rng.uniform(0.5, 1.5, 12)
        mine = theirs * (1 + rng.normal(0, 0.1, 12))
        low = np.quantile(skill(mine, theirs, resample(12, world)), 0.025)
        approved += low > 0
    assert approved <= 16


def scores_of(error, rows, shrink_width=1.0):
    half_width = np.repeat(prior_bands().half_widths[:1] * shrink_width, len(error), axis=0)
    mean = rows.change - error
    return score(Predictive(mean, half_width, np.zeros(len(error), dtype=bool)), rows.change)


def panel(seed, athletes=12, windows=24):
    """Rows a fortnight apart with lag 21 d, errors of persistence that athletes share in part."""
    rng = np.random.default_rng(seed)
    count = athletes * windows
    days = np.datetime64("2024-01-01") + 14 * np.tile(np.arange(windows), athletes)
    rows = Rows(
        np.repeat([f"a{index:02}" for index in range(athletes)], windows), days, days + 21, np.full(count, 21.0),
        np.zeros((count, len(NAMES))), rng.normal(0, 1, count), np.zeros(count), np.zeros(count),
    )  # fmt: skip
    return rng, rows


def verdict_of(seed, true_share):
    """A forecaster that sees `true_share` of each change, and is wrong about athletes in its own way."""
    rng, rows = panel(seed)
    bias = np.repeat(rng.normal(0, 0.25, 12), len(rows) // 12)
    guess = true_share * rows.change + bias + rng.normal(0, 0.25, len(rows))
    error = rows.change - guess
    scores = {
        PERSISTENCE: scores_of(rows.change, rows),
        FORECASTER: scores_of(error, rows, float(np.std(error))),
    }
    results = {result.name: result for result in evaluate(scores, rows, seed)}
    return judge_bucket(results["15-28"])


def test_a_forecaster_that_is_no_better_is_approved_in_less_than_one_world_in_twenty():
    approved = sum(verdict_of(seed, 0.06).served_by == FORECASTER for seed in range(200))
    assert approved < 10


def test_a_constructed_winner_passes():
    verdicts = [verdict_of(seed, 0.5) for seed in range(20)]
    assert sum(verdict.served_by == FORECASTER for verdict in verdicts) >= 18, verdicts


def test_the_best_baseline_is_the_one_to_beat():
    _, rows = panel(1)
    scores = {
        PERSISTENCE: scores_of(rows.change, rows),
        LOCAL_LEVEL: scores_of(0.5 * rows.change, rows, 0.5),
        FORECASTER: scores_of(0.51 * rows.change, rows, 0.51),
    }
    result = evaluate(scores, rows, 7)[2]
    assert result.best_rival == LOCAL_LEVEL
    assert result.skills["crps"].value > 0.4
    assert "against local_level" in judge_bucket(result).reasons[0]


def test_what_if_must_prove_itself_against_the_loads_of_other_days():
    _, rows = panel(1)
    plain, better = scores_of(rows.change, rows), scores_of(0.8 * rows.change, rows, 0.8)
    assert judge_what_if(better, plain, plain, rows, 7)["enabled"] is True
    placebo = judge_what_if(better, better, plain, rows, 7)
    assert placebo["enabled"] is False
    assert "other days" in placebo["reason"]
    assert judge_what_if(plain, plain, plain, rows, 7)["enabled"] is False
    few = np.isin(rows.athlete, ["a00", "a01", "a02"])
    told = judge_what_if(better.where(few), plain.where(few), plain.where(few), rows.where(few), 7)
    assert "3 athletes" in told["reason"]


@pytest.fixture(scope="module")
def trained(make_features):
    rows = make_rows(make_features(athletes=8, reverting=0.8))
    folds = split(rows, choose_cuts(rows))
    known = concatenate([folds["train"], folds["calibration"]])
    forecaster = train_forecaster(known, 7, {})
    return forecaster, folds, score_methods(forecaster, fit_baselines(known, forecaster.pooling), folds["test"])


def test_real_skill_passes_on_the_test_fold(trained):
    _, folds, scores = trained
    gate = decide(evaluate(scores, folds["test"], 7), [], [])
    assert gate.approved, gate.reasons
    assert set(gate.served_by.values()) == {FORECASTER}, gate.reasons


def test_evaluation_is_the_same_every_time(trained):
    _, folds, scores = trained
    one, other = (evaluate(scores, folds["test"], 7) for _ in range(2))
    assert [result.skills for result in one] == [result.skills for result in other]


def test_an_athlete_with_two_readings_does_not_count(trained):
    _, folds, scores = trained
    test = folds["test"]
    few = np.flatnonzero(test.athlete == "athlete-0")[:2]
    kept = np.concatenate([few, np.flatnonzero(test.athlete != "athlete-0")])
    results = evaluate({name: one.where(kept) for name, one in scores.items()}, test.where(kept), 7)
    assert all("athlete-0" not in result.athletes for result in results)


def test_a_worse_candidate_is_told_from_noise(trained):
    forecaster, folds, _ = trained
    test = folds["test"]
    best = served_crps(forecaster, dict.fromkeys(("1-7", "8-14", "15-28", "29-42"), FORECASTER), test)
    persistence = served_crps(forecaster, dict.fromkeys(("1-7", "8-14", "15-28", "29-42"), PERSISTENCE), test)
    assert worse_than_champion(best, best, test, 7) == []
    assert worse_than_champion(best, persistence, test, 7) == []
    assert any(text.startswith("29-42 d") for text in worse_than_champion(persistence, best, test, 7))
