"""Feature computation of many athletes × 5 years: seconds, memory of all processes, and plain pandas beside it.

The athletes are DISTINCT synthetic ones, which come again under other names: a row costs what it costs, and to make a
thousand lives would take longer than all that is measured here.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path

import pandas as pd

from benchmarks.results import Result
from include.curate.tables import COLUMNS, Tables
from infra.population.athletes import tables_of

ROOT = Path(__file__).parents[1]
YEARS = 5
DISTINCT = 100
PLAIN_ATHLETES = 40
"""As many as plain pandas is timed on: its seconds grow with them in proportion."""
WORKERS = 2


def measure(work: Path) -> list[Result]:
    """Seconds, peak memory, and speed against plain pandas; seconds an athlete from 100 to 5,000 athletes."""
    folder = work / f"features-{DISTINCT}x{YEARS}y"
    if not folder.exists():
        keep_tables(folder)
    runs = {athletes: _run(folder, "features", athletes) for athletes in (100, 1000, 5000)}
    plain = _run(folder, "plain", PLAIN_ATHLETES)
    of_plain, of_ours = (run["seconds"] / run["athletes"] for run in (plain, runs[1000]))
    each = ", ".join(f"{athletes}: {1000 * run['seconds'] / athletes:.1f}" for athletes, run in runs.items())
    cpu = f"{1000 * runs[1000]['cpu_s'] / 1000:.1f} ms of CPU an athlete"
    return [
        Result("features_1000x5y_s", runs[1000]["seconds"], "s", 60.0, f"{WORKERS} processes, {cpu}"),
        Result("features_mib", runs[5000]["mib"], "MiB", 2048.0, "all processes, 5000 athletes"),
        Result(
            "features_speedup", of_plain / of_ours, "x", 10.0,
            f"plain pandas groupby().apply: {1000 * of_plain:.0f} ms an athlete, in one process", at_least=True,
        ),
        Result(
            "features_growth", runs[5000]["seconds"] / 5000 / (runs[100]["seconds"] / 100), "x", 1.2,
            f"seconds an athlete, 5000 against 100; ms by athletes: {each}",
        ),
    ]  # fmt: skip


def keep_tables(folder: Path) -> None:
    """Write the curated tables of the distinct athletes, a file a table."""
    made = [tables for _, tables in tables_of(f"synthetic:athletes={DISTINCT},years={YEARS}")]
    unfinished = folder.with_suffix(".unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    for table in COLUMNS:
        frames = [tables.frames()[table] for tables in made]
        pd.concat(frames, ignore_index=True).to_parquet(unfinished / f"{table}.parquet", index=False)
    unfinished.rename(folder)


def athletes(folder: Path, count: int) -> Iterator[Tables]:
    """The tables of each of `count` athletes: those of the folder, again and again under new names.

    The folder is read at once, so that whoever measures what is done with the tables does not measure the reading.
    """
    kept = {table: pd.read_parquet(folder / f"{table}.parquet") for table in COLUMNS}
    split = {
        table: {str(athlete): rows for athlete, rows in frame.groupby("athlete_id")} for table, frame in kept.items()
    }
    empty = {table: frame.iloc[:0] for table, frame in kept.items()}
    return _renamed(split, empty, count)


def _renamed(split: dict[str, dict[str, pd.DataFrame]], empty: dict[str, pd.DataFrame], count: int) -> Iterator[Tables]:
    for number, name in enumerate(islice(cycle(sorted(split["days"])), count)):
        activities, days, vo2max = (
            split[table].get(name, empty[table]).assign(athlete_id=f"athlete-{number:05}")
            for table in ("activities", "days", "vo2max")
        )
        yield Tables(activities, days, vo2max)


def together(many: Iterable[Tables]) -> Tables:
    """The tables of all athletes in one."""
    parts = zip(*((tables.activities, tables.days, tables.vo2max) for tables in many), strict=True)
    activities, days, vo2max = (pd.concat(frames, ignore_index=True) for frames in parts)
    return Tables(activities, days, vo2max)


def _run(folder: Path, what: str, count: int) -> dict[str, float]:
    """Each figure has a process of its own, so that memory is that of the work alone."""
    command = [sys.executable, "-m", "benchmarks.features_scale", str(folder), what, str(count)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("features", "plain"))
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    many = athletes(options.folder, options.count)
    if options.what == "plain":
        from benchmarks.plain_features import plain_features

        tables = together(many)
        started = time.perf_counter()
        rows = len(plain_features(tables))
    else:
        from include.features.many import build_features_of_many

        started = time.perf_counter()
        rows = sum(len(frame) for frame in build_features_of_many(many, WORKERS))
    seconds = time.perf_counter() - started
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = {
        "seconds": seconds,
        "athletes": options.count,
        "rows": rows,
        "cpu_s": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        # No worker is larger than the largest one; what they share is counted in each.
        "mib": (own.ru_maxrss + WORKERS * children.ru_maxrss) / 1024,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
