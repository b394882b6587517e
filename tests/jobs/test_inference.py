import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

from include.features.schema import NAMES
from include.forecast.methods import PERSISTENCE
from include.forecast.own_record import COMBINED
from include.forecast.population import UNLEARNT
from include.forecast.rows import concatenate
from include.forecast.split import choose_cuts, split
from include.forecast.targets import make_rows
from include.forecast.training import train_forecaster
from include.forecast.what_if import LoadEffect
from include.jobs import inference

FEATURES = dict.fromkeys(NAMES, 1.0) | {"vo2max_last": 50.0, "reading_age_days": 2.0, "reading_mean_30d_gap": -3.0}
ALL_DAYS = list(range(1, 43))


@pytest.fixture(scope="module")
def model(make_features, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    rows = make_rows(make_features(reverting=0.8))
    folds = split(rows, choose_cuts(rows))
    known = concatenate([folds["train"], folds["calibration"]])
    train_forecaster(known, 7, {"model_version": "m1"}, UNLEARNT).save(folder)
    served_by = {"1-7": PERSISTENCE, "8-14": PERSISTENCE, "15-28": COMBINED, "29-42": COMBINED}
    gate = {"served_by": served_by, "low_confidence": {"8-14": "few"}}
    (folder / "gate.json").write_text(json.dumps(gate))
    return inference.model_fn(str(folder))


def ask(model, *instances):
    body = json.dumps({"instances": list(instances)})
    text, content_type = inference.output_fn(inference.predict_fn(inference.input_fn(body), model))
    assert content_type == "application/json"
    return json.loads(text)


def test_an_answer_for_each_day_says_who_gave_it(model):
    answer = ask(model, {"features": FEATURES, "horizons": ALL_DAYS})
    days = answer["predictions"][0]
    assert [day["horizon_days"] for day in days] == ALL_DAYS
    assert [day["served_by"] for day in days] == [PERSISTENCE] * 14 + [COMBINED] * 28
    assert all(day["vo2max"] == 50.0 for day in days[:14])
    assert days[-1]["vo2max"] != 50.0
    for day in days:
        assert day["low_90"] <= day["low_80"] <= day["vo2max"] <= day["high_80"] <= day["high_90"]
    assert answer["model"]["version"] == "m1"
    assert answer["model"]["low_confidence"] == {"8-14": "few"}
    assert answer["model"]["what_if"]["enabled"] is False


def test_bands_never_narrow_with_the_horizon_whatever_answers_it(model):
    for methods in itertools.product((PERSISTENCE, COMBINED), repeat=len(model.served_by)):
        mixed = dataclasses.replace(model, served_by=dict(zip(model.served_by, methods, strict=True)))
        days = ask(mixed, {"features": FEATURES, "horizons": ALL_DAYS})["predictions"][0]
        for level in ("80", "90"):
            widths = [day[f"high_{level}"] - day[f"low_{level}"] for day in days]
            assert np.all(np.diff(widths) >= -0.003), methods
        alone = ask(mixed, {"features": FEATURES, "horizons": [30]})["predictions"][0]
        assert alone == [days[29]]


def test_a_batch_is_its_instances(model):
    other = FEATURES | {"vo2max_last": 40.0, "hrv_7d": None}
    both = ask(model, {"features": FEATURES, "horizons": [7, 42]}, {"features": other, "horizons": [30]})["predictions"]
    assert both[0] == ask(model, {"features": FEATURES, "horizons": [7, 42]})["predictions"][0]
    assert both[1] == ask(model, {"features": other, "horizons": [30]})["predictions"][0]


def test_without_a_gate_persistence_answers(make_features, tmp_path):
    rows = make_rows(make_features(athletes=3, days=300))
    train_forecaster(rows, 7, {}, UNLEARNT).save(tmp_path)
    assert set(inference.model_fn(str(tmp_path)).served_by.values()) == {PERSISTENCE}


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"vo2max_last": None}, "instance 0: features: vo2max_last"),
        ({"load_7d": math.inf}, "load_7d is infinite"),
        ({"pace": 4.0}, "unknown feature 'pace'"),
        ({"readings": math.nan}, "readings is not a number"),
    ],
)
def test_wrong_features_are_refused_by_name(features, words):
    body = json.dumps({"instances": [{"features": FEATURES | features, "horizons": [1]}]})
    with pytest.raises(ValueError, match=words):
        inference.read_instances(body)


@pytest.mark.parametrize("horizons", [[], [0], [43], [1.5], ["1"], [True], None, 7])
def test_wrong_horizons_are_refused(horizons):
    body = json.dumps({"instances": [{"features": FEATURES, "horizons": horizons}]})
    with pytest.raises(ValueError, match="whole days from 1 to 42"):
        inference.read_instances(body)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"instances": []}', '{"instances": [3]}', '{"instances": {"a": 1}}'])
def test_a_request_of_another_shape_is_refused(body):
    with pytest.raises(ValueError, match=r"JSON|instances|instance 0"):
        inference.read_instances(body)


def test_content_types():
    good = json.dumps({"instances": [{"features": FEATURES, "horizons": [1]}]})
    assert len(inference.input_fn(good.encode(), "application/json; charset=utf-8")) == 1
    with pytest.raises(ValueError, match="text/csv"):
        inference.read_instances("1,2", "text/csv")
    assert inference.output_fn({}, "*/*") == ("{}", "application/json")


def test_what_cannot_be_read_is_answered_with_the_reason(model):
    assert ask(model, {"features": FEATURES | {"pace": 4.0}, "horizons": [1]}) == {
        "error": {
            "status": 400,
            "title": "The request cannot be read",
            "detail": "instance 0: features: unknown feature 'pace'",
        }
    }
    text, content_type = inference.output_fn({}, "text/csv")
    assert content_type == "application/json"
    assert json.loads(text)["error"]["status"] == 406


def test_a_plan_is_answered_with_its_difference_to_as_usual(model):
    effect = LoadEffect(0.5, 0.2, 0.8, 2.0)
    told = dataclasses.replace(model, forecaster=dataclasses.replace(model.forecaster, effect=effect))
    features = FEATURES | {"load_mean": 60.0, "load_42d": 60.0}
    plain = {"features": features, "horizons": ALL_DAYS}
    days = ask(told, plain, plain | {"weekly_load": [420, 600]}, plain | {"weekly_load": [100]})["predictions"]
    assert all("difference" not in day for day in days[0])
    assert days[1][-1]["difference"]["low_90"] < days[1][-1]["difference"]["expected"]
    assert days[1][0]["difference"]["expected"] == 0
    assert days[2][-1]["difference"]["expected"] < 0 < days[1][-1]["difference"]["expected"]
    assert [day["vo2max"] for day in days[0]] == [day["vo2max"] for day in days[1]]


@pytest.mark.parametrize("plan", [[-1], ["300"], [True], 300, [1e9], [300] * 7, [math.nan]])
def test_a_plan_that_makes_no_sense_is_refused(plan):
    body = json.dumps({"instances": [{"features": FEATURES, "horizons": [1], "weekly_load": plan}]})
    with pytest.raises(ValueError, match="instance 0: weekly_load"):
        inference.read_instances(body)


def test_the_order_of_features_does_not_matter_but_a_missing_one_is_named(model):
    one = ask(model, {"features": FEATURES, "horizons": [42]})["predictions"]
    assert ask(model, {"features": dict(reversed(FEATURES.items())), "horizons": [42]})["predictions"] == one
    short = {name: value for name, value in FEATURES.items() if name not in ("readings", "vo2max_last")}
    body = json.dumps({"instances": [{"features": short, "horizons": [1]}]})
    with pytest.raises(ValueError, match="vo2max_last is missing; readings is missing"):
        inference.read_instances(body)
