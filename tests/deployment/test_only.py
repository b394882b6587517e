"""A deployment of some parts alone changes these and no others, and says what they need."""

import io
from collections.abc import Mapping
from typing import Any

import pytest

from include.deploy import release
from include.deploy.stack import find_stack
from include.settings import settings
from infra.deployment import upload
from infra.deployment.environment import Environment
from infra.deployment.failure import NotDeployed
from infra.deployment.flow import Deployer
from infra.deployment.parts import NEEDS, PARTS, Part, has_startup_files, needed, ordered, parts_of, read_parts
from infra.deployment.plan import Action, StackPlan, StackRequest
from infra.deployment.planning import Plan
from infra.deployment.progress import Progress
from infra.package import Package, build_package
from tests.deployment.homes import BucketHome, deploy, variant
from tests.localaws.conftest import LocalAws

BUILD, DEPLOY = "data,features,ml,dags,mwaa", "serving"
"""What the pipelines of ModelBuild and ModelDeploy deploy."""
MWAA = Environment(name="prod", home="mwaa", account_id="123456789012", region="eu-west-1")
LAPTOP = Environment(name="local", home="laptop")


@pytest.fixture(scope="module")
def base() -> Package:
    return build_package()


def deploy_only(localaws: LocalAws, package: Package, parts: str) -> str:
    """Deploy some parts without asking; what it said. Airflow does not answer there: whoever asks it fails."""
    out = io.StringIO()
    progress = Progress(out)
    Deployer(BucketHome(localaws.url), package, progress, None, is_confirmed=True).deploy(read_parts(parts))
    progress.close()
    return out.getvalue()


def deployed(localaws: LocalAws) -> Mapping[str, Any]:
    """The stacks that are there, the current release, and how many files the DAGs folder has."""
    s3, cloudformation = localaws.client("s3"), localaws.client("cloudformation")
    names = ("access", "data", "features", "ml", "serving")
    stacks = [name for name in names if find_stack(cloudformation, settings().stack(name)) is not None]
    if "data" not in stacks:
        return {"stacks": stacks}
    listed = s3.list_objects_v2(Bucket=settings().bucket, Prefix=upload.DAGS_PREFIX)
    return {
        "stacks": stacks,
        "release": release.current_release(s3, settings().bucket),
        "has_dags": listed["KeyCount"] > 0,
    }


def test_a_stack_comes_after_what_it_needs() -> None:
    for part, needs in NEEDS.items():
        assert all(list(PARTS).index(need) < list(PARTS).index(part) for need in needs)


def test_a_whole_deployment_needs_nothing_before_it() -> None:
    assert needed(parts_of(MWAA)) == needed(parts_of(LAPTOP)) == []
    assert needed(read_parts("serving, data")) == [("serving", "features"), ("serving", "ml")]
    assert ordered(read_parts(BUILD)) == ["data", "features", "ml", "mwaa", "dags"]


def test_what_airflow_reads_when_it_starts_goes_with_the_stack_that_names_it() -> None:
    assert has_startup_files({"mwaa"}, MWAA) and not has_startup_files({"dags"}, MWAA)
    assert has_startup_files({"dags"}, LAPTOP)


@pytest.mark.parametrize(
    ("action", "parts", "lacks"),
    [("create", {"mwaa"}, True), ("create", {"mwaa", "dags"}, False), ("update", {"mwaa"}, False)],
)
def test_a_new_airflow_environment_comes_with_its_dags(action: Action, parts: set[Part], lacks: bool) -> None:
    stack = StackPlan(StackRequest("mwaa", "x-mwaa", "", {}, None), action)
    found = Plan(frozenset(parts), (stack,), is_release_new=False, dags=None, changed_files=())
    assert found.lacks_dags_folder is lacks


def test_without_the_roles_nothing_is_deployed(localaws: LocalAws, base: Package) -> None:
    with pytest.raises(NotDeployed, match=r"may not act as .*-deployer .*administrator.* OPTIONS=--only-access"):
        deploy_only(localaws, base, "data")
    assert deployed(localaws) == {"stacks": []}


def test_each_pipeline_deploys_its_parts(localaws: LocalAws, base: Package) -> None:
    first, second = variant(2, base), variant(3, base)
    Deployer(BucketHome(localaws.url), first, Progress(io.StringIO()), None, is_confirmed=True).deploy({"access"})
    assert deployed(localaws) == {"stacks": ["access"]}

    for parts, need in ((DEPLOY, "data"), ("features", "data"), ("dags", "data")):
        with pytest.raises(NotDeployed, match=f"{parts} needs the stack .*-{need}, which is not there: nothing"):
            deploy_only(localaws, first, parts)
    assert deployed(localaws) == {"stacks": ["access"]}

    text = deploy_only(localaws, first, BUILD)
    assert "mwaa: skipped, environment local has Airflow in its laptop" in text
    built = ["access", "data", "features", "ml"]
    assert deployed(localaws) == {"stacks": built, "release": first.version, "has_dags": True}

    text = deploy_only(localaws, first, DEPLOY)
    assert "API: done" in text and "airflow/dags/" not in text
    everything = {"stacks": [*built, "serving"], "release": first.version, "has_dags": True}
    assert deployed(localaws) == everything

    text = deploy_only(localaws, second, "data,features,ml")
    assert "Everything is as it should be." in text
    assert deployed(localaws) == everything

    deploy_only(localaws, second, DEPLOY)
    assert deployed(localaws) == everything | {"release": second.version}
    s3 = localaws.client("s3")
    wanted = {"dags/athlete_tasks.py": first.files["mwaa/dags/dags/athlete_tasks.py"]}
    prefix = upload.DAGS_PREFIX
    assert not upload.plan_objects(s3, settings().bucket, prefix, wanted).put, "the DAGs are ModelBuild's"


def test_a_part_that_the_environment_does_not_have_is_nothing(localaws: LocalAws, base: Package) -> None:
    deploy(localaws.url, variant(2, base))
    before = deployed(localaws)
    assert "mwaa: skipped" in deploy_only(localaws, variant(3, base), "mwaa")
    assert deployed(localaws) == before
