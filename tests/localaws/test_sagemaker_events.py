"""The events of jobs, endpoints and approvals, through a real rule into a queue."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.localaws.sagemaker_requests import (
    BUCKET,
    IMAGE,
    end_of_processing,
    end_of_training,
    make_bucket,
    processing_request,
    training_request,
    wait_until,
)


class Queue:
    """Every event of `aws.sagemaker` that the default bus delivered."""

    def __init__(self, localaws: Any) -> None:
        self._sqs = localaws.client("sqs")
        self._url = self._sqs.create_queue(QueueName="sagemaker-events")["QueueUrl"].replace(
            "https://queue.amazonaws.com", localaws.url
        )
        arn = "arn:aws:sqs:us-east-1:123456789012:sagemaker-events"
        events = localaws.client("events")
        events.put_rule(Name="all-of-sagemaker", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
        events.put_targets(Rule="all-of-sagemaker", Targets=[{"Id": "queue", "Arn": arn}])
        self._seen: list[dict[str, Any]] = []

    def events(self, detail_type: str, resource: str) -> list[dict[str, Any]]:
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._seen.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return [it for it in self._seen if it["detail-type"] == detail_type and resource in it["resources"][0]]


@pytest.fixture(scope="module")
def queue(localaws: Any) -> Iterator[Queue]:
    make_bucket(localaws)
    yield Queue(localaws)


def test_approval_sends_its_event(localaws: Any, queue: Queue) -> None:
    client = localaws.client("sagemaker")
    localaws.client("s3").put_object(Bucket=BUCKET, Key="m.tar.gz", Body=b"m")
    client.create_model_package_group(ModelPackageGroupName="told")
    specification = {"Containers": [{"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz"}]}
    specification |= {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}  # type: ignore[dict-item]
    properties = {"dataset_version": "v1"}
    arn = client.create_model_package(
        ModelPackageGroupName="told", InferenceSpecification=specification, CustomerMetadataProperties=properties
    )["ModelPackageArn"]
    wait_until(lambda: client.describe_model_package(ModelPackageName=arn)["ModelPackageStatus"] == "Completed")
    for description in ("good", "the same again"):
        client.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription=description
        )

    def found() -> Any:
        events = queue.events("SageMaker Model Package State Change", arn)
        return events if len(events) >= 3 else None

    details = [event["detail"] for event in wait_until(found)]

    assert [(it["ModelPackageStatus"], it["ModelApprovalStatus"]) for it in details] == [
        ("InProgress", "PendingManualApproval"),
        ("Completed", "PendingManualApproval"),
        ("Completed", "Approved"),
    ]
    assert details[2]["ModelPackageArn"] == arn
    assert (details[2]["ModelPackageGroupName"], details[2]["ModelPackageVersion"]) == ("told", 1)
    assert details[2]["ApprovalDescription"] == "good"
    assert details[2]["InferenceSpecification"]["Containers"][0]["Image"] == IMAGE


def test_jobs_send_their_states(localaws: Any, queue: Queue) -> None:
    client = localaws.client("sagemaker")
    client.create_training_job(**training_request("told", localaws, "raise SystemExit(1)"))
    client.create_processing_job(**processing_request("told", "pass"))
    end_of_training(localaws, "told")
    end_of_processing(localaws, "told")

    def last(kind: str, status: str) -> Any:
        events = queue.events(f"SageMaker {kind} Job State Change", "/told")
        return next((it["detail"] for it in events if it["detail"][f"{kind}JobStatus"] == status), None)

    failed = wait_until(lambda: last("Training", "Failed"))
    assert "exit code: 1" in failed["FailureReason"]
    assert isinstance(failed["TrainingEndTime"], int)
    assert wait_until(lambda: last("Processing", "Completed"))["ProcessingJobName"] == "told"
