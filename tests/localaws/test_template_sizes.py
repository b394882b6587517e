"""A template has 51 200 bytes at most in a request, and a million where it is read from S3."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

REQUEST_BYTES = 51_200
S3_BYTES = 1_000_000
REQUESTS: dict[str, Callable[..., Any]] = {
    "create": lambda cf, **template: cf.create_stack(StackName="long", **template),
    "update": lambda cf, **template: cf.update_stack(StackName="none", **template),
    "change set": lambda cf, **template: cf.create_change_set(
        StackName="long", ChangeSetName="first", ChangeSetType="CREATE", **template
    ),
    "summary": lambda cf, **template: cf.get_template_summary(**template),
    "validation": lambda cf, **template: cf.validate_template(**template),
}


@pytest.fixture(scope="module")
def cf(localaws: Any) -> Any:
    localaws.client("s3").create_bucket(Bucket="long-templates")
    return localaws.client("cloudformation")


def template(size: int, filler: str = "x") -> str:
    """A template of one parameter that has `size` bytes."""
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/long", "Type": "String", "Value": "1"}}

    def text(note: str) -> str:
        return json.dumps({"Metadata": {"Note": note}, "Resources": {"A": parameter}}, ensure_ascii=False)

    rest, width = size - len(text("")), len(filler.encode())
    return text(filler * (rest // width) + "x" * (rest % width))


def in_s3(localaws: Any, body: str) -> str:
    localaws.client("s3").put_object(Bucket="long-templates", Key="long.json", Body=body.encode())
    return "https://long-templates.s3.us-east-1.amazonaws.com/long.json"


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("filler", ["x", "é"])
def test_a_longer_template_in_a_request_is_refused(cf: Any, name: str, filler: str) -> None:
    body = template(REQUEST_BYTES + 1, filler)
    with pytest.raises(ClientError) as refused:
        REQUESTS[name](cf, TemplateBody=body)
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert error["Message"] == (
        f"1 validation error detected: Value '{body}' at 'templateBody' failed to satisfy constraint: "
        "Member must have length less than or equal to 51200"
    )
    with pytest.raises(ClientError, match="does not exist"):
        cf.describe_stacks(StackName="long")


@pytest.mark.parametrize("name", ["summary", "validation"])
def test_a_template_of_just_the_limit_is_taken(localaws: Any, cf: Any, name: str) -> None:
    assert REQUESTS[name](cf, TemplateBody=template(REQUEST_BYTES))
    assert REQUESTS[name](cf, TemplateURL=in_s3(localaws, template(S3_BYTES)))


@pytest.mark.parametrize("name", sorted(REQUESTS.keys() - {"update"}))
def test_a_template_in_s3_beyond_a_million_bytes_is_refused(localaws: Any, cf: Any, name: str) -> None:
    url = in_s3(localaws, template(S3_BYTES + 1))
    with pytest.raises(ClientError, match=re.escape("Template may not exceed 1000000 bytes in size.")):
        REQUESTS[name](cf, TemplateURL=url)


def test_a_stack_that_was_made_from_a_longer_template_in_s3_goes_on(localaws: Any, cf: Any) -> None:
    url = in_s3(localaws, template(REQUEST_BYTES + 1))
    made = {"StackName": "from-s3", "ChangeSetName": "first"}
    cf.create_change_set(**made, ChangeSetType="CREATE", TemplateURL=url)
    cf.execute_change_set(**made)
    cf.get_waiter("stack_create_complete").wait(StackName="from-s3", WaiterConfig={"Delay": 0.2, "MaxAttempts": 150})
    cf.create_change_set(
        StackName="from-s3", ChangeSetName="second", UsePreviousTemplate=True, Tags=[{"Key": "owner", "Value": "coach"}]
    )
    assert cf.describe_change_set(StackName="from-s3", ChangeSetName="second")["Status"] == "CREATE_COMPLETE"
