"""Exports kept in the raw prefix: once, with what cannot be read in quarantine, in memory that does not grow."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from include.garmin.export import ExportSource
from include.garmin.holdings import list_keys
from include.garmin.raw import RawWritten, read_raw, write_raw
from tests.garmin.export.builder import Account, write_zip, zip_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
ACCOUNT = Account(first_day=date(2023, 1, 1), days=600, activities=150)

MEASURE = """
import sys
from include.garmin.export import ExportSource

def peak_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

before = peak_kib()
source = ExportSource(sys.argv[1])
total = sum(len(document.body) for document in source.fetch(source.athletes()[0], None, None))
print(total, peak_kib() - before)
"""


def _import(s3: Any, bucket: str, path: Path, moment: datetime) -> RawWritten:
    return write_raw(s3, bucket, "ann", ExportSource(str(path)).fetch("ann", None, None), moment)


def test_the_same_export_again_writes_nothing(tmp_path: Path, s3: Any, bucket: str) -> None:
    path = write_zip(tmp_path / "ann.zip", ACCOUNT)
    first = _import(s3, bucket, path, NOW)
    assert first == RawWritten(written=7 + 6 * 2)
    before = list(list_keys(s3, bucket, ""))
    assert _import(s3, bucket, path, LATER) == RawWritten(unchanged=first.written)
    assert list(list_keys(s3, bucket, "")) == before


def test_a_newer_export_writes_only_what_changed(tmp_path: Path, s3: Any, bucket: str) -> None:
    path = tmp_path / "ann.zip"
    _import(s3, bucket, write_zip(path, ACCOUNT), NOW)
    newer = Account(first_day=ACCOUNT.first_day, days=604, activities=151)
    _import(s3, bucket, write_zip(path, newer), LATER)
    changed = {document.name for document in read_raw(s3, bucket, "ann") if document.fetched_at == LATER}
    assert changed == {
        "activities-2024q3",
        *(f"{name}-2024" for name in ("days", "sleep", "health_status", "max_met", "activity_vo2max", "weight")),
    }


def test_a_member_that_cannot_be_read_lands_in_quarantine_with_its_reason(tmp_path: Path, s3: Any, bucket: str) -> None:
    bad, good = (f"DI_CONNECT/DI-Connect-Wellness/{year}_1_sleepData.json" for year in (2023, 2024))
    path = zip_of(tmp_path / "ann.zip", {bad: "[{", good: json.dumps([{"calendarDate": "2024-01-01"}])})
    assert _import(s3, bucket, path, NOW) == RawWritten(written=1, rejected=1)
    (body_key, _) = sorted(list_keys(s3, bucket, "quarantine/"))
    body = s3.get_object(Bucket=bucket, Key=body_key)["Body"].read().decode()
    assert (
        body
        == f"export member {bad!r} is not JSON of the known shape: Expecting property name enclosed in double "
        + ("quotes\n\n{")
    )


def test_twenty_years_take_the_memory_of_eight(tmp_path: Path) -> None:
    figures = []
    for years in (8, 20):
        account = Account(date(2004, 1, 1), 365 * years, 400 * years, splits=4)
        path = write_zip(tmp_path / f"years{years}.zip", account)
        done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
        figures.append([int(figure) for figure in done.stdout.split()])
    (bytes_of_8, kib_of_8), (bytes_of_20, kib_of_20) = figures
    assert bytes_of_20 > 2 * bytes_of_8 > 20_000_000
    assert kib_of_20 < 1.6 * kib_of_8
    assert kib_of_20 < 24_000
