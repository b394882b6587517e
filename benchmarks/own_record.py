"""The record of one athlete with ten years of daily readings, as the endpoint works it out; in the jobs environment."""

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.results import Result
from benchmarks.training_scale import JOBS_PYTHON, feature_rows

ROOT = Path(__file__).parents[1]
YEARS = 10
NAIVE_EVERY = 26
"""Of the weeks, those whose record is worked out anew, to tell what all of them would take."""


def measure(_: Path) -> list[Result]:
    """Seconds of one record; beside it, one for each week made anew from the forecasts that had come due by then."""
    command = [JOBS_PYTHON, "-m", "benchmarks.own_record"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    beside = f"{found['naive_s']:.0f} s: made anew for each of {found['weeks']} weeks; {found['rows']} forecasts"
    return [Result("record_10y_s", found["seconds"], "s", 1.0, beside)]


def main() -> None:
    import numpy as np

    from include.features.origins import origins_document
    from include.forecast.own_record import follow
    from include.forecast.population import read_population
    from include.forecast.series import origin_rows
    from include.forecast.targets import make_rows
    from include.forecast.training import train_forecaster

    features = feature_rows(1, YEARS, every_days=1)
    nothing = make_rows(features.iloc[:0])
    forecaster = train_forecaster(nothing, 7, {}, read_population(), may_have_trees=False)
    document = json.loads(json.dumps(origins_document(features)))
    started = time.perf_counter()
    rows = origin_rows(document)
    last = rows.target_day.max().astype("datetime64[D]").astype(np.int64)
    follow(rows, forecaster, np.array([last]))
    seconds = time.perf_counter() - started
    weeks = np.arange(last - YEARS * 365 + 49, last, 7)
    started = time.perf_counter()
    for day in weeks[::NAIVE_EVERY]:
        due = rows.where(rows.target_day <= np.datetime64(int(day), "D"))
        follow(due, forecaster, np.array([day]))
    naive = (time.perf_counter() - started) * len(weeks) / len(weeks[::NAIVE_EVERY])
    json.dump({"seconds": seconds, "naive_s": naive, "weeks": len(weeks), "rows": len(rows)}, sys.stdout)


if __name__ == "__main__":
    main()
