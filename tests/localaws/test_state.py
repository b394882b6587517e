"""What users would miss survives a clean restart and a kill -9; state that cannot be used gives one clear line."""

import json
import sqlite3
import subprocess
import sys
import time

import pytest

from tests.localaws.conftest import ROOT, LocalAws


@pytest.fixture
def server(tmp_path):
    server = LocalAws(tmp_path / "state")
    server.start()
    yield server
    if server.process is not None and server.process.poll() is None:
        server.stop()


def until(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.05)


STACK = {
    "Resources": {
        "Text": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/by-stack", "Type": "String", "Value": "s"}}
    }
}


def make_all(server):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="kept", Key="a/ü &+.json", Body=body, Metadata={"n": body.decode()})
    s3.put_object(Bucket="kept", Key="large", Body=b"x" * 200_000)
    s3.put_object_tagging(Bucket="kept", Key="large", Tagging={"TagSet": [{"Key": "t", "Value": "v"}]})
    s3.copy_object(Bucket="kept", Key="copy", CopySource={"Bucket": "kept", "Key": "large"})
    s3.put_object(Bucket="kept", Key="hidden", Body=b"h")
    s3.delete_object(Bucket="kept", Key="hidden")
    s3.put_object(Bucket="kept", Key="gone", Body=b"g")
    found = s3.list_object_versions(Bucket="kept", Prefix="gone")["Versions"]
    s3.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": "gone", "VersionId": v["VersionId"]} for v in found]})
    upload = s3.create_multipart_upload(Bucket="kept", Key="under-way")["UploadId"]
    s3.upload_part(Bucket="kept", Key="under-way", UploadId=upload, PartNumber=1, Body=b"p" * 100_000)
    server.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")
    server.client("ssm").put_parameter(Name="/kept", Value="1", Type="String")
    secrets = server.client("secretsmanager")
    secrets.create_secret(Name="kept/ann", SecretString="first", Tags=[{"Key": "of", "Value": "ann"}])
    secrets.put_secret_value(SecretId="kept/ann", SecretString="second")
    server.client("logs").create_log_group(logGroupName="/kept")
    server.client("events").put_rule(Name="kept", ScheduleExpression="rate(1 day)")
    api = server.client("apigateway")
    rest = api.create_rest_api(name="kept")["id"]
    api.create_resource(restApiId=rest, parentId=api.get_resources(restApiId=rest)["items"][0]["id"], pathPart="p")
    api.create_api_key(name="key", value="k" * 24, enabled=True)
    cf = server.client("cloudformation")
    cf.create_stack(StackName="kept", TemplateBody=json.dumps(STACK))
    cf.get_waiter("stack_create_complete").wait(StackName="kept", WaiterConfig={"Delay": 1})


def seen(server):
    s3, api = server.client("s3"), server.client("apigateway")
    versions = s3.list_object_versions(Bucket="kept")
    rest = api.get_rest_apis()["items"][0]["id"]
    upload = s3.list_multipart_uploads(Bucket="kept")["Uploads"][0]["UploadId"]
    return {
        "versions": [(v["Key"], v["VersionId"], v["ETag"], v["Size"]) for v in versions["Versions"]],
        "markers": [(m["Key"], m["VersionId"]) for m in versions["DeleteMarkers"]],
        "bodies": [
            s3.get_object(Bucket="kept", Key=v["Key"], VersionId=v["VersionId"])["Body"].read()
            for v in versions["Versions"]
        ],
        "metadata": s3.head_object(Bucket="kept", Key="a/ü &+.json")["Metadata"],
        "secret": server.client("secretsmanager").get_secret_value(SecretId="kept/ann")["SecretString"],
        "secrets": [
            (found["Name"], found["Tags"]) for found in server.client("secretsmanager").list_secrets()["SecretList"]
        ],
        "tags": s3.get_object_tagging(Bucket="kept", Key="large")["TagSet"],
        "parts": [p["Size"] for p in s3.list_parts(Bucket="kept", Key="under-way", UploadId=upload)["Parts"]],
        "versioning": s3.get_bucket_versioning(Bucket="kept")["Status"],
        "role": server.client("iam").get_role(RoleName="role")["Role"]["RoleId"],
        "parameters": [
            server.client("ssm").get_parameter(Name=n)["Parameter"]["Value"] for n in ("/kept", "/by-stack")
        ],
        "stack": [s["StackStatus"] for s in server.client("cloudformation").describe_stacks()["Stacks"]],
        "groups": [
            g["logGroupName"] for g in server.client("logs").describe_log_groups(logGroupNamePrefix="/k")["logGroups"]
        ],
        "rules": [r["Name"] for r in server.client("events").list_rules()["Rules"]],
        "resources": sorted(r["path"] for r in api.get_resources(restApiId=rest)["items"]),
        "keys": [k["value"] for k in api.get_api_keys(includeValues=True)["items"]],
    }


def snapshot_settled(server):
    """The last change is in the snapshot: the file is younger than everything asked for, and stays."""
    path = server.state / "aws.snapshot"
    began = time.time()
    until(lambda: path.exists() and (path.stat().st_mtime > began - 0.2 or time.time() - began > 1.5))
    time.sleep(0.7)


def test_everything_survives_a_restart_and_a_kill(server):
    make_all(server)
    before = seen(server)
    assert before["markers"]
    assert before["parts"] == [100_000]
    snapshot_settled(server)
    server.kill()
    server.start()
    assert seen(server) == before
    server.stop()
    assert server.process.returncode == 0
    server.start()
    assert seen(server) == before


def test_each_acknowledged_put_is_there_after_a_kill(server):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="killed")
    for n in range(50):
        s3.put_object(Bucket="killed", Key=f"{n:03}", Body=str(n).encode())
    server.kill()
    server.start()
    s3 = server.client("s3")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="killed")["Contents"]] == [f"{n:03}" for n in range(50)]
    assert s3.get_object(Bucket="killed", Key="049")["Body"].read() == b"49"


def test_a_torn_journal_tail_and_orphaned_bodies_are_tolerated(server):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="torn")
    s3.put_object(Bucket="torn", Key="whole", Body=b"1")
    server.kill()
    with (server.state / "s3/journal.sqlite-wal").open("ab") as wal:
        wal.write(b"\x37\x7f\x06\x82 torn")
    orphan = server.state / "s3/blobs/999999"
    orphan.write_bytes(b"never acknowledged")
    server.start()
    s3 = server.client("s3")
    assert s3.get_object(Bucket="torn", Key="whole")["Body"].read() == b"1"
    s3.put_object(Bucket="torn", Key="next", Body=b"2")
    assert not orphan.exists()


def run(state, *more):
    command = [sys.executable, "-m", "infra.localaws", "--port", "0", "--state", str(state), *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def spoil_body(path):
    path.write_bytes(path.read_bytes()[:-3])


def spoil_stamp(path):
    head, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(head), "moto": "0.0.1"}).encode() + b"\n" + body)


def spoil_all(path):
    path.write_bytes(b"\x00nonsense")


@pytest.mark.parametrize("spoil", [spoil_body, spoil_stamp, spoil_all])
def test_a_snapshot_that_cannot_be_used_is_one_clear_line(server, spoil):
    server.client("ssm").put_parameter(Name="/p", Value="1", Type="String")
    server.stop()
    snapshot = server.state / "aws.snapshot"
    assert snapshot.stat().st_mode & 0o777 == 0o600
    spoil(snapshot)
    ended = run(server.state)
    assert ended.returncode == 2
    said = [line for line in ended.stderr.splitlines() if "this machine denies" not in line]
    assert said[0].startswith("local AWS: the kept state")
    assert f"delete {snapshot}" in said[0]
    assert len(said) == 1


def test_a_damaged_journal_is_one_clear_line(tmp_path):
    (tmp_path / "s3").mkdir()
    (tmp_path / "s3/journal.sqlite").write_bytes(b"this is no database, but long enough to look like one" * 100)
    ended = run(tmp_path)
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "journal.sqlite" in ended.stderr


def test_two_servers_do_not_share_a_state_folder(server):
    ended = run(server.state)
    assert ended.returncode == 2
    assert f"in use by another local AWS (process {server.process.pid})" in ended.stderr


def test_bodies_are_on_disk_and_leave_it_when_deleted(server):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="disk")
    s3.put_object(Bucket="disk", Key="k", Body=b"x" * 1_000_000)
    blobs = server.state / "s3/blobs"
    assert [path.stat().st_size for path in blobs.iterdir()] == [1_000_000]
    s3.put_object(Bucket="disk", Key="k", Body=b"small")
    assert list(blobs.iterdir()) == []
    s3.delete_object(Bucket="disk", Key="k")
    server.stop()
    with sqlite3.connect(server.state / "s3/journal.sqlite") as database:
        assert database.execute("SELECT count(*) FROM objects").fetchone() == (0,)
