"""Start and stop of the endpoint: which package, which call to CloudFormation, and what is left to a later try."""

from datetime import UTC, datetime
from typing import Any

import pytest

from include.serving import endpoint_control
from include.serving.endpoint_control import STUCK, NotApproved, OtherFeatures, StackBusy, start, stop
from tests.serving.conftest import ARN, FakeAws, client_error

APPROVAL = {
    "source": "aws.sagemaker",
    "detail-type": "SageMaker Model Package State Change",
    "detail": {"ModelPackageArn": ARN, "ModelApprovalStatus": "Approved"},
}
PACKAGE = {
    "ModelPackageArn": ARN,
    "ModelPackageVersion": 3,
    "ModelApprovalStatus": "Approved",
    "CreationTime": datetime(2026, 11, 20, tzinfo=UTC),
    "LastModifiedTime": datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
    "InferenceSpecification": {"Containers": [{"Image": "image:1", "ModelDataUrl": "s3://lake/models/model.tar.gz"}]},
    "CustomerMetadataProperties": {
        "model_version": "m1",
        "dataset_version": "d1",
        "feature_group": "ff-athlete-day-v1",
    },
}


class Context:
    def __init__(self, remaining_s: float) -> None:
        self.remaining_s = remaining_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self.remaining_s * 1000)


def stack(status: str, arn: str = ARN) -> dict[str, Any]:
    parameters = [{"ParameterKey": "ModelPackageArn", "ParameterValue": arn}]
    return {"Stacks": [{"StackName": "ff-endpoint", "StackStatus": status, "Parameters": parameters}]}


NO_STACK = client_error("ValidationError", "Stack with id ff-endpoint does not exist")


@pytest.fixture
def control(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """An approved package and no stack."""
    monkeypatch.setattr(endpoint_control, "POLL_S", 0.001)
    for name, value in {
        "ENDPOINT_STACK": "ff-endpoint",
        "MODEL_PACKAGE_GROUP": "ff-vo2max",
        "TEMPLATE_URL": "https://lake.s3.us-east-1.amazonaws.com/code/endpoint.yaml",
        "STACK_ROLE_ARN": "arn:aws:iam::123456789012:role/ff-endpoint-stack",
        "MODEL_ROLE_ARN": "arn:aws:iam::123456789012:role/ff-model",
        "ENDPOINT_MODE": "instance",
        "ENDPOINT_INSTANCE_TYPE": "",
        "LOG_RETENTION_DAYS": "30",
    }.items():
        monkeypatch.setenv(name, value)
    aws.answers |= {
        "sagemaker.describe_model_package": PACKAGE,
        "sagemaker.list_model_packages": {"ModelPackageSummaryList": [{"ModelPackageArn": ARN}]},
        "cloudformation.describe_stacks": NO_STACK,
        "cloudformation.create_stack": {"StackId": "id"},
        "cloudformation.update_stack": {"StackId": "id"},
        "cloudformation.delete_stack": {},
        "cloudformation.continue_update_rollback": {},
        "logs.create_log_group": {},
        "logs.put_retention_policy": {},
    }
    return aws


@pytest.mark.parametrize(("mode", "suffix"), [("instance", ""), ("serverless", "-serverless")])
def test_the_logs_of_the_endpoint_expire(
    control: FakeAws, monkeypatch: pytest.MonkeyPatch, mode: str, suffix: str
) -> None:
    monkeypatch.setenv("ENDPOINT_MODE", mode)
    there_already = client_error("ResourceAlreadyExistsException", "The specified log group already exists")
    control.answers["logs.create_log_group"] = there_already
    start(APPROVAL, None)
    retention = dict(control.calls)["logs.put_retention_policy"]
    assert retention["logGroupName"].startswith("/aws/sagemaker/Endpoints/")
    assert retention["logGroupName"].endswith(f"-vo2max{suffix}")
    assert retention["retentionInDays"] == 30


def parameters(aws: FakeAws, call: str) -> dict[str, str]:
    request = dict(aws.calls)[call]
    return {item["ParameterKey"]: item["ParameterValue"] for item in request["Parameters"]}


def test_an_approval_creates_the_stack_from_its_package(control: FakeAws) -> None:
    assert start(APPROVAL, Context(300)) == {"action": "creating", "model_package_arn": ARN}
    request = dict(control.calls)["cloudformation.create_stack"]
    assert request["TemplateURL"].endswith("endpoint.yaml")
    assert request["RoleARN"].endswith("ff-endpoint-stack")
    given = parameters(control, "cloudformation.create_stack")
    assert given["ModelDataUrl"] == "s3://lake/models/model.tar.gz"
    assert (given["ModelVersion"], given["DatasetVersion"]) == ("m1", "d1")
    assert given["ApprovedAt"] == "2026-11-20T08:30:00Z"


def test_the_parameters_are_those_of_the_template(control: FakeAws) -> None:
    from include.deploy.release import stack_template
    from tests.stacks.templates import load

    start(APPROVAL, Context(300))
    declared = load(stack_template("endpoint"))["Parameters"]
    given = parameters(control, "cloudformation.create_stack")
    assert set(given) <= set(declared)
    assert {name for name, p in declared.items() if "Default" not in p} <= set(given)


@pytest.mark.parametrize("event", [{"detail": {}}, {}, {"detail-type": "Scheduled Event", "detail": {}}])
def test_without_a_package_the_newest_approved_is_served(control: FakeAws, event: dict[str, Any]) -> None:
    assert start(event, Context(300))["model_package_arn"] == ARN
    asked = dict(control.calls)["sagemaker.list_model_packages"]
    assert (asked["ModelApprovalStatus"], asked["SortOrder"]) == ("Approved", "Descending")


def test_our_own_event_may_name_the_package(control: FakeAws) -> None:
    start({"detail-type": "Endpoint Start Requested", "detail": {"model_package_arn": ARN}}, Context(300))
    assert control.count("sagemaker.list_model_packages") == 0


def test_nothing_approved_is_an_error(control: FakeAws) -> None:
    control.answers["sagemaker.list_model_packages"] = {"ModelPackageSummaryList": []}
    with pytest.raises(NotApproved, match="no model package of ff-vo2max for ff-athlete-day-v1 is approved"):
        start({}, Context(300))


def test_the_approved_package_is_found_behind_empty_pages(control: FakeAws) -> None:
    """A rejected package is newer: its page has nothing that is approved, and says that there are more."""
    pages = {
        None: {"ModelPackageSummaryList": [], "NextToken": "1"},
        "1": {"ModelPackageSummaryList": [], "NextToken": "2"},
        "2": {"ModelPackageSummaryList": [{"ModelPackageArn": ARN}], "NextToken": "3"},
    }
    control.answers["sagemaker.list_model_packages"] = lambda request: pages[request.get("NextToken")]
    assert start({}, Context(300))["model_package_arn"] == ARN
    assert control.count("sagemaker.list_model_packages") == 3, "no page more than needed"


def test_on_schedule_a_package_of_other_features_is_passed_over(control: FakeAws) -> None:
    newer = ARN.replace("/3", "/4")
    summaries = [{"ModelPackageArn": newer}, {"ModelPackageArn": ARN}]
    control.answers["sagemaker.list_model_packages"] = {"ModelPackageSummaryList": summaries}
    other = {"ModelPackageArn": newer, "CustomerMetadataProperties": {"feature_group": "ff-athlete-day-v2"}}
    control.answers["sagemaker.describe_model_package"] = lambda request: (
        PACKAGE | (other if request["ModelPackageName"] == newer else {})
    )
    assert start({"detail-type": "Scheduled Event"}, Context(300))["model_package_arn"] == ARN


@pytest.mark.parametrize("metadata", [{"feature_group": "ff-athlete-day-v2"}, {}])
def test_an_approved_package_of_other_features_is_not_served(control: FakeAws, metadata: dict[str, str]) -> None:
    control.answers["sagemaker.describe_model_package"] = PACKAGE | {"CustomerMetadataProperties": metadata}
    with pytest.raises(OtherFeatures, match=r"not for ff-athlete-day-v1: it is not served; run model_build"):
        start(APPROVAL, Context(300))
    assert control.count("cloudformation.create_stack") == 0


def test_choices_reach_the_stack_and_empty_ones_leave_its_defaults(
    control: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(APPROVAL, Context(300))
    given = parameters(control, "cloudformation.create_stack")
    assert not {"InstanceType", "InstanceCount", "ServerlessMemoryMb", "ServerlessMaxConcurrency"} & set(given)
    assert given["ModelRoleArn"].endswith("role/ff-model")
    for name, value in {
        "ENDPOINT_MODE": "serverless",
        "ENDPOINT_INSTANCE_TYPE": "ml.c5.large",
        "ENDPOINT_INSTANCE_COUNT": "2",
        "ENDPOINT_MEMORY_MB": "3072",
        "ENDPOINT_MAX_CONCURRENCY": "7",
    }.items():
        monkeypatch.setenv(name, value)
    control.calls.clear()
    start(APPROVAL, Context(300))
    given = parameters(control, "cloudformation.create_stack")
    assert (given["EndpointMode"], given["InstanceType"], given["InstanceCount"]) == ("serverless", "ml.c5.large", "2")
    assert (given["ServerlessMemoryMb"], given["ServerlessMaxConcurrency"]) == ("3072", "7")


def test_a_package_that_is_no_longer_approved_is_not_served(control: FakeAws) -> None:
    control.answers["sagemaker.describe_model_package"] = PACKAGE | {"ModelApprovalStatus": "Rejected"}
    with pytest.raises(NotApproved, match="Rejected"):
        start(APPROVAL, Context(300))
    assert control.count("cloudformation.create_stack") == 0


def test_a_stack_that_serves_is_updated(control: FakeAws) -> None:
    control.answers["cloudformation.describe_stacks"] = stack("UPDATE_COMPLETE", "arn:old")
    assert start(APPROVAL, Context(300))["action"] == "updating"


def test_the_same_package_again_says_so(control: FakeAws) -> None:
    control.answers["cloudformation.describe_stacks"] = stack("CREATE_COMPLETE")
    control.answers["cloudformation.update_stack"] = client_error("ValidationError", "No updates are to be performed.")
    assert start(APPROVAL, Context(300))["action"] == "none: served already"
    control.answers["cloudformation.describe_stacks"] = stack("CREATE_IN_PROGRESS")
    assert start(APPROVAL, Context(300))["action"] == "none: in progress already"


def test_a_refused_update_is_raised(control: FakeAws) -> None:
    control.answers["cloudformation.describe_stacks"] = stack("CREATE_COMPLETE")
    control.answers["cloudformation.update_stack"] = client_error("ValidationError", "Parameter Image failed")
    with pytest.raises(Exception, match="Parameter Image failed"):
        start(APPROVAL, Context(300))


def test_a_stack_busy_with_another_package_is_waited_for(control: FakeAws) -> None:
    states = iter([stack("UPDATE_IN_PROGRESS", "arn:old")] * 4 + [stack("UPDATE_COMPLETE", "arn:old")])
    control.answers["cloudformation.describe_stacks"] = lambda _: next(states)
    assert start(APPROVAL, Context(300))["action"] == "updating"


def test_a_stack_busy_for_too_long_is_left_to_a_later_try(control: FakeAws) -> None:
    control.answers["cloudformation.describe_stacks"] = stack("UPDATE_IN_PROGRESS", "arn:old")
    with pytest.raises(StackBusy, match="UPDATE_IN_PROGRESS"):
        start(APPROVAL, Context(20.01))
    assert control.count("cloudformation.update_stack") == 0


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
def test_what_a_failure_left_is_deleted_first(control: FakeAws, status: str) -> None:
    states = iter([stack(status), stack(status), stack("DELETE_IN_PROGRESS"), NO_STACK])
    control.answers["cloudformation.describe_stacks"] = lambda _: next(states)
    assert start(APPROVAL, Context(300))["action"] == "creating"
    assert control.count("cloudformation.delete_stack") == 1


def test_a_rollback_that_failed_is_continued_and_then_updated(control: FakeAws) -> None:
    states = iter(
        [stack(STUCK), stack(STUCK), stack("UPDATE_ROLLBACK_IN_PROGRESS"), stack("UPDATE_ROLLBACK_COMPLETE", "arn:old")]
    )
    control.answers["cloudformation.describe_stacks"] = lambda _: next(states)
    assert start(APPROVAL, Context(300))["action"] == "updating"
    assert dict(control.calls)["cloudformation.continue_update_rollback"]["RoleARN"].endswith("ff-endpoint-stack")
    assert control.count("cloudformation.delete_stack") == 0


def test_a_rollback_that_fails_again_is_deleted_and_created(control: FakeAws) -> None:
    states = iter(
        [
            stack(STUCK),
            stack(STUCK),
            stack("UPDATE_ROLLBACK_IN_PROGRESS"),
            stack(STUCK),
            stack("DELETE_IN_PROGRESS"),
            NO_STACK,
        ]
    )
    control.answers["cloudformation.describe_stacks"] = lambda _: next(states)
    assert start(APPROVAL, Context(300))["action"] == "creating"
    assert control.count("cloudformation.delete_stack") == 1


def test_names_differ_exactly_when_model_or_configuration_do(control: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    def revision(**changes: Any) -> str:
        control.answers["sagemaker.describe_model_package"] = PACKAGE | changes
        control.calls.clear()
        start(APPROVAL, Context(300))
        return parameters(control, "cloudformation.create_stack")["Revision"]

    first = revision()
    assert revision(LastModifiedTime=datetime(2026, 12, 1, tzinfo=UTC)) == first
    other = {"Containers": [{"Image": "image:1", "ModelDataUrl": "s3://lake/models/other.tar.gz"}]}
    assert revision(InferenceSpecification=other) != first
    with monkeypatch.context() as changed:
        changed.setenv("ENDPOINT_MODE", "serverless")
        assert revision() != first
    with monkeypatch.context() as changed:
        changed.setenv("TEMPLATE_URL", "https://lake.s3.us-east-1.amazonaws.com/code/other/endpoint.yaml")
        assert revision() != first, "another template may make another model of the same package"
    assert revision() == first


def test_stop_deletes_the_stack(control: FakeAws) -> None:
    control.answers["cloudformation.describe_stacks"] = stack("CREATE_COMPLETE")
    assert stop({"detail-type": "Endpoint Stop Requested"}, Context(300)) == {"action": "deleting"}
    assert control.count("cloudformation.delete_stack") == 1


def test_stop_without_a_stack_has_nothing_to_do(control: FakeAws) -> None:
    assert stop({}, None)["action"].startswith("none")
    assert control.count("cloudformation.delete_stack") == 0
