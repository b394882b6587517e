"""The model registry: groups, versions, approval, and the event that approval sends.

A package is InProgress first and Completed a moment later, as SageMaker makes it in the background. Lists take one page
of the group and filter that, so a page may be empty and still have a NextToken.
"""

import threading
from datetime import UTC
from typing import Any

from moto.sagemaker.models import ModelPackage, SageMakerModelBackend

from infra.localaws.sagemaker import notices
from infra.localaws.sagemaker.actions import Request, guard, override
from infra.localaws.sagemaker.errors import ConflictException, ValidationException
from infra.localaws.sagemaker.model_containers import check_model_data
from infra.localaws.sagemaker.records import is_within, page_of
from infra.localaws.world import World

EVENT_FIELDS = (
    "ModelPackageGroupName",
    "ModelPackageName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "LastModifiedTime",
    "InferenceSpecification",
    "SourceAlgorithmSpecification",
    "ValidationSpecification",
    "ModelPackageStatus",
    "ModelPackageStatusDetails",
    "CertifyForMarketplace",
    "ModelApprovalStatus",
    "ApprovalDescription",
    "MetadataProperties",
    "ModelMetrics",
    "CustomerMetadataProperties",
)


class Registry:
    """The actions on model package groups and model packages."""

    def __init__(self, world: World) -> None:
        self._world = world
        for action in ("DescribeModelPackage", "ListModelPackageGroups"):
            guard(action)
        override("ListModelPackages", self.list)
        override("CreateModelPackageGroup", self.create_group)
        override("DeleteModelPackageGroup", self.delete_group)
        override("CreateModelPackage", self.create)
        override("UpdateModelPackage", self.update)
        override("DeleteModelPackage", self.delete)

    def create_group(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        name = request["ModelPackageGroupName"]
        if name in backend.model_package_groups:
            arn = backend.model_package_groups[name].arn
            raise ValidationException(f"Model Package Group already exists: {arn}")
        arn = backend.create_model_package_group(
            name, request.get("ModelPackageGroupDescription", ""), request.get("Tags")
        )
        return {"ModelPackageGroupArn": arn}

    def delete_group(self, backend: SageMakerModelBackend, request: Request) -> None:
        name = _group_name(request["ModelPackageGroupName"])
        group = backend.describe_model_package_group(name)
        if any(package.model_package_group_name == name for package in backend.model_packages.values()):
            raise ConflictException(
                f"Model Package Group {group.arn} cannot be deleted because it still contains Model Packages."
            )
        del backend.model_package_groups[name]

    def create(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        package = _make(backend, request)
        group = package.model_package_group_name
        if group is not None:
            package.model_package_version = _next_version(backend, group)
            package.arn = _arn(backend, f"{group.lower()}/{package.model_package_version}")
            package.model_approval_status = package.model_approval_status or "PendingManualApproval"
        elif package.arn in backend.model_packages:
            raise ConflictException(f"Model Package already exists: {package.arn}")
        package.model_package_status = "InProgress"
        details = {"Name": package.arn, "Status": "NotStarted" if group else "Completed"}
        package.model_package_status_details = {"ValidationStatuses": [details], "ImageScanStatuses": [details]}
        backend.model_packages[package.arn] = package
        backend.model_package_name_mapping[package.arn] = package.arn
        if group is None:
            backend.model_package_name_mapping[package.model_package_name] = package.arn
        self._announce(package)
        timer = threading.Timer(self._world.config.model_package_delay_s, self._complete, (package,))
        timer.daemon = True
        timer.start()
        return {"ModelPackageArn": package.arn}

    def complete_interrupted(self, backend: SageMakerModelBackend) -> None:
        """Packages that were in progress when the last local AWS ended."""
        for package in backend.model_packages.values():
            if package.model_package_status == "InProgress":
                self._complete(package)

    def list(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        group = request.get("ModelPackageGroupName")
        group = None if group is None else _group_name(group)
        packages = [it for it in backend.model_packages.values() if it.model_package_group_name == group]
        by_name = request.get("SortBy") == "Name"
        packages.sort(
            key=lambda it: it.model_package_name if by_name else it.creation_time,
            reverse=request.get("SortOrder") == "Descending",
        )
        page, token = page_of(packages, request, self._world.config.list_page_size)
        found = [it.gen_response_object() for it in page if _is_wanted(it, request)]
        return {"ModelPackageSummaryList": found, "NextToken": token}

    def update(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        package = backend.describe_model_package(request["ModelPackageArn"])
        before = package.model_approval_status
        if "ModelApprovalStatus" in request and package.model_package_status != "Completed":
            raise ConflictException(
                f"Model Package {package.arn} cannot be updated while it is in status {package.model_package_status}."
            )
        if "ModelApprovalStatus" in request:
            package.set_model_approval_status(request["ModelApprovalStatus"])
        if "ApprovalDescription" in request:
            package.approval_description = request["ApprovalDescription"]
        removed = request.get("CustomerMetadataPropertiesToRemove") or []
        kept = {**(package.customer_metadata_properties or {}), **(request.get("CustomerMetadataProperties") or {})}
        package.customer_metadata_properties = {name: value for name, value in kept.items() if name not in removed}
        package.add_additional_inference_specifications(request.get("AdditionalInferenceSpecificationsToAdd"))
        package.modifications_done()
        if package.model_approval_status != before:
            self._announce(package)
        return {"ModelPackageArn": package.arn}

    def delete(self, backend: SageMakerModelBackend, request: Request) -> None:
        package = backend.describe_model_package(request["ModelPackageName"])
        del backend.model_packages[package.arn]
        for name in [key for key, arn in backend.model_package_name_mapping.items() if arn == package.arn]:
            del backend.model_package_name_mapping[name]

    def _complete(self, package: ModelPackage) -> None:
        package.model_package_status = "Completed"
        self._announce(package)
        self._world.mark_changed()

    def _announce(self, package: ModelPackage) -> None:
        described = package.gen_response_object()
        detail = {name: described[name] for name in EVENT_FIELDS if described.get(name) is not None}
        notices.publish(self._world, "Model Package", package.arn, detail, epoch_ms=False)


def _group_name(name_or_arn: str) -> str:
    return name_or_arn.rsplit("/", 1)[-1]


def _is_wanted(package: ModelPackage, request: Request) -> bool:
    """Whether a package passes the filters of ListModelPackages."""
    return (
        request.get("ModelApprovalStatus") in (None, package.model_approval_status)
        and request.get("NameContains", "") in package.model_package_name
        and is_within(
            package.creation_time.replace(tzinfo=UTC).timestamp(),
            request.get("CreationTimeAfter"),
            request.get("CreationTimeBefore"),
        )
    )


def _arn(backend: SageMakerModelBackend, path: str) -> str:
    return f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:model-package/{path}"


def _next_version(backend: SageMakerModelBackend, group_name: str) -> int:
    """One more than the highest version that the group ever had: a deleted version is not given again."""
    group = backend.model_package_groups[group_name]
    version = int(vars(group).get("last_version", 0)) + 1
    vars(group)["last_version"] = version
    return version


def _make(backend: SageMakerModelBackend, request: Request) -> ModelPackage:
    """moto's record of the request, every field kept as given.

    Raises:
        ValidationException: both or neither of name and group, or an unknown group.
    """
    name, group = request.get("ModelPackageName"), request.get("ModelPackageGroupName")
    if (name is None) == (group is None):
        raise ValidationException("Exactly one of ModelPackageName and ModelPackageGroupName must be given.")
    if group is not None:
        group = _group_name(group)
        if group not in backend.model_package_groups:
            raise ValidationException(f"Model Package Group {group} does not exist.")
    for container in (request.get("InferenceSpecification") or {}).get("Containers") or []:
        check_model_data(container.get("ModelDataUrl"))
    return ModelPackage(
        model_package_name=str(group or name),
        model_package_group_name=group,
        model_package_version=None,
        model_package_description=request.get("ModelPackageDescription"),
        inference_specification=request.get("InferenceSpecification"),
        source_algorithm_specification=request.get("SourceAlgorithmSpecification"),
        validation_specification=request.get("ValidationSpecification"),
        certify_for_marketplace=request.get("CertifyForMarketplace", False),
        model_approval_status=request.get("ModelApprovalStatus"),
        metadata_properties=request.get("MetadataProperties"),
        model_metrics=request.get("ModelMetrics"),
        approval_description=None,
        customer_metadata_properties=request.get("CustomerMetadataProperties"),
        drift_check_baselines=request.get("DriftCheckBaselines"),
        domain=request.get("Domain"),  # type: ignore[arg-type]
        task=request.get("Task"),  # type: ignore[arg-type]
        sample_payload_url=request.get("SamplePayloadUrl"),  # type: ignore[arg-type]
        additional_inference_specifications=request.get("AdditionalInferenceSpecifications"),  # type: ignore[arg-type]
        client_token=request.get("ClientToken"),  # type: ignore[arg-type]
        region_name=backend.region_name,
        account_id=backend.account_id,
        model_package_type="Versioned" if group is not None else "Unversioned",
        tags=request.get("Tags") or [],
    )
