"""CloudFormation templates as plain values: `!Sub x` becomes `{"Fn::Sub": x}`, as CloudFormation itself reads it."""

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "infra/stacks"
NAMES = ("data", "features", "ml", "serving", "endpoint")


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms."""


def _short_form(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        value = value.split(".", 1) if suffix == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def load(text: str) -> dict[str, Any]:
    """A template's text as values."""
    found: dict[str, Any] = yaml.load(text, _Loader)
    return found


def template(name: str) -> dict[str, Any]:
    """The checked-in template of a stack."""
    return load((FOLDER / f"{name}.yaml").read_text())
