"""A dataset version: three CSV files and a manifest, the same bytes for the same feature rows and as-of time."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from include.features.schema import NAMES, SCHEMA_VERSION
from include.forecast.rows import Rows
from include.forecast.split import ENOUGH_ORIGINS, Cuts, origins_by_athlete, split

MANIFEST_FILE = "manifest.json"
DECIMALS = 6
MOST_ROWS = 500_000
"""Rows of a file that a job reads: windows overlap, so that thinning them tells a thousand athletes no less."""


class DatasetError(ValueError):
    """Files that are not a dataset version of this code."""


@dataclass(frozen=True)
class Dataset:
    """The folds; `cuts` is None where the data are too few to cut: then all rows are for calibration."""

    folds: dict[str, Rows]
    cuts: Cuts | None
    notes: tuple[str, ...]


def make_dataset(rows: Rows, cuts: Cuts | None) -> Dataset:
    """Cut rows into folds, and say in words what is thin about them."""
    notes = []
    if cuts is None:
        empty = rows.where(np.zeros(len(rows), dtype=bool))
        notes.append("too few readings to cut: no test, persistence will answer with low confidence")
        folds = {"train": empty, "calibration": rows, "test": empty}
    else:
        folds = split(rows, cuts)
        for name, fold in folds.items():
            useful = len(useful_athletes(fold))
            if useful < min(5, len(np.unique(rows.athlete))):
                notes.append(f"{name} holds {useful} athlete(s) with {ENOUGH_ORIGINS} or more origins")
    return Dataset(folds, cuts, tuple(notes))


def useful_athletes(rows: Rows) -> list[str]:
    """Athletes with at least ENOUGH_ORIGINS distinct origin days."""
    return [name for name, days in origins_by_athlete(rows).items() if len(days) >= ENOUGH_ORIGINS]


def write_dataset(dataset: Dataset, directory: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Write `train.csv`, `calibration.csv`, `test.csv` and `manifest.json`; returns the manifest."""
    files = {}
    for name, rows in dataset.folds.items():
        path = directory / f"{name}.csv"
        pa_csv.write_csv(_to_table(rows), path)
        files[path.name] = {
            "rows": len(rows),
            "athletes": {
                str(one): int(count) for one, count in zip(*np.unique(rows.athlete, return_counts=True), strict=True)
            },
            "sha256": sha256(path),
        }
    cuts = dataset.cuts and {"calibration": str(dataset.cuts.calibration), "test": str(dataset.cuts.test)}
    manifest = {**about, "schema_version": SCHEMA_VERSION, "files": files, "cuts": cuts, "notes": list(dataset.notes)}
    (directory / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return manifest


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest.

    Raises:
        DatasetError: it is missing or unreadable, of another feature schema, or a file differs from its digest.
    """
    try:
        manifest: dict[str, Any] = json.loads((directory / MANIFEST_FILE).read_text())
        if manifest["schema_version"] != SCHEMA_VERSION:
            raise DatasetError(f"dataset has feature schema {manifest['schema_version']}, this code {SCHEMA_VERSION}")
        for name, entry in manifest["files"].items():
            if sha256(directory / name) != entry["sha256"]:
                raise DatasetError(f"{name} is not the file that the manifest describes")
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise DatasetError(f"no readable dataset in {directory}: {error!r}") from error
    return manifest


def cuts_of(manifest: dict[str, Any]) -> Cuts | None:
    cuts = manifest["cuts"]
    return cuts and Cuts(date.fromisoformat(cuts["calibration"]), date.fromisoformat(cuts["test"]))


def read_rows(path: Path, most: int = MOST_ROWS) -> Rows:
    """The rows of one CSV file; of a longer one every second, third, … so that no more than `most` are kept.

    Raises:
        DatasetError: it is missing, no CSV, or its columns are not those of the schema.
    """
    texts = {"athlete_id": pa.string(), "origin_day": pa.date32(), "target_day": pa.date32()}
    numbers = ["horizon_days", "change", "load_ahead", "level_gap", *NAMES]
    options = pa_csv.ConvertOptions(
        column_types=texts | dict.fromkeys(numbers, pa.float64()), include_columns=[*texts, *numbers]
    )
    try:
        step = max(1, -(-_count_rows(path) // most))
        with pa_csv.open_csv(path, convert_options=options) as reader:
            table = pa.Table.from_batches(_every(reader, step), schema=reader.schema)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path.name}: {error}") from error
    return Rows(
        athlete=np.array(table["athlete_id"].to_pylist(), dtype=str),
        origin_day=table["origin_day"].to_numpy(),
        target_day=table["target_day"].to_numpy(),
        horizon_days=table["horizon_days"].to_numpy(),
        features=np.column_stack([table[name].to_numpy() for name in NAMES]),
        change=table["change"].to_numpy(),
        load_ahead=table["load_ahead"].to_numpy(),
        level_gap=table["level_gap"].to_numpy(),
    )


def _count_rows(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1


def _every(batches: Iterable[pa.RecordBatch], step: int) -> Iterator[pa.RecordBatch]:
    """Every `step`-th row of all batches."""
    seen = 0
    for batch in batches:
        chosen = np.arange(-seen % step, batch.num_rows, step)
        seen += batch.num_rows
        yield batch if step == 1 else batch.take(pa.array(chosen))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _to_table(rows: Rows) -> pa.Table:
    columns = {
        "athlete_id": pa.array(rows.athlete.tolist(), pa.string()),
        "origin_day": pa.array(rows.origin_day.astype("datetime64[D]")),
        "target_day": pa.array(rows.target_day.astype("datetime64[D]")),
        "horizon_days": pa.array(rows.horizon_days),
        "change": pa.array(np.round(rows.change, DECIMALS)),
        "load_ahead": pa.array(np.round(rows.load_ahead, DECIMALS), from_pandas=True),
        "level_gap": pa.array(np.round(rows.level_gap, DECIMALS)),
    }
    values = np.round(rows.features, DECIMALS) + 0.0
    columns |= {name: pa.array(values[:, index], from_pandas=True) for index, name in enumerate(NAMES)}
    return pa.table(columns)
