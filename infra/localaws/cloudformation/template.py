"""Templates: YAML with short function tags or JSON, as plain dictionaries of full functions."""

import json
from typing import Any

import yaml

from infra.localaws.cloudformation.errors import Refused

Template = dict[str, Any]

REQUEST_BYTES = 51_200
"""Of a template in a request."""
S3_BYTES = 1_000_000
"""Of a template that is read from S3."""

SECTIONS = frozenset(
    ("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Resources",
     "Outputs", "Rules", "Transform", "Hooks")
)  # fmt: skip
UNSUPPORTED_SECTIONS = frozenset(("Rules", "Transform", "Hooks"))
RESOURCE_FIELDS = frozenset(
    ("Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy")
)


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: `2012-10-17` stays text, `!Ref x` is `{"Ref": x}`."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _function(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _function)


def parse(body: str) -> Template:
    """A checked template.

    Raises:
        Refused: worded as AWS words template errors.
    """
    try:
        template = json.loads(body) if body.lstrip().startswith("{") else yaml.load(body, _Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError) as error:
        raise Refused(f"Template format error: not well-formed. {error}") from error
    if not isinstance(template, dict):
        raise Refused("Template format error: unsupported structure.")
    if unknown := set(template) - SECTIONS:
        raise Refused(f"Invalid template property or properties [{', '.join(sorted(map(str, unknown)))}]")
    if unsupported := set(template) & UNSUPPORTED_SECTIONS:
        raise Refused(f"Template section {', '.join(sorted(unsupported))} is not supported by local AWS")
    _check_resources(template.get("Resources"))
    return template


def check_request(request: dict[str, Any]) -> None:
    """Refuse a request whose `TemplateBody` is longer than one may be, before anything else of it is looked at."""
    body = request.get("TemplateBody")
    if body and len(body.encode()) > REQUEST_BYTES:
        raise Refused(
            f"1 validation error detected: Value '{body}' at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {REQUEST_BYTES}"
        )


def from_s3(body: bytes) -> str:
    """The text of a template's object in S3.

    Raises:
        Refused: it is larger than a template may be.
    """
    if len(body) > S3_BYTES:
        raise Refused(f"Template may not exceed {S3_BYTES} bytes in size.")
    return body.decode()


def _check_resources(resources: Any) -> None:
    if not isinstance(resources, dict) or not resources:
        raise Refused("Template format error: At least one Resources member must be defined.")
    for logical_id, resource in resources.items():
        if not str(logical_id).isalnum():
            raise Refused(f"Template format error: Resource name {logical_id} is non alphanumeric.")
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise Refused(f"Template format error: [/Resources/{logical_id}] Every Resources object must have a Type.")
        if unknown := set(resource) - RESOURCE_FIELDS:
            raise Refused(f"Invalid template resource property '{min(map(str, unknown))}' of {logical_id}")


def required_capabilities(template: Template) -> str | None:
    """The capability that the caller must acknowledge: for named IAM resources, for any, or none."""
    iam = [r for r in template["Resources"].values() if r["Type"].startswith("AWS::IAM::")]
    names = ("RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName")
    if any(name in (r.get("Properties") or {}) for r in iam for name in names):
        return "CAPABILITY_NAMED_IAM"
    return "CAPABILITY_IAM" if iam else None
