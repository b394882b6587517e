"""An account export of ten years into raw and tables, beside the script that a user would write."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.import_export import BUCKET
from benchmarks.local_aws import ROOT, client, free_port, local_aws_command, running
from benchmarks.results import Result
from tests.garmin.export.builder import Account, write_zip
from tests.garmin.export.export_items import activity

LAST_YEAR = 2025
ACTIVITIES_A_YEAR, SPLITS = 400, 8
CORES = 2
LIST_ITEMS, PAGE = 4_000, 100

PLAIN_SCRIPT = """
import json, sys, zipfile
import pandas as pd
wanted = ("summarizedActivities", "UDSFile_", "_sleepData", "MetricsMaxMetData_", "ActivityVo2Max_",
          "_healthStatusData", "_userBioMetrics")
rows = {name: [] for name in wanted}
with zipfile.ZipFile(sys.argv[1]) as export:
    for path in export.namelist():
        for name in wanted:
            if name in path:
                value = json.loads(export.read(path))
                rows[name] += value[0]["summarizedActivitiesExport"] if "Export" in str(value)[:40] else value
for name, found in rows.items():
    frame = pd.json_normalize(found)
    if name == "summarizedActivities":
        frame["distance"] /= 100
        frame["duration"] /= 1000
        frame["day"] = pd.to_datetime(frame["startTimeLocal"], unit="ms").dt.date
    frame.to_csv(f"{sys.argv[2]}/{name.strip('_')}.csv", index=False)
"""
"""All of the export at once, straight into CSV files: no raw copy, no months, one table a kind of member."""
PEAK_MIB = """
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024)
"""
"""Of the process that runs it alone; `ru_maxrss` would tell that of the process that started it, were it larger."""
IMPORT = """
import sys
from benchmarks.import_export import import_export
import_export(sys.argv[1], int(sys.argv[2]))
"""
"""In a process that loads what an import needs and nothing that only the measuring needs."""


def measure(work: Path) -> list[Result]:
    """Seconds and peak memory of one fresh process that reads the zip, keeps raw in S3, curates, writes the tables.

    S3 is local AWS in a process of its own, on the same cores; its memory is not counted. Seconds are from the start
    of the process to its end, imports included.
    """
    folder = work / "account-export"
    exports = {years: export_of_years(folder, years) for years in (1, 10, 20)}
    seconds, mib = zip(*(_imported(folder, exports[years]) for years in (1, 10, 20)), strict=True)
    plain_s, plain_mib = _run(PLAIN_SCRIPT, str(exports[10]), str(folder))
    beside = "a plain script (zipfile, json, pandas; CSV on disk, no raw, no S3)"
    garmindb = "GarminDB 3.9 could not be compared: it reads what it downloaded itself, no account export"
    years = f"1 year {mib[0]:.0f} MiB, 20 years {mib[2]:.0f} MiB (20 years take {seconds[2]:.1f} s)"
    return [
        Result("export_10y_s", seconds[1], "s", 6.0, f"{plain_s:.1f} s: {beside}; {garmindb}"),
        Result("export_10y_mib", mib[1], "MiB", 400.0, f"{plain_mib:.0f} MiB: {beside}; ours: {years}"),
    ]


def measure_parsing(work: Path) -> list[Result]:  # noqa: ARG001 - nothing is written
    """Items of activity-list pages a second through `curate`, on one core; beside reading the JSON alone."""
    from include.curate import curate
    from include.garmin import StoredDocument

    fetched_at = datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
    pages = [
        json.dumps([_list_item(number) for number in range(start, start + PAGE)]).encode()
        for start in range(0, LIST_ITEMS, PAGE)
    ]
    documents = [
        StoredDocument("activity_list", fetched_at.date(), f"page-{n}", body, "ann", fetched_at, f"raw/{n:03}")
        for n, body in enumerate(pages)
    ]
    ours = _items_per_s(lambda: curate(documents))
    alone = _items_per_s(lambda: [json.loads(body) for body in pages])
    versus = f"{alone:.0f} items/s: json.loads alone"
    return [Result("parse_items_per_s", ours, "items/s", 3000.0, versus, at_least=True)]


def export_of_years(folder: Path, years: int) -> Path:
    """A zip of so many years, built once; its name tells what is in it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"years-{years}-{ACTIVITIES_A_YEAR}-{SPLITS}.zip"
    if not path.exists():
        first_day = date(LAST_YEAR + 1 - years, 1, 1)
        account = Account(first_day, 365 * years, ACTIVITIES_A_YEAR * years, splits=SPLITS)
        write_zip(path.with_suffix(".part"), account).replace(path)
    return path


def _imported(folder: Path, export: Path) -> tuple[float, float]:
    """Seconds and MiB of importing `export` into an empty bucket."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as state,
        running(local_aws_command(Path(state), port), port),
    ):
        client("s3", port).create_bucket(Bucket=BUCKET)
        return _run(IMPORT, str(export), str(port))


def _run(script: str, *arguments: str) -> tuple[float, float]:
    """Seconds and peak MiB of one process, on CORES cores."""
    cores = set(sorted(os.sched_getaffinity(0))[:CORES])
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", script + PEAK_MIB, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    os.sched_setaffinity(process.pid, cores)
    told, _ = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise RuntimeError(f"the process that imports ended with {process.returncode}")
    return seconds, float(told.split()[-1])


def _items_per_s(parse: Callable[[], object]) -> float:
    parse()
    started = time.perf_counter()
    parse()
    return LIST_ITEMS / (time.perf_counter() - started)


def _list_item(number: int) -> dict[str, object]:
    """The export's activity in the shape of the activity list."""
    day = date.fromordinal(date(LAST_YEAR, 1, 1).toordinal() - number)
    return {
        **activity(number, day),
        "activityType": {"typeId": 1, "typeKey": "running", "parentTypeId": 17},
        "startTimeLocal": f"{day} 08:00:00",
        "startTimeGMT": f"{day} 06:00:00",
        "duration": 3_600.0,
        "distance": 10_000.0,
        "elevationGain": 80.0,
        "averageSpeed": 2.78,
        "averageHR": 150.0,
        "maxHR": 171.0,
        "calories": 600.0,
    }
