from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from include.features.build import build_features
from include.features.schema import COLUMNS
from include.features.store import latest, put_row, read_offline, rows_to_put, to_record
from tests.features.conftest import random_frames

NOON = pd.Timestamp("2024-06-01T12:00:00Z")
AS_OF = datetime(2024, 6, 2, tzinfo=UTC)


class Runtime:
    """Feature Store's online store, and which puts there were."""

    def __init__(self):
        self.online, self.puts = {}, []

    def put_record(self, FeatureGroupName, Record, TargetStores=("OnlineStore", "OfflineStore")):
        record = {item["FeatureName"]: item["ValueAsString"] for item in Record}
        self.puts.append((record["event_time"], tuple(TargetStores)))
        self.online[record["athlete_id"]] = record

    def get_record(self, FeatureGroupName, RecordIdentifierValueAsString):
        newest = self.online.get(RecordIdentifierValueAsString)
        if newest is None:
            return {}
        return {"Record": [{"FeatureName": name, "ValueAsString": value} for name, value in newest.items()]}


@pytest.fixture(scope="module")
def rows():
    return build_features(random_frames(3))


def offline(rows, invoked=NOON, written=NOON, deleted=False):
    return rows.assign(write_time=written, api_invocation_time=invoked, is_deleted=deleted)


def write(folder, *parts):
    paths = []
    for index, part in enumerate(parts):
        paths.append(folder / f"{index}.parquet")
        part.to_parquet(paths[-1], index=False)
    return paths


def newest(rows):
    return rows.iloc[-1].to_dict()


def test_unknown_features_of_a_row_are_left_out(rows):
    record = {item["FeatureName"]: item["ValueAsString"] for item in to_record(rows.iloc[0].to_dict())}
    assert "load_42d" not in record
    assert float(record["history_days"]) == 0


def test_the_newest_row_is_put_to_both_stores(rows):
    client = Runtime()
    put_row(client, "group", newest(rows))
    assert client.puts == [(rows["event_time"].iloc[-1], ("OnlineStore", "OfflineStore"))]
    assert latest(client, "group", "x")["event_time"] == rows["event_time"].iloc[-1]
    assert latest(client, "group", "nobody") is None


def test_a_run_puts_its_days_and_all_that_the_group_lacks_before_them(rows):
    client, last = Runtime(), date.fromisoformat(rows["event_time"].iloc[-1][:10])

    def to_put(days_before_the_last):
        return len(rows_to_put(client, "group", rows, last - timedelta(days=days_before_the_last)).rows)

    assert to_put(3) == len(rows)  # the group is new
    put_row(client, "group", newest(rows.iloc[:-20]))
    assert to_put(3) == 20 + 1
    assert to_put(100) == 101
    put_row(client, "group", newest(rows))
    assert to_put(10) == 11
    assert len(rows_to_put(client, "group", rows, None).rows) == len(rows)
    assert rows_to_put(client, "group", rows.iloc[:0], last).frame.empty


def test_numbers_keep_every_digit(rows):
    row = rows.dropna(subset=["load_42d"]).iloc[-1].to_dict()
    record = {item["FeatureName"]: item["ValueAsString"] for item in to_record(row)}
    assert float(record["load_42d"]) == row["load_42d"]


def test_offline_rows_come_back_as_they_were_put(rows, tmp_path):
    read = read_offline(write(tmp_path, offline(rows.iloc[::2]), offline(rows.iloc[1::2])), AS_OF)
    pd.testing.assert_frame_equal(read, rows)


def test_the_newest_invocation_counts_then_the_newest_write(rows, tmp_path):
    row = rows.iloc[[50]]
    hour, minute = pd.Timedelta(hours=1), pd.Timedelta(minutes=1)
    paths = write(
        tmp_path,
        offline(row.assign(load_7d=3.0), NOON + hour, NOON + hour),
        offline(row.assign(load_7d=2.0), NOON + hour, NOON + hour + minute),
        offline(row.assign(load_7d=1.0), NOON, NOON + 9 * hour),
        offline(row.assign(load_7d=9.0), NOON + 48 * hour, NOON + 48 * hour),
    )
    assert read_offline(paths, AS_OF)["load_7d"].tolist() == [2.0]


def test_a_deleted_row_is_gone_and_later_days_are_not_seen(rows, tmp_path):
    paths = write(tmp_path, offline(rows), offline(rows.iloc[[10]], NOON + pd.Timedelta(hours=1), deleted=True))
    assert len(read_offline(paths, AS_OF)) == len(rows) - 1
    early = read_offline(paths, datetime(2024, 3, 1, tzinfo=UTC))
    assert early.empty


def test_times_as_text_are_read_too(rows, tmp_path):
    text = offline(rows, "2024-06-01T12:00:00.000Z", "2024-06-01T12:05:00Z")
    assert len(read_offline(write(tmp_path, text), AS_OF)) == len(rows)


@pytest.mark.parametrize("body", [b"not parquet", b""])
def test_a_broken_file_is_named(tmp_path, body):
    (tmp_path / "broken.parquet").write_bytes(body)
    with pytest.raises(ValueError, match=r"broken\.parquet"):
        read_offline([tmp_path / "broken.parquet"], AS_OF)


def test_another_groups_file_is_refused(rows, tmp_path):
    with pytest.raises(ValueError, match="no column readings"):
        read_offline(write(tmp_path, offline(rows).drop(columns="readings")), AS_OF)


def test_no_files_give_no_rows():
    assert list(read_offline([], AS_OF).columns) == list(COLUMNS)


def test_a_file_in_which_no_row_has_an_optional_feature(rows, tmp_path):
    with_weight = offline(rows.iloc[:5].assign(weight_kg=70.0))
    read = read_offline(write(tmp_path, with_weight, offline(rows.iloc[5:]).drop(columns="weight_kg")), AS_OF)
    assert read["weight_kg"].notna().sum() == 5


def test_files_of_differing_types_are_refused(rows, tmp_path):
    paths = write(tmp_path, offline(rows), offline(rows.assign(load_7d="much")))
    with pytest.raises(ValueError, match="differ in their columns' types"):
        read_offline(paths, AS_OF)
