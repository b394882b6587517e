"""One athlete is erased everywhere, and everything of the others stays to the byte; against local AWS."""

import hashlib
import inspect
import io
import json
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from include import lake
from include.deploy.forget import NotErased, plan_erasure
from include.deploy.versions import ObjectVersions
from include.features.offline_files import OfflineStore, staged_body, write_history
from include.features.schema import EVENT_TIME, NAMES, RECORD_ID
from include.forecast.dataset import Dataset, read_manifest, read_rows, write_dataset
from include.forecast.rows import Rows
from include.garmin.connect.tokens import Tokens, TokenStore
from include.garmin.document import LoginNeeded, SourceError
from include.settings import Settings
from infra.forget import NotConfirmed, forget
from tests.forget.conftest import OFFLINE_DELAY_S
from tests.localaws.conftest import LocalAws
from tests.localaws.test_featurestore import create, offline_rows_now, record

SETTINGS = Settings(project="gff", account_id="123456789012", region="us-east-1")
GROUPS = ("gff-athlete-day-v1", "gff-athlete-day-v2")
ANOTHER_PROJECTS = "gff-x-athlete-day-v1"
ATHLETES = ("ann", "ann2", "bob")
"""`ann` is erased; the id of another begins with it."""
DAYS = ("2026-01-01", "2026-01-02")
MIXED = ("config/", "datasets/", "reports/", "feature-store/", "quality/", "state/features/")
"""Where objects hold several athletes."""
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IN_BULK = OfflineStore(SETTINGS.bucket, "feature-store/123456789012/offline-store/gff-athlete-day-v3-1/data")
TOKENS = Tokens("garminconnect", {"garmin_tokens.json": "{}"}, NOW, None)


class World:
    """A deployment with three athletes, of whom everything is there in several versions."""

    def __init__(self, aws: LocalAws, folder: Path) -> None:
        self.aws, self.s3, self.folder = aws, aws.client("s3"), folder
        self.tokens = TokenStore(aws.client("ssm"), SETTINGS.project)

    def put(self, key: str, body: bytes | str, content_type: str = "application/json") -> None:
        self.s3.put_object(Bucket=SETTINGS.bucket, Key=key, Body=body, ContentType=content_type)

    def fill(self) -> None:
        self.s3.create_bucket(Bucket=SETTINGS.bucket)
        self.s3.put_bucket_versioning(Bucket=SETTINGS.bucket, VersioningConfiguration={"Status": "Enabled"})
        self._make_store_role()
        for athlete in ATHLETES:
            self._fill_own(athlete)
            self.tokens.store(athlete, TOKENS)
        for source in (None, "garminconnect"):
            listed = [{"athlete_id": "ann", "source": source} if source else "ann", "ann2", {"athlete_id": "bob"}]
            self.put(lake.ATHLETES_KEY, json.dumps({"athletes": listed}))
        self.put("config/api-keys.json", json.dumps({"k1": ["*"], "k2": ["ann", "bob"], "k3": ["ann"]}))
        for run in ("1", "2"):
            self.put(lake.data_docs_key(run, "days"), "<td>weight 500</td>", "text/html")
        for version, athletes in {"v1": ATHLETES, "v2": ("ann",), "v3": ("ann2", "bob")}.items():
            self._fill_dataset(version, athletes)
            self._fill_report(version, athletes)
        self._fill_dataset_in_one_piece("v4", ATHLETES)
        self._fill_feature_store()
        self._fill_in_bulk()

    def _make_store_role(self) -> None:
        """The role by which Feature Store writes the offline store."""
        iam, service = self.aws.client("iam"), {"Service": "sagemaker.amazonaws.com"}
        allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": service}
        iam.create_role(RoleName="store", AssumeRolePolicyDocument=policy(trusted))
        iam.put_role_policy(RoleName="store", PolicyName="bucket", PolicyDocument=policy(allowed))

    def _fill_own(self, athlete: str) -> None:
        for place in lake.athlete_places(athlete):
            key = f"{place}document.json" if place.endswith("/") else place
            for body in ("1", athlete):
                self.put(key, body)
        gone = lake.curated_key("days", athlete, "2026-01")
        self.put(gone, athlete)
        self.s3.delete_object(Bucket=SETTINGS.bucket, Key=gone)  # which hides it and deletes nothing

    def _fill_dataset(self, version: str, athletes: tuple[str, ...]) -> None:
        folder = self.folder / version
        folder.mkdir()
        folds = {name: rows(athletes) for name in ("train", "calibration", "test")}
        write_dataset(Dataset(folds, None, ()), folder, {"dataset_version": version, "athletes": list(athletes)})
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            self.put(f"{lake.dataset_prefix(version)}{name}", path.read_bytes(), "text/csv")

    def _fill_dataset_in_one_piece(self, version: str, athletes: tuple[str, ...]) -> None:
        """As versions were made before they had parts: a file a fold, listed by the manifest itself."""
        body = "athlete_id,change\n" + "".join(f"{athlete},1.5\n" for athlete in athletes)
        entry = {
            "rows": len(athletes),
            "sha256": sha256(body.encode()).hexdigest(),
            "athletes": dict.fromkeys(athletes, 1),
        }
        manifest = {"dataset_version": version, "athletes": list(athletes), "files": {"train.csv": entry}}
        self.put(f"{lake.dataset_prefix(version)}train.csv", body, "text/csv")
        self.put(f"{lake.dataset_prefix(version)}manifest.json", json.dumps(manifest))

    def _fill_report(self, version: str, athletes: tuple[str, ...]) -> None:
        cases = [{"athlete": athlete, "crps": 1.0} for athlete in athletes]
        evaluation = {
            "athletes": {athlete: {"1-7": 0.1} for athlete in athletes},
            "buckets": [{"bucket": "1-7", "reasons": [f"athlete {athlete} is 20% worse" for athlete in athletes]}],
            "cases": {"typical": cases, "worst": cases},
        }
        self.put(f"{lake.report_prefix(version)}evaluation.json", json.dumps(evaluation))
        for name in ("report.html", "worst.png"):
            self.put(f"{lake.report_prefix(version)}{name}", " ".join(athletes), "text/html")

    def _fill_feature_store(self) -> None:
        runtime = self.aws.client("sagemaker-featurestore-runtime")
        self.groups = [create(self.aws, name, bucket=SETTINGS.bucket) for name in (*GROUPS, ANOTHER_PROJECTS)]
        for name in (*GROUPS, ANOTHER_PROJECTS):
            for athlete in ATHLETES:
                for day in DAYS:
                    runtime.put_record(FeatureGroupName=name, Record=record(athlete, day, load_7d=1.5))
        deadline = time.monotonic() + 90  # the offline store may lag
        while len(self.offline()) < len(self.groups) * len(ATHLETES) * len(DAYS):
            assert time.monotonic() < deadline, "the offline store does not hold what was put"
            time.sleep(0.5)

    def _fill_in_bulk(self) -> None:
        """History that a run has written to the offline store, and what another has staged for it."""
        times = [f"{day}T00:00:00Z" for day in (*DAYS, "2026-02-01")]
        wanted = [{RECORD_ID: athlete, EVENT_TIME: time} for athlete in ATHLETES for time in times]
        frame = pd.DataFrame(wanted).assign(sport="running", **dict.fromkeys(NAMES, 1.5))
        staged = self.folder / "staged.parquet"
        staged.write_bytes(staged_body(frame))
        self.put(lake.staged_features_key("run", 0), staged.read_bytes())
        write_history(self.s3, IN_BULK, [staged], NOW)

    def in_bulk(self) -> list[dict[str, Any]]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=SETTINGS.bucket, Prefix=IN_BULK.prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [row for key in keys for row in pq.read_table(io.BytesIO(self.read(key))).to_pylist()]

    def offline(self) -> list[dict[str, Any]]:
        return [row for group in self.groups for row in offline_rows_now(self.aws, group)]

    def online(self, group: str, athlete: str) -> Any:
        runtime = self.aws.client("sagemaker-featurestore-runtime")
        return runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString=athlete).get("Record")

    def versions(self) -> dict[tuple[str, str], bytes | None]:
        """Every version of every object, with its content; None for a delete marker."""
        found: dict[tuple[str, str], bytes | None] = {}
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=SETTINGS.bucket):
            for each in page.get("Versions", []):
                place = {"Key": each["Key"], "VersionId": each["VersionId"]}
                found[each["Key"], each["VersionId"]] = self.s3.get_object(Bucket=SETTINGS.bucket, **place)[
                    "Body"
                ].read()
            for each in page.get("DeleteMarkers", []):
                found[each["Key"], each["VersionId"]] = None
        return found

    def read(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=SETTINGS.bucket, Key=key)["Body"].read())


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def rows(athletes: tuple[str, ...]) -> Rows:
    """Three rows an athlete."""
    names = np.repeat(np.array(athletes), 3)
    days = np.tile(np.array(["2026-01-01", "2026-01-02", "2026-01-03"], dtype="datetime64[D]"), len(athletes))
    numbers = np.arange(len(names), dtype=float)
    features = np.tile(numbers[:, None], (1, len(NAMES)))
    return Rows(names, days, days + 7, np.full(len(names), 7.0), features, numbers, numbers, numbers)


@pytest.fixture(scope="module")
def world(localaws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(localaws, tmp_path_factory.mktemp("datasets"))
    made.fill()
    return made


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def before(world: World) -> dict[tuple[str, str], bytes | None]:
    return world.versions()


@pytest.fixture(scope="module")
def after(
    world: World, before: dict[tuple[str, str], bytes | None], said: list[str]
) -> dict[tuple[str, str], bytes | None]:
    forget(world.aws.client, SETTINGS, "ann", is_confirmed=True, say=said.append)
    return world.versions()


# The order matters: what is shown first, then what was done.


def test_it_shows_what_there_is_and_erases_nothing_without_the_id(
    world: World, before: dict[tuple[str, str], bytes | None]
) -> None:
    for answer in ("", "yes", "bob"):
        shown: list[str] = []
        with pytest.raises(NotConfirmed, match="nothing was erased of ann"):
            forget(
                world.aws.client,
                SETTINGS,
                "ann",
                is_confirmed=False,
                say=shown.append,
                ask=lambda _, answer=answer: answer,
            )
        assert any("raw/athlete_id=ann/: 1 object, 2 versions" in line for line in shown)
        assert not any("ann2" in line or "bob" in line for line in shown)
    assert world.versions() == before


def test_nobody_at_the_keyboard_is_no_confirmation(world: World) -> None:
    def ask(_: str) -> str:
        raise EOFError

    with pytest.raises(NotConfirmed):
        forget(world.aws.client, SETTINGS, "ann", is_confirmed=False, say=lambda _: None, ask=ask)


def test_no_version_of_any_object_holds_the_athlete(after: dict[tuple[str, str], bytes | None]) -> None:
    assert not [key for key, _ in after if "athlete_id=ann/" in key or "athlete_id=ann." in key]
    for (key, _), body in after.items():
        if key.endswith(".parquet"):
            athletes = pq.read_table(io.BytesIO(body or b""))["athlete_id"].to_pylist()
            assert "ann" not in athletes, key
        else:
            assert b'"ann"' not in (body or b"") and b"athlete ann " not in (body or b""), key


def test_what_is_of_the_others_alone_is_the_same_to_the_byte(
    before: dict[tuple[str, str], bytes | None], after: dict[tuple[str, str], bytes | None]
) -> None:
    def of_others(versions: dict[tuple[str, str], bytes | None]) -> dict[tuple[str, str], bytes | None]:
        return {
            (key, version): body
            for (key, version), body in versions.items()
            if not key.startswith(MIXED) and "athlete_id=ann/" not in key and "athlete_id=ann." not in key
        }

    assert of_others(after) == of_others(before)
    assert len(of_others(after)) > 20


def test_the_offline_store_keeps_every_row_and_column_of_the_others(
    world: World, after: dict[tuple[str, str], bytes | None]
) -> None:
    found = world.offline()
    assert sorted({(row["athlete_id"], row["event_time"]) for row in found}) == [
        (athlete, f"{day}T00:00:00Z") for athlete in ("ann2", "bob") for day in DAYS
    ]
    assert len(found) == len(world.groups) * 2 * len(DAYS)
    assert {row["load_7d"] for row in found} == {1.5}
    assert not any(row["is_deleted"] for row in found)
    assert {"write_time", "api_invocation_time", "readings"} <= set(found[0])


def test_history_that_was_written_in_bulk_loses_the_rows_of_the_athlete_alone(
    world: World, after: dict[tuple[str, str], bytes | None]
) -> None:
    found = sorted((row[RECORD_ID], row[EVENT_TIME], row["load_7d"]) for row in world.in_bulk())
    assert found == [(athlete, f"{day}T00:00:00Z", 1.5) for athlete in ("ann2", "bob") for day in DAYS]
    staged = world.folder / "after.parquet"
    staged.write_bytes(world.read(lake.staged_features_key("run", 0)))
    again = write_history(world.s3, replace(IN_BULK, prefix="again"), [staged], NOW)
    assert sorted(row[RECORD_ID] for row in again.newest) == ["ann2", "bob"], "the run goes on with the others"
    assert again.rows == len(found)
    versions = ObjectVersions(world.s3, SETTINGS.bucket)
    versions.delete(list(versions.under("again/")))  # the tests that follow compare all that there is


def test_the_online_store_forgets_the_athlete_in_every_group_of_the_project(
    world: World, after: dict[tuple[str, str], bytes | None]
) -> None:
    for group in GROUPS:
        assert world.online(group, "ann") is None
        assert world.online(group, "ann2") and world.online(group, "bob")
    assert world.online(ANOTHER_PROJECTS, "ann")


def test_tokens_are_deleted(world: World, after: dict[tuple[str, str], bytes | None]) -> None:
    with pytest.raises(LoginNeeded):
        world.tokens.load("ann")
    assert world.tokens.load("ann2") == world.tokens.load("bob") == TOKENS


def test_nobody_fetches_or_reads_the_athlete_any_more(world: World, after: dict[tuple[str, str], bytes | None]) -> None:
    assert json.loads(world.read(lake.ATHLETES_KEY)) == {"athletes": ["ann2", {"athlete_id": "bob"}]}
    assert json.loads(world.read("config/api-keys.json")) == {"k1": ["*"], "k2": ["bob"], "k3": []}
    found = world.s3.get_object(Bucket=SETTINGS.bucket, Key=lake.ATHLETES_KEY)
    assert found["ContentType"] == "application/json"


def test_a_dataset_version_stays_whole_without_the_rows_of_the_athlete(
    world: World, after: dict[tuple[str, str], bytes | None], tmp_path: Path
) -> None:
    files = [f"{fold}/part-0000.csv" for fold in ("train", "calibration", "test")]
    for name in ("manifest.json", "parts/part-0000.json", *files):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(world.read(f"datasets/version=v1/{name}"))
    manifest = read_manifest(tmp_path)  # which checks every file against its digest
    assert manifest["athletes"] == ["ann2", "bob"]
    assert manifest["files"]["train/part-0000.csv"]["rows"] == 6
    assert manifest["files"]["train/part-0000.csv"]["athletes"] == {"ann2": 3, "bob": 3}
    assert "were erased" in manifest["notes"][-1]
    kept, made = read_rows(tmp_path / "train"), rows(ATHLETES)
    assert kept.change.tolist() == made.change[3:].tolist()


def test_a_dataset_version_in_one_piece_loses_the_rows_too(
    world: World, after: dict[tuple[str, str], bytes | None]
) -> None:
    train = world.read("datasets/version=v4/train.csv")
    assert b"ann," not in train
    entry = json.loads(world.read("datasets/version=v4/manifest.json"))["files"]["train.csv"]
    assert entry == {"rows": 2, "sha256": sha256(train).hexdigest(), "athletes": {"ann2": 1, "bob": 1}}


def test_what_was_of_the_athlete_alone_is_gone_and_what_never_held_the_athlete_is_untouched(
    before: dict[tuple[str, str], bytes | None], after: dict[tuple[str, str], bytes | None]
) -> None:
    assert not [key for key, _ in after if "version=v2" in key]
    assert {k: v for k, v in after.items() if "version=v3" in k[0]} == {
        k: v for k, v in before.items() if "version=v3" in k[0]
    }


def test_a_report_keeps_what_is_of_the_others(world: World, after: dict[tuple[str, str], bytes | None]) -> None:
    evaluation = json.loads(world.read("reports/version=v1/evaluation.json"))
    assert sorted(evaluation["athletes"]) == ["ann2", "bob"]
    assert [case["athlete"] for case in evaluation["cases"]["worst"]] == ["ann2", "bob"]
    assert evaluation["buckets"][0]["reasons"] == [
        "athlete (erased) is 20% worse", "athlete ann2 is 20% worse", "athlete bob is 20% worse",
    ]  # fmt: skip
    assert [key for key, _ in after if key.startswith("reports/version=v1/")] == ["reports/version=v1/evaluation.json"]


def test_it_says_what_it_erased_and_what_remains(said: list[str], after: dict[tuple[str, str], bytes | None]) -> None:
    erased = [line.removeprefix("erased ") for line in said if line.startswith("erased ")]
    assert erased == [line.strip() for line in said if line.startswith("  ")]
    assert any(line.startswith("feature-store/: the athlete's part of 8 objects") for line in erased)
    assert "Garmin tokens: parameter /gff/garmin/ann" in erased
    assert any("models built so far" in line for line in said)
    assert any("run this again after" in line for line in said)


def test_twice_there_is_nothing_left(world: World, after: dict[tuple[str, str], bytes | None]) -> None:
    lines: list[str] = []
    forget(world.aws.client, SETTINGS, "ann", is_confirmed=True, say=lines.append)
    forget(world.aws.client, SETTINGS, "who", is_confirmed=True, say=lines.append)
    assert lines == ["nothing left of ann", "nothing left of who"]
    assert world.versions() == after


def test_rows_that_feature_store_holds_back_are_erased_by_the_run_that_it_asks_for(
    world: World, after: dict[tuple[str, str], bytes | None]
) -> None:
    runtime = world.aws.client("sagemaker-featurestore-runtime")
    for day in DAYS:
        runtime.put_record(FeatureGroupName=GROUPS[1], Record=record("dan", day, load_7d=1.5))
    assert plan_erasure(world.aws.client, SETTINGS, "dan", NOW).again_after == NOW + timedelta(minutes=15)
    forget(world.aws.client, SETTINGS, "dan", is_confirmed=True, say=lambda _: None)
    deadline = time.monotonic() + 30
    while "dan" not in {row["athlete_id"] for row in world.offline()}:
        assert time.monotonic() < deadline, "nothing was held back"
        time.sleep(0.2)
    time.sleep(OFFLINE_DELAY_S)  # both days are written
    forget(world.aws.client, SETTINGS, "dan", is_confirmed=True, say=lambda _: None)
    assert "dan" not in {row["athlete_id"] for row in world.offline()}
    assert not plan_erasure(world.aws.client, SETTINGS, "dan", NOW).erasures


class Stopped(Exception):
    pass


def test_stopped_after_any_write_it_is_finished_by_running_it_again(
    world: World, after: dict[tuple[str, str], bytes | None]
) -> None:
    """Erases bob; the process dies once after each of its writes."""

    class Dying:
        """boto3 clients of a process that dies at its second write."""

        def __init__(self) -> None:
            self.left = 1
            self._made: dict[str, Any] = {}

        def client(self, service: str) -> Any:
            if service not in self._made:
                self._made[service] = made = world.aws.client(service)
                for name in ("PutObject", "DeleteObjects", "DeleteRecord", "DeleteParameter"):
                    made.meta.events.register(f"before-call.*.{name}", self._count)
            return self._made[service]

        def _count(self, **_: Any) -> None:
            if self.left == 0:
                raise Stopped
            self.left -= 1

    dying, tries, said = Dying(), 0, list[str]()
    while said != ["nothing left of bob"]:
        tries += 1
        assert tries < 80
        dying.left, said = 1, []
        with suppress(Stopped):
            forget(dying.client, SETTINGS, "bob", is_confirmed=True, say=said.append)
    assert not plan_erasure(world.aws.client, SETTINGS, "bob", NOW).erasures
    assert tries > 10
    for (key, _), body in world.versions().items():
        assert "athlete_id=bob" not in key
        assert key.endswith(".parquet") or b'"bob"' not in (body or b""), key
    assert {row["athlete_id"] for row in world.offline()} == {"ann2"}
    assert json.loads(world.read("datasets/version=v1/manifest.json"))["athletes"] == ["ann2"]
    train = world.read("datasets/version=v1/train/part-0000.csv")
    part = json.loads(world.read("datasets/version=v1/parts/part-0000.json"))
    assert part["athletes"] == ["ann2"]
    digest = part["files"]["train/part-0000.csv"]["sha256"]
    assert hashlib.sha256(train).hexdigest() == digest


def test_what_cannot_be_read_stops_it_before_anything_is_erased(
    world: World, after: dict[tuple[str, str], bytes | None]
) -> None:
    key = "feature-store/broken.parquet"
    world.put(key, b"PAR1")
    seen = world.versions()
    with pytest.raises(NotErased, match=r"feature-store/broken\.parquet: no Parquet file"):
        forget(world.aws.client, SETTINGS, "ann2", is_confirmed=True, say=lambda _: None)
    assert world.versions() == seen
    world.s3.delete_object(Bucket=SETTINGS.bucket, Key=key)


@pytest.mark.parametrize("athlete_id", ["", "../x", "a/b", "*"])
def test_an_id_that_cannot_be_one_is_refused(world: World, athlete_id: str) -> None:
    with pytest.raises(SourceError, match="athlete id"):
        plan_erasure(world.aws.client, SETTINGS, athlete_id, NOW)


def test_every_key_that_names_an_athlete_is_among_the_places_of_the_athlete() -> None:
    """Whoever gives the lake a new key of an athlete is told here to let it be erased as well."""
    values: dict[str, Any] = {"athlete_id": "ann", "kind": "day", "table": "days", "month": "2026-01"}
    values |= {"last_day": NOW.date(), "document_id": "d"}
    places = tuple(lake.athlete_places("ann"))
    for name, function in inspect.getmembers(lake, inspect.isfunction):
        names = list(inspect.signature(function).parameters)
        if "athlete_id" in names and name != "athlete_places":
            assert function(**{each: values[each] for each in names}).startswith(places), name
    assert not [place for place in lake.athlete_places("ann2") if place.startswith(places)]
