"""AWS::ApiGateway: keys, usage plans and the account."""

from typing import override

from infra.localaws.cloudformation.adapters.apigateway import as_text, replace_operations
from infra.localaws.cloudformation.errors import ResourceError
from infra.localaws.cloudformation.handler import (
    Handler,
    Made,
    Properties,
    Target,
    boolean,
    camel,
    integer,
)


class ApiKey(Handler):
    type = "AWS::ApiGateway::ApiKey"
    properties = frozenset(("Name", "Description", "Enabled", "Value", "GenerateDistinctId", "Tags"))
    immutable = frozenset(("Name", "Value", "GenerateDistinctId"))

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        arguments: Properties = {
            "name": properties.get("Name") or target.generated_name(64),
            "description": properties.get("Description", ""),
            "enabled": boolean(properties.get("Enabled", False)),
            "tags": target.tags(properties.get("Tags")),
        }
        if "Value" in properties:
            arguments["value"] = properties["Value"]
        key = target.client("apigateway").create_api_key(**arguments)["id"]
        return Made(key, {"APIKeyId": key})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        wanted = {"Description": new.get("Description", ""), "Enabled": boolean(new.get("Enabled", False))}
        patch = replace_operations(wanted, "Description", "Enabled")
        target.client("apigateway").update_api_key(apiKey=physical_id, patchOperations=patch)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("apigateway").delete_api_key(apiKey=physical_id)


class UsagePlan(Handler):
    type = "AWS::ApiGateway::UsagePlan"
    properties = frozenset(("UsagePlanName", "Description", "ApiStages", "Throttle", "Quota", "Tags"))

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        arguments: Properties = {
            "name": properties.get("UsagePlanName") or target.generated_name(64),
            "description": properties.get("Description", ""),
            "apiStages": [_api_stage(stage) for stage in properties.get("ApiStages") or []],
            "tags": target.tags(properties.get("Tags")),
        }
        if "Throttle" in properties:
            arguments["throttle"] = _throttle(properties["Throttle"])
        if "Quota" in properties:
            arguments["quota"] = camel(properties["Quota"]) | {"limit": integer(properties["Quota"]["Limit"])}
        plan = target.client("apigateway").create_usage_plan(**arguments)["id"]
        return Made(plan, {"Id": plan})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        patch = replace_operations({"Name": new.get("UsagePlanName")}, "Name") if new.get("UsagePlanName") else []
        patch += replace_operations({"Description": new.get("Description", "")}, "Description")
        for limit, path in (("Throttle", "throttle"), ("Quota", "quota")):
            settings = camel(new.get(limit) or {})
            patch += [{"op": "replace", "path": f"/{path}/{k}", "value": as_text(v)} for k, v in settings.items()]
            if limit in old and limit not in new:
                patch.append({"op": "remove", "path": f"/{path}"})
        before, after = _stage_names(old), _stage_names(new)
        patch += [{"op": "remove", "path": "/apiStages", "value": name} for name in sorted(before - after)]
        patch += [{"op": "add", "path": "/apiStages", "value": name} for name in sorted(after - before)]
        target.client("apigateway").update_usage_plan(usagePlanId=physical_id, patchOperations=patch)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        client = target.client("apigateway")
        stages = sorted(_stage_names(properties))
        patch = [{"op": "remove", "path": "/apiStages", "value": name} for name in stages]
        if patch:
            client.update_usage_plan(usagePlanId=physical_id, patchOperations=patch)
        client.delete_usage_plan(usagePlanId=physical_id)


def _api_stage(stage: Properties) -> Properties:
    made: Properties = {"apiId": stage["ApiId"], "stage": stage["Stage"]}
    if "Throttle" in stage:
        made["throttle"] = {method: _throttle(limits) for method, limits in stage["Throttle"].items()}
    return made


def _throttle(limits: Properties) -> Properties:
    made: Properties = {}
    if "RateLimit" in limits:
        made["rateLimit"] = float(limits["RateLimit"])
    if "BurstLimit" in limits:
        made["burstLimit"] = integer(limits["BurstLimit"])
    return made


def _stage_names(properties: Properties) -> set[str]:
    return {f"{stage['ApiId']}:{stage['Stage']}" for stage in properties.get("ApiStages") or []}


class UsagePlanKey(Handler):
    type = "AWS::ApiGateway::UsagePlanKey"
    properties = frozenset(("KeyId", "KeyType", "UsagePlanId"))
    immutable = properties

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        plan, key = properties["UsagePlanId"], properties["KeyId"]
        client = target.client("apigateway")
        client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType=properties["KeyType"])
        return Made(f"{key}:{plan}", {"Id": f"{key}:{plan}"})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        raise ResourceError("AWS::ApiGateway::UsagePlanKey cannot be changed in place")

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        client = target.client("apigateway")
        client.delete_usage_plan_key(usagePlanId=properties["UsagePlanId"], keyId=properties["KeyId"])


class Account(Handler):
    """The role by which API Gateway writes logs; it stays when the stack goes, as on AWS."""

    type = "AWS::ApiGateway::Account"
    properties = frozenset(("CloudWatchRoleArn",))

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        self._put(target, properties)
        return Made(target.generated_name(64))

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        self._put(target, new)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        return

    def _put(self, target: Target, properties: Properties) -> None:
        patch = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": properties.get("CloudWatchRoleArn", "")}]
        target.client("apigateway").update_account(patchOperations=patch)


HANDLERS = (ApiKey(), UsagePlan(), UsagePlanKey(), Account())
