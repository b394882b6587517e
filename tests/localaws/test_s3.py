"""S3 as boto3 sees it: bodies, metadata, versions, conditions, ranges, checksums, listing, multipart."""

import hashlib
import http.client
import io

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BUCKET = "contract-bucket"
AUTH = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"


@pytest.fixture(scope="module")
def s3(localaws):
    client = localaws.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.create_bucket(Bucket="versions-bucket")
    client.put_bucket_versioning(Bucket="versions-bucket", VersioningConfiguration={"Status": "Enabled"})
    return client


def code_of(error):
    return error.value.response["Error"]["Code"]


def raw(localaws, method, path, body=b"", **headers):
    """A request that boto3 would not send."""
    connection = http.client.HTTPConnection("127.0.0.1", localaws.port)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body, headers={"Authorization": AUTH, **sent})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(
    lambda key: len(key.encode()) <= 900 and not any(part in (".", "..") for part in key.split("/")) and key[0] != "/"
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=KEYS, body=st.binary(max_size=300))
def test_any_key_and_body_come_back(s3, key, body):
    etag = s3.put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"]
    assert etag == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=BUCKET, Key=key)
    assert (got["Body"].read(), got["ETag"], got["ContentLength"]) == (body, etag, len(body))
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]
    assert key in [found["Key"] for found in listed]


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 3_000_000])
def test_bodies_of_any_size(s3, size):
    body = bytes(range(256)) * (size // 256 + 1)
    s3.put_object(Bucket=BUCKET, Key="sized", Body=io.BytesIO(body[:size]))
    assert s3.get_object(Bucket=BUCKET, Key="sized")["Body"].read() == body[:size]
    assert s3.head_object(Bucket=BUCKET, Key="sized")["ContentLength"] == size


def test_metadata_and_headers_come_back(s3):
    s3.put_object(
        Bucket=BUCKET,
        Key="described",
        Body=b"{}",
        ContentType="application/json",
        CacheControl="max-age=60",
        ContentEncoding="identity",
        Metadata={"athlete": "a1", "with_underscore": "yes"},
    )
    for got in (s3.get_object(Bucket=BUCKET, Key="described"), s3.head_object(Bucket=BUCKET, Key="described")):
        assert got["ContentType"] == "application/json"
        assert got["CacheControl"] == "max-age=60"
        assert got["Metadata"] == {"athlete": "a1", "with_underscore": "yes"}


@pytest.mark.parametrize(
    ("asked", "body", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=5-999", b"56789", "bytes 5-9/10"),
    ],
)
def test_ranges(s3, asked, body, content_range):
    s3.put_object(Bucket=BUCKET, Key="digits", Body=b"0123456789")
    got = s3.get_object(Bucket=BUCKET, Key="digits", Range=asked)
    assert (got["Body"].read(), got["ContentRange"]) == (body, content_range)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_behind_the_end_is_refused(s3):
    s3.put_object(Bucket=BUCKET, Key="digits", Body=b"0123456789")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=BUCKET, Key="digits", Range="bytes=10-")
    assert code_of(error) == "InvalidRange"


def test_conditional_reads(s3):
    etag = s3.put_object(Bucket=BUCKET, Key="conditional", Body=b"1")["ETag"]
    assert s3.get_object(Bucket=BUCKET, Key="conditional", IfMatch=etag)["Body"].read() == b"1"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=BUCKET, Key="conditional", IfNoneMatch=etag)
    assert code_of(error) == "304"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=BUCKET, Key="conditional", IfMatch='"other"')
    assert code_of(error) == "PreconditionFailed"


def test_conditional_writes(s3):
    etag = s3.put_object(Bucket=BUCKET, Key="once", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=BUCKET, Key="once", Body=b"2", IfNoneMatch="*")
    assert code_of(error) == "PreconditionFailed"
    s3.put_object(Bucket=BUCKET, Key="once", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError):
        s3.put_object(Bucket=BUCKET, Key="once", Body=b"4", IfMatch=etag)
    assert s3.get_object(Bucket=BUCKET, Key="once")["Body"].read() == b"3"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_kept(s3, algorithm):
    put = s3.put_object(Bucket=BUCKET, Key="summed", Body=b"abc", ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=BUCKET, Key="summed", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]


@pytest.mark.parametrize("header", [{"x_amz_checksum_crc32": "AAAAAA=="}, {"Content_MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}])
def test_a_wrong_checksum_is_refused_and_nothing_stored(localaws, s3, header):
    status, body, _ = raw(localaws, "PUT", f"/{BUCKET}/corrupt", b"abc", **header)
    assert status == 400
    assert b"<Code>BadDigest</Code>" in body
    with pytest.raises(ClientError):
        s3.head_object(Bucket=BUCKET, Key="corrupt")


def test_aws_chunked_bodies_are_decoded_and_their_trailer_checked(localaws, s3):
    chunked = b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n"
    headers = {"x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x_amz_trailer": "x-amz-checksum-crc32"}
    status, _, _ = raw(localaws, "PUT", f"/{BUCKET}/chunked", chunked % b"hYfYZQ==", **headers)
    assert status == 200
    assert s3.get_object(Bucket=BUCKET, Key="chunked")["Body"].read() == b"abcde"
    status, body, _ = raw(localaws, "PUT", f"/{BUCKET}/chunked", chunked % b"AAAAAA==", **headers)
    assert (status, b"BadDigest" in body) == (400, True)
    status, body, _ = raw(localaws, "PUT", f"/{BUCKET}/chunked", b"zz\r\nabc", **headers)
    assert (status, b"IncompleteBody" in body) == (400, True)


def test_versions(s3):
    where = {"Bucket": "versions-bucket", "Key": "k"}
    first, second = (s3.put_object(**where, Body=body)["VersionId"] for body in (b"1", b"2"))
    marker = s3.delete_object(**where)["VersionId"]
    with pytest.raises(ClientError) as error:
        s3.get_object(**where)
    assert code_of(error) == "NoSuchKey"
    assert s3.get_object(**where, VersionId=first)["Body"].read() == b"1"
    s3.delete_object(**where, VersionId=marker)
    assert s3.get_object(**where)["VersionId"] == second
    with pytest.raises(ClientError) as error:
        s3.get_object(**where, VersionId="nothing")
    assert code_of(error) == "NoSuchVersion"


def test_what_is_not_there(s3):
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=BUCKET, Key="missing")
    assert code_of(error) == "NoSuchKey"
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="no-such-bucket", Key="k", Body=b"")
    assert code_of(error) == "NoSuchBucket"
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=BUCKET, Key="missing")
    assert code_of(error) == "404"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.sets(st.text("ab/", min_size=1, max_size=6), min_size=1, max_size=12),
    prefix=st.text("ab/", max_size=3),
    delimiter=st.sampled_from(["", "/"]),
    page=st.integers(1, 4),
)
def test_listing_in_pages_equals_the_definition(s3, names, prefix, delimiter, page):
    root = "listing/" + hashlib.md5(repr(sorted(names)).encode()).hexdigest() + "/"
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=root + name, Body=b"")
    keys, prefixes = [], []
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=root + prefix, Delimiter=delimiter, PaginationConfig={"PageSize": page}
    )
    for answer in pages:
        keys += [found["Key"].removeprefix(root) for found in answer.get("Contents", [])]
        prefixes += [found["Prefix"].removeprefix(root) for found in answer.get("CommonPrefixes", [])]
    matching = [name for name in sorted(names) if name.startswith(prefix)]
    rest = {name: name[len(prefix) :] for name in matching}
    rolled = {name: prefix + rest[name].split("/")[0] + "/" for name in matching if delimiter and "/" in rest[name]}
    assert keys == [name for name in matching if name not in rolled]
    assert prefixes == sorted(set(rolled.values()))


def test_multipart_upload_and_ranged_download(s3, tmp_path):
    body = bytes(range(256)) * 50_000  # 12.8 MB
    config = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "large", Config=config, ExtraArgs={"Metadata": {"a": "b"}})
    s3.download_file(BUCKET, "large", str(tmp_path / "large"), Config=config)
    assert (tmp_path / "large").read_bytes() == body
    head = s3.head_object(Bucket=BUCKET, Key="large")
    assert head["ETag"].endswith('-3"')
    assert head["Metadata"] == {"a": "b"}
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def test_multipart_errors(s3):
    with pytest.raises(ClientError) as error:
        s3.upload_part(Bucket=BUCKET, Key="k", UploadId="none", PartNumber=1, Body=b"")
    assert code_of(error) == "NoSuchUpload"
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    where = {"Bucket": BUCKET, "Key": "k", "UploadId": upload}
    parts = [{"PartNumber": n, "ETag": s3.upload_part(**where, PartNumber=n, Body=b"1")["ETag"]} for n in (1, 2)]
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(Bucket=BUCKET, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert code_of(error) == "EntityTooSmall"
    s3.abort_multipart_upload(Bucket=BUCKET, Key="k", UploadId=upload)


def test_a_policy_that_asks_for_tls_does_not_lock_the_bucket(s3):
    s3.create_bucket(Bucket="policy-bucket")
    statement = '{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::policy-bucket/*"%s}'
    policy = '{"Version":"2012-10-17","Statement":[%s]}'
    tls_only = statement % ',"Condition":{"Bool":{"aws:SecureTransport":"false"}}'
    s3.put_bucket_policy(Bucket="policy-bucket", Policy=policy % tls_only)
    s3.put_object(Bucket="policy-bucket", Key="k", Body=b"")
    s3.put_bucket_policy(Bucket="policy-bucket", Policy=policy % (statement % ""))
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="policy-bucket", Key="k", Body=b"")
    assert code_of(error) == "AccessDenied"


def test_empty_and_full_objects_follow_each_other_on_one_connection(s3):
    """botocore waits for `100 Continue` before an empty body too, and confuses what follows when it does not come."""
    s3.create_bucket(Bucket="taking-turns")
    for number in range(4):
        s3.put_object(Bucket="taking-turns", Key=f"empty-{number}", Body=b"")
        s3.put_object(Bucket="taking-turns", Key=f"full-{number}", Body=b"x" * 100)
    assert s3.get_object(Bucket="taking-turns", Key="full-3")["Body"].read() == b"x" * 100


def test_a_browser_sees_an_object_without_a_signature_and_runs_nothing_of_it(localaws, s3):
    s3.put_object(Bucket=BUCKET, Key="a=b/report.html", Body=b"<p>hello", ContentType="text/html")
    connection = http.client.HTTPConnection("127.0.0.1", localaws.port)
    connection.request("GET", f"/_localaws/s3/{BUCKET}/a%3Db/report.html")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"<p>hello")
    assert response.headers["Content-Type"] == "text/html"
    assert response.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    for path in (f"/_localaws/s3/{BUCKET}/nothing", "/_localaws/s3/no-bucket/key"):
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, b"NoSuch" in response.read()) == (404, True)
    connection.request("GET", f"/{BUCKET}/a%3Db/report.html")
    assert connection.getresponse().status == 403  # as AWS answers without a signature
