"""AWS::SageMaker. Ref gives the ARN of all but the feature group, as on AWS."""

import time
from typing import Any, override

from infra.localaws.cloudformation.errors import ResourceError
from infra.localaws.cloudformation.handler import (
    Handler,
    Made,
    Properties,
    Target,
    boolean,
    integer,
    picked,
    tag_list,
)

POLL_S = 0.2
LONGEST_S = 3600


def _tags(target: Target, properties: Properties) -> list[dict[str, str]]:
    return tag_list(target.tags(properties.get("Tags")))


def last_part(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


class Model(Handler):
    type = "AWS::SageMaker::Model"
    properties = frozenset(
        ("ModelName", "ExecutionRoleArn", "PrimaryContainer", "Containers", "EnableNetworkIsolation", "VpcConfig",
         "Tags")
    )  # fmt: skip
    immutable = properties - {"Tags"}
    name_property = "ModelName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        name = properties.get("ModelName") or target.generated_name(63)
        arguments = picked(properties, "ExecutionRoleArn", "PrimaryContainer", "Containers", "VpcConfig")
        if "EnableNetworkIsolation" in properties:
            arguments["EnableNetworkIsolation"] = boolean(properties["EnableNetworkIsolation"])
        tags = _tags(target, properties)
        arn = target.client("sagemaker").create_model(ModelName=name, Tags=tags, **arguments)["ModelArn"]
        return Made(arn, {"ModelName": name, "ModelArn": arn})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        target.client("sagemaker").add_tags(ResourceArn=physical_id, Tags=_tags(target, new))
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("sagemaker").delete_model(ModelName=last_part(physical_id))


_VARIANT_NUMBERS = ("InitialInstanceCount", "ContainerStartupHealthCheckTimeoutInSeconds",
                    "ModelDataDownloadTimeoutInSeconds", "VolumeSizeInGB")  # fmt: skip


class EndpointConfig(Handler):
    type = "AWS::SageMaker::EndpointConfig"
    properties = frozenset(("EndpointConfigName", "ProductionVariants", "KmsKeyId", "DataCaptureConfig", "Tags"))
    immutable = properties - {"Tags"}
    name_property = "EndpointConfigName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        name = properties.get("EndpointConfigName") or target.generated_name(63)
        client = target.client("sagemaker")
        arn = client.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[_variant(variant) for variant in properties["ProductionVariants"]],
            Tags=_tags(target, properties),
            **picked(properties, "KmsKeyId", "DataCaptureConfig"),
        )["EndpointConfigArn"]
        return Made(arn, {"EndpointConfigName": name})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        target.client("sagemaker").add_tags(ResourceArn=physical_id, Tags=_tags(target, new))
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("sagemaker").delete_endpoint_config(EndpointConfigName=last_part(physical_id))


def _variant(variant: Properties) -> Properties:
    """Templates may name the model by its ARN (what Ref gives); numbers may be text."""
    made = dict(variant) | {"ModelName": last_part(variant["ModelName"])}
    for number in _VARIANT_NUMBERS:
        if number in made:
            made[number] = integer(made[number])
    if "InitialVariantWeight" in made:
        made["InitialVariantWeight"] = float(made["InitialVariantWeight"])
    if "ServerlessConfig" in made:
        made["ServerlessConfig"] = {key: integer(value) for key, value in made["ServerlessConfig"].items()}
    return made


class Endpoint(Handler):
    """Waits until it is InService; otherwise its failure reason is the stack's."""

    type = "AWS::SageMaker::Endpoint"
    properties = frozenset(("EndpointName", "EndpointConfigName", "DeploymentConfig", "Tags"))
    immutable = frozenset(("EndpointName",))
    name_property = "EndpointName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        name = properties.get("EndpointName") or target.generated_name(63)
        client = target.client("sagemaker")
        arn = client.create_endpoint(
            EndpointName=name,
            EndpointConfigName=last_part(properties["EndpointConfigName"]),
            Tags=_tags(target, properties),
        )["EndpointArn"]
        try:
            self._wait(client, name)
        except Exception:
            client.delete_endpoint(EndpointName=name)
            raise
        return Made(arn, {"EndpointName": name})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        name, client = last_part(physical_id), target.client("sagemaker")
        wanted = last_part(new["EndpointConfigName"])
        if client.describe_endpoint(EndpointName=name)["EndpointConfigName"] != wanted:
            arguments = picked(new, "DeploymentConfig")
            client.update_endpoint(EndpointName=name, EndpointConfigName=wanted, **arguments)
            self._wait(client, name)
            serving = client.describe_endpoint(EndpointName=name)
            if serving["EndpointConfigName"] != wanted:
                reason = serving.get("FailureReason", "the endpoint went back to its last configuration")
                raise ResourceError(f"Endpoint {name} was not updated: {reason}")
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("sagemaker").delete_endpoint(EndpointName=last_part(physical_id))

    def _wait(self, client: Any, name: str) -> None:
        deadline = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline:
            endpoint = client.describe_endpoint(EndpointName=name)
            if endpoint["EndpointStatus"] == "InService":
                return
            if endpoint["EndpointStatus"] in ("Failed", "OutOfService", "UpdateRollbackFailed"):
                raise ResourceError(f"Endpoint {name} failed: {endpoint.get('FailureReason', 'no reason given')}")
            time.sleep(POLL_S)
        raise ResourceError(f"Endpoint {name} did not come into service within {LONGEST_S} s")


class FeatureGroup(Handler):
    type = "AWS::SageMaker::FeatureGroup"
    properties = frozenset(
        ("FeatureGroupName", "RecordIdentifierFeatureName", "EventTimeFeatureName", "FeatureDefinitions",
         "OnlineStoreConfig", "OfflineStoreConfig", "RoleArn", "Description", "Tags")
    )  # fmt: skip
    immutable = properties - {"FeatureDefinitions", "Tags"}
    name_property = "FeatureGroupName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        name = properties.get("FeatureGroupName") or target.generated_name(63)
        arguments = picked(properties, *(self.properties - {"Tags", "FeatureGroupName"}))
        flags = {"OnlineStoreConfig": "EnableOnlineStore", "OfflineStoreConfig": "DisableGlueTableCreation"}
        for store, flag in flags.items():
            if flag in (arguments.get(store) or {}):
                arguments[store] = arguments[store] | {flag: boolean(arguments[store][flag])}
        client = target.client("sagemaker")
        client.create_feature_group(FeatureGroupName=name, Tags=_tags(target, properties), **arguments)
        group = client.describe_feature_group(FeatureGroupName=name)
        while group["FeatureGroupStatus"] == "Creating":
            time.sleep(POLL_S / 4)
            group = client.describe_feature_group(FeatureGroupName=name)
        if group["FeatureGroupStatus"] != "Created":
            client.delete_feature_group(FeatureGroupName=name)
            raise ResourceError(f"Feature group {name} failed: {group.get('FailureReason')}")
        created = group["CreationTime"].isoformat()
        return Made(name, {"CreationTime": created, "FeatureGroupStatus": "Created"})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        additions = new["FeatureDefinitions"][len(old["FeatureDefinitions"]) :]
        if additions:
            client = target.client("sagemaker")
            client.update_feature_group(FeatureGroupName=physical_id, FeatureAdditions=additions)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("sagemaker").delete_feature_group(FeatureGroupName=physical_id)

    @override
    def replaces(self, old: Properties, new: Properties) -> list[str]:
        """Features can only be added at the end; any other change makes a new group."""
        before, after = old["FeatureDefinitions"], new["FeatureDefinitions"]
        kept = after[: len(before)] == before
        return super().replaces(old, new) + ([] if kept else ["FeatureDefinitions"])


class ModelPackageGroup(Handler):
    type = "AWS::SageMaker::ModelPackageGroup"
    properties = frozenset(("ModelPackageGroupName", "ModelPackageGroupDescription", "Tags"))
    immutable = frozenset(("ModelPackageGroupName", "ModelPackageGroupDescription"))
    name_property = "ModelPackageGroupName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        name, client = properties["ModelPackageGroupName"], target.client("sagemaker")
        arguments = picked(properties, "ModelPackageGroupDescription")
        arn = client.create_model_package_group(
            ModelPackageGroupName=name, Tags=_tags(target, properties), **arguments
        )["ModelPackageGroupArn"]
        group = client.describe_model_package_group(ModelPackageGroupName=name)
        created = group["CreationTime"].isoformat()
        attributes = {"ModelPackageGroupArn": arn, "CreationTime": created, "ModelPackageGroupStatus": "Completed"}
        return Made(arn, attributes)

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        target.client("sagemaker").add_tags(ResourceArn=physical_id, Tags=_tags(target, new))
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("sagemaker").delete_model_package_group(ModelPackageGroupName=last_part(physical_id))


HANDLERS = (Model(), EndpointConfig(), Endpoint(), FeatureGroup(), ModelPackageGroup())
