"""Looks up model packages of the registry: the newest, those approved, those made for the features of now.

SageMaker may apply a page's size before the filter, so a page can be empty while later ones are not: every look-up
follows `NextToken` until it has what it wants.
"""

from collections.abc import Iterator, Mapping
from typing import Any

PAGE_SIZE = 100
"""The most that SageMaker gives in one page."""

Package = Mapping[str, Any]
"""A model package as SageMaker describes or lists it."""


def newest_first(sagemaker: Any, group: str, *, status: str | None = None) -> Iterator[Package]:
    """Yield the summaries of a group's packages, the newest first; with `status` those of that approval status.

    Pages are asked for as they are needed: who stops at the first hit asks for no more.
    """
    request = {
        "ModelPackageGroupName": group,
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": PAGE_SIZE,
    }
    if status:
        request["ModelApprovalStatus"] = status
    while True:
        page = sagemaker.list_model_packages(**request)
        yield from page["ModelPackageSummaryList"]
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def newest(sagemaker: Any, group: str) -> Package | None:
    """The summary of the newest package of a group, whatever its status; None where there is none."""
    return next(newest_first(sagemaker, group), None)


def newest_approved(sagemaker: Any, group: str, feature_group: str) -> Package | None:
    """The description of the newest approved package that was made for `feature_group`; None where there is none."""
    for summary in newest_first(sagemaker, group, status="Approved"):
        package: Package = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
        if feature_group_of(package) == feature_group:
            return package
    return None


def feature_group_of(package: Package) -> str | None:
    """The feature group that a described package was made for; None where it does not say so."""
    found: str | None = (package.get("CustomerMetadataProperties") or {}).get("feature_group")
    return found
