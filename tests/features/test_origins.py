import json

import numpy as np
import pandas as pd
import pytest

from include.features.build import build_features
from include.features.origins import DECIMALS, ORIGIN_AGES_DAYS, origins_document
from include.features.schema import COLUMNS, NAMES, SCHEMA_VERSION
from tests.features.conftest import random_frames

AGE, LAST, LOAD = (NAMES.index(name) for name in ("reading_age_days", "vo2max_last", "load_42d"))


def feature_rows(ages, sport="running", first="2026-01-01", athlete="anna", vo2max=50.0, load=40.0):
    """A row a day with the given ages of the last reading; None: no reading yet."""
    days = pd.date_range(first, periods=len(ages))
    rows = pd.DataFrame({name: np.full(len(ages), 1.0) for name in NAMES})
    known = np.array([age is not None for age in ages])
    rows["reading_age_days"] = [np.nan if age is None else float(age) for age in ages]
    rows["vo2max_last"] = np.where(known, vo2max, np.nan)
    rows["load_42d"] = load
    texts = pd.DataFrame({"athlete_id": athlete, "event_time": days.strftime("%Y-%m-%dT00:00:00Z"), "sport": sport})
    return pd.concat([texts, rows], axis=1)[list(COLUMNS)]


def test_origins_are_the_days_of_a_reading_and_one_two_and_three_weeks_after_it():
    document = origins_document(feature_rows([None, *range(30)]))
    assert document["days"] == ["2026-01-02", "2026-01-09", "2026-01-16", "2026-01-23"]
    assert [row[AGE] for row in document["rows"]] == list(ORIGIN_AGES_DAYS)


def test_origins_say_how_to_read_them():
    document = origins_document(feature_rows([0]))
    assert document["schema_version"] == SCHEMA_VERSION
    assert document["as_of"] == "2026-01-01"
    assert document["features"] == list(NAMES)
    assert len(document["rows"][0]) == len(NAMES)


def test_origins_ascend_whatever_the_order_of_the_rows():
    rows = feature_rows([0, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7])
    assert origins_document(rows.iloc[::-1]) == origins_document(rows)
    assert origins_document(rows)["days"] == ["2026-01-01", "2026-01-02", "2026-01-04", "2026-01-11"]


def test_numbers_are_rounded_and_the_unknown_is_null():
    document = origins_document(feature_rows([0], vo2max=1 / 3, load=np.nan))
    assert document["rows"][0][LAST] == round(1 / 3, DECIMALS) == 0.333333
    assert document["rows"][0][LOAD] is None
    json.dumps(document, allow_nan=False)


def test_each_day_says_the_sport_of_its_reading():
    rows = pd.concat(
        [
            feature_rows([0, 0], "running", "2026-01-01"),
            feature_rows([0, 1, 0], "cycling", "2026-01-03"),
            feature_rows([0], "running", "2026-01-06"),
        ]
    )
    document = origins_document(rows)
    assert list(zip(document["days"], document["sports"], strict=True)) == [
        ("2026-01-01", "running"),
        ("2026-01-02", "running"),
        ("2026-01-03", "cycling"),
        ("2026-01-05", "cycling"),
        ("2026-01-06", "running"),
    ]
    assert document["as_of"] == "2026-01-06"


def test_without_a_reading_there_is_no_origin():
    document = origins_document(feature_rows([None, None]))
    assert document["days"] == document["sports"] == document["rows"] == []
    assert document["as_of"] == "2026-01-02"


@pytest.mark.parametrize(
    "rows", [feature_rows([0]).iloc[:0], pd.concat([feature_rows([0]), feature_rows([0], athlete="b")])]
)
def test_origins_are_those_of_one_athlete(rows):
    with pytest.raises(ValueError, match="one athlete"):
        origins_document(rows)


def test_origins_of_built_features_are_their_own_rows():
    features = build_features(random_frames(5))
    document = origins_document(features)
    by_day = features.set_index(features["event_time"].str[:10])
    assert document["days"]
    for day, row in zip(document["days"], document["rows"], strict=True):
        assert [np.nan if value is None else value for value in row] == pytest.approx(
            by_day.loc[day, list(NAMES)].astype(float).tolist(), abs=10**-DECIMALS, nan_ok=True
        )
