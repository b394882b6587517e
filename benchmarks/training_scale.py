"""Training and evaluation on many athletes: 1,000 × 5 years from the jobs' own files, in the jobs environment."""

import argparse
import json
import resource
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import Result

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).parents[1]
JOBS_PYTHON = ROOT / ".venvs/jobs/bin/python"
YEAR_DAYS = 365
EVERY_DAYS = 4
"""A reading every so many days, about what a runner of three runs a week gets."""


def measure(work: Path) -> list[Result]:
    """Seconds and peak memory of the training job, and seconds of the evaluation job for 12 athletes × 3 years."""
    train = _run(work, "train", 1000, 5)
    evaluate = _run(work, "evaluate", 12, 3)
    rows = f"{train['rows']:.0f} rows"
    return [
        Result("train_1000x5y_s", train["seconds"], "s", 60.0, rows),
        Result("train_mib", train["mib"], "MiB", 3072.0, rows),
        Result("evaluate_12x3y_s", evaluate["seconds"], "s", 10.0, f"{evaluate['rows']:.0f} rows"),
    ]


def _run(work: Path, what: str, athletes: int, years: int) -> dict[str, float]:
    """Files are made in one process, the job is measured in another."""
    folder = work / f"scale-{athletes}x{years}"
    command = [JOBS_PYTHON, "-m", "benchmarks.training_scale", str(folder), str(athletes), str(years)]
    subprocess.run([*command, "make"], cwd=ROOT, check=True)
    done = subprocess.run([*command, what], cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def feature_rows(athletes: int, years: int, first: int = 0, every_days: int = EVERY_DAYS) -> "pd.DataFrame":
    """Feature rows of athletes whose readings swing about their own mean and follow their load."""
    import numpy as np
    import pandas as pd

    from include.features.schema import EVENT_TIME, NAMES, RECORD_ID, SPORT

    days = years * YEAR_DAYS
    rng = np.random.default_rng([7, first])
    shape = (athletes, days)
    load = 60 * (1 + 0.5 * rng.standard_normal(shape).cumsum(axis=1) / np.sqrt(days)).clip(0.1)
    level = 50 + rng.normal(0, 5, (athletes, 1)) + 0.03 * rng.standard_normal(shape).cumsum(axis=1) + (load - 60) / 60
    is_reading = rng.random(shape) < 1 / every_days
    is_reading[:, 0] = True
    last_day = np.maximum.accumulate(np.where(is_reading, np.arange(days), 0), axis=1)
    last = np.round(np.take_along_axis(level + rng.normal(0, 0.3, shape), last_day, axis=1))
    columns = {name: rng.normal(0, 1, shape) for name in NAMES}
    columns |= {name: load for name in NAMES if name.startswith("load_") and name.endswith("d")}
    columns |= {
        "vo2max_last": last,
        "reading_age_days": np.arange(days) - last_day.astype(float),
        "reading_mean_all_gap": np.cumsum(last, axis=1) / np.arange(1, days + 1) - last,
        "reading_volatility": np.full(shape, 0.8),
        "reading_pairs": np.cumsum(is_reading, axis=1).astype(float),
        "reading_history_days": last_day.astype(float),
        "history_days": np.broadcast_to(np.arange(days, dtype=float), shape),
        "load_mean": np.full(shape, 60.0),
        "training_hours_21d": load / 12,
        "training_hours_mean": np.full(shape, 5.0),
        "sport_sessions_21d": load / 20,
        "sport_sessions_mean": np.full(shape, 3.0),
    }
    frame = pd.DataFrame({name: columns[name].ravel() for name in NAMES})
    names = [f"athlete-{first + index:04}" for index in range(athletes)]
    frame.insert(0, RECORD_ID, np.repeat(names, days))
    calendar = pd.date_range("2020-01-01", periods=days).strftime("%Y-%m-%dT00:00:00Z").to_numpy()
    frame.insert(1, EVENT_TIME, np.tile(calendar, athletes))
    frame.insert(2, SPORT, "running")
    return frame


def _make(folder: Path, athletes: int, years: int) -> None:
    from include.forecast.dataset import make_dataset, write_dataset
    from include.forecast.rows import concatenate
    from include.forecast.split import choose_cuts
    from include.forecast.targets import make_rows
    from include.jobs.archive import pack
    from include.jobs.train import train

    folder.mkdir(parents=True, exist_ok=True)
    step = 50
    rows = concatenate(
        [make_rows(feature_rows(min(step, athletes - first), years, first)) for first in range(0, athletes, step)]
    )
    dataset = folder / "dataset"
    dataset.mkdir(exist_ok=True)
    write_dataset(make_dataset(rows, choose_cuts(rows)), dataset, {"dataset_version": "scale"})
    if athletes < step:
        train(_channels(dataset), folder / "trained", 7, {"dataset_version": "scale"})
        pack(folder / "trained", folder / "model/model.tar.gz")


def _channels(dataset: Path) -> dict[str, Path]:
    return {name: dataset / name for name in ("train", "calibration")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("athletes", type=int)
    parser.add_argument("years", type=int)
    parser.add_argument("what", choices=("make", "train", "evaluate"))
    options = parser.parse_args()
    if options.what == "make":
        _make(options.folder, options.athletes, options.years)
        return
    from include.jobs.evaluate import evaluate
    from include.jobs.train import train

    parts = [json.loads(path.read_text()) for path in (options.folder / "dataset/parts").iterdir()]
    dataset, started = options.folder / "dataset", time.perf_counter()
    if options.what == "train":
        train(_channels(dataset), options.folder / "model", 7, {"dataset_version": "scale"})
    else:
        evaluate(options.folder, options.folder / "output", 7)
    measured = {
        "seconds": time.perf_counter() - started,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "rows": sum(file["rows"] for part in parts for file in part["files"].values()),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
