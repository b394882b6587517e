"""What a restart of local AWS cut off is ended without leaving anything behind that a later deployment would meet."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.localaws.cloudformation.clients import Clients
from infra.localaws.cloudformation.engine import Engine, Resources
from infra.localaws.cloudformation.rollback import Operations
from infra.localaws.cloudformation.stack import Stack, StackResource, UpdateUndo
from infra.localaws.world import Config, World

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def operations(localaws: Any) -> Operations:
    world = World(Config(localaws.port, localaws.state, Path("python")))
    resources = Resources(Clients(world), lambda: None)
    return Operations(Engine(resources), resources)


def resource(logical_id: str, kind: str, properties: dict[str, Any], **more: Any) -> StackResource:
    return StackResource(logical_id, kind, properties, **more)


def cut_off(status: str, *resources: StackResource) -> Stack:
    """A stack as it is read back after a kill in mid-operation."""
    stack = Stack("arn:aws:cloudformation:us-east-1:123456789012:stack/cut-off/1", "cut-off", "us-east-1")
    stack.status = status
    stack.resources = {r.logical_id: r for r in resources}
    return stack


def bucket(name: str, **more: Any) -> StackResource:
    return resource("Bucket", "AWS::S3::Bucket", {"BucketName": name}, **more)


def exists(localaws: Any, name: str) -> bool:
    return name in [found["Name"] for found in localaws.client("s3").list_buckets()["Buckets"]]


def test_what_was_in_the_making_is_taken_back(localaws: Any, operations: Operations) -> None:
    """It was made, and the kill came before the stack knew its physical id."""
    localaws.client("s3").create_bucket(Bucket="in-the-making")
    localaws.client("iam").create_role(RoleName="in-the-making", AssumeRolePolicyDocument=str(TRUST).replace("'", '"'))
    role = resource("Role", "AWS::IAM::Role", {"RoleName": "in-the-making", "AssumeRolePolicyDocument": TRUST})
    stack = cut_off("CREATE_IN_PROGRESS", bucket("in-the-making"), role)
    operations.resume(stack)
    assert stack.status == "ROLLBACK_COMPLETE"
    assert not exists(localaws, "in-the-making")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        localaws.client("iam").get_role(RoleName="in-the-making")


def test_what_was_not_made_yet_is_no_obstacle(operations: Operations) -> None:
    stack = cut_off("CREATE_IN_PROGRESS", bucket("never-made"))
    operations.resume(stack)
    assert stack.status == "ROLLBACK_COMPLETE"


def test_what_an_update_was_making_is_taken_back(localaws: Any, operations: Operations) -> None:
    localaws.client("s3").create_bucket(Bucket="in-an-update")
    made = bucket("in-an-update")
    stack = cut_off("UPDATE_IN_PROGRESS", made)
    stack.undo = UpdateUndo("{}", {}, {}, {}, [], {}, created=[made])
    operations.resume(stack)
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert not exists(localaws, "in-an-update")


def test_what_was_there_before_stays(localaws: Any, operations: Operations) -> None:
    """A bucket of someone else made the creation fail: it was never the stack's."""
    localaws.client("s3").create_bucket(Bucket="there-before")
    stack = cut_off("ROLLBACK_IN_PROGRESS", bucket("there-before", status="CREATE_FAILED"))
    operations.resume(stack)
    assert stack.status == "ROLLBACK_COMPLETE"
    assert exists(localaws, "there-before")


def test_a_stack_is_on_disk_before_its_bucket_is(localaws: Any) -> None:
    """Buckets are durable at once: a stack that was lost could not take its bucket back."""
    saved: list[tuple[str, bool]] = []
    world = World(Config(localaws.port, localaws.state, Path("python")))
    stack = cut_off("CREATE_IN_PROGRESS")

    def save() -> None:
        saved.append((stack.resources["Bucket"].status, exists(localaws, "saved-first")))

    wanted = bucket("saved-first")
    stack.resources = {"Bucket": wanted}
    Resources(Clients(world), save).create(stack, wanted)
    assert saved == [("CREATE_IN_PROGRESS", False)]
