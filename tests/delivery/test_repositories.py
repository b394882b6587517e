"""What goes where: the list, what imports add to it, and that neither repository holds what it should not."""

from pathlib import Path

import pytest

from include.deploy.release import REQUIREMENTS, VERSIONED
from infra.delivery.git import Blob, files_of
from infra.delivery.imports import needed
from infra.delivery.repositories import NotInSources, Part, Repositories, Repository, read_repositories
from tests.delivery.conftest import Checkout

ROOT = Path(__file__).parents[2]
NAMES = ("ModelBuild", "ModelDeploy")


@pytest.fixture(scope="module")
def sources() -> dict[str, Blob]:
    return files_of(ROOT, "HEAD")


@pytest.fixture(scope="module")
def trees(sources: dict[str, Blob]) -> dict[str, dict[str, Blob]]:
    listed = read_repositories()
    return {name: listed.tree(name, sources) for name in listed.repositories}


def texts(**files: str) -> dict[str, bytes]:
    return {f"{name.replace('__', '/')}.py": text.encode() for name, text in files.items()}


def test_what_is_imported_comes_along() -> None:
    sources = texts(
        include__a="from include.b.c import thing\nimport os\n",
        include__b__c="def f():\n    from include import d\n",
        include__d="",
        include__unused="",
    ) | {"include/__init__.py": b"", "include/b/__init__.py": b""}
    wanted = {"include/a.py", "include/b/c.py", "include/d.py", "include/__init__.py", "include/b/__init__.py"}
    assert needed(["include/a.py"], sources) == wanted


def test_a_path_that_is_not_committed_is_named(checkout: Checkout) -> None:
    commit = checkout.commit({"a.txt": "a"})
    (checkout.folder / "b.txt").write_text("only here")
    listed = Repositories(shared=Part(paths=("a.txt",)), repositories={"One": Repository(holds="", paths=("b.txt",))})
    with pytest.raises(NotInSources, match=r"names b\.txt, which is not committed here"):
        listed.tree("One", files_of(checkout.folder, commit))


def test_a_file_may_have_another_name_there(checkout: Checkout) -> None:
    commit = checkout.commit({"infra/One/README.md": "read me"})
    listed = Repositories(
        shared=Part(paths=()),
        repositories={"One": Repository(holds="", paths=(), renamed={"infra/One/README.md": "README.md"})},
    )
    tree = listed.tree("One", files_of(checkout.folder, commit))
    assert {path: blob.content for path, blob in tree.items()} == {"README.md": b"read me"}


def test_each_repository_has_what_its_pipeline_runs(trees: dict[str, dict[str, Blob]]) -> None:
    assert set(trees) == set(NAMES)
    for tree in trees.values():
        assert {f"buildspec-{step}.yaml" for step in ("test", "package", "deploy")} <= tree.keys()
        assert tree["README.md"].content


def test_each_repository_tests_its_own_part(trees: dict[str, dict[str, Blob]]) -> None:
    for folder in ("tests/curate/", "tests/features/", "tests/forecast/", "tests/jobs/"):
        assert any(path.startswith(folder) for path in trees["ModelBuild"])
        assert not any(path.startswith(folder) for path in trees["ModelDeploy"])
    for folder in ("tests/serving/", "tests/browser/"):
        assert any(path.startswith(folder) for path in trees["ModelDeploy"])
        assert not any(path.startswith(folder) for path in trees["ModelBuild"])


def test_both_hold_the_same_release(trees: dict[str, dict[str, Blob]]) -> None:
    """Else the pipeline that runs last would take back what the other one released."""
    build, deploy = (trees[name] for name in NAMES)
    packed = (*(f"{folder}/" for folder in VERSIONED), REQUIREMENTS, "infra/package/")
    for path in build.keys() | deploy.keys():
        if path.startswith(packed):
            assert build.get(path) == deploy.get(path), path


@pytest.mark.parametrize("name", NAMES)
def test_nothing_published_names_this_machine(name: str, trees: dict[str, dict[str, Blob]]) -> None:
    machine = str(ROOT).encode()
    for path, blob in trees[name].items():
        assert machine not in blob.content, path
        assert not path.startswith((".venvs/", ".local/", "dist/")), path
