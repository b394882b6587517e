"""A dataset version made by several instances, each in a folder of its own, as SageMaker gathers their outputs."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from include.features.offline_keys import read_keys
from include.features.store import read_offline, read_offline_groups
from include.forecast import dataset as dataset_module
from include.forecast.dataset import make_dataset, read_manifest, read_rows
from include.forecast.split import EMBARGO, FOLDS, choose_cuts
from include.forecast.targets import make_pairs, make_rows
from include.jobs.container import Instance, this_instance
from include.jobs.errors import JobError
from include.jobs.preprocess import preprocess
from tests.jobs.test_chain import AS_OF, tree


@pytest.fixture
def offline(make_features, tmp_path):
    """Nine athletes, of different lengths and sports, in files by month that hold many of them; some rows twice."""
    features = pd.concat(
        [
            make_features(athletes=1, days=200 + 60 * number, seed=number).assign(
                athlete_id=f"athlete-{10 - number}", sport=np.where(np.arange(200 + 60 * number) < 150, "cycling", "running")
            )
            for number in range(9)
        ]
    )  # fmt: skip
    folder = tmp_path / "offline"
    folder.mkdir()
    written = pd.Timestamp("2026-01-01T00:00:00Z")
    stored = features.assign(write_time=written, api_invocation_time=written, is_deleted=False)
    later = written + pd.Timedelta(hours=1)
    again = stored.iloc[::97].assign(api_invocation_time=later, vo2max_last=47.0)
    deleted = stored.iloc[::53].assign(api_invocation_time=later + pd.Timedelta(hours=1), is_deleted=True)
    future = stored.iloc[::31].assign(api_invocation_time=pd.Timestamp("2026-03-01T00:00:00Z"), vo2max_last=99.0)
    rows = pd.concat([stored, again, deleted, future])
    for month, part in rows.groupby(rows["event_time"].str[:7]):
        part.to_parquet(folder / f"{month}.parquet", index=False)
    return folder


def made_by(count, offline, tmp_path):
    """The files of all instances in one folder; a name that two of them give would be one file too few."""
    together, files = tmp_path / f"by-{count}", 0
    for index in range(count):
        own = tmp_path / f"{index}-of-{count}"
        preprocess(offline, own, AS_OF, "v1", Instance(index, count))
        if own.exists():
            files += len(tree(own))
            shutil.copytree(own, together, dirs_exist_ok=True)
    assert files == len(tree(together))
    return together


@pytest.mark.parametrize("athletes_a_part", [1, 2, 50])
def test_any_number_of_instances_makes_the_same_bytes(offline, tmp_path, monkeypatch, athletes_a_part):
    monkeypatch.setattr(dataset_module, "ATHLETES_A_PART", athletes_a_part)
    alone = tree(made_by(1, offline, tmp_path))
    assert len(alone) == 1 + 5 * -(-9 // athletes_a_part)
    for count in (2, 4):
        assert tree(made_by(count, offline, tmp_path)) == alone


def test_the_parts_are_the_rows_of_all_athletes_in_order(offline, tmp_path, monkeypatch):
    """What is cut, noted and written part by part is what would be of all rows at once."""
    monkeypatch.setattr(dataset_module, "ATHLETES_A_PART", 2)
    made = made_by(2, offline, tmp_path)
    features = read_offline(sorted(offline.iterdir()), AS_OF)
    rows = make_rows(features)
    whole = make_dataset(rows, choose_cuts(rows))
    manifest = read_manifest(made)
    assert manifest["cuts"] == {"calibration": str(whole.cuts.calibration), "test": str(whole.cuts.test)}
    assert tuple(manifest["notes"]) == whole.notes
    assert manifest["feature_rows"] == len(features)
    assert manifest["athletes"] == sorted(features["athlete_id"].unique())
    assert manifest["rows_embargoed"] == len(rows) - sum(len(whole.folds[name]) for name in FOLDS) > 0
    for name in (*FOLDS, EMBARGO):
        found = read_rows(made / name)
        assert found.athlete.tolist() == whole.folds[name].athlete.tolist()
        np.testing.assert_allclose(found.features, whole.folds[name].features, atol=1e-6)
        np.testing.assert_array_equal(found.origin_day, whole.folds[name].origin_day)
    thin = read_rows(made / "train", most=500)
    step = -(-len(whole.folds["train"]) // 500)
    assert thin.change.tolist() == pytest.approx(whole.folds["train"].change[::step].tolist(), abs=1e-6)


def test_keys_are_those_of_the_rows_themselves(offline):
    paths = sorted(offline.iterdir())
    features, keys = read_offline(paths, AS_OF), read_keys(paths, AS_OF)
    assert [keys.athletes[number] for number in keys.athlete] == features["athlete_id"].tolist()
    days = keys.day.astype("datetime64[D]").astype(str)
    assert [f"{day}T00:00:00Z" for day in days] == features["event_time"].tolist()
    np.testing.assert_array_equal(keys.reading_age_days, features["reading_age_days"])
    rows, pairs = make_rows(features), make_pairs(keys)
    assert len(pairs) == len(rows)
    order = np.lexsort((pairs.target_day, pairs.origin_day, pairs.athlete))
    np.testing.assert_array_equal(pairs.origin_day[order], rows.origin_day)
    np.testing.assert_array_equal(pairs.target_day[order], rows.target_day)


def test_groups_of_athletes_have_the_rows_that_they_have_among_all(offline):
    paths = sorted(offline.iterdir())
    features = read_offline(paths, AS_OF)
    groups = [["athlete-3", "athlete-10"], ["nobody"], ["athlete-5"]]
    for group, found in zip(groups, read_offline_groups(paths, AS_OF, groups), strict=True):
        wanted = features[features["athlete_id"].isin(group)].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, wanted, check_exact=True, check_dtype=bool(len(wanted)))
    assert list(read_offline_groups(paths, AS_OF, [])) == []


def test_an_instance_knows_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("ML_DIR", str(tmp_path))
    assert this_instance() == Instance(0, 1)
    (tmp_path / "config").mkdir()
    places = []
    for host in ("algo-1", "algo-2", "algo-3"):
        cluster = {"current_host": host, "hosts": ["algo-2", "algo-1", "algo-3"]}
        (tmp_path / "config/resourceconfig.json").write_text(json.dumps(cluster))
        places.append(this_instance())
    assert places == [Instance(0, 3), Instance(1, 3), Instance(2, 3)]


def test_every_instance_ends_with_the_same_reason(offline, tmp_path):
    (offline / "broken.parquet").write_bytes(b"x")
    for index in range(2):
        with pytest.raises(JobError, match=r"broken\.parquet is no Parquet file"):
            preprocess(offline, tmp_path / "out", AS_OF, "v1", Instance(index, 2))
