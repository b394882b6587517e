import io
import shutil
from pathlib import Path
from typing import Any

import pytest

from include.garmin import SourceError, UnknownAthlete
from include.garmin.document import ATHLETE_ID
from include.garmin.export import ExportSource, s3_file
from include.garmin.export.places import athlete_id
from include.garmin.export.s3_file import S3File, open_s3
from tests.garmin.export.builder import Account, write_folder, write_zip

SMALL = Account(days=10, activities=3)


def _put(s3: Any, bucket: str, key: str, path: Path) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


@pytest.mark.parametrize(
    ("name", "athlete"),
    [
        ("ann", "ann"),
        ("Ann_Lee-2", "Ann_Lee-2"),
        ("ann lee (2024)", "ann-lee-2024-"),
        ("_1 ann", "1-ann"),
        ("0a1b2c3d-0000-4000-8000-000000000000_1", "0a1b2c3d-0000-4000-8000-000000000000_1"),
        ("zoë", "zo-"),
        ("a" * 100, "a" * 64),
    ],
)
def test_an_exports_name_becomes_an_id(name: str, athlete: str) -> None:
    assert athlete_id(name) == athlete
    assert ATHLETE_ID.fullmatch(athlete)


@pytest.mark.parametrize("name", ["", "…", "--", "история"])
def test_a_name_without_any_letter_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match="its name becomes the athlete's id"):
        athlete_id(name)


def test_a_folder_of_zips_is_one_athlete_each(tmp_path: Path) -> None:
    for name in ("bob.zip", "Ann Lee.ZIP"):
        write_zip(tmp_path / name, SMALL)
    (tmp_path / "notes.txt").write_text("x")
    source = ExportSource(str(tmp_path))
    assert source.athletes() == ["Ann-Lee", "bob"]
    assert {document.kind for athlete in source.athletes() for document in source.fetch(athlete, None, None)} == {
        "export"
    }


def test_two_zips_of_the_same_id_are_refused(tmp_path: Path) -> None:
    for name in ("ann lee.zip", "ann+lee.zip"):
        write_zip(tmp_path / name, SMALL)
    with pytest.raises(SourceError, match=r"ann\+lee\.zip and .*ann lee\.zip would both be athlete 'ann-lee': rename"):
        ExportSource(str(tmp_path))


@pytest.mark.parametrize("inside", ["", "DI_CONNECT"])
def test_an_unpacked_export_is_named_by_the_folder_that_holds_it(tmp_path: Path, inside: str) -> None:
    write_folder(tmp_path / "ann", Account(days=10, activities=3, layout="2022"))
    assert ExportSource(str(tmp_path / "ann" / inside)).athletes() == ["ann"]
    assert ExportSource(str(tmp_path)).athletes() == ["ann"]


def test_links_in_an_unpacked_export_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('[{"calendarDate": "2024-01-01"}]')
    folder = tmp_path / "ann" / "DI_CONNECT" / "DI-Connect-Wellness"
    folder.mkdir(parents=True)
    (folder / "1_sleepData.json").symlink_to(secret)
    (folder / "2_sleepData.json").write_text("[]")
    assert list(ExportSource(str(tmp_path / "ann")).fetch("ann", None, None)) == []


def test_an_unpacked_export_that_is_gone(tmp_path: Path) -> None:
    source = ExportSource(str(write_folder(tmp_path / "ann", Account(days=10, activities=3, layout="2022"))))
    shutil.rmtree(tmp_path / "ann")
    with pytest.raises(SourceError, match="ann: cannot be read: No such file"):
        list(source.fetch("ann", None, None))


@pytest.mark.parametrize("location", ["missing", "missing.zip", "empty"])
def test_nothing_there_is_a_clear_error(tmp_path: Path, location: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SourceError, match=r"cannot be read: No such file|holds no export; an account export is the zip"
    ):
        ExportSource(str(tmp_path / location))


def test_ranges_and_athletes_are_checked_at_once(tmp_path: Path) -> None:
    source = ExportSource(str(write_zip(tmp_path / "ann.zip", SMALL)))
    with pytest.raises(UnknownAthlete, match="no athlete 'bob' in the exports; there are ann"):
        source.fetch("bob", None, None)
    day = SMALL.first_day
    with pytest.raises(SourceError, match="start 2020-01-01 is after end 2019-12-31"):
        source.fetch("ann", day, day.replace(year=2019, month=12, day=31))


def test_a_range_gives_only_what_touches_it(tmp_path: Path) -> None:
    account = Account(days=800, activities=200)
    source = ExportSource(str(write_zip(tmp_path / "ann.zip", account)))
    day = account.first_day.replace(month=5, day=10)
    assert sorted(document.name for document in source.fetch("ann", day, day)) == [
        "activities-2020q2",
        "activity_vo2max-2020",
        "days-2020",
        "health_status-2020",
        "max_met-2020",
        "sleep-2020",
        "weight-2020",
    ]
    assert list(source.fetch("ann", day.replace(year=2030), None)) == []


def test_from_s3_as_from_disk(tmp_path: Path, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_file, "READ_AHEAD_BYTES", 1_000)
    path = write_zip(tmp_path / "ann.zip", SMALL)
    _put(s3, bucket, "exports/ann.zip", path)
    _put(s3, bucket, "exports/2024/bob.zip", path)
    on_disk = list(ExportSource(str(path)).fetch("ann", None, None))
    for location in (f"s3://{bucket}/exports/ann.zip", f"s3://{bucket}/exports", f"s3://{bucket}/exports/"):
        source = ExportSource(location, lambda _service: s3)
        assert source.athletes() == ["ann"]
        assert list(source.fetch("ann", None, None)) == on_disk


def test_s3_without_a_client_a_bucket_or_an_object(s3: Any, bucket: str) -> None:
    with pytest.raises(SourceError, match="reading from S3 needs a client"):
        ExportSource(f"s3://{bucket}/ann.zip")
    for location, reason in (
        ("s3:///ann.zip", "expected s3://bucket/key"),
        (f"s3://{bucket}/none/", "holds no export"),
        ("s3://no-such-bucket/none/", "cannot be listed"),
    ):
        with pytest.raises(SourceError, match=reason):
            ExportSource(location, lambda _service: s3)
    source = ExportSource(f"s3://{bucket}/ann.zip", lambda _service: s3)
    with pytest.raises(SourceError, match=rf"s3://{bucket}/ann\.zip: cannot be read"):
        list(source.fetch("ann", None, None))


def test_an_object_reads_and_seeks_as_a_file_does(s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = bytes(range(256)) * 40
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    monkeypatch.setattr(s3_file, "READ_AHEAD_BYTES", 700)
    with open_s3(s3, bucket, "k") as file:
        for offset, whence, size in ((0, 0, 10), (-22, 2, 22), (5_000, 0, 3_000), (-8_000, 1, 1), (0, 2, 5)):
            beside = io.BytesIO(body)
            beside.seek(file.tell() if whence == io.SEEK_CUR else 0)
            assert file.seek(offset, whence) == beside.seek(offset, whence)
            assert file.read(size) == beside.read(size)


def test_an_object_replaced_while_it_is_read_is_not_mixed(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"old" * 100)
    file = S3File(s3, bucket, "k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"new" * 100)
    with pytest.raises(SourceError, match=f"s3://{bucket}/k: cannot be read, or changed meanwhile"):
        file.read(10)


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    class Breaking:
        calls = 0

        def head_object(self, **_: object) -> dict[str, object]:
            return {"ContentLength": 4, "ETag": "e"}

        def get_object(self, **_: object) -> dict[str, object]:
            self.calls += 1
            return {"Body": io.BytesIO(b"ab" if self.calls < 3 else b"abcd")}

    breaking: Any = Breaking()
    assert S3File(breaking, "b", "k").read(4) == b"abcd"
    breaking.calls = -10
    with pytest.raises(SourceError, match="4 bytes asked for, 2 came"):
        S3File(breaking, "b", "k").read(4)
