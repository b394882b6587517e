"""The preprocess job on 1,000 athletes × 5 years: seconds and memory on one instance, and what four instances gain.

Four instances are run one after the other, each by itself as on a machine of its own, and the slowest counts: this
machine has too few cores to run them side by side. What they do not share is the download of the store.
"""

import argparse
import json
import resource
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.results import Result
from benchmarks.training_scale import JOBS_PYTHON, ROOT

AS_OF = datetime(2026, 1, 2, tzinfo=UTC)
ATHLETES_A_FILE = 50
INSTANCES = 4


def measure(work: Path, athletes: int = 1000, years: int = 5) -> list[Result]:
    """Seconds and peak memory of one instance, and how many times faster four are."""
    offline = work / f"offline-{athletes}x{years}"
    if not offline.exists():
        unfinished = offline.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run([*_command(unfinished), "make", str(athletes), str(years)], cwd=ROOT, check=True)
        unfinished.rename(offline)
    alone = _run(offline, 0, 1)
    four = [_run(offline, index, INSTANCES) for index in range(INSTANCES)]
    slowest = max(run["seconds"] for run in four)
    most_mib = max(run["mib"] for run in four)
    what = f"{athletes} athletes × {years} years, {alone['rows']:.0f} rows"
    return [
        Result("preprocess_1000x5y_s", alone["seconds"], "s", None, f"{what}; {alone['cpu_s']:.0f} s of CPU"),
        Result("preprocess_mib", alone["mib"], "MiB", None, f"one of {INSTANCES} instances: {most_mib:.0f} MiB"),
        Result(
            "preprocess_4_instances_speedup", alone["seconds"] / slowest, "x", None,
            f"slowest of {INSTANCES} instances {slowest:.0f} s, each run by itself; "
            f"CPU {alone['cpu_s'] / max(run['cpu_s'] for run in four):.1f} x less",
        ),
    ]  # fmt: skip


def _command(folder: Path) -> list[str]:
    return [str(JOBS_PYTHON), "-m", "benchmarks.preprocess_scale", str(folder)]


def _run(offline: Path, index: int, count: int) -> dict[str, float]:
    done = subprocess.run(
        [*_command(offline), "run", str(index), str(count)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def make_offline(folder: Path, athletes: int, years: int) -> None:
    """Parquet files by month of the event, each with the rows of some athletes, as Feature Store keeps them."""
    import pandas as pd

    from benchmarks.training_scale import feature_rows

    written = pd.Timestamp("2026-01-01T00:00:00Z")
    for first in range(0, athletes, ATHLETES_A_FILE):
        rows = feature_rows(min(ATHLETES_A_FILE, athletes - first), years, first)
        rows = rows.assign(write_time=written, api_invocation_time=written, is_deleted=False)
        for month, part in rows.groupby(rows["event_time"].str[:7]):
            path = folder / f"year={str(month)[:4]}/month={str(month)[5:]}/{first}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            part.to_parquet(path, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("make", "run"))
    parser.add_argument("numbers", type=int, nargs=2, help="athletes and years to make, or which instance of how many")
    options = parser.parse_args()
    if options.what == "make":
        make_offline(options.folder, *options.numbers)
        return
    from include.jobs.container import Instance
    from include.jobs.preprocess import preprocess

    started = time.perf_counter()
    with TemporaryDirectory(dir=options.folder.parent) as output:
        dataset = preprocess(options.folder, Path(output), AS_OF, "scale", Instance(*options.numbers))
        seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    measured = {
        "seconds": seconds,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "mib": usage.ru_maxrss / 1024,
        "rows": sum(len(fold) for fold in dataset.folds.values()),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
