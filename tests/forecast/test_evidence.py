"""What is believed of a deployment: against brute force, and what must hold of it whatever the figures."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.features.schema import NAMES
from include.forecast import evidence
from include.forecast.evidence import (
    DEPLOYMENT_SPREAD,
    FEWEST_WINDOWS,
    MEAN_SPREAD,
    MOST_RATIO,
    NO_COMPARISON,
    USUAL_WINDOW_VARIANCE,
    Comparison,
    believe,
    compare_athletes,
)
from include.forecast.rows import Rows

MARGIN = 0.05


def comparison(ratios, errors):
    ratios = np.array(ratios, dtype=float)
    errors = np.broadcast_to(np.array(errors, dtype=float), ratios.shape).copy()
    return Comparison(ratios, errors, np.full(len(ratios), 20.0))


def brute_force(population, own, margin, draws=400_000):
    """Believed mean, no_better and much_worse: worlds drawn from what is held before any evidence, weighted by it."""
    rng = np.random.default_rng(1)
    between = rng.choice(evidence._BETWEEN, draws, p=between_prior())
    known = rng.normal(0, MEAN_SPREAD, draws)
    mean = rng.normal(known, DEPLOYMENT_SPREAD)
    weight = likelihood(population, known, between) * likelihood(own, mean, between)
    weight /= weight.sum()
    if len(own.ratio):
        kept = between[:, None] ** 2 / (between[:, None] ** 2 + own.error**2)
        centre, spread = kept * own.ratio + (1 - kept) * mean[:, None], np.sqrt(kept) * own.error
        truth = rng.normal(centre, spread)
    else:
        truth = rng.normal(mean, between)[:, None]
    worse = (truth > math.log1p(margin)).mean(axis=1)
    return float(weight @ mean), float(weight @ (mean > 0)), float(weight @ worse)


def between_prior():
    prior = np.exp(-0.5 * (evidence._BETWEEN / evidence._BETWEEN_SPREAD) ** 2)
    return prior / prior.sum()


def likelihood(seen, mean, between):
    found = np.ones(len(mean))
    for ratio, error in zip(seen.ratio, seen.error, strict=True):
        variance = error**2 + between**2
        found *= np.exp(-0.5 * (ratio - mean) ** 2 / variance) / np.sqrt(variance)
    return found


@pytest.mark.parametrize(
    ("population", "own"),
    [
        (NO_COMPARISON, NO_COMPARISON),
        (comparison([-0.1, -0.05, -0.15, 0.02], [0.03, 0.05, 0.1, 0.06]), NO_COMPARISON),
        (NO_COMPARISON, comparison([-0.08], [0.1])),
        (comparison([-0.1, -0.05, -0.15, 0.02], [0.03, 0.05, 0.1, 0.06]), comparison([0.15], [0.1])),
        (
            comparison([-0.05, 0.0, -0.03], 0.04),
            comparison([0.1, -0.1, 0.05, -0.12], [0.03, 0.04, 0.1, 0.05]),
        ),
    ],
)
def test_what_is_believed_is_what_drawing_worlds_gives(population, own):
    found = believe(population, own, MARGIN)
    mean, no_better, much_worse = brute_force(population, own, MARGIN)
    assert found.mean == pytest.approx(mean, abs=0.003)
    assert found.no_better == pytest.approx(no_better, abs=0.01)
    assert found.much_worse == pytest.approx(much_worse, abs=0.01)
    assert found.low < found.mean < found.high


def test_before_any_evidence_it_is_as_likely_better_as_worse():
    found = believe(NO_COMPARISON, NO_COMPARISON, MARGIN)
    assert found.mean == 0
    assert found.no_better == pytest.approx(0.5)
    assert -found.low == pytest.approx(found.high)


athletes = st.lists(st.tuples(st.floats(-MOST_RATIO, MOST_RATIO), st.floats(0.01, 0.5)), max_size=8)


@settings(max_examples=80, deadline=None)
@given(population=athletes, own=athletes, better=st.floats(0.01, 0.3))
def test_the_better_the_athletes_the_less_likely_it_is_no_better(population, own, better):
    """All else alike, everybody better by the same share is never evidence against."""
    if not population and not own:
        return
    known, seen = (comparison([ratio for ratio, _ in one], [error for _, error in one]) for one in (population, own))
    gained = [comparison(one.ratio - better, one.error) for one in (known, seen)]
    before, after = believe(known, seen, MARGIN), believe(*gained, MARGIN)
    for one in (before, after):
        assert -1e-9 <= one.no_better <= 1 + 1e-9 and -1e-9 <= one.much_worse <= 1 + 1e-9
        assert one.low <= one.mean <= one.high
    if before.mean <= 0:
        assert after.no_better <= before.no_better + 1e-9
    assert after.mean < before.mean + 1e-9


def test_more_athletes_of_the_same_kind_make_it_surer():
    for error in (0.02, 0.1):
        beliefs = [
            believe(NO_COMPARISON, comparison([-0.05] * count, error), MARGIN) for count in (1, 2, 4, 8, 16, 100)
        ]
        for name in ("no_better", "much_worse"):
            values = [getattr(belief, name) for belief in beliefs]
            assert values == sorted(values, reverse=True)
        assert beliefs[-1].no_better < 0.001
        assert beliefs[-1].high - beliefs[-1].low < beliefs[0].high - beliefs[0].low


def test_a_little_of_an_athlete_moves_little():
    population = comparison([-0.1] * 8, 0.03)
    unsure, sure = (believe(population, comparison([0.2], [error]), MARGIN) for error in (0.5, 0.02))
    alone = believe(population, NO_COMPARISON, MARGIN)
    assert abs(unsure.mean - alone.mean) < 0.005
    assert sure.much_worse > 0.9 > 0.1 > unsure.much_worse


def rows_of(name, windows, seed):
    days = np.datetime64("2024-01-01") + 21 * np.arange(windows)
    count = np.zeros(windows)
    return Rows(
        np.full(windows, name), days, days + 21, count + 21.0, np.zeros((windows, len(NAMES))), count, count, count
    )


def test_one_athlete_with_an_absurd_ratio_decides_nothing_for_others():
    rng = np.random.default_rng(1)
    names = [f"a{index}" for index in range(12)]
    score = {name: rng.gamma(4, 0.2, 40) for name in names}
    ours = {name: 0.88 * values for name, values in score.items()}
    ours["a0"] = 1e6 * ours["a0"]
    found = [compare_athletes(ours[name], score[name], rows_of(name, 40, 1)) for name in names]
    assert found[0].ratio[0] == MOST_RATIO
    together = Comparison(
        *(np.concatenate([getattr(one, field) for one in found]) for field in ("ratio", "error", "windows"))
    )
    others = Comparison(*(values[1:] for values in vars(together).values()))
    with_it, without = (believe(NO_COMPARISON, one, MARGIN) for one in (together, others))
    assert without.no_better < 0.001
    assert with_it.no_better < 0.001
    assert abs(with_it.mean - without.mean) < 0.01
    assert abs(with_it.much_worse - without.much_worse) < 0.01
    population = comparison([-0.1] * 8, 0.03)
    assert believe(population, together, MARGIN).no_better < 0.03


def test_what_counts_of_an_athlete_is_its_windows():
    def compared(windows, seed=3):
        rng = np.random.default_rng(seed)
        rival = rng.gamma(4, 0.25, windows)
        return compare_athletes(0.9 * rival * rng.lognormal(0, 0.3, windows), rival, rows_of("a", windows, seed))

    assert len(compared(int(FEWEST_WINDOWS) - 1).ratio) == 0
    few, many = compared(4), compared(400)
    assert few.windows[0] == 4 and many.windows[0] == 400
    assert few.error[0] > 5 * many.error[0]
    assert few.error[0] == pytest.approx(math.sqrt(USUAL_WINDOW_VARIANCE / 4), rel=0.5)
    assert many.ratio[0] == pytest.approx(math.log(0.9), abs=0.1)


def test_a_reading_asked_for_many_times_counts_once():
    rows = rows_of("a", 30, 1)
    score = np.random.default_rng(1).gamma(4, 0.25, 30)
    rival = np.random.default_rng(2).gamma(4, 0.25, 30)
    often = np.repeat(np.arange(30), 7)
    once, again = compare_athletes(score, rival, rows), compare_athletes(score[often], rival[often], rows.where(often))
    for name in ("ratio", "error", "windows"):
        assert getattr(once, name) == pytest.approx(getattr(again, name))


def test_nobody_and_a_flat_series_are_no_evidence():
    nobody = rows_of("a", 0, 1)
    assert len(compare_athletes(np.zeros(0), np.zeros(0), nobody).ratio) == 0
    flat = compare_athletes(np.full(30, 0.01), np.zeros(30), rows_of("a", 30, 1))
    assert flat.ratio[0] == 0


@settings(max_examples=50, deadline=None)
@given(entries=athletes)
def test_a_comparison_survives_json(entries):
    one = comparison([ratio for ratio, _ in entries], [error for _, error in entries])
    again = Comparison.from_json(one.to_json())
    for name in ("ratio", "error", "windows"):
        assert getattr(again, name) == pytest.approx(getattr(one, name), abs=1e-4)
