import re

import numpy as np
import pytest

from include.forecast.baselines import fit_baselines
from include.forecast.calibration import calibration
from include.forecast.evaluation import evaluate, score_methods
from include.forecast.explanation import cases
from include.forecast.forecaster import all_persistence
from include.forecast.gate import compare_buckets, decide
from include.forecast.horizon import BUCKETS
from include.forecast.methods import PERSISTENCE
from include.forecast.own_record import COMBINED, follow_all
from include.forecast.page import report_page, report_plots
from include.forecast.plots import fans
from include.forecast.population import UNLEARNT
from include.forecast.report import evaluation_document
from include.forecast.rows import concatenate
from include.forecast.split import choose_cuts, split
from include.forecast.targets import make_rows
from include.forecast.training import train_forecaster

PNG = b"\x89PNG\r\n\x1a\n"
MANIFEST = {"dataset_version": "<v>", "as_of": "2026-01-01", "cuts": {"test": "2024-01-01"}, "notes": ["thin & small"]}


@pytest.fixture(scope="module")
def trained(make_features):
    rows = make_rows(make_features(reverting=0.8))
    folds = split(rows, choose_cuts(rows))
    known = concatenate([folds["train"], folds["calibration"]])
    return train_forecaster(known, 7, {"notes": []}, UNLEARNT), known, folds["test"]


def document(forecaster, known, test):
    records = records_of(forecaster, test)
    scores = score_methods(forecaster, fit_baselines(known, forecaster.pooling), test, records)
    results = evaluate(scores, test, 7)
    own = compare_buckets(scores[COMBINED].crps, scores[PERSISTENCE].crps, test)
    return evaluation_document(forecaster, test, records, results, decide(results, own, UNLEARNT, []), 7)


def records_of(forecaster, test):
    return follow_all(test, test, forecaster)


def found_cases(forecaster, served_by, test):
    records = records_of(forecaster, test)
    served = forecaster.served(served_by, test.features, test.horizon_days, records)
    return cases(forecaster, served_by, test, records, served)


def test_a_page_shows_everything_and_loads_nothing(trained):
    found = document(*trained)
    pictures = report_plots(found)
    page = report_page(found, MANIFEST, pictures)
    assert set(pictures) == {"skill", "coverage", "calibration", "drivers", "typical", "worst"}
    assert all(png.startswith(PNG) and len(png) > 2000 for png in pictures.values())
    assert page.count("data:image/png;base64,") == len(pictures)
    assert not re.search(r"(src|href)=['\"](?!data:)", page)
    assert "Approved" in page and "&lt;v&gt;" in page and "thin &amp; small" in page
    assert all(f"{name} d" in page for name in BUCKETS)
    for bucket in found["buckets"]:
        assert bucket["served_by"] == COMBINED
        assert "On 6 athletes of this deployment" in bucket["sentence"]
        assert bucket["sentence"] in page
    assert report_plots(found) == pictures


def test_without_test_rows_there_is_still_a_page(trained):
    forecaster, known, test = trained
    found = document(forecaster, known, test.where(np.zeros(len(test), dtype=bool)))
    page = report_page(found, MANIFEST | {"cuts": None}, report_plots(found))
    assert "not tested: too few readings to cut" in page
    assert "No test readings." in page


def test_bands_that_keep_their_word_lie_on_the_diagonal(trained):
    forecaster, _, test = trained
    served_by, records = dict.fromkeys(BUCKETS, COMBINED), records_of(forecaster, test)
    curves = calibration(forecaster.served(served_by, test.features, test.horizon_days, records), test)
    assert list(curves) == list(BUCKETS)
    for curve in curves.values():
        promised, observed = (np.array([point[key] for point in curve]) for key in ("level", "observed"))
        assert promised[0] == pytest.approx(0.05) and promised[-1] == pytest.approx(0.95)
        assert (np.diff(observed) >= 0).all()
        assert np.abs(observed - promised).max() < 0.2


def test_typical_and_worst_cases_are_what_they_say(trained):
    forecaster, _, test = trained
    found = found_cases(forecaster, dict.fromkeys(BUCKETS, COMBINED), test)
    assert {len(one) for one in found.values()} == {3}
    assert min(one["crps"] for one in found["worst"]) > max(one["crps"] for one in found["typical"])
    assert len({one["athlete"] for one in found["worst"]}) == 3
    for case in (*found["worst"], *found["typical"]):
        half = [point["half_90"] for point in case["fan"]]
        assert half == sorted(half)
        assert case["came"]


def test_a_name_is_text_and_no_formula(trained):
    forecaster, _, test = trained
    found = found_cases(forecaster, all_persistence(), test)["worst"]
    assert fans([one | {"athlete": r"$\nonsense{"} for one in found]).startswith(PNG)


def test_a_case_under_persistence_stays_where_it_is(trained):
    forecaster, _, test = trained
    for case in found_cases(forecaster, all_persistence(), test)["typical"]:
        assert {point["mean"] for point in case["fan"]} == {0.0}
    assert set(all_persistence().values()) == {PERSISTENCE}
