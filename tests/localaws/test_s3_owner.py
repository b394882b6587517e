"""Buckets of someone else: every request of ours names the owner it expects, and S3 refuses before it takes a body."""

import io
import socket
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from include.bucket_owner import expect_bucket_owner
from tests.localaws.conftest import LocalAws

OURS, THEIRS = "123456789012", "210987654321"
BUCKET = "owned-bucket"


class Wire:
    """Passes connections on to local AWS and keeps what the client sent."""

    def __init__(self, port: int) -> None:
        self.sent = bytearray()
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        try:
            while data := source.recv(65536):
                if keep:
                    self.sent += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def s3(localaws: LocalAws) -> Any:
    client = localaws.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="kept", Body=b"kept")
    return client


@pytest.fixture
def wire(localaws: LocalAws) -> Iterator[Wire]:
    wire = Wire(localaws.port)
    yield wire
    wire.close()


def expecting(port: int, account: str) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    return expect_bucket_owner(client, account)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_object", {"Key": "kept"}),
        ("head_object", {"Key": "kept"}),
        ("head_bucket", {}),
        ("list_objects_v2", {}),
        ("list_object_versions", {}),
        ("put_object", {"Key": "new", "Body": b"x"}),
        ("delete_object", {"Key": "kept"}),
        ("delete_objects", {"Delete": {"Objects": [{"Key": "kept"}]}}),
        ("copy_object", {"Key": "new", "CopySource": f"{BUCKET}/kept"}),
        ("create_multipart_upload", {"Key": "new"}),
        ("get_bucket_location", {}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
        ("delete_bucket", {}),
    ],
)
def test_a_bucket_of_someone_else_is_refused(s3: Any, localaws: LocalAws, operation: str, arguments: Any) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(expecting(localaws.port, THEIRS), operation)(Bucket=BUCKET, **arguments)
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert answer["Error"]["Code"] in ("AccessDenied", "403")  # HEAD has no body to say it in
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_the_owner_is_served(s3: Any, localaws: LocalAws) -> None:
    client = expecting(localaws.port, OURS)
    client.put_object(Bucket=BUCKET, Key="mine", Body=b"body")
    assert client.get_object(Bucket=BUCKET, Key="mine")["Body"].read() == b"body"
    client.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/mine")
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "mine"}, {"Key": "copy"}]})


def test_a_bucket_that_is_not_there_is_missing_whoever_is_expected(s3: Any, localaws: LocalAws) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        expecting(localaws.port, THEIRS).get_object(Bucket="there-is-none", Key="x")


def test_an_owner_that_is_no_account_is_bad_input(s3: Any, localaws: LocalAws) -> None:
    with pytest.raises(ClientError, match="InvalidBucketOwnerAWSAccountID"):
        expecting(localaws.port, "me").get_object(Bucket=BUCKET, Key="kept")


@pytest.mark.parametrize("body", [b"heart rate " * 20, b"heart rate " * 200_000, io.BytesIO(b"heart rate " * 20)])
def test_no_byte_of_a_body_is_sent_to_someone_else(s3: Any, wire: Wire, body: Any) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        expecting(wire.port, THEIRS).put_object(Bucket=BUCKET, Key="secret", Body=body)
    assert b"PUT /owned-bucket/secret" in wire.sent
    assert b"heart rate" not in wire.sent


def test_no_byte_of_an_upload_is_sent_to_someone_else(s3: Any, wire: Wire) -> None:
    with pytest.raises(Exception, match="AccessDenied"):
        expecting(wire.port, THEIRS).upload_fileobj(io.BytesIO(b"heart rate " * 2_000_000), BUCKET, "secret")
    assert b"heart rate" not in wire.sent


def test_clients_of_other_services_are_left_alone(localaws: LocalAws) -> None:
    client = expect_bucket_owner(localaws.client("sts"), THEIRS)
    assert client.get_caller_identity()["Account"] == OURS
