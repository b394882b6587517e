"""A template as CloudFormation sees it with given parameters: conditions decided, references followed."""

import re
from ipaddress import ip_network
from typing import Any

PSEUDO = {
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::StackName": "stack",
}
NO_VALUE = object()


class Rendered:
    """The resources that are there, with their properties; `template` is as `tests.stacks.templates` reads it.

    A reference to a resource that the conditions leave out raises KeyError, as CloudFormation refuses it.
    """

    def __init__(self, template: dict[str, Any], **parameters: str | int) -> None:
        self.template = template
        defaults = {name: p["Default"] for name, p in template["Parameters"].items() if "Default" in p}
        unknown = parameters.keys() - template["Parameters"].keys()
        assert not unknown, unknown
        self.values = PSEUDO | defaults | parameters
        self.names: set[str] = set()
        self.names = {n for n, r in template["Resources"].items() if self._holds(r.get("Condition"))}
        self.resources = {n: self._value(template["Resources"][n]) for n in self.names}
        self.outputs = {
            n: self._value(o["Value"]) for n, o in template["Outputs"].items() if self._holds(o.get("Condition"))
        }

    def types(self) -> set[str]:
        return {resource["Type"] for resource in self.resources.values()}

    def refusals(self) -> list[str]:
        """What the template's rules say against the parameters."""
        return [
            assertion["AssertDescription"]
            for rule in self.template.get("Rules", {}).values()
            if self._value(rule.get("RuleCondition", True))
            for assertion in rule["Assertions"]
            if not self._value(assertion["Assert"])
        ]

    def _holds(self, condition: str | None) -> bool:
        return condition is None or bool(self._value(self.template["Conditions"][condition]))

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [found for item in value if (found := self._value(item)) is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            key, inner = next(iter(value.items()))
            if key in ("Ref", "Condition") or key.startswith("Fn::"):
                return self._function(key, inner)
        return {key: found for key, item in value.items() if (found := self._value(item)) is not NO_VALUE}

    def _function(self, name: str, inner: Any) -> Any:
        if name == "Condition":
            return self._holds(inner)
        if name == "Fn::If":
            return self._value(inner[1] if self._holds(inner[0]) else inner[2])
        if name == "Fn::Sub":
            return re.sub(r"\$\{([A-Za-z:]+)\}", lambda found: str(self._reference(found[1])), inner)
        if name in ("Ref", "Fn::GetAtt"):
            return self._reference(inner if name == "Ref" else inner[0])
        arguments = self._value(inner)
        if name == "Fn::Equals":
            return str(arguments[0]) == str(arguments[1])
        if name == "Fn::Not":
            return not arguments[0]
        if name == "Fn::And":
            return all(arguments)
        if name == "Fn::Or":
            return any(arguments)
        if name == "Fn::Contains":
            return str(arguments[1]) in arguments[0]
        if name == "Fn::FindInMap":
            return self.template["Mappings"][arguments[0]][arguments[1]][arguments[2]]
        if name == "Fn::Select":
            return arguments[1][int(arguments[0])]
        if name == "Fn::Split":
            return str(arguments[1]).split(arguments[0])
        if name == "Fn::Join":
            return arguments[0].join(str(argument) for argument in arguments[1])
        if name == "Fn::GetAZs":
            return ["zone-a", "zone-b", "zone-c"]
        if name == "Fn::Cidr":
            return [str(n) for n in ip_network(arguments[0]).subnets(new_prefix=32 - int(arguments[2]))]
        raise NotImplementedError(name)

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.names:
            return {"resource": name}
        return self.values[name]
