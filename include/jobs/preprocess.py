"""Processing job: the offline store as of a time -> a dataset version.

`python3 -m include.jobs.preprocess --as-of 2026-11-24T03:00:00Z --dataset-version V` reads the Parquet tree under
/opt/ml/processing/input/offline and writes the version (include.forecast.dataset) under output/dataset.

On several instances each has the whole store and writes every so many parts; the first one also writes the manifest.
They know nothing of each other: what one decides for all (the cuts) each decides alike, from the few columns it takes.
"""

import argparse
import hashlib
import sys
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pandas as pd

from include.features.offline_keys import OfflineKeys, read_keys
from include.features.schema import COLUMNS
from include.features.store import read_offline_groups
from include.forecast.dataset import Dataset, cut, make_dataset, parts_of, write_manifest, write_part
from include.forecast.rows import Pairs
from include.forecast.split import EMBARGO, choose_cuts
from include.forecast.targets import make_pairs, make_rows
from include.jobs.container import Instance, processing_dir, this_instance
from include.jobs.errors import JobError, run, say

ALONE = Instance(0, 1)


def preprocess(
    offline: Path, output: Path, as_of: datetime, dataset_version: str, instance: Instance = ALONE
) -> Dataset[Pairs]:
    """Write this instance's parts of the dataset version of `as_of` under `output`.

    The parts of all instances together are the same bytes whenever they are made, once all is there, and by however
    many instances.

    Raises:
        JobError: no feature rows, no reading at all, or unreadable files.
    """
    paths = sorted(path for path in offline.rglob("*.parquet") if path.is_file())
    if not paths:
        raise JobError("the offline store holds no Parquet file: run garmin_ingest first")
    try:
        keys = read_keys(paths, as_of)
        _require_readings(keys, as_of)
        pairs = make_pairs(keys)
        dataset = make_dataset(pairs, choose_cuts(pairs))
        parts = parts_of(keys.athletes)
        own = range(instance.index, len(parts), instance.count)
        for number, features in zip(own, read_offline_groups(paths, as_of, [parts[it] for it in own]), strict=True):
            of_part = {"athletes": list(parts[number]), "feature_rows_sha256": _digest(features)}
            write_part(cut(make_rows(features), dataset.cuts), output, number, of_part)
    except ValueError as error:
        raise JobError(str(error)) from error
    if instance.index == 0:
        about = {
            "dataset_version": dataset_version,
            "as_of": as_of.astimezone(UTC).isoformat(),
            "feature_rows": len(keys),
            "athletes": list(keys.athletes),
            "rows_embargoed": len(dataset.folds[EMBARGO]),
        }
        write_manifest(dataset, output, len(parts), about)
    return dataset


def _require_readings(keys: OfflineKeys, as_of: datetime) -> None:
    if not len(keys):
        raise JobError(f"none of the offline store's rows was written by {as_of.isoformat()}: take a later as-of time")
    if not keys.has_reading.any():
        athletes = ", ".join(keys.athletes)
        raise JobError(f"no athlete ({athletes}) has a VO2max reading by {as_of.isoformat()}: nothing to forecast from")


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
        place, version = this_instance(), options.dataset_version
        dataset = preprocess(base / "input/offline", base / "output/dataset", options.as_of, version, place)
        say(f"instance {place.index + 1} of {place.count}; the rows of all of them are:")
        for name, rows in dataset.folds.items():
            say(f"{name}: {len(rows)} rows of {len(np.unique(rows.athlete))} athletes")
        for note in dataset.notes:
            say(f"note: {note}")

    return run(job)


if __name__ == "__main__":
    sys.exit(main())
