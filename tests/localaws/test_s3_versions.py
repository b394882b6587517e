"""Versions of objects as boto3 lists and deletes them: pages, order, latest, markers, prefixes."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.s3.models import FakeBucket

from infra.localaws.s3 import routes
from infra.localaws.s3.versions import Marker, version_page
from tests.localaws.conftest import LocalAws

BUCKET = "versions-listed"


@pytest.fixture(scope="module")
def s3(localaws: LocalAws) -> Any:
    client = localaws.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


def entries_of(answer: Any) -> list[tuple[str, str, bool, bool]]:
    """Key, version, whether it is the latest, whether it is a delete marker: those of one page, by key."""
    found = [
        (entry["Key"], entry["VersionId"], entry["IsLatest"], kind == "DeleteMarkers")
        for kind in ("Versions", "DeleteMarkers")
        for entry in answer.get(kind, [])
    ]
    return sorted(found, key=lambda entry: entry[0])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    writes=st.lists(st.tuples(st.text("ab/", min_size=1, max_size=4), st.booleans()), min_size=1, max_size=12),
    prefix=st.text("ab/", max_size=2),
    delimiter=st.sampled_from(["", "/"]),
    page=st.integers(1, 4),
)
def test_pages_of_versions_equal_the_definition(
    s3: Any, writes: list[tuple[str, bool]], prefix: str, delimiter: str, page: int
) -> None:
    root = f"pages/{s3.put_object(Bucket=BUCKET, Key='count', Body=b'')['VersionId']}/"
    made: list[tuple[str, str, bool]] = []
    for name, may_delete in writes:
        where, is_deletion = (
            {"Bucket": BUCKET, "Key": root + name},
            may_delete and any(root + name == m[0] for m in made),
        )
        done = s3.delete_object(**where) if is_deletion else s3.put_object(**where, Body=b"x")
        made.append((root + name, done["VersionId"], is_deletion))
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=BUCKET, Prefix=root + prefix, Delimiter=delimiter, PaginationConfig={"PageSize": page}
    )
    found, prefixes, sizes = [], [], []
    for answer in pages:
        found += entries_of(answer)
        prefixes += [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])]
        sizes.append(len(entries_of(answer)) + len(answer.get("CommonPrefixes", [])))
    matching = [entry for entry in made if entry[0].startswith(root + prefix)]
    rolled = {
        key: key[: key.index("/", len(root + prefix)) + 1]
        for key, *_ in matching
        if delimiter and "/" in key[len(root + prefix) :]
    }
    latest = {key: version for key, version, _ in made}
    wanted = [
        (key, version, latest[key] == version, is_marker) for key, version, is_marker in matching if key not in rolled
    ]
    assert sorted(found) == sorted(wanted)
    assert [key for key, *_ in found] == sorted(key for key, *_ in wanted)
    assert prefixes == sorted(set(rolled.values()))
    assert all(size == page for size in sizes[:-1])


def test_versions_of_a_key_come_newest_first_over_pages(s3: Any) -> None:
    made = [s3.put_object(Bucket=BUCKET, Key="often", Body=b"x")["VersionId"] for _ in range(5)]
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=BUCKET, Prefix="often", PaginationConfig={"PageSize": 2}
    )
    listed = [entry["VersionId"] for answer in pages for entry in answer["Versions"]]
    assert listed == made[::-1]


def test_a_page_goes_on_though_the_version_before_it_was_deleted_meanwhile(s3: Any) -> None:
    for name in ("going-1", "going-1", "going-2"):
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"x")
    first = s3.list_object_versions(Bucket=BUCKET, Prefix="going-", MaxKeys=1)
    assert (first["IsTruncated"], first["NextKeyMarker"]) == (True, "going-1")
    s3.delete_object(Bucket=BUCKET, Key="going-1", VersionId=first["NextVersionIdMarker"])
    after = {"KeyMarker": first["NextKeyMarker"], "VersionIdMarker": first["NextVersionIdMarker"]}
    second = s3.list_object_versions(Bucket=BUCKET, Prefix="going-", **after)
    assert [entry["Key"] for entry in second["Versions"]] == ["going-1", "going-2"]
    assert not second["IsTruncated"]


def test_a_key_marker_alone_leaves_out_the_whole_key(s3: Any) -> None:
    for name in ("marked-1", "marked-1", "marked-2"):
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"x")
    found = s3.list_object_versions(Bucket=BUCKET, Prefix="marked-", KeyMarker="marked-1")["Versions"]
    assert [entry["Key"] for entry in found] == ["marked-2"]


def test_a_version_marker_takes_a_key_marker(s3: Any) -> None:
    with pytest.raises(ClientError, match="A version-id marker cannot be specified without a key marker") as refused:
        s3.list_object_versions(Bucket=BUCKET, VersionIdMarker="v")
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"


def test_a_version_says_what_it_holds(s3: Any) -> None:
    put = s3.put_object(Bucket=BUCKET, Key="a&b <c>", Body=b"12345")
    (found,) = s3.list_object_versions(Bucket=BUCKET, Prefix="a&b")["Versions"]
    assert (found["Key"], found["ETag"], found["Size"]) == ("a&b <c>", put["ETag"], 5)
    assert (found["VersionId"], found["StorageClass"]) == (put["VersionId"], "STANDARD")
    head = s3.head_object(Bucket=BUCKET, Key="a&b <c>")
    assert found["LastModified"] == head["LastModified"]


def test_objects_of_a_bucket_without_versions_have_the_version_null(s3: Any) -> None:
    s3.create_bucket(Bucket="never-versioned")
    s3.put_object(Bucket="never-versioned", Key="k", Body=b"x")
    (found,) = s3.list_object_versions(Bucket="never-versioned")["Versions"]
    assert (found["VersionId"], found["IsLatest"]) == ("null", True)


def test_versions_of_a_bucket_that_is_not_there(s3: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.list_object_versions(Bucket="there-is-no-bucket")


@dataclass
class CountedKeys:
    """Keys with two versions each, which count how often one is looked at."""

    names: list[str]
    looked_at: list[str] = field(default_factory=list)

    def getlist(self, name: str, _default: Any) -> list[Any]:
        self.looked_at.append(name)
        return [SimpleNamespace(version_id=number) for number in ("old", "new")]


@pytest.mark.parametrize("after", [Marker(""), Marker("k00500", "new"), Marker("k00500")])
def test_a_page_looks_at_what_it_returns_and_no_further(after: Marker) -> None:
    keys = CountedKeys([f"k{number:05}" for number in range(50_000)])
    bucket = cast(FakeBucket, SimpleNamespace(keys=keys))
    assert len(version_page(bucket, "k", "", after, 100)) == 100
    assert len(keys.looked_at) <= 52


@pytest.mark.parametrize(
    ("host", "is_in_path"),
    [
        ("127.0.0.1:4566", True),
        ("localhost:4566", True),
        ("local-aws:4566", True),
        ("[::1]:4566", True),
        ("bucket.localhost:4566", False),
        ("bucket.s3.us-east-1.amazonaws.com", False),
    ],
)
def test_behind_a_name_of_one_word_the_bucket_stands_in_the_path(host: str, is_in_path: bool) -> None:
    """Containers call local AWS by such a name, and are to be answered as fast as everyone."""
    environ = {
        "REQUEST_METHOD": "GET",
        "HTTP_HOST": host,
        "RAW_URI": "/bucket?versions",
        "QUERY_STRING": "versions",
        "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request",
    }
    assert routes.wanted(environ) is is_in_path
