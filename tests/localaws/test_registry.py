"""The model registry against boto3."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.conftest import LocalAws
from tests.localaws.sagemaker_requests import BUCKET, FAST, IMAGE, ROLE, make_bucket, tar_gz, wait_until

ENVIRONMENT = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


@pytest.fixture(scope="module")
def sagemaker(localaws: Any) -> Iterator[Any]:
    script = "def model_fn(d):\n    return 1\ndef transform_fn(model, data, content_type, accept):\n    return data, accept\n"
    make_bucket(localaws).put_object(Bucket=BUCKET, Key="m.tar.gz", Body=tar_gz({"code/inference.py": script}))
    yield localaws.client("sagemaker")


def register(client: Any, group: str, archive: str = "m.tar.gz", **more: Any) -> str:
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{archive}", "Environment": ENVIRONMENT}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["application/json"],
        "SupportedResponseMIMETypes": ["application/json"],
    }
    answer = client.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification, **more)
    return str(answer["ModelPackageArn"])


def complete(client: Any, arn: str) -> str:
    """Wait until the package is Completed."""
    wait_until(lambda: client.describe_model_package(ModelPackageName=arn)["ModelPackageStatus"] == "Completed")
    return arn


def test_versions_count_up_and_are_never_given_twice(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="counted")
    arns = [register(sagemaker, "counted") for _ in range(2)]
    assert [arn.rsplit("/", 1)[1] for arn in arns] == ["1", "2"]

    sagemaker.delete_model_package(ModelPackageName=arns[1])

    assert register(sagemaker, "counted").endswith("counted/3")
    with pytest.raises(ClientError):
        sagemaker.describe_model_package(ModelPackageName=arns[1])


def test_what_was_given_is_kept(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="kept", ModelPackageGroupDescription="vo2max")
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/e.json"}}}
    properties = {"dataset_version": "v1", "git_commit": "abc"}
    arn = register(sagemaker, "kept", ModelMetrics=metrics, CustomerMetadataProperties=properties)

    found = sagemaker.describe_model_package(ModelPackageName=arn)

    assert found["ModelPackageGroupName"] == "kept"
    assert found["ModelPackageVersion"] == 1
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ModelMetrics"] == metrics
    assert found["CustomerMetadataProperties"] == properties
    assert found["InferenceSpecification"]["Containers"][0]["Environment"] == ENVIRONMENT


def test_a_package_is_completed_a_moment_after_it_was_made(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="moment")
    arn = register(sagemaker, "moment")

    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageStatus"] == "InProgress"
    with pytest.raises(ClientError, match="while it is in status InProgress") as error:
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    assert error.value.response["Error"]["Code"] == "ConflictException"

    complete(sagemaker, arn)
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")


def test_a_package_without_its_artifact_is_refused(localaws: Any, sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="empty")
    with pytest.raises(ClientError, match="Could not find model data at") as error:
        register(sagemaker, "empty", "nowhere.tar.gz")
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_an_approval_takes_one_line(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="lines")
    arn = complete(sagemaker, register(sagemaker, "lines"))
    with pytest.raises(ClientError, match="regular expression pattern"):
        sagemaker.update_model_package(ModelPackageArn=arn, ApprovalDescription="two\nlines")


def test_approval_keeps_the_properties(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="approved")
    arn = complete(sagemaker, register(sagemaker, "approved", CustomerMetadataProperties={"a": "1", "b": "2"}))

    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="crps below persistence"
    )
    sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"c": "3"}, CustomerMetadataPropertiesToRemove=["b"]
    )

    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["ModelApprovalStatus"] == "Approved"
    assert found["ApprovalDescription"] == "crps below persistence"
    assert found["CustomerMetadataProperties"] == {"a": "1", "c": "3"}


def test_list_filters_and_sorts(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="listed")
    first, second, third = (complete(sagemaker, register(sagemaker, "listed")) for _ in range(3))
    sagemaker.update_model_package(ModelPackageArn=second, ModelApprovalStatus="Approved")

    def arns(**filters: Any) -> list[str]:
        page = sagemaker.list_model_packages(ModelPackageGroupName="listed", SortBy="CreationTime", **filters)
        return [it["ModelPackageArn"] for it in page["ModelPackageSummaryList"]]

    assert arns(SortOrder="Descending") == [third, second, first]
    assert arns(SortOrder="Descending", MaxResults=1) == [third]
    assert arns(ModelApprovalStatus="Approved") == [second]
    assert arns(ModelApprovalStatus="Rejected") == []


def test_a_list_takes_its_page_before_it_filters(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALAWS_LIST_PAGE_SIZE", "1")
    monkeypatch.setenv("LOCALAWS_MODEL_PACKAGE_DELAY_S", "0")
    server = LocalAws(tmp_path_factory.mktemp("pages"))
    server.start()
    try:
        make_bucket(server).put_object(Bucket=BUCKET, Key="m.tar.gz", Body=b"m")
        client = server.client("sagemaker")
        client.create_model_package_group(ModelPackageGroupName="paged")
        approved = register(client, "paged", ModelApprovalStatus="Approved")
        register(client, "paged", ModelApprovalStatus="Rejected")
        filters = {"ModelPackageGroupName": "paged", "ModelApprovalStatus": "Approved", "SortOrder": "Descending"}

        first = client.list_model_packages(MaxResults=100, **filters)

        assert first["ModelPackageSummaryList"] == []
        rest = client.list_model_packages(NextToken=first["NextToken"], **filters)
        assert [it["ModelPackageArn"] for it in rest["ModelPackageSummaryList"]] == [approved]
        assert "NextToken" not in rest
    finally:
        server.stop()


def test_groups_are_refused_twice_and_while_they_hold_versions(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="held")
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package_group(ModelPackageGroupName="held")
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert error.value.response["Error"]["Message"].startswith("Model Package Group already exists")
    arn = register(sagemaker, "held")
    with pytest.raises(ClientError) as error:
        sagemaker.delete_model_package_group(ModelPackageGroupName="held")
    assert error.value.response["Error"]["Code"] == "ConflictException"

    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName="held")

    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName="held")


def test_bad_requests_are_validation_errors(sagemaker: Any) -> None:
    for call, arguments in (
        (sagemaker.create_model_package, {"ModelPackageGroupName": "nowhere"}),
        (sagemaker.create_model_package, {}),
        (sagemaker.create_model_package_group, {"ModelPackageGroupName": "under_score"}),
        (sagemaker.describe_model_package, {"ModelPackageName": "nowhere"}),
        (
            sagemaker.update_model_package,
            {"ModelPackageArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/x/1"},
        ),
    ):
        with pytest.raises(ClientError) as error:
            call(**arguments)
        assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_model_of_a_package_serves_its_artifact_with_its_environment(localaws: Any, sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="served")
    arn = register(sagemaker, "served", ModelApprovalStatus="Approved")
    sagemaker.create_model(ModelName="served", ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": arn})
    variant = {"VariantName": "A", "ModelName": "served", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="served", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="served", EndpointConfigName="served")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="served", WaiterConfig=FAST)

    runtime = localaws.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(
        EndpointName="served", ContentType="text/plain", Accept="text/plain", Body=b"hello"
    )

    assert answer["Body"].read() == b"hello"
    assert answer["ContentType"] == "text/plain; charset=utf-8"
