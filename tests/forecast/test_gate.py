from dataclasses import replace

import numpy as np
import pytest

from include.features.schema import NAMES
from include.forecast.baselines import LOCAL_LEVEL, fit_baselines
from include.forecast.coverage import Coverage, judge, t_975
from include.forecast.distribution import Predictive, crps
from include.forecast.evaluation import BucketResult, MethodResult, Skill, evaluate, score_methods
from include.forecast.evidence import NO_COMPARISON, Comparison, compare_athletes
from include.forecast.gate import (
    MARGIN,
    MOST_MUCH_WORSE,
    MOST_NO_BETTER,
    compare_buckets,
    decide,
    judge_bucket,
    judge_what_if,
    worse_than_champion,
)
from include.forecast.horizon import BUCKETS
from include.forecast.intervals import prior_bands
from include.forecast.methods import FORECASTER, PERSISTENCE
from include.forecast.own_record import COMBINED, follow_all
from include.forecast.population import PLANNED, UNLEARNT, read_population
from include.forecast.resampling import Interval, resample
from include.forecast.rows import Rows, concatenate
from include.forecast.scores import score, skill
from include.forecast.split import choose_cuts, split
from include.forecast.targets import make_rows
from include.forecast.training import train_forecaster

FIT = Coverage(0.9, 0.86, 0.95, "fit")
UNFIT = Coverage(0.6, 0.5, 0.7, "unfit")
UNKNOWN = Coverage(1.0, 0.0, 1.0, "unknown")
RANGE = "15-28"


def comparison(*ratios, error=0.03):
    """Athletes of these log ratios, each with the same standard error."""
    return Comparison(np.array(ratios, dtype=float), np.full(len(ratios), error), np.full(len(ratios), 40.0))


def known(*ratios, error=0.03, **more):
    """A population with this evidence for every range of days."""
    return replace(UNLEARNT, served=dict.fromkeys(BUCKETS, comparison(*ratios, error=error)), **more)


def method(coverage=FIT):
    return MethodResult(1.0, 1.0, 0.0, 1.0, 0.8, coverage, 3.0, np.ones(8))


def bucket(ours=FIT, theirs=FIT):
    skills = {name: Skill(0.1, Interval(0.0, 0.2, 0.1), 0.1) for name in ("crps", "rmse")}
    methods = {COMBINED: method(ours), PERSISTENCE: method(theirs)}
    athletes = tuple(f"a{index}" for index in range(8))
    return BucketResult(RANGE, 400, 80.0, athletes, methods, skills, PERSISTENCE, skills["crps"])


UNTESTED = BucketResult(RANGE, 0, 0.0, (), {}, {})


def test_what_the_population_or_the_deployment_proves_answers():
    for own, population in (
        (NO_COMPARISON, known(*[-0.1] * 8)),
        (comparison(*[-0.1] * 8), UNLEARNT),
        (comparison(-0.05, error=0.2), known(*[-0.1] * 8)),
    ):
        verdict = judge_bucket(bucket(), own, population)
        assert (verdict.served_by, verdict.reasons, verdict.blocks) == (COMBINED, (), ())
        assert verdict.belief.no_better <= MOST_NO_BETTER
        assert verdict.belief.much_worse <= MOST_MUCH_WORSE


def test_before_any_evidence_persistence_answers():
    verdict = judge_bucket(UNTESTED, NO_COMPARISON, UNLEARNT)
    assert verdict.served_by == PERSISTENCE
    assert verdict.belief.no_better == pytest.approx(0.5)
    assert verdict.sentence == "Nobody's readings have tested this range of days yet."


@pytest.mark.parametrize(
    ("own", "population", "reason"),
    [
        (NO_COMPARISON, known(-0.01, 0.01, 0.0, -0.01), "no better than persistence with a probability of"),
        (comparison(*[0.2] * 12), known(*[-0.1] * 8), "no better than persistence with a probability of"),
        (comparison(*[-0.12, 0.08] * 40, error=0.005), known(*[-0.1] * 8), "5% worse or more with a probability of"),
    ],
)
def test_each_condition_alone_sends_the_range_to_persistence(own, population, reason):
    verdict = judge_bucket(bucket(), own, population)
    assert verdict.served_by == PERSISTENCE
    assert [text for text in verdict.reasons if reason in text]
    assert verdict.blocks == ()


def test_a_thousand_athletes_may_hold_some_who_are_much_worse():
    ratios = np.random.default_rng(1).normal(-0.12, 0.1, 1000)
    assert ratios.max() > 0.15
    verdict = judge_bucket(bucket(), comparison(*ratios, error=0.02), UNLEARNT)
    assert verdict.served_by == COMBINED, verdict.reasons
    assert 0.02 < verdict.belief.much_worse < MOST_MUCH_WORSE


def test_more_than_a_tenth_of_a_thousand_much_worse_is_too_many():
    ratios = np.where(np.arange(1000) % 7 == 0, 0.1, -0.12)
    verdict = judge_bucket(bucket(), comparison(*ratios, error=0.005), known(*[-0.1] * 8))
    assert verdict.served_by == PERSISTENCE
    assert verdict.belief.no_better < MOST_NO_BETTER


def test_wrong_bands_of_what_answers_block_the_package():
    for ours, theirs, population in ((FIT, UNFIT, UNLEARNT), (UNFIT, FIT, known(*[-0.1] * 8))):
        gate = decide([bucket(ours, theirs)], {RANGE: NO_COMPARISON}, population, [])
        assert not gate.approved
        assert "60.0%" in gate.reasons[0]
    gate = decide([bucket(FIT, UNFIT)], {RANGE: NO_COMPARISON}, known(*[-0.1] * 8), [])
    assert gate.approved


def test_bands_that_nobody_tested_serve_with_low_confidence():
    for result in (bucket(theirs=UNKNOWN), UNTESTED):
        gate = decide([result], {RANGE: NO_COMPARISON}, UNLEARNT, [])
        assert gate.approved
        assert gate.served_by == {RANGE: PERSISTENCE}
        assert gate.buckets[RANGE].confidence == "low"
    few, enough = (decide([UNTESTED], {RANGE: NO_COMPARISON}, known(*[-0.1] * count), []) for count in (2, 3))
    assert few.buckets[RANGE].confidence == "low"
    assert enough.buckets[RANGE].confidence == "normal"


@pytest.mark.parametrize("against", ["train has targets", "15-28 d: CRPS 9% worse"])
def test_a_leak_or_a_better_champion_fails_the_gate(against):
    gate = decide([bucket()], {RANGE: NO_COMPARISON}, known(*[-0.1] * 8), [against])
    assert not gate.approved
    assert gate.reasons == (against,)


def test_the_evidence_is_said_in_words():
    population = known(*[-0.1] * 8, about={"readings": 1713})
    first = judge_bucket(UNTESTED, NO_COMPARISON, population).sentence
    assert first.startswith("On 8 athletes that the project was built with (1,713 readings)")
    assert "each forecast by what was learnt from the others, it was 9 % better (95 % interval +" in first
    assert "of this deployment" not in first
    assert first.endswith(".")
    own = comparison(0.05)
    both = judge_bucket(bucket(), own, population).sentence
    assert "on 1 athlete of this deployment it was 5 % worse" in both
    assert "all together: 7 % better (95 % interval +" in both
    alone = judge_bucket(bucket(), comparison(-0.1, -0.1), UNLEARNT).sentence
    assert alone.startswith("On 2 athletes of this deployment it was 10 % better; all together:")


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


def test_the_best_rival_is_named():
    _, rows = panel(1)
    scores = {
        PERSISTENCE: scores_of(rows.change, rows),
        LOCAL_LEVEL: scores_of(0.5 * rows.change, rows, 0.5),
        COMBINED: scores_of(0.51 * rows.change, rows, 0.51),
    }
    result = evaluate(scores, rows, 7)[2]
    assert result.best_rival == LOCAL_LEVEL
    assert result.skills["crps"].value > 0.4
    assert result.against_best.value < 0


def what_if_of(planned, forecaster, placebo, rows, population=UNLEARNT):
    return judge_what_if({PLANNED: planned, FORECASTER: forecaster}, placebo, rows, population)


def test_what_if_must_prove_itself_against_the_loads_of_other_days():
    _, rows = panel(1)
    plain, better = scores_of(rows.change, rows), scores_of(0.8 * rows.change, rows, 0.8)
    assert what_if_of(better, plain, plain, rows)["enabled"] is True
    placebo = what_if_of(better, plain, better, rows)
    assert placebo["enabled"] is False
    assert "other days' loads 0 % better" in placebo["reason"]
    assert what_if_of(plain, plain, plain, rows)["enabled"] is False


def test_what_if_is_judged_by_the_rule_of_the_gate_for_one_athlete_as_for_many():
    _, rows = panel(1, athletes=1, windows=40)
    plain, better = scores_of(rows.change, rows), scores_of(0.9 * rows.change, rows, 0.9)
    assert what_if_of(better, plain, plain, rows)["enabled"] is False
    shown = comparison(*[-0.1] * 8)
    believed = replace(UNLEARNT, what_if=shown, placebo=shown)
    nobody = rows.where(np.zeros(len(rows), dtype=bool))
    none = scores_of(nobody.change, nobody)
    assert what_if_of(better, plain, plain, rows, believed)["enabled"] is True
    assert what_if_of(none, none, none, nobody, believed)["enabled"] is True
    unsure = replace(UNLEARNT, what_if=shown, placebo=comparison(*[0.0] * 8))
    assert what_if_of(none, none, none, nobody, unsure)["enabled"] is False


def test_what_if_is_off_with_what_was_measured():
    rows = panel(1)[1].where(np.zeros(12 * 24, dtype=bool))
    none = scores_of(rows.change, rows)
    assert what_if_of(none, none, none, rows, read_population())["enabled"] is False


@pytest.fixture(scope="module")
def trained(make_features):
    rows = make_rows(make_features(athletes=8, reverting=0.8))
    folds = split(rows, choose_cuts(rows))
    known_rows = concatenate([folds["train"], folds["calibration"]])
    forecaster = train_forecaster(known_rows, 7, {}, UNLEARNT)
    records = follow_all(folds["test"], rows, forecaster)
    scores = score_methods(forecaster, fit_baselines(known_rows, forecaster.pooling), folds["test"], records)
    return forecaster, folds, scores, records


def test_real_skill_passes_on_the_test_fold(trained):
    _, folds, scores, _ = trained
    own = compare_buckets(scores[COMBINED].crps, scores[PERSISTENCE].crps, folds["test"])
    gate = decide(evaluate(scores, folds["test"], 7), own, UNLEARNT, [])
    assert gate.approved, gate.reasons
    assert set(gate.served_by.values()) == {COMBINED}, gate.reasons


def test_evaluation_is_the_same_every_time(trained):
    _, folds, scores, _ = trained
    one, other = (evaluate(scores, folds["test"], 7) for _ in range(2))
    assert [result.skills for result in one] == [result.skills for result in other]


def test_an_athlete_with_two_readings_does_not_count(trained):
    _, folds, scores, _ = trained
    test = folds["test"]
    few = np.flatnonzero(test.athlete == "athlete-0")[:2]
    kept = np.concatenate([few, np.flatnonzero(test.athlete != "athlete-0")])
    results = evaluate({name: one.where(kept) for name, one in scores.items()}, test.where(kept), 7)
    assert all("athlete-0" not in result.athletes for result in results)


def test_a_worse_candidate_is_told_from_noise(trained):
    forecaster, folds, _, records = trained
    test = folds["test"]
    best, persistence = (
        crps(forecaster.served(dict.fromkeys(BUCKETS, answer), test.features, test.horizon_days, records), test.change)
        for answer in (COMBINED, PERSISTENCE)
    )
    assert worse_than_champion(best, best, test) == []
    assert worse_than_champion(best, persistence, test) == []
    found = worse_than_champion(persistence, best, test)
    assert any(text.startswith("29-42 d") and "worse than what serves now" in text for text in found)
    one = test.athlete == "athlete-0"
    assert worse_than_champion(persistence[one][:2], best[one][:2], test.where(np.flatnonzero(one)[:2])) == []


def test_a_champion_is_missed_for_one_athlete_as_for_many():
    _, rows = panel(3, athletes=1, windows=60)
    champion, candidate = scores_of(0.5 * rows.change, rows, 0.5), scores_of(rows.change, rows)
    assert "15-28 d" in worse_than_champion(candidate.crps, champion.crps, rows)[0]
    assert compare_athletes(candidate.crps, champion.crps, rows).ratio[0] > MARGIN
