"""AWS::ApiGateway (REST APIs)."""

import json
from typing import Any, override

from infra.localaws.cloudformation.errors import ResourceError
from infra.localaws.cloudformation.handler import (
    Handler,
    Made,
    Properties,
    Target,
    boolean,
    camel,
    changed,
    integer,
    picked,
)

Patch = list[dict[str, str]]


def replace_operations(properties: Properties, *names: str) -> Patch:
    """Patch operations that set properties of an API Gateway object."""
    return [
        {"op": "replace", "path": f"/{name[:1].lower()}{name[1:]}", "value": as_text(properties[name])}
        for name in names
        if name in properties
    ]


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class RestApi(Handler):
    """With a `Body` the API is imported; a change of the body overwrites it."""

    type = "AWS::ApiGateway::RestApi"
    properties = frozenset(
        ("Name", "Description", "Body", "EndpointConfiguration", "FailOnWarnings", "Parameters", "Policy",
         "ApiKeySourceType", "BinaryMediaTypes", "MinimumCompressionSize", "DisableExecuteApiEndpoint", "Mode", "Tags")
    )  # fmt: skip

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        client = target.client("apigateway")
        api_id = client.create_rest_api(**self._arguments(target, properties))["id"]
        try:
            self._import(client, api_id, properties)
        except Exception:
            client.delete_rest_api(restApiId=api_id)
            raise
        return Made(api_id, {"RestApiId": api_id, "RootResourceId": _root(client, api_id)})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        client, differing = target.client("apigateway"), set(changed(old, new))
        if {"Body", "FailOnWarnings", "Parameters"} & differing:
            self._import(client, physical_id, new)
        patch = replace_operations(new, *sorted(differing & {"Name", "Description", "ApiKeySourceType"}))
        if "Name" in new and {"Body", "Name"} & differing:
            patch += replace_operations(new, "Name")
        if patch:
            client.update_rest_api(restApiId=physical_id, patchOperations=patch)
        if other := differing & {"Policy", "EndpointConfiguration", "BinaryMediaTypes", "MinimumCompressionSize"}:
            raise ResourceError(f"A change of {', '.join(sorted(other))} of a REST API is not supported by local AWS")
        return Made(physical_id, {"RestApiId": physical_id, "RootResourceId": _root(client, physical_id)})

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("apigateway").delete_rest_api(restApiId=physical_id)

    def _arguments(self, target: Target, properties: Properties) -> Properties:
        body = properties.get("Body") or {}
        name = properties.get("Name") or (body.get("info") or {}).get("title")
        if not name:
            raise ResourceError("A REST API needs a Name or a Body with info.title")
        arguments: Properties = {"name": name, "tags": target.tags(properties.get("Tags"))}
        simple = ("Description", "EndpointConfiguration", "BinaryMediaTypes", "ApiKeySourceType")
        arguments |= {key[:1].lower() + key[1:]: value for key, value in picked(properties, *simple).items()}
        if "endpointConfiguration" in arguments:
            arguments["endpointConfiguration"] = camel(arguments["endpointConfiguration"])
        if "Policy" in properties:
            arguments["policy"] = json.dumps(properties["Policy"])
        if "MinimumCompressionSize" in properties:
            arguments["minimumCompressionSize"] = integer(properties["MinimumCompressionSize"])
        if "DisableExecuteApiEndpoint" in properties:
            arguments["disableExecuteApiEndpoint"] = boolean(properties["DisableExecuteApiEndpoint"])
        return arguments

    def _import(self, client: Any, api_id: str, properties: Properties) -> None:
        if not properties.get("Body"):
            return
        client.put_rest_api(
            restApiId=api_id,
            mode=properties.get("Mode", "overwrite"),
            failOnWarnings=boolean(properties.get("FailOnWarnings", False)),
            parameters=properties.get("Parameters") or {},
            body=json.dumps(properties["Body"]).encode(),
        )


def _root(client: Any, api_id: str) -> str:
    resources = client.get_resources(restApiId=api_id, limit=500)["items"]
    return next((resource["id"] for resource in resources if resource["path"] == "/"), "")


class Deployment(Handler):
    """A snapshot of the API: a new one is made by a new logical id, as on AWS."""

    type = "AWS::ApiGateway::Deployment"
    properties = frozenset(("RestApiId", "Description", "StageName"))
    immutable = frozenset(("RestApiId",))

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        arguments = {key[:1].lower() + key[1:]: value for key, value in properties.items()}
        deployment = target.client("apigateway").create_deployment(**arguments)["id"]
        return Made(deployment, {"DeploymentId": deployment})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        client, api = target.client("apigateway"), new["RestApiId"]
        if old.get("StageName") != new.get("StageName"):
            raise ResourceError("A change of StageName of a deployment is not supported by local AWS")
        patch = replace_operations(new, "Description")
        if patch:
            client.update_deployment(restApiId=api, deploymentId=physical_id, patchOperations=patch)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        client = target.client("apigateway")
        client.delete_deployment(restApiId=properties["RestApiId"], deploymentId=physical_id)


class Stage(Handler):
    type = "AWS::ApiGateway::Stage"
    properties = frozenset(
        ("RestApiId", "DeploymentId", "StageName", "Description", "Variables", "MethodSettings", "TracingEnabled",
         "AccessLogSetting", "Tags")
    )  # fmt: skip
    immutable = frozenset(("RestApiId", "StageName"))
    name_property = "StageName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        client, name = target.client("apigateway"), properties["StageName"]
        arguments = picked(properties, "RestApiId", "DeploymentId", "StageName", "Description", "Variables")
        arguments = {key[:1].lower() + key[1:]: value for key, value in arguments.items()}
        arguments["tags"] = target.tags(properties.get("Tags"))
        if "TracingEnabled" in properties:
            arguments["tracingEnabled"] = boolean(properties["TracingEnabled"])
        client.create_stage(**arguments)
        if settings := _method_settings({}, properties) + _access_log({}, properties):
            try:
                client.update_stage(restApiId=properties["RestApiId"], stageName=name, patchOperations=settings)
            except Exception:
                client.delete_stage(restApiId=properties["RestApiId"], stageName=name)
                raise
        return Made(name)

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        differing = changed(old, new)
        patch = replace_operations(picked(new, *differing), "DeploymentId", "Description", "TracingEnabled")
        before, after = old.get("Variables") or {}, new.get("Variables") or {}
        patch += [{"op": "remove", "path": f"/variables/{key}"} for key in sorted(set(before) - set(after))]
        patch += [{"op": "replace", "path": f"/variables/{key}", "value": str(after[key])} for key in sorted(after)]
        patch += _method_settings(old, new) + _access_log(old, new)
        if patch:
            client = target.client("apigateway")
            client.update_stage(restApiId=new["RestApiId"], stageName=physical_id, patchOperations=patch)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("apigateway").delete_stage(restApiId=properties["RestApiId"], stageName=physical_id)


_SETTINGS = {
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
    "LoggingLevel": "logging/loglevel",
    "DataTraceEnabled": "logging/dataTrace",
    "MetricsEnabled": "metrics/enabled",
    "CachingEnabled": "caching/enabled",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
}


def _method_settings(old: Properties, new: Properties) -> Patch:
    if old.get("MethodSettings") == new.get("MethodSettings"):
        return []
    patch: Patch = []
    for setting in new.get("MethodSettings") or []:
        path = setting.get("ResourcePath", "/*").lstrip("/").replace("/", "~1") or "~1"
        where = f"/{path}/{setting.get('HttpMethod', '*')}"
        for name, value in setting.items():
            if name in ("ResourcePath", "HttpMethod"):
                continue
            if name not in _SETTINGS:
                raise ResourceError(f"MethodSettings {name} of a stage is not supported by local AWS")
            patch.append({"op": "replace", "path": f"{where}/{_SETTINGS[name]}", "value": as_text(value)})
    return patch


def _access_log(old: Properties, new: Properties) -> Patch:
    before, after = old.get("AccessLogSetting"), new.get("AccessLogSetting")
    if before == after:
        return []
    if not after:
        return [{"op": "remove", "path": "/accessLogSettings"}]
    return [
        {"op": "replace", "path": f"/accessLogSettings/{name[:1].lower()}{name[1:]}", "value": value}
        for name, value in after.items()
    ]


HANDLERS = (RestApi(), Deployment(), Stage())
