"""FIT files decoded a second, beside the library decoding every message of the same files."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import fitdecode

from benchmarks.results import Result
from include.garmin.fit import read_session
from include.garmin.metrics_documents import Metrics
from tests.garmin.fit_files import activity_file, metrics_file

HOUR_S = 3600
ACTIVITIES, METRICS_FILES = 20, 3650
LIBRARY_FILES = 3
TIMES_THE_LIBRARY = 3.0
FIRST_EVENING = datetime(2016, 1, 1, 18)


def measure_activities(work: Path) -> list[Result]:  # noqa: ARG001 - nothing is written
    """Files of an hour's run with a record every second, one core."""
    files = [activity_file(start=FIRST_EVENING + timedelta(days=day), records=HOUR_S) for day in range(ACTIVITIES)]
    library = _files_a_second(_decode_every_message, files[:LIBRARY_FILES])
    ours = _files_a_second(read_session, files)
    versus = f"{library:.1f} files/s: fitdecode decoding every message ({len(files[0]) // 1024} KiB a file)"
    return [Result("fit_files_per_s", ours, "files/s", TIMES_THE_LIBRARY * library, versus, at_least=True)]


def measure_metrics(work: Path) -> list[Result]:  # noqa: ARG001 - nothing is written
    """METRICS files of ten years, from their bytes to the documents that raw keeps."""
    files = [
        metrics_file((FIRST_EVENING + timedelta(days=day), 50.0 + day % 40 / 10, 49.5)) for day in range(METRICS_FILES)
    ]
    metrics = Metrics()
    ours = _files_a_second(lambda body: metrics.add("METRICS.fit", body), files)
    made = len(list(metrics.documents(None, None)))
    library = _files_a_second(_decode_every_message, files[: METRICS_FILES // 10])
    versus = f"{library:.0f} files/s: fitdecode decoding every message; ours ends in {made} documents"
    return [Result("fit_metrics_per_s", ours, "files/s", None, versus, at_least=True)]


def _files_a_second(read: Callable[[bytes], object], files: Sequence[bytes]) -> float:
    read(files[0])
    started = time.perf_counter()
    for file in files:
        read(file)
    return len(files) / (time.perf_counter() - started)


def _decode_every_message(body: bytes) -> None:
    with fitdecode.FitReader(body, processor=None) as reader:
        for _ in reader:
            pass
