from datetime import date

import numpy as np
import pandas as pd

from include.forecast.dataset import make_dataset, useful_athletes
from include.forecast.split import EMBARGO, FOLDS, Cuts, choose_cuts, leaks, split
from include.forecast.targets import make_rows


def test_folds_do_not_overlap_in_time(make_features):
    rows = make_rows(make_features())
    cuts = choose_cuts(rows)
    folds = split(rows, cuts)
    assert leaks(*(folds[name] for name in FOLDS), cuts) == []
    assert folds["train"].target_day.max() < np.datetime64(cuts.calibration) <= folds["calibration"].origin_day.min()
    assert folds["calibration"].target_day.max() < np.datetime64(cuts.test) <= folds["test"].origin_day.min()
    assert sum(len(folds[name]) for name in FOLDS) < len(rows)
    share = len(folds["train"]) / len(rows)
    assert 0.5 < share < 0.7


def test_a_leak_is_named(make_features):
    rows = make_rows(make_features())
    cuts = choose_cuts(rows)
    folds = split(rows, cuts)
    found = leaks(rows, folds["calibration"], rows, cuts)
    assert [text.split()[0] for text in found] == ["train", "test"]


def test_athletes_of_different_years_each_help_where_they_can(make_features):
    eras = [("2015-01-01", 900), ("2016-06-01", 900), ("2017-01-01", 500), ("2016-01-01", 500)]
    features = pd.concat(
        [make_features(athletes=1, days=days, start=start, seed=index).assign(athlete_id=f"era-{index}")
         for index, (start, days) in enumerate(eras)]
    )  # fmt: skip
    rows = make_rows(features)
    folds = split(rows, choose_cuts(rows))
    assert all(len(useful_athletes(folds[name])) >= 2 for name in FOLDS)


def test_cuts_depend_on_days_alone(make_features):
    features = make_features()
    shuffled = features.assign(vo2max_last=features["vo2max_last"].to_numpy()[::-1])
    shuffled["vo2max_last"] = shuffled["vo2max_last"].fillna(50.0)
    assert choose_cuts(make_rows(features)) == choose_cuts(make_rows(shuffled))


def test_too_few_readings_to_cut_leaves_all_for_calibration(make_features):
    rows = make_rows(make_features(athletes=1, days=25, every=5))
    dataset = make_dataset(rows, choose_cuts(rows))
    assert dataset.cuts is None
    assert len(dataset.folds["calibration"]) == len(rows) > 0
    assert "too few readings" in dataset.notes[0]
    assert choose_cuts(rows.where(np.zeros(len(rows), bool))) is None


def test_a_row_that_straddles_a_cut_is_kept_apart_from_every_fold(make_features):
    rows = make_rows(make_features(athletes=1, days=60))
    day = rows.origin_day[len(rows) // 2].astype(object)
    folds = split(rows, Cuts(day, date(2030, 1, 1)))
    straddling = (rows.origin_day < np.datetime64(day)) & (rows.target_day >= np.datetime64(day))
    assert straddling.any()
    assert sum(len(folds[name]) for name in FOLDS) == len(rows) - straddling.sum()
    assert (folds[EMBARGO].origin_day == rows.origin_day[straddling]).all()
    assert (folds[EMBARGO].target_day == rows.target_day[straddling]).all()
