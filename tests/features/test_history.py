import json

import pytest

from include.features.build import build_features
from include.features.history import history_document
from tests.features.conftest import random_frames


def test_history_is_json_of_the_series_sport():
    tables = random_frames(5)
    features = build_features(tables)
    document = history_document(tables, features)
    json.dumps(document, allow_nan=False)
    sport = features["sport"].iloc[-1]
    assert document["sport"] == sport
    assert document["as_of"] == features["event_time"].iloc[-1][:10]
    assert len(document["readings"]) == (tables.vo2max["sport"] == sport).sum()
    assert len(document["load"]) == len(features)
    last = document["load"][-1]
    assert last["tsb"] == pytest.approx(last["ctl"] - last["atl"], abs=0.11)
    trained = {f"{day:%Y-%m-%d}" for day in tables.activities["day"]}
    assert {entry["day"] for entry in document["load"] if entry["load"] is not None} == trained


def test_history_is_that_of_one_athlete():
    tables = random_frames(5)
    with pytest.raises(ValueError, match="one athlete"):
        history_document(tables, build_features(tables).iloc[:0])
