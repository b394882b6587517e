"""AWS::Lambda."""

import io
import zipfile
from typing import Any, override

from infra.localaws.cloudformation.errors import ResourceError
from infra.localaws.cloudformation.handler import (
    Handler,
    Made,
    Properties,
    Target,
    changed,
    integer,
    picked,
    tag_map,
)

_CONFIGURATION = ("Handler", "Role", "Runtime", "Description", "Environment", "Layers", "TracingConfig",
                  "DeadLetterConfig", "EphemeralStorage", "LoggingConfig")  # fmt: skip


class Function(Handler):
    type = "AWS::Lambda::Function"
    properties = frozenset(
        ("FunctionName", "Code", "Timeout", "MemorySize", "Architectures", "PackageType",
         "ReservedConcurrentExecutions", "Tags", *_CONFIGURATION)
    )  # fmt: skip
    immutable = frozenset(("FunctionName", "PackageType"))
    name_property = "FunctionName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        client, name = target.client("lambda"), properties.get("FunctionName") or target.generated_name(64)
        arguments = self._configuration(properties) | {
            "FunctionName": name,
            "Code": _code(properties),
            "Tags": target.tags(properties.get("Tags")),
            **picked(properties, "Architectures", "PackageType"),
        }
        arn = client.create_function(**arguments)["FunctionArn"]
        self._reserve(client, name, {}, properties)
        return Made(name, {"Arn": arn})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        client, differing = target.client("lambda"), set(changed(old, new))
        if {"Code", "Architectures"} & differing:
            arguments = _code(new) | picked(new, "Architectures")
            client.update_function_code(FunctionName=physical_id, **arguments)
        if differing - {"Code", "Architectures", "Tags", "ReservedConcurrentExecutions"}:
            cleared: Properties = {"Description": "", "Environment": {"Variables": {}}, "Layers": [],
                                   "DeadLetterConfig": {"TargetArn": ""}}  # fmt: skip
            cleared = {name: value for name, value in cleared.items() if name in old}
            defaults = cleared | {"Timeout": 3, "MemorySize": 128}
            client.update_function_configuration(FunctionName=physical_id, **(defaults | self._configuration(new)))
        arn = client.get_function(FunctionName=physical_id)["Configuration"]["FunctionArn"]
        if "Tags" in differing:
            client.tag_resource(Resource=arn, Tags=target.tags(new.get("Tags")))
            if gone := sorted(set(tag_map(old.get("Tags"))) - set(tag_map(new.get("Tags")))):
                client.untag_resource(Resource=arn, TagKeys=gone)
        self._reserve(client, physical_id, old, new)
        return Made(physical_id, {"Arn": arn})

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("lambda").delete_function(FunctionName=physical_id)

    def _configuration(self, properties: Properties) -> Properties:
        made = picked(properties, *_CONFIGURATION)
        for number in ("Timeout", "MemorySize"):
            if number in properties:
                made[number] = integer(properties[number])
        if "EphemeralStorage" in made:
            made["EphemeralStorage"] = {"Size": integer(made["EphemeralStorage"]["Size"])}
        if "Environment" in made:
            variables = made["Environment"].get("Variables") or {}
            made["Environment"] = {"Variables": {key: _text(value) for key, value in variables.items()}}
        return made

    def _reserve(self, client: Any, name: str, old: Properties, new: Properties) -> None:
        before, after = old.get("ReservedConcurrentExecutions"), new.get("ReservedConcurrentExecutions")
        if after is not None:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=integer(after))
        elif before is not None:
            client.delete_function_concurrency(FunctionName=name)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(properties: Properties) -> Properties:
    code = properties["Code"]
    if "ZipFile" in code:
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as archive:
            archive.writestr(zipfile.ZipInfo("index.py"), code["ZipFile"])
        return {"ZipFile": body.getvalue()}
    if "S3Bucket" not in code:
        raise ResourceError("Code must be ZipFile or S3Bucket and S3Key: images are not supported by local AWS")
    return picked(code, "S3Bucket", "S3Key", "S3ObjectVersion")


class Permission(Handler):
    type = "AWS::Lambda::Permission"
    properties = frozenset(
        ("Action", "FunctionName", "Principal", "SourceArn", "SourceAccount", "PrincipalOrgID", "EventSourceToken")
    )
    immutable = properties

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        statement = target.generated_name(100)
        arguments = picked(properties, *self.properties)
        target.client("lambda").add_permission(StatementId=statement, **arguments)
        return Made(statement, {"Id": statement})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        raise ResourceError("AWS::Lambda::Permission cannot be changed in place")

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        function = properties["FunctionName"]
        target.client("lambda").remove_permission(FunctionName=function, StatementId=physical_id)


HANDLERS = (Function(), Permission())
