"""Feature Store: groups, the online store, the offline store, what survives a kill."""

import io
import time

import pyarrow.parquet as pq
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.localaws.featurestore import offline
from infra.localaws.featurestore.records import OfflineTable, RecordStore, Write
from tests.localaws.conftest import LocalAws

FEATURES = [
    {"FeatureName": "athlete_id", "FeatureType": "String"},
    {"FeatureName": "event_time", "FeatureType": "String"},
    {"FeatureName": "load_7d", "FeatureType": "Fractional"},
    {"FeatureName": "readings", "FeatureType": "Integral"},
]


def record(athlete, day, **features):
    values = {"athlete_id": athlete, "event_time": f"{day}T00:00:00Z", **features}
    return [{"FeatureName": name, "ValueAsString": str(value)} for name, value in values.items()]


def values(answer):
    return {f["FeatureName"]: f["ValueAsString"] for f in answer["Record"]}


def create(aws, name, online=True, bucket="lake", features=FEATURES):
    request = {
        "FeatureGroupName": name,
        "RecordIdentifierFeatureName": "athlete_id",
        "EventTimeFeatureName": "event_time",
        "FeatureDefinitions": features,
        "RoleArn": aws.make_role("store"),
    }
    if online:
        request["OnlineStoreConfig"] = {"EnableOnlineStore": True}
    if bucket:
        request["OfflineStoreConfig"] = {"S3StorageConfig": {"S3Uri": f"s3://{bucket}/feature-store"}}
    sagemaker = aws.client("sagemaker")
    sagemaker.create_feature_group(**request)
    deadline = time.monotonic() + 10
    while (group := sagemaker.describe_feature_group(FeatureGroupName=name))["FeatureGroupStatus"] == "Creating":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return group


def offline_rows_now(aws, group):
    """Rows that the offline store holds at this moment, with the key of their file."""
    uri = group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    s3, rows = aws.client("s3"), []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/"):
        for item in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            rows += [row | {"key": item["Key"]} for row in pq.read_table(io.BytesIO(body)).to_pylist()]
    return rows


def offline_rows(aws, group, count):
    """Rows of the offline store once it holds `count` of them."""
    deadline = time.monotonic() + 10
    while len(rows := offline_rows_now(aws, group)) < count:
        assert time.monotonic() < deadline, f"{len(rows)} of {count} rows"
        time.sleep(0.05)
    return rows


DELAY_S = 1.0


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    server = LocalAws(tmp_path_factory.mktemp("localaws"), "--offline-delay-s", str(DELAY_S), "--offline-seed", "7")
    server.start()
    server.client("s3").create_bucket(Bucket="lake")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def runtime(aws):
    return aws.client("sagemaker-featurestore-runtime")


def test_describe_gives_the_layout_of_aws(aws):
    group = create(aws, "layout-v1")
    assert group["FeatureGroupStatus"] == "Created"
    created = int(group["CreationTime"].timestamp())
    assert group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"] == (
        f"s3://lake/feature-store/123456789012/sagemaker/us-east-1/offline-store/layout-v1-{created}/data"
    )


def test_the_latest_event_time_wins_online_and_every_put_is_offline(aws, runtime):
    group = create(aws, "latest-v1")
    for day, load in (("2026-03-02", 2.5), ("2026-03-01", 1.5), ("2026-03-02", 2.75)):
        runtime.put_record(FeatureGroupName="latest-v1", Record=record("ann", day, load_7d=load, readings=3))
    answer = runtime.get_record(FeatureGroupName=group["FeatureGroupArn"], RecordIdentifierValueAsString="ann")
    assert values(answer) == {
        "athlete_id": "ann",
        "event_time": "2026-03-02T00:00:00Z",
        "load_7d": "2.75",
        "readings": "3",
    }
    rows = offline_rows(aws, group, 3)
    assert sorted((r["event_time"], r["load_7d"], r["readings"]) for r in rows) == [
        ("2026-03-01T00:00:00Z", 1.5, 3),
        ("2026-03-02T00:00:00Z", 2.5, 3),
        ("2026-03-02T00:00:00Z", 2.75, 3),
    ]
    assert all("/data/year=2026/month=03/day=0" in r["key"] and "/hour=00/" in r["key"] for r in rows)
    assert {r["key"].rsplit("/", 1)[1].split("_")[0] for r in rows} == {"20260301T000000Z", "20260302T000000Z"}
    assert not any(r["is_deleted"] for r in rows)
    assert all(r["write_time"] >= r["api_invocation_time"] for r in rows)


def test_a_feature_that_is_not_given_is_null_offline_and_absent_online(aws, runtime):
    group = create(aws, "sparse-v1")
    runtime.put_record(FeatureGroupName="sparse-v1", Record=record("ann", "2026-03-01"))
    answer = runtime.get_record(FeatureGroupName="sparse-v1", RecordIdentifierValueAsString="ann")
    assert "load_7d" not in values(answer)
    assert [r["load_7d"] for r in offline_rows(aws, group, 1)] == [None]


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (record("ann", "2026-03-01", colour="red"), "colour"),
        (record("ann", "2026-03-01", load_7d="much"), "load_7d"),
        (record("ann", "2026-03-01", readings="1.5"), "readings"),
        (record("ann", "2026-03-01", load_7d="nan"), "load_7d"),
        (record("ann", "1 March"), "event_time"),
        (record("ann", "2026-03-01")[1:], "athlete_id"),
        (record("ann", "2026-03-01")[:1], "event_time"),
        (record("ann", "2026-03-01") * 2, "athlete_id"),
    ],
)
def test_a_bad_record_is_a_validation_error_that_names_the_feature(aws, runtime, bad, named):
    if not any(
        g["FeatureGroupName"] == "strict-v1"
        for g in aws.client("sagemaker").list_feature_groups()["FeatureGroupSummaries"]
    ):
        create(aws, "strict-v1")
    with pytest.raises(runtime.exceptions.ValidationError, match=named):
        runtime.put_record(FeatureGroupName="strict-v1", Record=bad)
    assert "Record" not in runtime.get_record(FeatureGroupName="strict-v1", RecordIdentifierValueAsString="ann")


def test_an_unknown_group(runtime):
    with pytest.raises(runtime.exceptions.ResourceNotFound, match="nobody"):
        runtime.get_record(FeatureGroupName="nobody", RecordIdentifierValueAsString="ann")
    with pytest.raises(runtime.exceptions.ValidationError, match="nobody"):
        runtime.put_record(FeatureGroupName="nobody", Record=record("ann", "2026-03-01"))


def test_batch_get_tells_found_from_unknown(aws, runtime):
    create(aws, "batch-v1")
    runtime.put_record(FeatureGroupName="batch-v1", Record=record("ann", "2026-03-01", load_7d=1))
    answer = runtime.batch_get_record(
        Identifiers=[
            {
                "FeatureGroupName": "batch-v1",
                "RecordIdentifiersValueAsString": ["ann", "bob"],
                "FeatureNames": ["load_7d"],
            },
            {"FeatureGroupName": "nobody", "RecordIdentifiersValueAsString": ["ann"]},
        ]
    )
    assert [(r["RecordIdentifierValueAsString"], values(r)) for r in answer["Records"]] == [("ann", {"load_7d": "1"})]
    assert [(e["FeatureGroupName"], e["ErrorCode"]) for e in answer["Errors"]] == [("nobody", "ResourceNotFound")]


def test_target_stores(aws, runtime):
    group = create(aws, "targets-v1")
    put = {"FeatureGroupName": "targets-v1"}
    runtime.put_record(**put, Record=record("ann", "2026-03-01"), TargetStores=["OfflineStore"])
    runtime.put_record(**put, Record=record("bob", "2026-03-01"), TargetStores=["OnlineStore"])
    assert "Record" not in runtime.get_record(**put, RecordIdentifierValueAsString="ann")
    assert "Record" in runtime.get_record(**put, RecordIdentifierValueAsString="bob")
    assert [r["athlete_id"] for r in offline_rows(aws, group, 1)] == ["ann"]


def test_soft_delete_hides_and_marks(aws, runtime):
    group = create(aws, "deletes-v1")
    ann = {"FeatureGroupName": "deletes-v1", "RecordIdentifierValueAsString": "ann"}
    runtime.put_record(FeatureGroupName="deletes-v1", Record=record("ann", "2026-03-02"))
    runtime.delete_record(**ann, EventTime="2026-03-01T00:00:00Z")
    assert "Record" in runtime.get_record(**ann), "an older delete does not take effect online"
    runtime.delete_record(**ann, EventTime="2026-03-03T00:00:00Z")
    assert "Record" not in runtime.get_record(**ann)
    runtime.put_record(FeatureGroupName="deletes-v1", Record=record("ann", "2026-03-02"))
    assert "Record" not in runtime.get_record(**ann), "an older put does not bring it back"
    markers = [r["event_time"] for r in offline_rows(aws, group, 4) if r["is_deleted"]]
    assert sorted(markers) == ["2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z"]


def test_hard_delete_refuses_an_older_event_time(aws, runtime):
    create(aws, "hard-v1")
    ann = {"FeatureGroupName": "hard-v1", "RecordIdentifierValueAsString": "ann", "DeletionMode": "HardDelete"}
    runtime.put_record(FeatureGroupName="hard-v1", Record=record("ann", "2026-03-02"))
    with pytest.raises(runtime.exceptions.ValidationError, match="EventTime"):
        runtime.delete_record(**ann, EventTime="2026-03-01T00:00:00Z")
    runtime.delete_record(**ann, EventTime="2026-03-03T00:00:00Z")
    runtime.put_record(FeatureGroupName="hard-v1", Record=record("ann", "2026-03-01"))
    answer = runtime.get_record(FeatureGroupName="hard-v1", RecordIdentifierValueAsString="ann")
    assert values(answer)["event_time"] == "2026-03-01T00:00:00Z"


def test_groups_are_refused_as_aws_refuses_them(aws):
    sagemaker = aws.client("sagemaker")
    create(aws, "taken-v1")
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        create(aws, "taken-v1")
    with pytest.raises(ClientError, match="ValidationException"):
        create(aws, "no-store-v1", online=False, bucket=None)
    with pytest.raises(ClientError, match="write_time"):
        create(aws, "reserved-v1", features=[*FEATURES, {"FeatureName": "write_time", "FeatureType": "String"}])
    with pytest.raises(ClientError, match="ValidationException"):
        create(aws, "odd-v1", features=[*FEATURES, {"FeatureName": "x", "FeatureType": "Vector"}])
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_feature_group(FeatureGroupName="nobody")
    assert create(aws, "homeless-v1", bucket="no-such-bucket")["FeatureGroupStatus"] == "CreateFailed"


def test_groups_are_paged_before_they_are_filtered(aws):
    for name in ("paged-a", "paged-b"):
        create(aws, name)
    sagemaker, asked = aws.client("sagemaker"), {"NameContains": "paged-b", "SortBy": "Name", "MaxResults": 1}
    first = sagemaker.list_feature_groups(**asked)
    assert (first["FeatureGroupSummaries"], "NextToken" in first) == ([], True)
    pages = sagemaker.get_paginator("list_feature_groups").paginate(
        NameContains="paged-b", SortBy="Name", PaginationConfig={"PageSize": 1}
    )
    assert [g["FeatureGroupName"] for page in pages for g in page["FeatureGroupSummaries"]] == ["paged-b"]


def test_online_only_and_offline_only_groups(aws, runtime):
    create(aws, "online-v1", bucket=None)
    group = create(aws, "offline-v1", online=False)
    for name in ("online-v1", "offline-v1"):
        runtime.put_record(FeatureGroupName=name, Record=record("ann", "2026-03-01"))
    assert "Record" in runtime.get_record(FeatureGroupName="online-v1", RecordIdentifierValueAsString="ann")
    with pytest.raises(runtime.exceptions.ValidationError, match="no online store"):
        runtime.get_record(FeatureGroupName="offline-v1", RecordIdentifierValueAsString="ann")
    assert len(offline_rows(aws, group, 1)) == 1


def test_a_group_made_again_starts_empty(aws, runtime):
    sagemaker = aws.client("sagemaker")
    first = create(aws, "again-v1")
    runtime.put_record(FeatureGroupName="again-v1", Record=record("ann", "2026-03-01"))
    sagemaker.delete_feature_group(FeatureGroupName="again-v1")
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.delete_feature_group(FeatureGroupName="again-v1")
    create(aws, "again-v1")
    assert "Record" not in runtime.get_record(FeatureGroupName="again-v1", RecordIdentifierValueAsString="ann")
    assert len(offline_rows(aws, first, 1)) == 1, "the offline store of the first stays in S3"


def test_features_can_be_added(aws, runtime):
    create(aws, "grows-v1")
    addition = {"FeatureName": "hrv_7d", "FeatureType": "Fractional"}
    aws.client("sagemaker").update_feature_group(FeatureGroupName="grows-v1", FeatureAdditions=[addition])
    runtime.put_record(FeatureGroupName="grows-v1", Record=record("ann", "2026-03-01", hrv_7d=61.5))
    answer = runtime.get_record(FeatureGroupName="grows-v1", RecordIdentifierValueAsString="ann")
    assert values(answer)["hrv_7d"] == "61.5"


def test_a_created_group_and_its_first_record_survive_a_kill_at_once(aws, runtime):
    for attempt in range(3):
        name = f"young-{attempt}"
        create(aws, name)
        runtime.put_record(FeatureGroupName=name, Record=record("ann", "2026-02-01", load_7d=1))
        aws.kill()
        aws.start()
        answer = runtime.get_record(FeatureGroupName=name, RecordIdentifierValueAsString="ann")
        assert values(answer)["event_time"] == "2026-02-01T00:00:00Z"


def test_an_acknowledged_put_survives_a_kill_and_is_written_once(aws, runtime):
    group = create(aws, "durable-v1")
    days = [f"2026-02-{day:02}" for day in range(1, 21)]
    for day in days[:10]:
        runtime.put_record(FeatureGroupName="durable-v1", Record=record("ann", day, load_7d=1))
    assert len(offline_rows(aws, group, 10)) == 10
    for day in days[10:]:
        runtime.put_record(FeatureGroupName="durable-v1", Record=record("ann", day, load_7d=1))
    aws.kill()
    aws.start()
    answer = runtime.get_record(FeatureGroupName="durable-v1", RecordIdentifierValueAsString="ann")
    assert values(answer)["event_time"] == "2026-02-20T00:00:00Z"
    assert sorted(r["event_time"][:10] for r in offline_rows(aws, group, 20)) == days


def put_days(runtime, name, athlete, days):
    for day in days:
        runtime.put_record(FeatureGroupName=name, Record=record(athlete, day, load_7d=1))


def test_the_offline_store_lags_and_no_listing_brings_it_forward(aws, runtime):
    group = create(aws, "lags-v1")
    put_days(runtime, "lags-v1", "ann", ["2026-02-01"])
    put_at = time.monotonic()
    seen = offline_rows_now(aws, group)
    assert seen == [], "a listing at once finds nothing"
    rows = offline_rows(aws, group, 1)
    assert time.monotonic() - put_at >= DELAY_S / 2
    lag = rows[0]["write_time"] - rows[0]["api_invocation_time"]
    assert DELAY_S / 2 <= lag.total_seconds() <= DELAY_S + 1


def appearances(aws, runtime, name, days):
    """The partitions of the offline store in the order in which readers saw them come, and how often they looked."""
    group = create(aws, name)
    put_days(runtime, name, "ann", days)
    written = {row["event_time"][:10]: row["write_time"] for row in offline_rows(aws, group, len(days))}
    return sorted(days, key=lambda day: (written[day], day)), len(set(written.values()))


def test_partitions_come_one_by_one_in_an_order_that_the_seed_decides(aws, runtime, tmp_path):
    days = [f"2026-03-{day:02}" for day in range(1, 31)]
    order, moments = appearances(aws, runtime, "parts-v1", days)
    assert moments > 4, "the partitions of one group are written at different moments"
    assert order != days
    for seed, is_same in (("7", True), ("8", False)):
        other = LocalAws(tmp_path / seed, "--offline-delay-s", "0.5", "--offline-seed", seed)
        other.start()
        try:
            other.client("s3").create_bucket(Bucket="lake")
            again, _ = appearances(other, other.client("sagemaker-featurestore-runtime"), "parts-v1", days)
        finally:
            other.stop()
        assert (again == order) is is_same


def test_records_that_waited_for_the_offline_store_survive_a_kill(aws, runtime):
    group = create(aws, "waits-v1")
    days = [f"2026-02-{day:02}" for day in range(1, 21)]
    put_days(runtime, "waits-v1", "ann", days)
    assert offline_rows_now(aws, group) == []
    aws.kill()
    aws.start()
    assert sorted(r["event_time"][:10] for r in offline_rows(aws, group, len(days))) == days


def test_a_kill_while_partitions_are_written_leaves_each_record_once(aws, runtime):
    group = create(aws, "torn-v1")
    days = [f"2026-{month:02}-{day:02}" for month in (1, 3, 5, 7) for day in range(1, 29)]
    put_days(runtime, "torn-v1", "ann", days)
    offline_rows(aws, group, 5)
    aws.kill()
    aws.start()
    assert sorted(r["event_time"][:10] for r in offline_rows(aws, group, len(days))) == days
    time.sleep(2 * DELAY_S)
    assert len(offline_rows_now(aws, group)) == len(days)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A local AWS in which a record identifier may take three write units a second."""
    server = LocalAws(tmp_path_factory.mktemp("narrow"), "--write-units-per-s", "3")
    server.start()
    server.client("s3").create_bucket(Bucket="lake")
    create(server, "narrow-v1", features=[*FEATURES, {"FeatureName": "note", "FeatureType": "String"}])
    yield server
    server.stop()


def puts_until_throttled(client, athlete, **features):
    for done in range(100):
        try:
            client.put_record(FeatureGroupName="narrow-v1", Record=record(athlete, "2026-03-01", **features))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottlingException"
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            return done
    raise AssertionError("never throttled")


def test_write_units_of_one_record_identifier_are_throttled(narrow):
    once = narrow.client("sagemaker-featurestore-runtime", config=Config(retries={"total_max_attempts": 1}))
    assert 3 <= puts_until_throttled(once, "ann") <= 4
    assert 3 <= puts_until_throttled(once, "bob") <= 4, "another record identifier has units of its own"
    assert puts_until_throttled(once, "cleo", note="x" * 1500) == 1, "a unit for each KB that a record begins"
    with pytest.raises(ClientError, match="ThrottlingException"):
        for day in range(1, 9):
            event_time = f"2026-04-{day:02}T00:00:00Z"
            once.delete_record(FeatureGroupName="narrow-v1", RecordIdentifierValueAsString="dan", EventTime=event_time)


def test_offline_puts_take_write_units_as_well(narrow):
    once = narrow.client("sagemaker-featurestore-runtime", config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError, match="ThrottlingException"):
        for _ in range(9):
            put = {"FeatureGroupName": "narrow-v1", "Record": record("eve", "2026-03-01")}
            once.put_record(**put, TargetStores=["OfflineStore"])


def test_a_client_that_retries_adaptively_gets_all_its_records_through(narrow):
    client = narrow.client(
        "sagemaker-featurestore-runtime", config=Config(retries={"mode": "adaptive", "max_attempts": 10})
    )
    put_days(client, "narrow-v1", "fay", [f"2026-03-{day:02}" for day in range(1, 9)])
    answer = client.get_record(FeatureGroupName="narrow-v1", RecordIdentifierValueAsString="fay")
    assert values(answer)["event_time"] == "2026-03-08T00:00:00Z"


@pytest.mark.parametrize(
    ("targets", "is_online", "markers"),
    [(["OnlineStore"], False, 0), (["OfflineStore"], True, 1), (["OnlineStore", "OfflineStore"], False, 1)],
)
def test_hard_delete_reaches_the_stores_that_it_names(aws, runtime, targets, is_online, markers):
    name = f"erase-{len(targets)}{targets[0].lower()}"
    group = create(aws, name)
    put_days(runtime, name, "ann", ["2026-03-01"])
    ann = {"FeatureGroupName": name, "RecordIdentifierValueAsString": "ann"}
    runtime.delete_record(**ann, EventTime="2026-03-02T00:00:00Z", TargetStores=targets, DeletionMode="HardDelete")
    assert ("Record" in runtime.get_record(**ann)) is is_online
    rows = offline_rows(aws, group, 1 + markers)
    assert [(r["event_time"][:10], r["load_7d"]) for r in rows if r["is_deleted"]] == [("2026-03-02", None)] * markers


def test_no_record_waits_longer_than_aws_lets_it_though_puts_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(offline, "LONGEST_S", 0.4)
    records, written = RecordStore(tmp_path / "records.sqlite"), []
    records.define("group", OfflineTable("lake", "p", {"athlete_id": "String"}))
    flusher = offline.Flusher(records, lambda *put: written.append(put), offline.Delay(60, seed=0))
    flusher.start()
    try:
        deadline = time.monotonic() + 5
        while not written:
            assert time.monotonic() < deadline
            text = '[{"FeatureName":"athlete_id","ValueAsString":"ann"}]'
            records.write(Write("group", "ann", 0, 0, text), online=True, offline=True)
            flusher.record_waits("group")
            time.sleep(0.02)
    finally:
        flusher.stop()
