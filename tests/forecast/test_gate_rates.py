"""How often the gate approves what is no better, and how surely what is: many simulated deployments."""

import numpy as np
import pytest

from include.forecast.evaluation import BucketResult
from include.forecast.evidence import MOST_RATIO, NO_COMPARISON, USUAL_WINDOW_VARIANCE, Comparison, believe
from include.forecast.gate import MARGIN, judge_bucket
from include.forecast.horizon import BUCKETS
from include.forecast.own_record import COMBINED
from include.forecast.population import UNLEARNT, Population, read_population

SEEDS = 200
POPULATION_ATHLETES = 8
BEYOND_A_WEEK = ("8-14", "15-28", "29-42")


def athletes(rng, count, mean, differs):
    """Athletes whose true log ratios lie so far apart about a mean, seen through 3 to 400 windows."""
    windows = np.round(np.exp(rng.uniform(np.log(3), np.log(400), count)))
    error = np.sqrt(USUAL_WINDOW_VARIANCE / windows)
    ratio = rng.normal(mean, differs, count) + rng.normal(0, error)
    return Comparison(np.clip(ratio, -MOST_RATIO, MOST_RATIO), error, windows)


def serves(name, own, population):
    return judge_bucket(BucketResult(name, 0, 0.0, (), {}, {}), own, population).served_by == COMBINED


def with_evidence(served) -> Population:
    return Population(**(vars(UNLEARNT) | {"served": dict.fromkeys(BUCKETS, served)}))


@pytest.mark.parametrize("differs", [0.02, 0.05])
@pytest.mark.parametrize("count", [1, 4, 12, 100])
def test_a_forecaster_that_is_no_better_is_approved_in_less_than_one_deployment_in_twenty(count, differs):
    """Neither the athletes that the project was built with nor those of the deployment gain anything on average."""
    approved = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng([seed, count])
        population = with_evidence(athletes(rng, POPULATION_ATHLETES, 0.0, differs))
        approved += serves("15-28", athletes(rng, count, 0.0, differs), population)
    assert approved < 0.05 * SEEDS


@pytest.mark.parametrize("name", BEYOND_A_WEEK)
def test_a_new_athlete_is_served_beyond_a_week_with_what_was_measured(name):
    assert serves(name, NO_COMPARISON, read_population())


@pytest.mark.parametrize("name", BEYOND_A_WEEK)
@pytest.mark.parametrize("count", [1, 4, 12, 100])
def test_athletes_like_those_measured_are_served(name, count):
    population = read_population()
    mean = believe(population.served[name], NO_COMPARISON, MARGIN).mean
    served = 0
    for seed in range(50):
        rng = np.random.default_rng([seed, count])
        served += serves(name, athletes(rng, count, mean, 0.05), population)
    assert served >= 0.85 * 50


@pytest.mark.parametrize("name", BEYOND_A_WEEK)
@pytest.mark.parametrize("others", [6, 11, 40])
def test_one_athlete_of_several_who_is_far_worse_takes_nothing_from_the_others(name, others):
    population = read_population()
    mean = believe(population.served[name], NO_COMPARISON, MARGIN).mean
    windows = np.full(others + 1, 60.0)
    own = Comparison(np.append(np.full(others, mean), MOST_RATIO), np.sqrt(USUAL_WINDOW_VARIANCE / windows), windows)
    assert serves(name, own, population)


@pytest.mark.parametrize("name", BUCKETS)
def test_a_deployment_of_many_that_is_no_better_is_found_out(name):
    """The population's evidence does not carry what a hundred athletes of the deployment speak against."""
    own = athletes(np.random.default_rng(1), 100, 0.03, 0.05)
    assert not serves(name, own, read_population())
