"""CloudFormation templates as data, and made to fit into a request."""

import json
from typing import Any

import yaml

REQUEST_BYTES = 51_200
"""CloudFormation takes no longer template than this in a request; a longer one it reads from S3, up to 1 MB."""
SPELT_ALIKE = ("Ref", "Condition")
"""Functions whose long form has no `Fn::` before it."""


def template_document(text: str) -> dict[str, Any]:
    """A template with its functions in their long form (`!Sub x` as `{"Fn::Sub": "x"}`)."""
    document: dict[str, Any] = yaml.load(text, Loader=_TemplateLoader)  # noqa: S506 - made from CSafeLoader
    return document


def request_body(text: str) -> str:
    """A template that fits into a request: as it is, or, where it is too long, the same one as JSON without spaces.

    Raises:
        ValueError: it does not fit either way.
    """
    if len(text.encode()) <= REQUEST_BYTES:
        return text
    compact = json.dumps(template_document(text), separators=(",", ":"), ensure_ascii=False)
    if len(compact.encode()) > REQUEST_BYTES:
        raise ValueError(f"the template has {len(compact.encode())} bytes, and CloudFormation takes {REQUEST_BYTES}")
    return compact


class _TemplateLoader(yaml.CSafeLoader):
    """Reads CloudFormation's short forms; what looks like a day stays text, as CloudFormation has no dates."""


def _function(loader: yaml.CSafeLoader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if name == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {name if name in SPELT_ALIKE else f"Fn::{name}": value}


def _text(loader: yaml.CSafeLoader, node: yaml.Node) -> Any:
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


_TemplateLoader.add_multi_constructor("!", _function)
_TemplateLoader.add_constructor("tag:yaml.org,2002:timestamp", _text)
