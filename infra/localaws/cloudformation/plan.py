"""What a template wants of a stack, in the stack's own terms: evaluated resources, outputs, imports."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from infra.localaws.cloudformation.adapters import HANDLERS
from infra.localaws.cloudformation.errors import Refused, ResourceError
from infra.localaws.cloudformation.expressions import Scope, creation_order, evaluate
from infra.localaws.cloudformation.parameters import typed_values
from infra.localaws.cloudformation.stack import Stack, StackResource
from infra.localaws.cloudformation.template import Template
from infra.localaws.world import ACCOUNT_ID

UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
POLICIES = ("Delete", "Retain", "RetainExceptOnCreate")


@dataclass(frozen=True)
class Surroundings:
    """What a stack sees of the rest: exports of other stacks, and the parameter store."""

    exports: Callable[[], dict[str, str]]
    ssm_value: Callable[[str], str]


class Plan:
    """A template with its parameters; `made` are the resources that are there, and grows as they are made."""

    def __init__(self, stack: Stack, template: Template, texts: dict[str, str], around: Surroundings) -> None:
        self.stack = stack
        self.template = template
        self.made: dict[str, StackResource] = {}
        self.imports: set[str] = set()
        self._around = around
        self._unknown_allowed = False
        values = typed_values(template, texts, around.ssm_value) | pseudo_parameters(stack)
        mappings, conditions = template.get("Mappings") or {}, template.get("Conditions") or {}
        self.scope = Scope(values, mappings, conditions, self._ref, self._attribute, self._import)
        self.resources: dict[str, Any] = {
            name: resource
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self.scope.condition(resource["Condition"])
        }
        self.order = creation_order(self.resources)

    def preview(self, made: dict[str, StackResource]) -> "Plan":
        """Evaluate against what is there; what does not exist yet has the value UNKNOWN."""
        self.made = dict(made)
        self._unknown_allowed = True
        return self

    def resource(self, name: str) -> StackResource:
        """A resource as the template wants it now.

        Raises:
            Refused: where its properties cannot be evaluated.
            ResourceError: for a type or property that local AWS does not make.
        """
        wanted = self.resources[name]
        handler = HANDLERS.get(wanted["Type"])
        if handler is None:
            raise ResourceError(f"Resource type {wanted['Type']} is not supported by local AWS")
        properties = evaluate(wanted.get("Properties") or {}, self.scope)
        handler.check(properties)
        policies = [wanted.get(field, "Delete") for field in ("DeletionPolicy", "UpdateReplacePolicy")]
        if unsupported := [policy for policy in policies if policy not in POLICIES]:
            raise ResourceError(f"Deletion policy {unsupported[0]} is not supported by local AWS")
        metadata = evaluate(wanted.get("Metadata"), self.scope)
        return StackResource(
            name,
            wanted["Type"],
            properties,
            deletion_policy=policies[0],
            replace_policy=policies[1],
            metadata=metadata,
        )

    def unsupported(self) -> tuple[str, str] | None:
        """The first resource that cannot be made whatever happens, and why: known before anything is done."""
        for name in self.order:
            handler = HANDLERS.get(self.resources[name]["Type"])
            try:
                if handler is None:
                    raise ResourceError(f"Resource type {self.resources[name]['Type']} is not supported by local AWS")
                literal = self.resources[name].get("Properties") or {}
                handler.check({key: value for key, value in literal.items() if value != {"Ref": "AWS::NoValue"}})
            except ResourceError as failure:
                return name, str(failure)
        return None

    def outputs(self) -> list[dict[str, Any]]:
        """The outputs, as DescribeStacks shows them; raises Refused for an export that another stack has."""
        found = []
        for key, output in (self.template.get("Outputs") or {}).items():
            if "Condition" in output and not self.scope.condition(output["Condition"]):
                continue
            value = evaluate(output["Value"], self.scope)
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            shown = {"OutputKey": key, "OutputValue": text}
            if "Description" in output:
                shown["Description"] = output["Description"]
            if "Export" in output:
                shown["ExportName"] = evaluate(output["Export"]["Name"], self.scope)
            found.append(shown)
        self._check_exports(o["ExportName"] for o in found if "ExportName" in o)
        return found

    def _check_exports(self, names: Iterable[str]) -> None:
        own, others = self.stack.exports(), self._around.exports()
        for name in names:
            if name in others and name not in own:
                raise Refused(f"Export with name {name} is already exported by another stack. Rollback requested.")

    def _ref(self, name: str) -> Any:
        if name not in self.resources:
            raise Refused(f"Template format error: Unresolved resource dependencies [{name}] in the Resources block")
        if name not in self.made and self._unknown_allowed:
            return UNKNOWN
        return self.made[name].physical_id

    def _attribute(self, name: str, attribute: str) -> Any:
        if name not in self.resources:
            raise Refused(f"Template error: instance of Fn::GetAtt references undefined resource {name}")
        if name not in self.made and self._unknown_allowed:
            return UNKNOWN
        attributes = self.made[name].attributes
        if attribute not in attributes:
            kind = self.resources[name]["Type"]
            raise Refused(f"Template error: resource {name} ({kind}) does not support attribute type {attribute}")
        return attributes[attribute]

    def _import(self, name: str) -> str:
        exports = self._around.exports()
        if name not in exports:
            raise Refused(f"No export named {name} found. Rollback requested by user.")
        self.imports.add(name)
        return exports[name]


def pseudo_parameters(stack: Stack) -> dict[str, Any]:
    return {
        "AWS::AccountId": ACCOUNT_ID,
        "AWS::NotificationARNs": stack.notification_arns,
        "AWS::Partition": "aws",
        "AWS::Region": stack.region,
        "AWS::StackId": stack.stack_id,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com",
    }
