"""Templates fit into a request to CloudFormation, and mean the same when they are made to."""

import json

import pytest

from include.deploy.release import ROOT, stack_template
from include.deploy.template import REQUEST_BYTES, request_body, template_document

STACKS = sorted(path.stem for path in (ROOT / "infra/stacks").glob("*.yaml"))


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_fits_into_a_request(stack: str) -> None:
    body = request_body(stack_template(stack))
    assert len(body.encode()) <= REQUEST_BYTES
    assert template_document(body) == template_document(stack_template(stack))


def test_a_template_that_fits_is_left_as_it_is() -> None:
    assert request_body("Resources: {}\n") == "Resources: {}\n"


def test_a_long_template_becomes_json_with_the_long_forms_of_functions() -> None:
    text = """
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Condition: HasQueue
    Properties:
      QueueName: !Sub ${Project}-x
      Version: 2012-10-17
      DelaySeconds: 5
      KmsMasterKeyId: !If [HasKey, !GetAtt Key.Arn, !Ref AWS::NoValue]
      Tags: !Condition Other
"""
    document = json.loads(request_body(text + f"# {'x' * REQUEST_BYTES}\n"))
    assert document["Resources"]["Queue"] == {
        "Type": "AWS::SQS::Queue",
        "Condition": "HasQueue",
        "Properties": {
            "QueueName": {"Fn::Sub": "${Project}-x"},
            "Version": "2012-10-17",
            "DelaySeconds": 5,
            "KmsMasterKeyId": {"Fn::If": ["HasKey", {"Fn::GetAtt": ["Key", "Arn"]}, {"Ref": "AWS::NoValue"}]},
            "Tags": {"Condition": "Other"},
        },
    }


def test_a_template_that_cannot_be_made_to_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        request_body(f"Description: {'x' * REQUEST_BYTES}\n")
