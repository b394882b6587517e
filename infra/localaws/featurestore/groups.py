"""The control plane: feature groups as SageMaker describes them."""

import copy
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from infra.localaws.featurestore.records import OfflineTable
from infra.localaws.featurestore.schema import Schema
from infra.localaws.sagemaker.errors import ResourceInUse, ResourceNotFound, ValidationException

FEATURE_TYPES = ("Integral", "Fractional", "String")
RESERVED = ("is_deleted", "write_time", "api_invocation_time")
_NAME = re.compile(r"[a-zA-Z0-9]([_-]*[a-zA-Z0-9]){0,63}")
_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:\d{12}:feature-group/(.+)")

Request = dict[str, Any]


@dataclass
class FeatureGroup:
    """One feature group, kept among moto's SageMaker objects."""

    feature_group_name: str
    account_id: str
    region: str
    request: Request
    created_at: datetime
    status: str = "Creating"
    failure_reason: str | None = None
    modified_at: datetime | None = None
    tags: list[dict[str, str]] = field(default_factory=list)

    @property
    def arn(self) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:feature-group/{self.feature_group_name.lower()}"

    @property
    def key(self) -> str:
        """Tells this group from an earlier one of the same name."""
        return f"{self.arn}@{self.created_at.timestamp():.6f}"

    @property
    def has_online_store(self) -> bool:
        return bool((self.request.get("OnlineStoreConfig") or {}).get("EnableOnlineStore"))

    @property
    def has_offline_store(self) -> bool:
        return bool(self.request.get("OfflineStoreConfig"))

    @cached_property
    def schema(self) -> Schema:
        types = {f["FeatureName"]: f["FeatureType"] for f in self.request["FeatureDefinitions"]}
        return Schema(self.request["RecordIdentifierFeatureName"], self.request["EventTimeFeatureName"], types)

    def add_features(self, definitions: list[dict[str, Any]], at: datetime) -> None:
        self.request["FeatureDefinitions"] += definitions
        self.modified_at = at
        self.__dict__.pop("schema", None)

    def offline_table(self) -> OfflineTable | None:
        if not self.has_offline_store:
            return None
        bucket, _, prefix = self._resolved_uri().removeprefix("s3://").partition("/")
        return OfflineTable(bucket, prefix, self.schema.types, str(self.request.get("RoleArn", "")), self.arn)

    def describe(self) -> dict[str, Any]:
        """DescribeFeatureGroup's answer; fields that are None are left out."""
        kept = ("RecordIdentifierFeatureName", "EventTimeFeatureName", "FeatureDefinitions", "RoleArn", "Description")
        answer = {name: self.request.get(name) for name in kept} | self.summary()
        answer |= {
            "LastModifiedTime": self.modified_at or self.created_at,
            "OnlineStoreConfig": self.request.get("OnlineStoreConfig"),
            "OfflineStoreConfig": self._offline_config(),
            "ThroughputConfig": {"ThroughputMode": "OnDemand"},
            "FailureReason": self.failure_reason,
        }
        if self.modified_at:
            answer["LastUpdateStatus"] = {"Status": "Successful"}
        return {name: value for name, value in answer.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """One of ListFeatureGroups."""
        return {
            "FeatureGroupName": self.feature_group_name,
            "FeatureGroupArn": self.arn,
            "CreationTime": self.created_at,
            "FeatureGroupStatus": self.status,
            "OfflineStoreStatus": {"Status": "Active"} if self.has_offline_store else None,
        }

    def gen_response_object(self) -> dict[str, Any]:
        """What Search answers (moto's name for it)."""
        return self.describe()

    def _offline_config(self) -> dict[str, Any] | None:
        if not self.has_offline_store:
            return None
        config: dict[str, Any] = copy.deepcopy(self.request["OfflineStoreConfig"])
        config["S3StorageConfig"]["ResolvedOutputS3Uri"] = self._resolved_uri()
        config.setdefault("TableFormat", "Glue")
        if not config.get("DisableGlueTableCreation"):
            table = f"{self.feature_group_name.replace('-', '_')}_{self.created_at:%s}".lower()
            default = {"TableName": table, "Catalog": "AwsDataCatalog", "Database": "sagemaker_featurestore"}
            config.setdefault("DataCatalogConfig", default)
        return config

    def _resolved_uri(self) -> str:
        base = self.request["OfflineStoreConfig"]["S3StorageConfig"]["S3Uri"].rstrip("/")
        table = f"{self.feature_group_name}-{int(self.created_at.timestamp())}"
        return f"{base}/{self.account_id}/sagemaker/{self.region}/offline-store/{table}/data"


def group_name(name_or_arn: str) -> str:
    match = _ARN.fullmatch(name_or_arn)
    return match.group(1) if match else name_or_arn


class FeatureGroups:
    """Actions on the feature groups of a moto SageMaker backend."""

    def __init__(self, provision: "Provision") -> None:
        self._provision = provision
        self._lock = threading.Lock()

    def create(self, backend: Any, request: Request) -> Request:
        check_request(request)
        group = FeatureGroup(
            request["FeatureGroupName"],
            backend.account_id,
            backend.region_name,
            request,
            datetime.now(UTC),
            tags=request.get("Tags") or [],
        )
        with self._lock:
            if group.arn in backend.feature_groups:
                raise ResourceInUse(
                    f"Resource Already Exists: FeatureGroup with name {group.feature_group_name} already exists. "
                    f"Choose a different name.\nInfo: Feature Group '{group.feature_group_name}' already exists."
                )
            backend.feature_groups[group.arn] = group
        self._provision.begin(group)
        return {"FeatureGroupArn": group.arn}

    def describe(self, backend: Any, request: Request) -> Request:
        return find(backend, request["FeatureGroupName"]).describe()

    def delete(self, backend: Any, request: Request) -> None:
        group = find(backend, request["FeatureGroupName"])
        self._provision.end(group)
        backend.feature_groups.pop(group.arn, None)

    def update(self, backend: Any, request: Request) -> Request:
        """Feature additions; other changes are refused by name."""
        group = find(backend, request["FeatureGroupName"])
        if unsupported := set(request) - {"FeatureGroupName", "FeatureAdditions"}:
            raise ValidationException(f"{', '.join(sorted(unsupported))}: not supported by local AWS")
        additions = request.get("FeatureAdditions") or []
        check_definitions(group.request["FeatureDefinitions"] + additions)
        group.add_features(additions, datetime.now(UTC))
        self._provision.changed(group)
        return {"FeatureGroupArn": group.arn}

    def list(self, backend: Any, request: Request) -> Request:
        """A page of all groups, of which the filters leave some or none: SageMaker pages before it filters."""
        groups = [*backend.feature_groups.values()]
        orders = {"Name": "feature_group_name", "FeatureGroupStatus": "status", "CreationTime": "created_at"}
        order = orders.get(request.get("SortBy", "CreationTime"), "created_at")
        groups.sort(key=lambda g: getattr(g, order), reverse=request.get("SortOrder") == "Descending")
        start, size = int(request.get("NextToken") or 0), request.get("MaxResults", 100)
        page = groups[start : start + size]
        answer: Request = {"FeatureGroupSummaries": [g.summary() for g in page if matches(g, request)]}
        if start + size < len(groups):
            answer["NextToken"] = str(start + size)
        return answer


class Provision:
    """What happens when a group begins, changes and ends; implemented by the service."""

    def begin(self, group: FeatureGroup) -> None:
        raise NotImplementedError

    def changed(self, group: FeatureGroup) -> None:
        raise NotImplementedError

    def end(self, group: FeatureGroup) -> None:
        raise NotImplementedError


def find(backend: Any, name_or_arn: str) -> FeatureGroup:
    """A group by name or ARN; ResourceNotFound as AWS words it."""
    name = group_name(name_or_arn)
    arn = f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:feature-group/{name.lower()}"
    group: FeatureGroup | None = backend.feature_groups.get(arn)
    if group is None:
        raise ResourceNotFound(not_found_text(name))
    return group


def not_found_text(name: str) -> str:
    return f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name}"


def matches(group: FeatureGroup, request: Request) -> bool:
    """Whether ListFeatureGroups' filters let a group through."""
    created = group.created_at.timestamp()
    offline = "Active" if group.has_offline_store else None
    return (
        request.get("NameContains", "") in group.feature_group_name
        and request.get("FeatureGroupStatusEquals", group.status) == group.status
        and request.get("OfflineStoreStatusEquals", offline) == offline
        and float(request.get("CreationTimeAfter", created)) <= created
        and float(request.get("CreationTimeBefore", created)) >= created
    )


def check_request(request: Request) -> None:
    """Refuse what AWS refuses, and by name what local AWS does not do; raises ValidationException."""
    definitions = request.get("FeatureDefinitions") or []
    check_definitions(definitions)
    types = {f["FeatureName"]: f["FeatureType"] for f in definitions}
    for role in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
        if request[role] not in types:
            raise ValidationException(f"Validation Error: {role} '{request[role]}' is not in FeatureDefinitions")
    if types[request["EventTimeFeatureName"]] not in ("String", "Fractional"):
        raise ValidationException("Validation Error: the event time feature must be of type String or Fractional")
    online, offline = request.get("OnlineStoreConfig") or {}, request.get("OfflineStoreConfig")
    if not online.get("EnableOnlineStore") and not offline:
        raise ValidationException("Validation Error: either OnlineStoreConfig or OfflineStoreConfig must be enabled")
    if "TtlDuration" in online:
        raise ValidationException("OnlineStoreConfig.TtlDuration is not supported by local AWS")
    if offline:
        if not re.fullmatch(r"s3://[^/]+(/.*)?", offline["S3StorageConfig"]["S3Uri"]):
            raise ValidationException("Validation Error: OfflineStoreConfig.S3StorageConfig.S3Uri must be an s3:// URI")
        if offline.get("TableFormat") == "Iceberg":
            raise ValidationException("OfflineStoreConfig.TableFormat Iceberg is not supported by local AWS")


def check_definitions(definitions: list[dict[str, Any]]) -> None:
    """Names, types and uniqueness of features; raises ValidationException."""
    seen: set[str] = set()
    for definition in definitions:
        name, feature_type = definition.get("FeatureName", ""), definition.get("FeatureType")
        if not _NAME.fullmatch(name) or len(name) > 64:
            raise ValidationException(f"Validation Error: feature name '{name}' is not valid")
        if name.lower() in RESERVED:
            raise ValidationException(f"Validation Error: feature name '{name}' is reserved")
        if feature_type not in FEATURE_TYPES:
            raise ValidationException(f"Validation Error: type '{feature_type}' of feature '{name}' is none of AWS's")
        if definition.get("CollectionType"):
            raise ValidationException(f"Feature '{name}': CollectionType is not supported by local AWS")
        if name.lower() in seen:
            raise ValidationException(f"Validation Error: feature name '{name}' is given more than once")
        seen.add(name.lower())
