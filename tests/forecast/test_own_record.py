import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from include.features.origins import origins_document
from include.features.schema import NAMES
from include.forecast import own_record
from include.forecast.distribution import LEVELS, Predictive, crps
from include.forecast.forecaster import Forecaster
from include.forecast.horizon import BUCKETS, bucket_index
from include.forecast.methods import DAMPED_DRIFT, FORECASTER, METHODS, NO_REVERSION, PERSISTENCE
from include.forecast.own_record import (
    ANSWERS,
    COMBINED,
    LEAST_WIDE,
    MISSED,
    MOST_LOSS,
    MOST_WIDE,
    NEIGHBOUR,
    RATE,
    SHARE,
    STEP,
    USUAL_LAG_DAYS,
    WEEK_DAYS,
    Records,
    blank,
    follow,
    follow_all,
    join,
)
from include.forecast.population import UNLEARNT, read_population
from include.forecast.series import origin_rows
from include.forecast.targets import make_rows
from include.forecast.training import train_forecaster

FIELDS = tuple(Records.__dataclass_fields__)
START = UNLEARNT.start
COMBINED_EVERYWHERE = dict.fromkeys(BUCKETS, COMBINED)


def day_number(days):
    return np.asarray(days, dtype="datetime64[D]").astype(np.int64)


def assert_same(one, other, tolerance=0.0):
    for name in FIELDS:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=tolerance, err_msg=name)


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    """As a deployment of one athlete begins: what was known before."""
    nothing = make_rows(pd.DataFrame(columns=["athlete_id", "event_time", "sport", *NAMES]))
    return train_forecaster(nothing, 7, {}, read_population())


@pytest.fixture(scope="module")
def rows(make_features):
    return make_rows(make_features(athletes=1, days=600, reverting=0.8))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_nothing_before_a_day_moves_when_the_future_does(forecaster, rows, data):
    """Every reading that comes after the day is another one: records and forecasts of days until then stay."""
    cut = data.draw(st.integers(20, 580))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    day = rows.origin_day.min() + cut
    features, change = rows.features.copy(), rows.change.copy()
    later = rows.origin_day > day
    features[later] = rng.normal(0, 20, (later.sum(), len(NAMES)))
    features[later, NAMES.index("reading_age_days")] = rows.column("reading_age_days")[later]
    reaching = rows.target_day > day
    change[reaching] = rng.normal(0, 30, reaching.sum())
    shifted = replace(rows, features=features, change=change)
    asked = rows.where(~later)
    before, after = (follow_all(asked, history, forecaster) for history in (rows, shifted))
    assert_same(before, after)
    served = [
        forecaster.served(COMBINED_EVERYWHERE, asked.features, asked.horizon_days, records)
        for records in (before, after)
    ]
    assert (served[0].mean == served[1].mean).all()
    assert (served[0].half_width == served[1].half_width).all()


def test_a_future_that_moves_does_move_what_comes_later(forecaster, rows):
    shifted = replace(rows, change=rows.change + 3.0)
    last = day_number([rows.target_day.max() + 7])
    assert not np.allclose(follow(rows, forecaster, last).weights, follow(shifted, forecaster, last).weights)


@settings(max_examples=25, deadline=None)
@given(passed=st.integers(0, 700))
def test_the_record_of_a_day_needs_no_row_that_reaches_past_it(forecaster, rows, passed):
    day = rows.origin_day.min() + passed
    known = rows.where(rows.target_day <= day)
    assert_same(*(follow(history, forecaster, day_number([day])) for history in (rows, known)), 1e-12)


def test_records_of_many_days_are_those_of_each_day(forecaster, rows):
    days = day_number(np.unique(rows.origin_day)[::13])
    together = follow(rows, forecaster, days)
    for index, day in enumerate(days):
        assert_same(together.at(slice(index, index + 1)), follow(rows, forecaster, np.array([day])))


def test_the_order_of_rows_does_not_matter(forecaster, rows):
    order = np.random.default_rng(1).permutation(len(rows))
    days = day_number(np.unique(rows.origin_day)[-3:])
    assert_same(follow(rows, forecaster, days), follow(rows.where(order), forecaster, days), 1e-9)


def test_each_athlete_has_a_record_of_its_own(make_features, forecaster):
    both = make_rows(make_features(athletes=2, days=400, reverting=0.8))
    shuffled = both.where(np.random.default_rng(2).permutation(len(both)))
    together = follow_all(shuffled, both, forecaster)
    assert not np.allclose(together.weights[shuffled.athlete == "athlete-0"][-1], START)
    for athlete in ("athlete-0", "athlete-1"):
        mine = shuffled.athlete == athlete
        own = both.where(both.athlete == athlete)
        assert_same(together.at(mine), follow_all(shuffled.where(mine), own, forecaster))


@pytest.mark.parametrize("sports", [1, 2])
def test_the_endpoint_has_the_record_that_training_has(make_features, forecaster, sports):
    """It knows an origins document alone; training has all feature rows."""
    features = make_features(athletes=1, days=500, reverting=0.8)
    if sports == 2:
        features["sport"] = np.where(np.arange(len(features)) // 90 % 2, "cycling", "running")
    document = json.loads(json.dumps(origins_document(features)))
    trained, served = make_rows(features), origin_rows(document)
    assert len(trained) == len(served) > 0
    days = day_number([*np.unique(trained.origin_day)[::20].tolist(), trained.target_day.max() + 30])
    assert_same(follow(trained, forecaster, days), follow(served, forecaster, days), 1e-5)
    stored = features.assign(**{name: np.round(features[name], 6) for name in NAMES})
    assert_same(follow(make_rows(stored), forecaster, days), follow(served, forecaster, days), 1e-9)
    for name in ("origin_day", "target_day", "horizon_days", "level_gap"):
        one, other = (getattr(each, name) for each in (make_rows(stored), served))
        if name == "level_gap":
            np.testing.assert_allclose(one, other, atol=1e-9)
        else:
            assert (one == other).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 1}, "feature schema 1"),
        ({"features": ["load"]}, "feature schema"),
        ({"days": []}, "it has 0 days"),
        ({"sports": ["running"]}, "1 sports"),
        ({"days": ["soon"]}, "no origins document"),
        ({"rows": [["x"] * len(NAMES)]}, "no origins document"),
        ({"rows": [[1.0]]}, "no origins document"),
        ({"rows": None}, "no origins document"),
        ({"days": None}, "no origins document"),
    ],
)
def test_what_is_no_origins_document_is_refused(make_features, change, words):
    document = origins_document(make_features(athletes=1, days=60)) | change
    with pytest.raises(ValueError, match=words):
        origin_rows(document)


def test_a_document_without_a_reading_gives_a_blank_record(make_features, forecaster):
    features = make_features(athletes=1, days=60)
    features["vo2max_last"] = np.nan
    rows = origin_rows(json.loads(json.dumps(origins_document(features))))
    assert len(rows) == 0
    assert_same(follow(rows, forecaster, np.array([20_000])), blank(forecaster.start))


def test_before_a_forecast_has_come_due_the_record_is_blank(forecaster, rows):
    first = day_number([rows.origin_day.min()])
    found = follow(rows, forecaster, first)
    assert_same(found, blank(forecaster.start))
    assert (found.windows == 0).all() and (found.gains == 0).all()


# What the weights promise


def due(losses, bucket):
    """As if a method's forecasts of a range had come due once a week, with these losses."""
    weeks, count = len(losses), len(METHODS)
    return own_record._Due(
        bucket=np.full(weeks, bucket),
        week=np.arange(weeks),
        changes=np.zeros((weeks, count)),
        bands={},
        unit=np.ones(weeks),
        losses=losses,
    )


def worth(bucket):
    return min(WEEK_DAYS / USUAL_LAG_DAYS[bucket], 1.0)


@st.composite
def losses_of_weeks(draw):
    shape = (draw(st.integers(1, 160)), len(METHODS))
    kind = draw(st.sampled_from(["any", "extreme", "switching"]))
    if kind == "any":
        return draw(arrays.arrays(float, shape, elements=st.floats(0, MOST_LOSS)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if kind == "extreme":
        return MOST_LOSS * rng.integers(0, 2, shape).astype(float)
    best = np.repeat(rng.integers(0, len(METHODS), shape[0]), draw(st.integers(1, 40)))[: shape[0]]
    return MOST_LOSS * (best[:, None] != np.arange(len(METHODS))[None, :]).astype(float)


@settings(max_examples=150, deadline=None)
@given(losses=losses_of_weeks(), bucket=st.integers(0, 3), method=st.integers(0, 3), data=st.data())
def test_over_any_stretch_the_mixture_loses_hardly_more_than_any_method(losses, bucket, method, data):
    """The regret of fixed share, in windows: a week of a longer range counts less than one."""
    first = data.draw(st.integers(0, len(losses) - 1))
    last = data.draw(st.integers(first + 1, len(losses)))
    _, weights = own_record._follow_weights(due(losses, bucket), START)
    stretch = losses[first:last]
    counts = worth(bucket)
    mixed = np.sum(weights[first:last, bucket] * stretch, axis=1)
    regret = counts * float((mixed - stretch[:, method]).sum())
    weeks = last - first
    least = START[bucket, method] if first == 0 else SHARE * START[bucket, method] / (RATE * MOST_LOSS + SHARE)
    allowed = (np.log(1 / least) - weeks * np.log(1 - SHARE * counts)) / RATE
    allowed += RATE * MOST_LOSS**2 / 8 * weeks * counts**2
    assert regret <= allowed + 1e-9


@settings(max_examples=150, deadline=None)
@given(losses=losses_of_weeks(), bucket=st.integers(0, 3))
def test_weights_are_shares_and_none_is_ever_lost(losses, bucket):
    _, weights = own_record._follow_weights(due(losses, bucket), START)
    assert np.allclose(weights.sum(axis=2), 1.0)
    assert (weights >= SHARE * START / (RATE * MOST_LOSS + SHARE) - 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_mixture_scores_no_worse_than_its_methods_on_average(data):
    """What turns the regret of weights into one of forecasts; it holds for a watch that tells tenths."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    mean = rng.normal(0, 3, (50, 4))
    half_width = np.sort(rng.uniform(0, 5, (50, 4, len(LEVELS) - 2)), axis=2)
    half_width = np.concatenate([half_width, half_width[:, :, -2:]], axis=2)
    shares, came, fine = rng.dirichlet(np.ones(4)), rng.normal(0, 3, 50), np.zeros(50, dtype=bool)
    each = [crps(Predictive(mean[:, one], half_width[:, one], fine), came) for one in range(4)]
    mixed = Predictive(mean @ shares, np.einsum("rml,m->rl", half_width, shares), fine)
    assert (crps(mixed, came) <= np.array(each).T @ shares + 1e-9).all()


def test_a_neighbouring_range_learns_half_as_much():
    losses = np.array([[MOST_LOSS if method != PERSISTENCE else 0.0 for method in METHODS]])
    _, weights = own_record._follow_weights(due(losses, 1), START)
    rival, other = METHODS.index(PERSISTENCE), METHODS.index(FORECASTER)
    odds = np.log(weights[1, :, rival] / weights[1, :, other]) - np.log(START[:, rival] / START[:, other])
    assert odds[1] == pytest.approx(RATE * MOST_LOSS * worth(1), rel=0.2)
    assert odds[[0, 2]] / odds[1] == pytest.approx([NEIGHBOUR, NEIGHBOUR], abs=0.05)
    assert odds[3] == pytest.approx(0)


# What the bands promise


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_the_share_of_misses_nears_a_tenth_whatever_comes(data):
    """The bound of adaptive conformal inference, while the limits are not met."""
    bucket, weeks = data.draw(st.integers(0, 3)), data.draw(st.integers(20, 400))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    size = (
        np.abs(rng.normal(0, 1, weeks))
        * rng.choice([0.5, 1.0, 2.0], weeks)
        * np.linspace(1, rng.uniform(0.5, 2), weeks)
    )
    errors, reach = np.repeat(size[:, None], len(ANSWERS), axis=1), np.full((weeks, len(ANSWERS)), 1.645)
    origin = np.arange(weeks) * WEEK_DAYS - 1
    _, scales = own_record._follow_scales(due(np.zeros((weeks, len(METHODS))), bucket), origin, errors, reach)
    used = scales[:-1, bucket]
    missed = (errors > reach * used + 1e-9).mean(axis=0)
    limits = (scales[:, bucket] <= LEAST_WIDE + 1e-9) | (scales[:, bucket] >= MOST_WIDE - 1e-9)
    step = STEP[bucket] * worth(bucket)
    bound = (np.log(MOST_WIDE / LEAST_WIDE) + step) / (step * weeks)
    for answer in range(len(ANSWERS)):
        if not limits[:, answer].any():
            assert abs(missed[answer] - MISSED) <= bound
    assert ((scales >= LEAST_WIDE - 1e-9) & (scales <= MOST_WIDE + 1e-9)).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.floats(0, 200))
def test_whatever_readings_come_a_record_keeps_its_limits(forecaster, rows, seed, size):
    rng = np.random.default_rng(seed)
    wild = replace(rows, change=rng.standard_cauchy(len(rows)) * size)
    days = day_number(np.unique(rows.origin_day)[::17])
    found = follow(wild, forecaster, days)
    assert np.isfinite(found.gains).all()
    assert np.allclose(found.weights.sum(axis=2), 1.0) and (found.weights > 0).all()
    assert ((found.scales >= LEAST_WIDE - 1e-9) & (found.scales <= MOST_WIDE + 1e-9)).all()
    assert (np.diff(found.windows, axis=0) >= 0).all()


# What it does for athletes


def athlete(readings, first_day=0, name="a"):
    """Rows as features have them of readings (by day), long known before: an own mean and a usual volatility."""
    days = np.array(sorted(readings))
    values = np.array([readings[day] for day in days])
    series = pd.Series(values, index=days)
    frame = pd.DataFrame(np.nan, index=days, columns=list(NAMES))
    frame["vo2max_last"], frame["reading_age_days"] = values, 0.0
    frame["reading_step"] = np.diff(values, prepend=values[0])
    frame["reading_activity_gap"] = frame["reading_activity_gap_mean"] = 0.0
    frame["reading_history_days"], frame["readings"] = days - days[0], np.arange(len(days)) + 1.0
    frame["reading_pairs"] = np.arange(len(days), dtype=float)
    for window in (30, 90):
        means = [series[(days > day - window) & (days <= day)].mean() for day in days]
        frame[f"reading_mean_{window}d_gap"] = np.array(means) - values
    frame["reading_mean_all_gap"] = series.expanding().mean().to_numpy() - values
    earlier = [series[days <= day - 28] for day in days]
    changes = [
        abs(value - before.iloc[-1]) if len(before) else np.nan for value, before in zip(values, earlier, strict=True)
    ]
    frame["reading_volatility"] = pd.Series(changes, index=days).expanding().mean()
    frame.insert(0, "sport", "running")
    frame.insert(0, "event_time", [f"{np.datetime64('2020-01-01') + int(day)}T00:00:00Z" for day in days])
    frame.insert(0, "athlete_id", name)
    found = make_rows(frame)
    return found.where(found.origin_day >= np.datetime64("2020-01-01") + first_day)


def declining(seed, a_month=0.4):
    """A hundred readings in two years of a steady decline (ml/kg/min a month), on a watch that tells whole numbers."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(730, 100, replace=False))
    value = np.round(55.0 - days * a_month / 30.0 + rng.normal(0, 0.5, len(days)))
    return dict(zip(days.tolist(), value.tolist(), strict=True))


def scored(forecaster, rows, history):
    """Mean CRPS by bucket of the forecaster alone, of what is combined, and of persistence with its plain bands."""
    records = follow_all(rows, history, forecaster)
    combined = forecaster.served(COMBINED_EVERYWHERE, rows.features, rows.horizon_days, records)
    found = {
        FORECASTER: crps(forecaster.predictive(FORECASTER, rows), rows.change),
        COMBINED: crps(combined, rows.change),
        PERSISTENCE: crps(forecaster.predictive(PERSISTENCE, rows), rows.change),
    }
    bucket = bucket_index(rows.horizon_days)
    return {name: np.array([values[bucket == index].mean() for index in range(4)]) for name, values in found.items()}


def test_a_steady_trend_is_followed(forecaster):
    """After three months of it; the forecaster alone goes on to expect a return to the mean."""
    ratios, weights = [], []
    for seed in range(8):
        history = athlete(declining(seed))
        late = history.where(history.origin_day >= np.datetime64("2020-01-01") + 90)
        score = scored(forecaster, late, history)
        ratios.append([score[name] / score[PERSISTENCE] for name in (FORECASTER, COMBINED)])
        days = day_number([np.datetime64("2020-01-01") + day for day in (90, 730)])
        weights.append(follow(history, forecaster, days).weights)
    alone, combined = np.mean(ratios, axis=0)
    assert alone.mean() > 1.15, alone
    assert combined.mean() <= 1.05, combined
    assert (combined[:3] <= 1.10).all(), combined
    assert (np.maximum(combined - 1, 0) <= np.maximum(alone - 1, 0) / 2).all(), (alone, combined)
    first, last = np.mean(weights, axis=0)
    change = dict(zip(METHODS, (last - first)[2:].T, strict=True))
    assert (change[FORECASTER] < -0.3).all()
    assert all((change[other] > 0).all() for other in (PERSISTENCE, NO_REVERSION, DAMPED_DRIFT))


def test_a_flat_series_costs_nothing(forecaster):
    for whole in (True, False):
        ratios = []
        for seed in range(6):
            rng = np.random.default_rng(seed)
            days = np.sort(rng.choice(1095, 365, replace=False))
            value = 50.0 + rng.normal(0, 0.3, len(days)) * (not whole)
            history = athlete(dict(zip(days.tolist(), np.round(value, 1).tolist(), strict=True)))
            score = scored(forecaster, history.where(history.origin_day >= np.datetime64("2020-04-01")), history)
            ratios.append(np.maximum(score[COMBINED], 0.05) / np.maximum(score[PERSISTENCE], 0.05))
        assert (np.mean(ratios, axis=0) <= 1.01).all(), (whole, np.mean(ratios, axis=0))


def erring(rows, forecaster, factor, seed):
    """Readings that come as the forecaster says, but for errors so many times the usual (the same for all its rows)."""
    usual = forecaster.half_width(FORECASTER, rows.features, rows.horizon_days)[:, -1] / 1.645
    target = day_number(rows.target_day)
    shock = np.random.default_rng(seed).normal(size=target.max() + 1)[target]
    expected = forecaster.change(FORECASTER, rows.features, rows.horizon_days)
    return replace(rows, change=expected + factor * usual * shock)


def coverage_by_year(forecaster, rows):
    """Share of readings inside the 90 % bands of what is combined, by year and bucket."""
    records = follow_all(rows, rows, forecaster)
    served = forecaster.served(COMBINED_EVERYWHERE, rows.features, rows.horizon_days, records)
    inside = np.abs(rows.change - served.mean) <= served.half_width[:, -1]
    target, bucket = day_number(rows.target_day), bucket_index(rows.horizon_days)
    year = (target - target.min()) // 365
    return np.array([[inside[(year == one) & (bucket == index)].mean() for index in range(4)] for one in range(4)])


@pytest.mark.parametrize(("factor", "least"), [(1.0, 0.87), (2.0, 0.87), (3.0, 0.83)])
def test_bands_grow_with_an_athlete_whose_errors_are_greater(make_features, forecaster, factor, least):
    found = []
    for seed in range(4):
        rows = make_rows(make_features(athletes=1, days=365 * 4, seed=seed, reverting=0.8))
        found.append(coverage_by_year(forecaster, erring(rows, forecaster, factor, seed)))
    by_year = np.mean(found, axis=0)
    assert (by_year[3] >= least).all(), by_year
    assert by_year[3].mean() >= 0.85, by_year
    assert (by_year[3] <= 0.94).all(), by_year


def test_without_its_record_such_an_athlete_would_stay_uncovered(make_features, forecaster):
    rows = erring(make_rows(make_features(athletes=1, reverting=0.8)), forecaster, 3.0, 1)
    served = forecaster.served(
        COMBINED_EVERYWHERE, rows.features, rows.horizon_days, blank(forecaster.start, len(rows))
    )
    assert (np.abs(rows.change - served.mean) <= served.half_width[:, -1]).mean() < 0.6


def test_one_impossible_reading_says_nothing_about_a_method(forecaster, rows):
    """What nobody could foresee counts against all alike, in the weights and in what is told of the gain."""
    struck = rows.target_day == np.unique(rows.target_day)[60]
    days = day_number([rows.target_day.max() + 7])
    usual, odd = (follow(each, forecaster, days) for each in (rows, replace(rows, change=rows.change + 60.0 * struck)))
    assert np.abs(odd.weights - usual.weights).max() < 0.05
    assert np.abs(odd.gains - usual.gains).max() < 0.05


def test_ten_years_of_readings_a_day_are_one_short_document(make_features, forecaster):
    history = make_rows(make_features(athletes=1, days=3652, every=1, reverting=0.8))
    assert len(np.unique(history.origin_day)) > 3600
    record = follow(history, forecaster, day_number([history.target_day.max() + 7]))
    assert record.weights.shape == (1, len(BUCKETS), len(METHODS))
    assert len(json.dumps(record.to_json())) < 2000
    expected = 3652 / np.maximum(np.array(USUAL_LAG_DAYS), WEEK_DAYS)
    assert record.windows[0] == pytest.approx(expected, rel=0.03)


# As JSON


shares = arrays.arrays(float, (4, 4), elements=st.floats(0.001, 1)).map(
    lambda table: table / table.sum(axis=1, keepdims=True)
)
records = st.builds(
    lambda weights, scales, windows, gains: Records(weights[None], scales[None], windows[None], gains[None]),
    shares,
    arrays.arrays(float, (4, 2), elements=st.floats(LEAST_WIDE, MOST_WIDE)),
    arrays.arrays(float, 4, elements=st.floats(0, 1000)),
    arrays.arrays(float, 4, elements=st.floats(-1, 10)),
)


@settings(max_examples=100, deadline=None)
@given(record=records)
def test_a_record_survives_json(record):
    again = Records.from_json(json.loads(json.dumps(record.to_json())))
    assert np.allclose(again.weights, record.weights, atol=1e-8)
    assert np.allclose(again.scales, record.scales, atol=1e-8)
    assert np.allclose(again.windows, record.windows, atol=1e-3)
    assert np.allclose(again.gains, record.gains, atol=1e-6)
    assert again.to_json() == Records.from_json(again.to_json()).to_json()


def test_an_athletes_own_record_survives_json(forecaster, rows):
    record = follow(rows, forecaster, day_number([rows.target_day.max()]))
    assert record.windows.max() > 10
    assert_same(Records.from_json(record.to_json()), record, 1e-3)


def changed(part, value, bucket="8-14"):
    document = blank(START).to_json()
    if part is None:
        document[bucket] = value
    elif value is None:
        del document[bucket][part]
    else:
        document[bucket][part] = value
    return document


USUAL_WEIGHTS = blank(START).to_json()["8-14"]["weights"]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "record",
        {},
        {name: table for name, table in blank(START).to_json().items() if name != "29-42"},
        changed(None, []),
        *(changed(part, None) for part in ("weights", "band_scale", "windows", "gain")),
        changed("weights", {name: share for name, share in USUAL_WEIGHTS.items() if name != DAMPED_DRIFT}),
        changed("weights", dict.fromkeys(METHODS, 0.5)),
        changed("weights", USUAL_WEIGHTS | {FORECASTER: 1.15, PERSISTENCE: -0.30}),
        changed("weights", USUAL_WEIGHTS | {FORECASTER: "much"}),
        changed("weights", USUAL_WEIGHTS | {FORECASTER: float("nan")}),
        changed("band_scale", {COMBINED: 1.0}),
        changed("band_scale", {COMBINED: 1.0, PERSISTENCE: LEAST_WIDE - 0.1}),
        changed("band_scale", {COMBINED: MOST_WIDE + 0.1, PERSISTENCE: 1.0}),
        changed("band_scale", {COMBINED: float("nan"), PERSISTENCE: 1.0}),
        changed("windows", "many"),
        changed("windows", -1.0),
        changed("windows", float("inf")),
        changed("windows", float("nan")),
        changed("gain", float("nan")),
        changed("gain", float("inf")),
        changed("gain", [1.0]),
    ],
)
def test_what_is_no_record_is_refused_with_its_reason(document):
    with pytest.raises(ValueError, match=r"no record of forecasts: .{5}"):
        Records.from_json(document)


def test_records_of_several_athletes_go_one_after_the_other(forecaster, rows):
    days = day_number(np.unique(rows.origin_day)[[50, 100]])
    one, other = (follow(rows, forecaster, days[[index]]) for index in range(2))
    assert_same(join([one, other]), follow(rows, forecaster, days))
    assert_same(join([one, other]).at(np.array([1, 1, 0])), join([other, other, one]))
