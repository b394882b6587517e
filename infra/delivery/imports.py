"""Which of our own modules a set of Python files needs, read from their import statements."""

import ast
from collections.abc import Collection, Iterator, Mapping

PACKAGES = frozenset({"benchmarks", "dags", "include", "infra", "plugins", "tests"})


def needed(chosen: Collection[str], sources: Mapping[str, bytes]) -> set[str]:
    """The paths of `chosen` and of every module of ours that they import, directly or not.

    Imports inside functions count as well. A package's `__init__.py` comes with each module below it.

    Args:
        chosen: paths to begin with; those that are no Python files import nothing.
        sources: all files that there are, by path.
    """
    found: set[str] = set()
    waiting = list(chosen)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.endswith(".py"):
            waiting += [module for module in _imported(path, sources[path]) if module in sources]
    return found


def _imported(path: str, source: bytes) -> Iterator[str]:
    """Paths that a file's imports may mean: every package on the way, and the module."""
    yield from _files(path.removesuffix(".py").replace("/", "."))
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            # A name that is imported from a package may be a module of it.
            for alias in node.names:
                yield from _files(f"{node.module}.{alias.name}")


def _files(module: str) -> Iterator[str]:
    parts = module.split(".")
    if parts[0] not in PACKAGES:
        return
    for count in range(1, len(parts) + 1):
        place = "/".join(parts[:count])
        yield f"{place}/__init__.py"
        yield f"{place}.py"
