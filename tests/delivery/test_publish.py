"""One commit with exactly the files, on top of what was published before, and never over what others did."""

import subprocess
from pathlib import Path

import pytest

from infra.delivery.git import files_of, git
from infra.delivery.publish import NotPublished, Published, Remote, Source, publish
from tests.delivery.conftest import WHO, Checkout, in_bare


def published(checkout: Checkout, bare: Path, revision: str = "HEAD", **more: bool) -> Published:
    commit = git(checkout.folder, "rev-parse", revision)
    source = Source(checkout.folder, commit)
    return publish(source, files_of(checkout.folder, commit), Remote(str(bare)), name="ModelBuild", **more)


def test_the_commit_holds_exactly_the_files_and_names_its_source(checkout: Checkout, bare: Path) -> None:
    script = checkout.folder / "run.sh"
    script.touch()
    script.chmod(0o755)
    commit = checkout.commit({"folder/a.txt": "a", "run.sh": "echo"})
    (checkout.folder / "left-out.txt").write_text("not committed")
    done = published(checkout, bare)
    assert done.changed and in_bare(bare, "rev-parse", "main") == done.commit
    assert in_bare(bare, "ls-tree", "-r", "main") == checkout.git("ls-tree", "-r", "HEAD")
    assert "100755 blob" in in_bare(bare, "ls-tree", "-r", "main"), "what can be run can be run there"
    subject, _, trailer = in_bare(bare, "show", "--no-patch", "--format=%B", "main").splitlines()
    assert (subject, trailer) == (f"Publish ModelBuild from {commit[:12]}", f"Published-From: {commit}")


def test_the_same_sources_make_no_new_commit(checkout: Checkout, bare: Path) -> None:
    checkout.commit({"a.txt": "a"})
    first = published(checkout, bare)
    assert published(checkout, bare) == Published(first.commit, changed=False)
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "Nothing")
    assert published(checkout, bare) == Published(first.commit, changed=False)


def test_two_people_publish_the_same_commit(checkout: Checkout, bare: Path, tmp_path: Path) -> None:
    checkout.commit({"a.txt": "a"})
    other = tmp_path / "other.git"
    subprocess.run(["git", "init", "--quiet", "--bare", other], check=True)
    assert published(checkout, bare).commit == published(checkout, other).commit


def test_a_change_goes_on_top_and_a_removed_file_goes(checkout: Checkout, bare: Path) -> None:
    checkout.commit({"a.txt": "a", "b.txt": "b"})
    first = published(checkout, bare)
    checkout.git("rm", "--quiet", "b.txt")
    checkout.commit({"a.txt": "new"})
    second = published(checkout, bare)
    assert in_bare(bare, "rev-parse", "main^") == first.commit
    assert in_bare(bare, "ls-tree", "--name-only", second.commit) == "a.txt"


def test_a_commit_of_someone_else_is_not_overwritten(checkout: Checkout, bare: Path, tmp_path: Path) -> None:
    checkout.commit({"a.txt": "a"})
    published(checkout, bare)
    subprocess.run(["git", "clone", "--quiet", bare, tmp_path / "theirs"], check=True)
    theirs = tmp_path / "theirs"
    (theirs / "a.txt").write_text("theirs")
    subprocess.run(["git", "-C", theirs, *WHO, "commit", "--quiet", "--all", "--message", "Mine"], check=True)
    subprocess.run(["git", "-C", theirs, "push", "--quiet"], check=True)
    foreign = in_bare(bare, "rev-parse", "main")
    checkout.commit({"a.txt": "ours"})
    with pytest.raises(NotPublished, match=f"main ends in {foreign[:12]}, which was not published from here"):
        published(checkout, bare)
    assert in_bare(bare, "rev-parse", "main") == foreign


def test_an_older_state_does_not_replace_a_newer_one_by_mistake(checkout: Checkout, bare: Path) -> None:
    old = checkout.commit({"a.txt": "old"})
    checkout.commit({"a.txt": "new"})
    newer = published(checkout, bare)
    with pytest.raises(NotPublished, match=r"is not built on: pull first, or say --any-origin"):
        published(checkout, bare, old)
    assert in_bare(bare, "rev-parse", "main") == newer.commit
    assert published(checkout, bare, old, any_origin=True).changed
    assert in_bare(bare, "show", "main:a.txt") == "old"


def test_a_push_in_the_same_moment_is_not_overwritten(checkout: Checkout, bare: Path) -> None:
    """The remote moves between fetch and push: its hook stands for the other person."""
    checkout.commit({"a.txt": "a"})
    first = published(checkout, bare)
    hook = bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho someone else was faster >&2\nexit 1\n")
    hook.chmod(0o755)
    checkout.commit({"a.txt": "b"})
    with pytest.raises(NotPublished, match=r"ModelBuild: main takes no push.*run the same command again"):
        published(checkout, bare)
    assert in_bare(bare, "rev-parse", "main") == first.commit


def test_a_place_without_a_repository_is_one_line(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit({"a.txt": "a"})
    with pytest.raises(NotPublished) as error:
        published(checkout, tmp_path / "nowhere.git")
    assert str(error.value).startswith("ModelBuild: ") and "\n" not in str(error.value)
