import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

from include.features.origins import origins_document
from include.features.schema import NAMES
from include.forecast.methods import PERSISTENCE
from include.forecast.own_record import COMBINED, follow
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


@pytest.fixture(scope="module")
def athletes(make_features):
    """Two athletes' latest features and their origins documents."""
    features = make_features(athletes=2, days=400, reverting=0.8)
    found = []
    for _, own in features.groupby("athlete_id"):
        latest = own.sort_values("event_time").iloc[-1]
        found.append(
            {
                "features": {name: None if np.isnan(latest[name]) else float(latest[name]) for name in NAMES},
                "horizons": [7, 14, 28, 42],
                "history": json.loads(json.dumps(origins_document(own))),
            }
        )
    return found


def without(instance, *names):
    return {name: value for name, value in instance.items() if name not in names}


def test_the_record_of_an_answer_gives_the_answer_of_the_history(model, athletes):
    first = ask(model, athletes[0])
    again = ask(model, without(athletes[0], "history") | {"record": first["records"][0]})
    assert again == first
    both = ask(model, athletes[0] | {"record": first["records"][0]})
    assert both == first
    blank = ask(model, without(athletes[0], "history"))
    assert blank["predictions"] != first["predictions"]
    assert all(table["windows"] == 0 for table in blank["records"][0].values())
    for table in first["records"][0].values():
        assert table["windows"] > 5
        assert sum(table["weights"].values()) == pytest.approx(1)


def test_the_record_is_that_of_training_as_of_the_newest_day(model, athletes, make_features):
    features = make_features(athletes=2, days=400, reverting=0.8)
    own = make_rows(features[features["athlete_id"] == "athlete-0"])
    newest = np.datetime64(features["event_time"].max()[:10])
    record = follow(own, model.forecaster, np.array([newest.astype(np.int64)])).to_json()
    answered = ask(model, athletes[0])["records"][0]
    for name, table in record.items():
        assert answered[name]["weights"] == pytest.approx(table["weights"], abs=1e-5)
        assert answered[name]["band_scale"] == pytest.approx(table["band_scale"], abs=1e-5)
        assert answered[name]["windows"] == table["windows"]


def test_each_athlete_of_a_request_keeps_a_record_of_its_own(model, athletes):
    both = ask(model, *athletes)
    each = [ask(model, athlete) for athlete in athletes]
    assert both["records"] == [one["records"][0] for one in each]
    assert both["predictions"] == [one["predictions"][0] for one in each]
    assert both["records"][0] != both["records"][1]
    mixed = ask(model, athletes[0], without(athletes[1], "history"))
    assert mixed["records"][0] == both["records"][0]
    assert all(table["windows"] == 0 for table in mixed["records"][1].values())


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("history", {"schema_version": 1}, "history is no origins document: it is of feature schema 1"),
        ("history", {"days": ["2022-01-05"]}, "history is no origins document: it has 1 days"),
        ("history", {"rows": [["x"]]}, "history is no origins document"),
        ("history", {"as_of": "yesterday"}, "history has no day that it is as of"),
        ("history", {"as_of": None}, "history has no day that it is as of"),
        ("record", {"8-14": None}, "no record of forecasts"),
        ("record", {"8-14": {"weights": {}}}, "no record of forecasts"),
    ],
)
def test_a_past_that_makes_no_sense_is_refused_in_a_sentence(model, athletes, name, change, words):
    good = {"history": athletes[1]["history"], "record": ask(model, athletes[1])["records"][0]}
    broken = without(athletes[1], "history") | {name: good[name] | change}
    found = ask(model, athletes[0], broken)["error"]
    assert found["status"] == 400
    assert found["detail"].startswith(f"instance 1: {words}")


@pytest.mark.parametrize(
    "past", [{"history": []}, {"history": "all of it"}, {"history": 3}, {"record": []}, {"record": 3}]
)
def test_a_past_of_another_shape_is_refused_in_a_sentence(model, athletes, past):
    found = ask(model, without(athletes[0], "history") | past)["error"]
    assert found["status"] == 400
    assert found["detail"].startswith("instance 0: ")
