"""The model registry against boto3."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.sagemaker_requests import BUCKET, FAST, IMAGE, ROLE, make_bucket, tar_gz

ENVIRONMENT = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


@pytest.fixture(scope="module")
def sagemaker(localaws: Any) -> Iterator[Any]:
    script = "def model_fn(d):\n    return 1\ndef transform_fn(model, data, content_type, accept):\n    return data, accept\n"
    make_bucket(localaws).put_object(Bucket=BUCKET, Key="m.tar.gz", Body=tar_gz({"code/inference.py": script}))
    yield localaws.client("sagemaker")


def register(client: Any, group: str, **more: Any) -> str:
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz", "Environment": ENVIRONMENT}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["application/json"],
        "SupportedResponseMIMETypes": ["application/json"],
    }
    answer = client.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification, **more)
    return str(answer["ModelPackageArn"])


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
    assert found["ModelPackageStatus"] == "Completed"
    assert found["ModelMetrics"] == metrics
    assert found["CustomerMetadataProperties"] == properties
    assert found["InferenceSpecification"]["Containers"][0]["Environment"] == ENVIRONMENT


def test_approval_keeps_the_properties(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="approved")
    arn = register(sagemaker, "approved", CustomerMetadataProperties={"a": "1", "b": "2"})

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
    first, second, third = (register(sagemaker, "listed") for _ in range(3))
    sagemaker.update_model_package(ModelPackageArn=second, ModelApprovalStatus="Approved")

    def arns(**filters: Any) -> list[str]:
        page = sagemaker.list_model_packages(ModelPackageGroupName="listed", SortBy="CreationTime", **filters)
        return [it["ModelPackageArn"] for it in page["ModelPackageSummaryList"]]

    assert arns(SortOrder="Descending") == [third, second, first]
    assert arns(SortOrder="Descending", MaxResults=1) == [third]
    assert arns(ModelApprovalStatus="Approved") == [second]
    assert arns(ModelApprovalStatus="Rejected") == []


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
    assert answer["ContentType"] == "text/plain"
