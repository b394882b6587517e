"""What each of the two repositories holds: `repositories.toml`, and the modules that it imports."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from infra.delivery.git import Blob
from infra.delivery.imports import needed

LIST = Path(__file__).with_name("repositories.toml")


class NotInSources(Exception):
    """The list names a path that the commit does not have; the message names it."""


class Part(BaseModel):
    """Paths of this repository that another one gets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: tuple[str, ...]
    """Files, and folders, which end in a slash."""
    renamed: dict[str, str] = Field(default_factory=dict)
    """Files that have another name there, by their name here."""


class Repository(Part):
    """One of the two repositories."""

    holds: str


class Repositories(BaseModel):
    """The whole list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shared: Part
    repositories: dict[str, Repository]

    def tree(self, name: str, sources: Mapping[str, Blob]) -> dict[str, Blob]:
        """The files of a repository, by their path there.

        Args:
            name: `ModelBuild` or `ModelDeploy`.
            sources: all files of this repository's commit, by path.

        Raises:
            NotInSources: a path of the list is not in the commit.
        """
        parts = (self.shared, self.repositories[name])
        listed = [path for part in parts for entry in part.paths for path in _below(entry, sources)]
        contents = {path: blob.content for path, blob in sources.items()}
        tree = {path: sources[path] for path in needed(listed, contents)}
        for part in parts:
            for here, there in part.renamed.items():
                tree[there] = sources[_below(here, sources)[0]]
        return dict(sorted(tree.items()))


def read_repositories(path: Path = LIST) -> Repositories:
    """Read the list of what goes where."""
    return Repositories(**tomllib.loads(path.read_text(encoding="utf-8")))


def _below(entry: str, sources: Mapping[str, Blob]) -> list[str]:
    found = [path for path in sources if path.startswith(entry)] if entry.endswith("/") else [entry]
    if not found or not sources.keys() >= set(found):
        raise NotInSources(f"{LIST.name} names {entry}, which is not committed here")
    return found
