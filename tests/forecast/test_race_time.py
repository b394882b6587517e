import pytest

from include.forecast.race_time import DISTANCES_M, race_time_s, race_times


@pytest.mark.parametrize(
    ("vo2max", "race", "published_s"),
    [(50, "5k", 1197), (50, "10k", 2481), (50, "half_marathon", 5495), (50, "marathon", 11449), (60, "10k", 2123)],
)
def test_times_are_those_of_the_published_tables(vo2max, race, published_s):
    assert race_time_s(vo2max, DISTANCES_M[race]) == pytest.approx(published_s, rel=0.002)


def test_fitter_is_faster_and_longer_is_slower():
    times = [race_time_s(vo2max, 10_000) for vo2max in range(20, 95, 5)]
    assert times == sorted(times, reverse=True)
    assert race_time_s(50, 5_000) * 2 < race_time_s(50, 10_000)


def test_the_range_is_that_of_the_last_days_band():
    days = [
        {"horizon_days": 1, "vo2max": 40.0, "low_80": 39.0, "high_80": 41.0},
        {"horizon_days": 42, "vo2max": 50.0, "low_80": 48.0, "high_80": 52.0},
    ]
    found = race_times("running", days)
    assert found["horizon_days"] == 42
    assert [race["race"] for race in found["races"]] == list(DISTANCES_M)
    for race in found["races"]:
        assert race["fastest_s"] < race["expected_s"] < race["slowest_s"]
        assert race["expected_s"] == round(race_time_s(50, race["distance_m"]))


def test_none_where_there_is_no_race_time():
    day = {"horizon_days": 1, "vo2max": 50.0, "low_80": 48.0, "high_80": 52.0}
    assert race_times("cycling", [day]) is None
    assert race_times("running", []) is None
    assert race_times("running", [day | {"low_80": 5.0}]) is None


@pytest.mark.parametrize(("vo2max", "distance_m"), [(5, 5000), (120, 5000), (50, 0), (50, -1)])
def test_impossible_values_are_refused(vo2max, distance_m):
    with pytest.raises(ValueError, match=r"vo2max|distance"):
        race_time_s(vo2max, distance_m)
