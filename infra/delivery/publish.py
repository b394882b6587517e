"""Publish a repository: one commit that holds exactly the files of the list, on top of what was published before."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.delivery.git import Blob, GitFailed, git

TRAILER = "Published-From"
"""The line of a commit message that names the commit of this repository; commits without it are someone else's."""
WHO = {"NAME": "Fitness Forecast delivery", "EMAIL": "delivery@fitness-forecast.invalid"}
NO_BRANCH = "couldn't find remote ref"


class NotPublished(Exception):
    """A repository could not be published; the message is one line that says what to do."""


@dataclass(frozen=True)
class Remote:
    """Where a repository is, and how git gets in."""

    url: str
    configuration: Sequence[str] = ()
    """Settings of git as NAME=VALUE, e.g. a credential helper."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, folder: Path, command: str, reference: str) -> str:
        """Fetch or push a reference.

        Raises:
            GitFailed: git refuses.
        """
        options = [word for setting in self.configuration for word in ("-c", setting)]
        return git(folder, *options, command, "--quiet", self.url, reference, environment=self.environment)


@dataclass(frozen=True)
class Source:
    """The commit of this repository that is published."""

    folder: Path
    commit: str

    @property
    def time(self) -> str:
        """When it was committed, as git reads it."""
        return git(self.folder, "show", "--no-patch", "--format=%ct +0000", self.commit)

    def comes_after(self, other: str) -> bool:
        """Whether `other` is this commit or one that it was built on."""
        try:
            git(self.folder, "merge-base", "--is-ancestor", other, self.commit)
        except GitFailed:  # also where this repository has no such commit
            return False
        return True


@dataclass(frozen=True)
class Published:
    """What `publish` left at the head of the branch."""

    commit: str
    changed: bool


def publish(
    source: Source,
    tree: Mapping[str, Blob],
    remote: Remote,
    *,
    name: str,
    branch: str = "main",
    any_origin: bool = False,
) -> Published:
    """Make the head of `branch` at `remote` hold `tree`; where it does already, nothing is pushed.

    The same commit published onto the same head gives the same commit, whoever publishes.

    Args:
        name: of the repository, for the message.
        any_origin: publish although the head was published from a commit that `source` is not built on.

    Raises:
        NotPublished: the head is not ours, was published from elsewhere, or the remote refuses.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="fitness-forecast-publish-") as folder:
            return _publish(Path(folder), source, tree, remote, name, branch, any_origin)
    except GitFailed as error:
        raise NotPublished(f"{name}: {error}") from error


def _publish(
    folder: Path,
    source: Source,
    tree: Mapping[str, Blob],
    remote: Remote,
    name: str,
    branch: str,
    any_origin: bool,
) -> Published:
    git(folder, "init", "--quiet", "--bare")
    # The files' contents are in this repository's object database already.
    objects = git(source.folder, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    (folder / "objects/info/alternates").write_text(f"{objects}\n")
    new_tree = _write_tree(folder, tree)
    head = _fetch_head(folder, remote, branch)
    if head is not None:
        _refuse_foreign(folder, head, source, name, branch, any_origin)
        if git(folder, "rev-parse", f"{head}^{{tree}}") == new_tree:
            return Published(head, changed=False)
    commit = _commit(folder, new_tree, head, source, name)
    try:
        remote.run(folder, "push", f"{commit}:refs/heads/{branch}")
    except GitFailed as error:
        if "rejected" not in str(error) and "failed to push" not in str(error):
            raise
        raise NotPublished(
            f"{name}: {branch} takes no push, as someone else pushed in the same moment or it is protected: run the "
            f"same command again ({error})"
        ) from error
    return Published(commit, changed=True)


def _write_tree(folder: Path, tree: Mapping[str, Blob]) -> str:
    lines = "".join(f"{blob.mode} {blob.object_id}\t{path}\0" for path, blob in tree.items())
    git(folder, "update-index", "-z", "--index-info", data=lines.encode())
    return git(folder, "write-tree")


def _fetch_head(folder: Path, remote: Remote, branch: str) -> str | None:
    """The commit at the head of the branch, fetched; None where there is no such branch yet."""
    try:
        remote.run(folder, "fetch", f"refs/heads/{branch}")
    except GitFailed as error:
        if NO_BRANCH in str(error):
            return None
        raise
    return git(folder, "rev-parse", "FETCH_HEAD")


def _refuse_foreign(folder: Path, head: str, source: Source, name: str, branch: str, any_origin: bool) -> None:
    origin = git(folder, "show", "--no-patch", f"--format=%(trailers:key={TRAILER},valueonly)", head)
    if not origin:
        raise NotPublished(
            f"{name}: {branch} ends in {head[:12]}, which was not published from here: bring its change into this "
            f"repository, then take {branch} back to the last commit with a line {TRAILER}"
        )
    if not any_origin and not source.comes_after(origin):
        raise NotPublished(
            f"{name}: {branch} was published from {origin[:12]}, which {source.commit[:12]} is not built on: pull "
            "first, or say --any-origin to replace what that commit published"
        )


def _commit(folder: Path, tree: str, head: str | None, source: Source, name: str) -> str:
    message = f"Publish {name} from {source.commit[:12]}\n\n{TRAILER}: {source.commit}\n"
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in WHO.items()}
    when = {f"GIT_{role}_DATE": source.time for role in ("AUTHOR", "COMMITTER")}
    parents = ["-p", head] if head else []
    return git(folder, "commit-tree", tree, *parents, data=message.encode(), environment=who | when)
