import math

import pytest

from include.features.schema import NAMES, OPTIONAL, feature_vector, from_record

GOOD = {name: float(index) for index, name in enumerate(NAMES)}


def test_order_is_the_schemas():
    assert feature_vector(dict(reversed(GOOD.items()))) == list(GOOD.values())


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_optional_features_may_be_unknown(unknown):
    vector = feature_vector(GOOD | {"hrv_7d": unknown})
    assert math.isnan(vector[NAMES.index("hrv_7d")])
    absent = {name: value for name, value in GOOD.items() if name not in OPTIONAL}
    assert len(feature_vector(absent)) == len(NAMES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vo2max_last": None}, "vo2max_last is not a number"),
        ({"vo2max_last": math.nan}, "vo2max_last is not a number"),
        ({"load_7d": math.inf}, "load_7d is infinite"),
        ({"hrv_7d": "12"}, "hrv_7d is not a number"),
        ({"readings": True}, "readings is not a number"),
        ({"shoe_size": 43.0}, "unknown feature 'shoe_size'"),
    ],
)
def test_what_is_refused_is_named(change, words):
    with pytest.raises(ValueError, match=words):
        feature_vector(GOOD | change)


def test_missing_features_are_all_named():
    with pytest.raises(ValueError, match=r"vo2max_last is missing.*reading_age_days is missing"):
        feature_vector({})


def test_from_record_reads_what_feature_store_returns():
    record = [{"FeatureName": "athlete_id", "ValueAsString": "x"}, {"FeatureName": "load_7d", "ValueAsString": "12.5"}]
    features = from_record(record)
    assert tuple(features) == NAMES
    assert features["load_7d"] == 12.5
    assert features["hrv_7d"] is None
