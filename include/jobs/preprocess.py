"""Processing job: the offline store as of a time -> a dataset version.

`python3 -m include.jobs.preprocess --as-of 2026-11-24T03:00:00Z --dataset-version V` reads the Parquet tree under
/opt/ml/processing/input/offline and writes train.csv, calibration.csv, test.csv and manifest.json.
"""

import argparse
import hashlib
import sys
from datetime import UTC, datetime, time
from pathlib import Path

import pandas as pd

from include.features.schema import COLUMNS, RECORD_ID
from include.features.store import read_offline
from include.forecast.dataset import Dataset, make_dataset, write_dataset
from include.forecast.split import choose_cuts
from include.forecast.targets import make_rows
from include.jobs.container import processing_dir
from include.jobs.errors import JobError, run, say


def preprocess(offline: Path, output: Path, as_of: datetime, dataset_version: str) -> Dataset:
    """Write the dataset version of `as_of` under `output`: the same bytes whenever it is made, once all is there.

    Raises:
        JobError: no feature rows, no reading at all, or unreadable files.
    """
    paths = sorted(path for path in offline.rglob("*.parquet") if path.is_file())
    if not paths:
        raise JobError("the offline store holds no Parquet file: run garmin_ingest first")
    try:
        features = read_offline(paths, as_of)
    except ValueError as error:
        raise JobError(str(error)) from error
    if features.empty:
        raise JobError(f"none of the offline store's rows was written by {as_of.isoformat()}: take a later as-of time")
    if features["vo2max_last"].isna().all():
        athletes = ", ".join(sorted(features[RECORD_ID].unique()))
        raise JobError(f"no athlete ({athletes}) has a VO2max reading by {as_of.isoformat()}: nothing to forecast from")
    rows = make_rows(features)
    dataset = make_dataset(rows, choose_cuts(rows))
    output.mkdir(parents=True, exist_ok=True)
    about = {
        "dataset_version": dataset_version,
        "as_of": as_of.astimezone(UTC).isoformat(),
        "feature_rows": len(features),
        "athletes": sorted(str(athlete) for athlete in features[RECORD_ID].unique()),
        "inputs": {"feature_rows_sha256": _digest(features)},
        "rows_embargoed": len(rows) - sum(len(fold) for fold in dataset.folds.values()),
    }
    write_dataset(dataset, output, about)
    return dataset


def _digest(features: pd.DataFrame) -> str:
    """Digest of the rows used: later files of the store do not change it."""
    hashes = pd.util.hash_pandas_object(features[list(COLUMNS)], index=False)
    return hashlib.sha256(hashes.to_numpy().tobytes()).hexdigest()


def as_of_time(text: str) -> datetime:
    """An ISO-8601 time, UTC when it names no zone; a bare date means the end of that day."""
    moment = datetime.fromisoformat(text)
    if len(text) == len("2026-01-01"):
        moment = datetime.combine(moment.date(), time.max)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(description="Offline feature store as of a time -> dataset version.")
    parser.add_argument("--as-of", required=True, type=as_of_time, help="ISO-8601; rows written later are left out")
    parser.add_argument("--dataset-version", required=True)
    options = parser.parse_args()
    base = processing_dir()

    def job() -> None:
        dataset = preprocess(base / "input/offline", base / "output/dataset", options.as_of, options.dataset_version)
        for name, rows in dataset.folds.items():
            say(f"{name}: {len(rows)} rows of {len(set(rows.athlete))} athletes")
        for note in dataset.notes:
            say(f"note: {note}")

    return run(job)


if __name__ == "__main__":
    sys.exit(main())
