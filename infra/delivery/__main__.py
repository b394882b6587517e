"""`python -m infra.delivery stack|publish --environment NAME`: make pipelines, and publish to their repositories."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.deploy import project
from include.deploy.release import ROOT
from include.deploy.stack import StackFailed
from infra.delivery.codecommit import credential_helper, repository_url
from infra.delivery.git import GitFailed, files_of, git
from infra.delivery.publish import NotPublished, Remote, Source, publish
from infra.delivery.repositories import NotInSources, read_repositories
from infra.deployment.callers import Callers
from infra.deployment.environment import Environment, UnknownEnvironment, read_environment
from infra.deployment.failure import NotDeployed


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; 0, or 1 with one line that says what failed."""
    options = _parser().parse_args(arguments)
    try:
        options.run(read_environment(options.environment), options)
    except (UnknownEnvironment, NotInSources, NotPublished, GitFailed) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    except (NotDeployed, StackFailed, BotoCoreError, ClientError, ValueError) as error:
        print(f"{options.command} {options.environment} failed: {error}", file=sys.stderr)
        return 1
    return 0


def make_stack(environment: Environment, _: argparse.Namespace) -> None:
    """Deploy the stack `delivery` with the parameters of the environment's file; its production is the environment.

    Raises:
        NotDeployed: the credentials are of another account, or may not become the deployer; nothing was changed.
        StackFailed: CloudFormation refused or failed.
        ValueError: the environment is local AWS, which has no pipelines.
    """
    settings = environment.own_settings()
    session = boto3.Session(region_name=settings.region)
    callers = Callers(session, session.client("sts").get_caller_identity()["Arn"], settings, None, environment.name)
    callers.require_account()
    parameters = {"ProductionEnvironment": environment.name} | environment.parameters("delivery")
    result = project.deploy(callers.deployer, settings, project.DELIVERY, overrides=parameters, on_progress=print)
    for key, value in sorted(result.outputs.items()):
        print(f"  {key} = {value}")


def publish_all(environment: Environment, options: argparse.Namespace) -> None:
    """Publish both repositories and say what became of each.

    Raises:
        NotPublished: one cannot be published; those before it are.
        NotInSources: the list names a path that is not committed.
    """
    commit = git(ROOT, "rev-parse", "--verify", "--quiet", f"{options.revision}^{{commit}}")
    if left_out := git(ROOT, "status", "--porcelain").splitlines():
        print(f"{len(left_out)} changes are not committed, and not published")
    listed, sources = read_repositories(), files_of(ROOT, commit)
    trees = {name: listed.tree(name, sources) for name in listed.repositories}
    given = dict(_name_and_url(text, trees) for text in options.remote)
    remotes = {name: _remote(environment, name, given) for name in trees}
    for name, tree in trees.items():
        done = publish(
            Source(ROOT, commit),
            tree,
            remotes[name],
            name=name,
            branch=options.branch or environment.parameters("delivery").get("Branch", "main"),
            any_origin=options.any_origin,
        )
        what = f"{len(tree)} files pushed" if done.changed else "nothing to publish, it holds the same files"
        print(f"{name} {done.commit[:12]}: {what}", flush=True)


def _remote(environment: Environment, name: str, given: dict[str, str]) -> Remote:
    if name in given:
        return Remote(given[name])
    if environment.parameters("delivery").get("Source") == "connection":
        raise NotPublished(f"the environment {environment.name} uses a Git connection: say --remote {name}=URL")
    settings = environment.own_settings()
    # Git runs the credential helper in a folder of its own.
    return Remote(repository_url(settings, name), credential_helper(settings.region), {"PYTHONPATH": str(ROOT)})


def _name_and_url(text: str, names: dict[str, object] | object) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if not url or name not in names:  # type: ignore[operator]
        raise NotPublished(f"--remote {text!r}: write ModelBuild=URL or ModelDeploy=URL")
    # Git runs in a folder of its own: a path is taken from here.
    return name, str(Path(url).resolve()) if Path(url).exists() else url


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.delivery",
        description="Make the pipelines, and publish what is committed here as ModelBuild and ModelDeploy.",
        epilog="Safe to run again: the same sources make no new commit, and commits of others are never overwritten. "
        "Without --remote the repositories are those of the stack delivery in CodeCommit, entered with the AWS "
        "credentials at hand.",
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    stack = commands.add_parser("stack", help="make or change repositories and pipelines: the stack delivery, on AWS")
    stack.set_defaults(run=make_stack)
    command = commands.add_parser("publish", help="publish both repositories", epilog=parser.epilog)
    command.set_defaults(run=publish_all)
    for each in (stack, command):
        each.add_argument("--environment", required=True, metavar="NAME", help="a file of infra/environments")
    command.add_argument("--revision", default="HEAD", help="the commit that is published (%(default)s)")
    command.add_argument("--branch", help="where to (the stack's parameter Branch, else main)")
    command.add_argument(
        "--remote", action="append", default=[], metavar="REPOSITORY=URL", help="another place than CodeCommit"
    )
    command.add_argument(
        "--any-origin", action="store_true", help="replace what was published from a commit that this is not built on"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
