"""History in bulk: files at the places and of the types that Feature Store itself uses, read back as single puts are."""

import io
import json
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.features.build import build_features
from include.features.offline_files import OfflineStore, staged_body, write_history
from include.features.schema import COLUMNS, NAMES, TEXT_COLUMNS
from include.features.store import read_offline, to_record
from infra.localaws.featurestore.parquet import parquet_bodies
from tests.features.conftest import random_frames

STORE = OfflineStore("lake", "feature-store/1/sagemaker/here/offline-store/days-1/data")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
TYPES = {name: "String" if name in TEXT_COLUMNS else "Fractional" for name in COLUMNS}


class Broken(Exception):
    """The write ended here."""


class Bucket:
    """What S3 holds; after `fails_after` puts it takes no more."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fails_after: int | None = None
        self._lock = threading.Lock()

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        assert Bucket == "lake"
        with self._lock:
            if self.fails_after is not None:
                if not self.fails_after:
                    raise Broken
                self.fails_after -= 1
            assert Key not in self.objects, "no file of the offline store is ever written over"
            self.objects[Key] = Body

    def read(self, folder: Path, as_of: datetime) -> pd.DataFrame:
        paths = []
        for number, body in enumerate(self.objects.values()):
            paths.append(folder / f"{number}.parquet")
            paths[-1].write_bytes(body)
        return read_offline(paths, as_of)


def history(athlete: str = "x", seed: int = 3) -> pd.DataFrame:
    return build_features(random_frames(seed)).assign(athlete_id=athlete)


def staged(folder: Path, *frames: pd.DataFrame) -> list[Path]:
    paths = []
    for number, frame in enumerate(frames):
        paths.append(folder / f"batch-{number}.parquet")
        paths[-1].write_bytes(staged_body(frame))
    return paths


def without_newest(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.duplicated("athlete_id", keep="last")].reset_index(drop=True)


def test_every_day_is_one_file_for_all_athletes_in_the_folder_of_its_hour(tmp_path: Path) -> None:
    bucket, ann, bob = Bucket(), history("ann"), history("bob", seed=4)
    written = write_history(bucket, STORE, staged(tmp_path, ann, bob), NOON)
    days = sorted({*ann["event_time"].iloc[:-1], *bob["event_time"].iloc[:-1]})
    folders = [f"{STORE.prefix}/year={d[:4]}/month={d[5:7]}/day={d[8:10]}/hour=00" for d in days]
    assert sorted(key.rpartition("/")[0] for key in bucket.objects) == folders
    assert (written.files, written.rows) == (len(days), len(ann) + len(bob) - 2)
    first = f"{days[0][:10].replace('-', '')}T000000Z_"
    assert min(bucket.objects).rpartition("/")[2].startswith(first)


def test_columns_and_types_are_those_of_the_files_that_feature_store_writes(tmp_path: Path) -> None:
    bucket, rows = Bucket(), history()
    write_history(bucket, STORE, staged(tmp_path, rows), NOON)
    record = to_record(rows.iloc[0].to_dict())
    [single] = parquet_bodies(TYPES, [(1, [(json.dumps(record), 1, False)])])
    assert single is not None
    ours = {pq.read_schema(io.BytesIO(body)).remove_metadata() for body in bucket.objects.values()}
    assert ours == {pq.read_schema(io.BytesIO(single)).remove_metadata()}


def test_rows_come_back_as_they_were_and_the_newest_of_each_athlete_is_left_to_the_api(tmp_path: Path) -> None:
    bucket, rows = Bucket(), pd.concat([history("ann"), history("bob", seed=4)], ignore_index=True)
    written = write_history(bucket, STORE, staged(tmp_path, rows), NOON)
    pd.testing.assert_frame_equal(bucket.read(tmp_path, LATER), without_newest(rows))
    newest = pd.DataFrame(
        [{"athlete_id": row["athlete_id"], "event_time": row["event_time"]} for row in written.newest]
    )
    wanted = rows.drop_duplicates("athlete_id", keep="last")[["athlete_id", "event_time"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(newest.sort_values("athlete_id", ignore_index=True), wanted)
    record = {item["FeatureName"]: item["ValueAsString"] for item in to_record(written.newest[0])}
    assert "vo2max_last" in record
    assert record.keys() <= set(COLUMNS), "a record of the API"


def test_unknown_features_are_null_and_every_digit_is_kept(tmp_path: Path) -> None:
    bucket = Bucket()
    rows = history().assign(load_7d=1 / 3, weight_kg=np.nan)
    write_history(bucket, STORE, staged(tmp_path, rows), NOON)
    tables = [pq.read_table(io.BytesIO(body)) for body in bucket.objects.values()]
    assert {table["weight_kg"].null_count for table in tables} == {1}
    assert {table["load_7d"][0].as_py() for table in tables} == {1 / 3}


@pytest.mark.parametrize("athlete", ["o'neil", 'a "b", c', "zoë\n", "x/../y", "athlete_id=1"])
def test_an_id_that_would_need_quoting_is_a_value_and_no_part_of_a_key(tmp_path: Path, athlete: str) -> None:
    bucket, rows = Bucket(), history(athlete)
    write_history(bucket, STORE, staged(tmp_path, rows), NOON)
    assert set(bucket.read(tmp_path, LATER)["athlete_id"]) == {athlete}
    assert not any(athlete in key for key in bucket.objects)


def test_a_write_that_broke_off_is_done_again_and_no_row_counts_twice(tmp_path: Path) -> None:
    bucket, rows = Bucket(), history()
    files = staged(tmp_path, rows)
    for tries, puts in enumerate((0, 7, 40)):
        bucket.fails_after = puts
        with pytest.raises(Broken):
            write_history(bucket, STORE, files, NOON + timedelta(minutes=tries))
    bucket.fails_after = None
    write_history(bucket, STORE, files, NOON + timedelta(minutes=9))
    assert len(bucket.objects) == 47 + len(rows) - 1
    pd.testing.assert_frame_equal(bucket.read(tmp_path, LATER), without_newest(rows))


def test_readers_of_an_earlier_moment_see_nothing_of_a_later_write(tmp_path: Path) -> None:
    bucket, rows = Bucket(), history()
    write_history(bucket, STORE, staged(tmp_path, rows), NOON)
    before = bucket.read(tmp_path, NOON)
    write_history(bucket, STORE, staged(tmp_path, rows.assign(load_7d=9.0)), LATER)
    pd.testing.assert_frame_equal(bucket.read(tmp_path, NOON), before)
    assert set(bucket.read(tmp_path, LATER)["load_7d"]) == {9.0}


def test_a_staged_file_that_an_erasure_rewrote_is_read_all_the_same(tmp_path: Path) -> None:
    """It has one group of rows for all months."""
    bucket, rows = Bucket(), history()
    [path] = staged(tmp_path, rows)
    pq.write_table(pq.read_table(path), path)
    write_history(bucket, STORE, [path], NOON)
    pd.testing.assert_frame_equal(bucket.read(tmp_path, LATER), without_newest(rows))


def test_nothing_staged_writes_nothing(tmp_path: Path) -> None:
    only_newest = history().iloc[-1:]
    assert write_history(Bucket(), STORE, [], NOON).files == 0
    written = write_history(Bucket(), STORE, staged(tmp_path, only_newest), NOON)
    assert (written.files, len(written.newest)) == (0, 1)


def test_files_as_the_spark_connector_writes_them_are_read_too(tmp_path: Path) -> None:
    """Spark writes moments in Parquet's old form, which knows no time zone."""
    bucket, rows = Bucket(), history()
    write_history(bucket, STORE, staged(tmp_path, rows), NOON)
    key, body = bucket.objects.popitem()
    sink = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(body)), sink, use_deprecated_int96_timestamps=True, compression="none")
    assert not pa.types.is_int64(pq.read_schema(io.BytesIO(sink.getvalue())).field("write_time").type)
    bucket.objects[key] = sink.getvalue()
    pd.testing.assert_frame_equal(bucket.read(tmp_path, LATER), without_newest(rows))


ATHLETES, DAYS = ("ann", "bob"), [f"2026-0{month}-{day:02d}" for month in (1, 2) for day in (1, 2, 28)]
one_row = st.tuples(st.sampled_from(ATHLETES), st.sampled_from(DAYS), st.integers(0, 9))
steps = st.one_of(
    st.tuples(st.just("put"), one_row),
    st.tuples(st.just("delete"), one_row),
    st.tuples(st.just("bulk"), st.lists(one_row, min_size=1, max_size=8), st.lists(st.integers(0, 5), max_size=2)),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(steps, max_size=5))
def test_after_any_puts_deletes_bulk_writes_and_retries_the_rows_as_of_each_moment_are_those_of_a_plain_model(
    tmp_path_factory: pytest.TempPathFactory, script: list[Any]
) -> None:
    folder, bucket, now = tmp_path_factory.mktemp("store"), Bucket(), NOON
    model: dict[tuple[str, str], int] = {}
    moments = [(now, dict(model))]
    for step in script:
        now += timedelta(seconds=1)
        if step[0] == "bulk":
            now = bulk_with_retries(bucket, folder, now, *step[1:], model=model)
        else:
            single(bucket, now, step[0], step[1], model=model)
        moments.append((now, dict(model)))
    for as_of, wanted in moments:  # also the moments before later writes: these change nothing of the past
        read = bucket.read(folder, as_of)
        found = zip(read["athlete_id"], read["event_time"].str[:10], read["load_7d"], strict=True)
        assert {(athlete, day): value for athlete, day, value in found} == wanted


def bulk_with_retries(
    bucket: Bucket,
    folder: Path,
    now: datetime,
    rows: Iterable[tuple[str, str, int]],
    breaks: list[int],
    *,
    model: dict[tuple[str, str], int],
) -> datetime:
    """A bulk write that breaks off after so many files each time, then ends, and puts the newest rows; its last moment."""
    values = {(athlete, day): value for athlete, day, value in rows}
    frame = pd.DataFrame(
        [row_of(athlete, day, value) for (athlete, day), value in values.items()], columns=list(COLUMNS)
    )
    files = staged(folder, frame)
    for puts in breaks:
        bucket.fails_after = puts
        with suppress(Broken):
            write_history(bucket, STORE, files, now)
        now += timedelta(seconds=1)
    bucket.fails_after = None
    written = write_history(bucket, STORE, files, now)
    for row in written.newest:
        now += timedelta(seconds=1)
        single(bucket, now, "put", (row["athlete_id"], row["event_time"][:10], row["load_7d"]), model=model)
    model |= values
    return now


def single(
    bucket: Bucket, now: datetime, kind: str, row: tuple[str, str, float], *, model: dict[tuple[str, str], int]
) -> None:
    """A put or a deletion, as Feature Store writes it."""
    athlete, day, value = row
    record = to_record(row_of(athlete, day, value))
    moment_us = int(now.timestamp() * 1e6)
    [body] = parquet_bodies(TYPES, [(moment_us, [(json.dumps(record), moment_us, kind == "delete")])])
    assert body is not None
    bucket.put_object("lake", STORE.key(f"{day}T00", f"single{moment_us}"), body)
    model.pop((athlete, day), None)
    if kind == "put":
        model[athlete, day] = int(value)


def row_of(athlete: str, day: str, value: float) -> dict[str, Any]:
    numbers = dict.fromkeys(NAMES, 1.0) | {"load_7d": float(value)}
    return {"athlete_id": athlete, "event_time": f"{day}T00:00:00Z", "sport": "running", **numbers}
