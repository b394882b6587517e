"""A dataset version: CSV files in three folders and their manifests, the same bytes for the same rows and as-of time.

```
manifest.json               of the whole: athletes, cuts, notes, how many parts
parts/part-0000.json        of a part: its athletes, and rows and SHA-256 of its files
train/part-0000.csv         and so on, calibration/, test/ and embargo/ alike
```
A part holds ATHLETES_A_PART athletes, in the order of their names, so the parts of a folder one after the other are the
rows of all athletes in order. Several instances write the parts of one version; what each writes depends on its part
alone, and on what all of them know.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from include.features.origins import DECIMALS
from include.features.schema import NAMES, SCHEMA_VERSION
from include.forecast.rows import Pairs, Rows
from include.forecast.split import EMBARGO, ENOUGH_ORIGINS, FOLDS, Cuts, origins_by_athlete, split

MANIFEST_FILE = "manifest.json"
PARTS_FOLDER = "parts"
ATHLETES_A_PART = 50
"""At five years about 230,000 rows, 80 MB: many parts for a thousand athletes, one for a dozen."""
MOST_ROWS = 500_000
"""Rows of a file that a job reads: windows overlap, so that thinning them tells a thousand athletes no less."""


class DatasetError(ValueError):
    """Files that are not a dataset version of this code."""


@dataclass(frozen=True)
class Dataset[R: (Rows, Pairs)]:
    """The folds; `cuts` is None where the data are too few to cut: then all rows are for calibration."""

    folds: dict[str, R]
    cuts: Cuts | None
    notes: tuple[str, ...]


def make_dataset[R: (Rows, Pairs)](rows: R, cuts: Cuts | None) -> Dataset[R]:
    """Cut rows into folds, and say in words what is thin about them."""
    folds = cut(rows, cuts)
    notes = [] if cuts else ["too few readings to cut: nothing here is tested, other athletes' evidence decides alone"]
    for name in FOLDS if cuts else ():
        useful = len(useful_athletes(folds[name]))
        if useful < min(5, len(np.unique(rows.athlete))):
            notes.append(f"{name} holds {useful} athlete(s) with {ENOUGH_ORIGINS} or more origins")
    return Dataset(folds, cuts, tuple(notes))


def cut[R: (Rows, Pairs)](rows: R, cuts: Cuts | None) -> dict[str, R]:
    """The folds of rows; without cuts all are for calibration."""
    if cuts is not None:
        return split(rows, cuts)
    empty = rows.where(np.zeros(len(rows), dtype=bool))
    return {"train": empty, "calibration": rows, "test": empty, EMBARGO: empty}


def useful_athletes(rows: Rows | Pairs) -> list[str]:
    """Athletes with at least ENOUGH_ORIGINS distinct origin days."""
    return [name for name, days in origins_by_athlete(rows).items() if len(days) >= ENOUGH_ORIGINS]


def parts_of(athletes: Sequence[str]) -> list[Sequence[str]]:
    """The athletes of each part, from all of them in order."""
    return [athletes[first : first + ATHLETES_A_PART] for first in range(0, len(athletes), ATHLETES_A_PART)]


def write_dataset(dataset: Dataset[Rows], directory: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write a dataset version of one part; returns its manifest as `read_manifest` does."""
    athletes = sorted({str(name) for rows in dataset.folds.values() for name in np.unique(rows.athlete)})
    write_part(dataset.folds, directory, 0, {"athletes": athletes})
    write_manifest(dataset, directory, 1, about)
    return read_manifest(directory)


def write_part(folds: Mapping[str, Rows], directory: Path, number: int, about: Mapping[str, Any]) -> None:
    """Write the files of one part, also of folds that have no row in it, and its manifest."""
    files = {}
    for name, rows in folds.items():
        path = directory / name / f"part-{number:04}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pa_csv.write_csv(_to_table(rows), path)
        athletes, counts = np.unique(rows.athlete, return_counts=True)
        files[f"{name}/{path.name}"] = {
            "rows": len(rows),
            "athletes": {str(athlete): int(count) for athlete, count in zip(athletes, counts, strict=True)},
            "sha256": sha256(path),
        }
    _write_json({**about, "files": files}, directory / PARTS_FOLDER / f"part-{number:04}.json")


def write_manifest(
    dataset: Dataset[Rows] | Dataset[Pairs], directory: Path, parts: int, about: Mapping[str, Any]
) -> None:
    """Write what is true of the whole version."""
    cuts = dataset.cuts and {"calibration": str(dataset.cuts.calibration), "test": str(dataset.cuts.test)}
    manifest = {**about, "schema_version": SCHEMA_VERSION, "parts": parts, "cuts": cuts, "notes": list(dataset.notes)}
    _write_json(manifest, directory / MANIFEST_FILE)


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of the whole, with `files` of all parts: rows, athletes and SHA-256 by path.

    Raises:
        DatasetError: it is missing or unreadable, of another feature schema, or a file differs from its digest.
    """
    try:
        manifest: dict[str, Any] = json.loads((directory / MANIFEST_FILE).read_text())
        if manifest["schema_version"] != SCHEMA_VERSION:
            raise DatasetError(f"dataset has feature schema {manifest['schema_version']}, this code {SCHEMA_VERSION}")
        files: dict[str, Any] = {}
        for number in range(manifest["parts"]):
            files |= json.loads((directory / PARTS_FOLDER / f"part-{number:04}.json").read_text())["files"]
        for name, entry in files.items():
            if sha256(directory / name) != entry["sha256"]:
                raise DatasetError(f"{name} is not the file that the manifest describes")
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise DatasetError(f"no readable dataset in {directory}: {error!r}") from error
    return {**manifest, "files": files}


def cuts_of(manifest: dict[str, Any]) -> Cuts | None:
    cuts = manifest["cuts"]
    return cuts and Cuts(date.fromisoformat(cuts["calibration"]), date.fromisoformat(cuts["test"]))


def part_files(folder: Path) -> list[Path]:
    """The files of a fold, in the order of their parts.

    Raises:
        DatasetError: there is none.
    """
    paths = sorted(folder.glob("part-*.csv"))
    if not paths:
        raise DatasetError(f"{folder.name} holds no part-….csv")
    return paths


def read_rows(folder: Path, most: int = MOST_ROWS) -> Rows:
    """The rows of a fold; of a longer one every second, third, … so that no more than `most` are kept.

    Raises:
        DatasetError: it has no file, one that is no CSV, or one whose columns are not those of the schema.
    """
    texts = {"athlete_id": pa.string(), "origin_day": pa.date32(), "target_day": pa.date32()}
    numbers = ["horizon_days", "change", "load_ahead", "level_gap", *NAMES]
    options = pa_csv.ConvertOptions(
        column_types=texts | dict.fromkeys(numbers, pa.float64()), include_columns=[*texts, *numbers]
    )
    paths = part_files(folder)
    try:
        step = max(1, -(-sum(map(_count_rows, paths)) // most))
        batches = chain.from_iterable(_batches(path, options) for path in paths)
        table = pa.Table.from_batches(_every(batches, step))
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{folder.name}: {error}") from error
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


def _batches(path: Path, options: pa_csv.ConvertOptions) -> Iterator[pa.RecordBatch]:
    """The rows of a file, after an empty batch: a file without rows has columns all the same."""
    with pa_csv.open_csv(path, convert_options=options) as reader:
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader


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


def _write_json(document: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


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
