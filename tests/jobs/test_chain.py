"""preprocess, train, evaluate, inference, one after the other, each as SageMaker runs it."""

import json
import os
import re
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.deploy.redaction import evaluation_without
from include.features.schema import NAMES
from include.forecast.dataset import read_manifest
from include.jobs.archive import pack, unpack
from include.jobs.errors import JobError, run
from include.jobs.evaluate import evaluate
from include.jobs.preprocess import as_of_time, preprocess
from include.jobs.train import train

ROOT = Path(__file__).parents[2]
AS_OF = datetime(2026, 1, 2, tzinfo=UTC)


class Chain:
    """Folders of one run of the three jobs."""

    def __init__(self, folder: Path):
        self.offline = folder / "offline"
        self.dataset = folder / "input/dataset"
        self.model = folder / "model"
        self.archive = folder / "input/model/model.tar.gz"
        self.input = folder / "input"
        self.output = folder / "output"
        self.channels = {name: self.dataset / name for name in ("train", "calibration")}

    def run(self, seed=7):
        preprocess(self.offline, self.dataset, AS_OF, "v1")
        train(self.channels, self.model, seed, {"dataset_version": "v1", "model_version": "m1"})
        pack(self.model, self.archive)
        return evaluate(self.input, self.output, seed)


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_whole_chain(make_features, write_offline, tmp_path):
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=8, reverting=0.8))
    document = chain.run()
    assert document["gate"]["approved"], document["gate"]["reasons"]
    assert set(document["regression_metrics"]) == {"mae", "mse", "rmse", "r2"}
    for metric in document["regression_metrics"].values():
        assert set(metric) == {"value", "standard_deviation"}
    assert [bucket["bucket"] for bucket in document["buckets"]] == ["1-7", "8-14", "15-28", "29-42"]
    assert document["buckets"][3]["served_by"] == "combined"
    assert "on 8 athletes here" in document["buckets"][3]["sentence"]
    saved = json.loads((chain.output / "report/evaluation.json").read_text())
    assert saved == json.loads(json.dumps(document))
    page = (chain.output / "report/report.html").read_text()
    assert "Approved" in page
    assert not re.search(r"https?://|src=(?!'data:image/png)|<link|<script|@import|url\(", page)
    pictures = {path.name for path in (chain.output / "report").glob("*.png")}
    assert pictures == {f"{name}.png" for name in ("skill", "coverage", "calibration", "drivers", "typical", "worst")}
    with tarfile.open(chain.output / "model/model.tar.gz") as tar:
        names = set(tar.getnames())
    assert {"xgboost-model", "forecaster.json", "gate.json", "code/inference.py"} <= names
    assert {"code/include/features/schema.py", "code/include/forecast/forecaster.py"} <= names
    assert not any("__pycache__" in name for name in names)


def test_a_model_names_no_athlete_and_an_evaluation_can_be_freed_of_one(make_features, write_offline, tmp_path):
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=8))
    assert " here: " in json.dumps(chain.run()["gate"])  # the sentence that could name one
    athletes = read_manifest(chain.dataset)["athletes"]
    with tarfile.open(chain.output / "model/model.tar.gz") as tar:
        tar.extractall(tmp_path / "artifact", filter="data")
    made = [path for path in (tmp_path / "artifact").rglob("*") if path.is_file() and path.suffix != ".py"]
    assert {"forecaster.json", "gate.json", "xgboost-model"} <= {path.name for path in made}
    assert [path.name for path in made for one in athletes if one.encode() in path.read_bytes()] == []
    report = (chain.output / "report/evaluation.json").read_bytes()
    freed = evaluation_without(report, athletes[0])
    assert athletes[0].encode() in report and athletes[0].encode() not in freed
    assert json.loads(freed)["buckets"] == json.loads(report)["buckets"]


def test_a_second_run_gives_the_same_bytes(make_features, write_offline, tmp_path):
    features = make_features(athletes=5, days=500)
    outputs = []
    for name in ("one", "two"):
        chain = Chain(tmp_path / name)
        write_offline(chain.offline, features)
        chain.run()
        folders = (chain.dataset, chain.model, chain.output)
        files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
        outputs.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files})
    assert outputs[0].keys() == outputs[1].keys()
    assert [name for name in outputs[0] if outputs[0][name] != outputs[1][name]] == []


def test_rows_written_after_the_as_of_time_do_not_change_a_dataset(make_features, write_offline, tmp_path):
    features = make_features(athletes=3, days=400)
    offline = write_offline(tmp_path / "offline", features)
    preprocess(offline, tmp_path / "before", AS_OF, "v1")
    late = features.assign(vo2max_last=99.0, is_deleted=False)
    late["write_time"] = late["api_invocation_time"] = pd.Timestamp("2026-03-01T00:00:00Z")
    late.to_parquet(offline / "late.parquet", index=False)
    preprocess(offline, tmp_path / "after", AS_OF, "v1")
    assert tree(tmp_path / "before") == tree(tmp_path / "after")


def test_one_athlete_with_few_readings_is_still_served(make_features, write_offline, tmp_path):
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=1, days=40, every=8))
    document = chain.run()
    assert document["gate"]["approved"]
    served_by = document["gate"]["served_by"]
    assert {served_by[name] for name in ("8-14", "15-28", "29-42")} == {"combined"}
    assert document["gate"]["low_confidence"] == {}
    assert all("On 8 athletes" in one["sentence"] for one in document["gate"]["evidence"].values())
    assert any("too few readings" in note for note in read_manifest(chain.dataset)["notes"])
    assert any("starts from 8 athletes" in note and "trained on 1 athlete" in note for note in document["notes"])
    assert "not tested" in (chain.output / "report/report.html").read_text()


def test_a_single_reading_is_enough_for_a_forecast(make_features, write_offline, tmp_path):
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=1, days=30, every=30))
    assert chain.run()["gate"]["approved"]


def test_a_model_of_another_dataset_is_refused(make_features, write_offline, tmp_path):
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=3, days=400))
    chain.run()
    write_offline(chain.offline, make_features(athletes=3, days=400, seed=9))
    preprocess(chain.offline, chain.dataset, AS_OF, "v2")
    with pytest.raises(JobError, match=r"trained on another (train|calibration)/part-0000\.csv"):
        evaluate(chain.input, chain.output, 7)


def test_a_better_champion_keeps_the_candidate_out(make_features, write_offline, tmp_path):
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=8, reverting=0.8))
    chain.run()
    champion = chain.input / "champion/model.tar.gz"
    champion.parent.mkdir()
    champion.write_bytes((chain.output / "model/model.tar.gz").read_bytes())
    same = evaluate(chain.input, chain.output, 7)
    assert same["gate"]["approved"]
    assert "compared with what serves now" in same["notes"][-1]
    description = chain.model / "forecaster.json"
    weak = json.loads(description.read_text())
    for table in (*weak["bands"]["persistence"].values(), *weak["bands"]["forecaster"].values()):
        table["half_widths"] = [width * 3 for width in table["half_widths"]]
    description.write_text(json.dumps(weak))
    pack(chain.model, chain.archive)
    worse = evaluate(chain.input, chain.output, 7)
    assert not worse["gate"]["approved"]
    assert any("worse than what serves now" in reason for reason in worse["gate"]["reasons"])


def test_a_champion_that_cannot_be_read_is_said_and_passed_over(make_features, write_offline, tmp_path):
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=5, days=500))
    chain.run()
    champion = chain.input / "champion/model.tar.gz"
    champion.parent.mkdir()
    champion.write_bytes(b"no archive")
    document = evaluate(chain.input, chain.output, 7)
    assert any("not compared" in note for note in document["notes"])


def test_a_leaking_dataset_fails_the_gate(make_features, write_offline, tmp_path):
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=5, days=500))
    preprocess(chain.offline, chain.dataset, AS_OF, "v1")
    manifest = json.loads((chain.dataset / "manifest.json").read_text())
    manifest["cuts"]["calibration"] = "2022-02-01"
    (chain.dataset / "manifest.json").write_text(json.dumps(manifest))
    train(chain.channels, chain.model, 7, {})
    pack(chain.model, chain.archive)
    gate = evaluate(chain.input, chain.output, 7)["gate"]
    assert not gate["approved"]
    assert any(reason.startswith("leak: train has targets") for reason in gate["reasons"])


def test_no_reading_at_all_is_an_error_with_its_reason(make_features, write_offline, tmp_path):
    features = make_features(athletes=2, days=50)
    features["vo2max_last"] = np.nan
    write_offline(tmp_path / "offline", features)
    with pytest.raises(JobError, match=r"no athlete \(athlete-0, athlete-1\) has a VO2max reading"):
        preprocess(tmp_path / "offline", tmp_path / "dataset", AS_OF, "v1")


def test_rows_of_the_future_alone_are_an_error(make_features, write_offline, tmp_path):
    write_offline(tmp_path / "offline", make_features(athletes=1, days=50))
    with pytest.raises(JobError, match="take a later as-of time"):
        preprocess(tmp_path / "offline", tmp_path / "dataset", datetime(2025, 1, 1, tzinfo=UTC), "v1")


@pytest.mark.parametrize(("files", "reason"), [([], "no Parquet file"), ([b"x"], "no Parquet file")])
def test_an_unreadable_store_is_an_error(tmp_path, files, reason):
    for number, body in enumerate(files):
        (tmp_path / f"{number}.parquet").write_bytes(body)
    with pytest.raises(JobError, match=reason):
        preprocess(tmp_path, tmp_path / "dataset", AS_OF, "v1")


def test_a_dataset_that_was_changed_is_an_error(make_features, write_offline, tmp_path):
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=2, days=300))
    chain.run()
    path = chain.dataset / "test/part-0000.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(JobError, match=r"test/part-0000\.csv is not the file"):
        evaluate(chain.input, chain.output, 7)
    with pytest.raises(JobError, match="no readable dataset"):
        evaluate(tmp_path, chain.output, 7)


def test_train_needs_its_files(tmp_path):
    channels = {name: tmp_path / name for name in ("train", "calibration")}
    with pytest.raises(JobError, match="train holds no part"):
        train(channels, tmp_path / "model", 7, {})
    for folder in channels.values():
        folder.mkdir()
        (folder / "part-0000.csv").write_text("a,b\n1,2\n")
    with pytest.raises(JobError, match=r"train: .*athlete_id"):
        train(channels, tmp_path / "model", 7, {})


def test_an_archive_cannot_leave_its_folder(tmp_path):
    (tmp_path / "evil").write_text("x")
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "evil", arcname="../outside")
    with pytest.raises(JobError, match="no readable model artifact"):
        unpack(tmp_path / "evil.tar.gz", tmp_path / "inside")
    with pytest.raises(JobError, match="no readable model artifact"):
        unpack(tmp_path / "missing.tar.gz", tmp_path / "inside")


def test_as_of_times():
    assert as_of_time("2026-01-02T03:04:05Z") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert as_of_time("2026-01-02T03:04:05") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert as_of_time("2026-01-02") > datetime(2026, 1, 2, 23, 59, tzinfo=UTC)


def run_module(tmp_path, *arguments, **more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ML_DIR": str(tmp_path), **more}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_jobs_run_as_sagemaker_runs_them(make_features, write_offline, tmp_path):
    processing = tmp_path / "processing"
    write_offline(processing / "input/offline", make_features(athletes=5, days=500))
    done = run_module(tmp_path, "-m", "include.jobs.preprocess", "--as-of", "2026-01-02", "--dataset-version", "v")
    assert done.returncode == 0, done.stderr
    dataset = processing / "output/dataset"
    (tmp_path / "input/config").mkdir(parents=True)
    given = {"seed": "3", "dataset_version": "v", "model_version": "m", "unknown": "1"}
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(given))
    (tmp_path / "input/data").mkdir()
    for channel in ("train", "calibration"):
        (tmp_path / "input/data" / channel).symlink_to(dataset / channel)
    done = run_module(tmp_path, "-m", "include.jobs.train")
    assert done.returncode == 0, done.stderr
    assert re.search(r"validation:crps=([0-9\.]+);", done.stdout)
    (processing / "input/dataset").symlink_to(dataset)
    pack(tmp_path / "model", processing / "input/model/model.tar.gz")
    about = json.loads((tmp_path / "model/forecaster.json").read_text())
    assert (about["about"]["dataset_version"], about["about"]["model_version"]) == ("v", "m")
    done = run_module(tmp_path, "-m", "include.jobs.evaluate")
    assert done.returncode == 0, done.stderr
    assert "gate: " in done.stdout
    assert (processing / "output/report/evaluation.json").exists()
    assert not (tmp_path / "output").exists()


def test_a_failed_job_leaves_its_reason_where_sagemaker_reads_it(tmp_path):
    """`failure` is read after training, `message` after processing."""
    done = run_module(tmp_path, "-m", "include.jobs.preprocess", "--as-of", "2026-01-02", "--dataset-version", "v")
    assert done.returncode == 1
    for name in ("failure", "message"):
        assert "run garmin_ingest first" in (tmp_path / "output" / name).read_text()
    done = run_module(tmp_path, "-m", "include.jobs.train")
    assert done.returncode == 1
    for name in ("failure", "message"):
        reason = (tmp_path / "output" / name).read_text()
        assert reason == "the training job has no channel train and no channel calibration"


def test_a_long_reason_is_cut_between_characters(tmp_path, monkeypatch):
    monkeypatch.setenv("ML_DIR", str(tmp_path))

    def job():
        raise JobError("é" * 600 + "x")

    assert run(job) == 1
    assert (tmp_path / "output/message").read_text() == "é" * 512


def test_the_artifact_serves_on_its_own(make_features, write_offline, tmp_path):
    """In a process that sees the artifact's code alone, and without pandas or pyarrow."""
    chain = Chain(tmp_path)
    write_offline(chain.offline, make_features(athletes=5, days=500))
    chain.run()
    unpack(chain.output / "model/model.tar.gz", tmp_path / "served")
    script = (
        "import sys, json, inference\n"
        "model = inference.model_fn(sys.argv[1])\n"
        "body = json.dumps({'instances': [{'features': dict.fromkeys(json.loads(sys.argv[2]), 1.0), 'horizons': [42]}]})\n"
        "print(inference.output_fn(inference.predict_fn(inference.input_fn(body), model))[0])\n"
        "assert not {'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert inference.__file__.startswith(sys.argv[1])\n"
    )
    served = tmp_path / "served"
    done = subprocess.run(
        [sys.executable, "-c", script, str(served), json.dumps(NAMES)],
        env={**os.environ, "PYTHONPATH": str(served / "code")}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["predictions"][0][0]["horizon_days"] == 42
    assert answer["model"]["dataset_version"] == "v1"
