"""Which resource a path belongs to: a tree, compiled once for a deployment."""

from dataclasses import dataclass, field
from urllib.parse import unquote

from infra.localaws.apigateway.snapshot import MethodSnapshot


@dataclass
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    parameter: tuple[str, "_Node"] | None = None
    greedy: tuple[str, dict[str, MethodSnapshot]] | None = None
    methods: dict[str, MethodSnapshot] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """A resource's methods, and what its path's parameters are."""

    methods: dict[str, MethodSnapshot]
    parameters: dict[str, str]

    def method(self, name: str) -> MethodSnapshot | None:
        return self.methods.get(name) or self.methods.get("ANY")


class Routes:
    """Fixed parts win over `{parameter}`, and that over `{proxy+}`."""

    def __init__(self, methods: tuple[MethodSnapshot, ...]) -> None:
        self._root = _Node()
        for method in methods:
            self._add(method)

    def match(self, path: str) -> Match | None:
        """The resource of a percent-encoded path, or None."""
        inner = path[1:].removesuffix("/")
        parts = inner.split("/") if inner else []
        return _match(self._root, parts, 0, {})

    def _add(self, method: MethodSnapshot) -> None:
        node = self._root
        for part in filter(None, method.path.split("/")):
            if part.startswith("{") and part.endswith("+}"):
                if node.greedy is None:
                    node.greedy = (part[1:-2], {})
                node.greedy[1][method.method] = method
                return
            if part.startswith("{"):
                if node.parameter is None:
                    node.parameter = (part[1:-1], _Node())
                node = node.parameter[1]
            else:
                node = node.fixed.setdefault(part, _Node())
        node.methods[method.method] = method


def _match(node: _Node, parts: list[str], position: int, parameters: dict[str, str]) -> Match | None:
    if position == len(parts):
        return Match(node.methods, parameters) if node.methods else None
    part = parts[position]
    if (child := node.fixed.get(unquote(part))) and (found := _match(child, parts, position + 1, parameters)):
        return found
    if node.parameter and part:
        name, child = node.parameter
        if found := _match(child, parts, position + 1, parameters | {name: unquote(part)}):
            return found
    if node.greedy:
        name, methods = node.greedy
        return Match(methods, parameters | {name: unquote("/".join(parts[position:]))})
    return None
