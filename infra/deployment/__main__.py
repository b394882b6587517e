"""`python -m infra.deployment deploy|undeploy|start|stop|status`: one environment, from its package to its forecasts.

deploy    check, plan (change sets, shown), ask, apply, upload what changed, wait, prepare, ask the API for forecasts;
          stopped or failed at any point, it is finished by the same command, and what served goes on serving
undeploy  delete the stacks; the bucket with all history stays unless --with-data, the roles unless --with-access
start     start Airflow again after stop
stop      stop Airflow and what costs with it; stacks, bucket and forecasts by REST stay (on a laptop all ends)
status    what is there
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from include.aws_regions import NoImage
from include.deploy.project import BucketNotEmptied
from include.deploy.stack import StackFailed
from include.deploy.versions import NotDeleted
from include.garmin.open import with_absolute_path
from include.garmin.registry import RegistryError
from include.settings import SettingsError
from infra.deployment.airflow_transport import AirflowRefused, AirflowUnreachable
from infra.deployment.environment import Environment, UnknownEnvironment, read_environment
from infra.deployment.failure import NotDeployed
from infra.deployment.flow import Deployer
from infra.deployment.home import Home
from infra.deployment.parts import PARTS, Part, UnknownPart, read_parts
from infra.deployment.progress import Progress
from infra.deployment.removal import Removal
from infra.deployment.status import status_lines
from infra.package import DIST, NoPackage, NotPackaged, Package, build_package, read_package, write_package

MENDABLE = (
    NotDeployed,
    UnknownEnvironment,
    SettingsError,
    NoImage,
    NoPackage,
    NotPackaged,
    RegistryError,
    AirflowRefused,
    AirflowUnreachable,
)
"""Errors whose message says all."""
OF_AWS = (StackFailed, BucketNotEmptied, NotDeleted, BotoCoreError, ClientError, OSError)
"""Errors in the middle of the work: what was done stays, and the same command goes on from there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; 0, or 1 with what stopped it."""
    options = _parser().parse_args(arguments)
    progress = Progress(sys.stdout)
    try:
        _carry_out(options, read_environment(options.environment), progress)
    except MENDABLE as error:
        progress.close()
        print(f"{options.command} {options.environment}: {error}", file=sys.stderr)
        return 1
    except OF_AWS as error:
        progress.close()
        stage = f" at {progress.failed}" if progress.failed else ""
        again = "what served goes on serving; mend it and run the same command again, which goes on from here"
        print(f"{options.command} {options.environment} failed{stage}: {error}\n{again}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.close()
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    progress.close()
    return 0


def _carry_out(options: argparse.Namespace, environment: Environment, progress: Progress) -> None:
    home = _home(environment, options)
    if options.command == "deploy":
        package = _package(options.package, progress, is_kept=environment.home != "compose")
        Deployer(home, package, progress, _ask(), options.yes).deploy(_only(options))
    elif options.command == "undeploy":
        Removal(home, progress, _ask(), options.yes, options.with_data, options.with_access).remove()
    elif options.command == "status":
        home.open(None, progress.say)
        try:
            progress.plain("\n".join(status_lines(home)))
        finally:
            home.leave(progress.say)
    elif options.command == "start":
        home.start(progress.say)
    else:
        home.stop(progress.say)


def _only(options: argparse.Namespace) -> frozenset[Part] | None:
    return frozenset({"access"}) if options.only_access else options.only


def _home(environment: Environment, options: argparse.Namespace) -> Home:
    if environment.home == "laptop":
        from infra.deployment.home_laptop import LaptopChoices, LaptopHome

        source = with_absolute_path(options.source) if options.source else None
        state = options.state.absolute()
        return LaptopHome(
            environment, LaptopChoices(state, source, options.port_airflow, options.port_aws, options.free_ports)
        )
    if environment.home == "compose":
        from infra.deployment.home_compose import ComposeHome

        return ComposeHome(environment, options.airflow_url_shown, options.aws_url_shown)
    from infra.deployment.home_mwaa import MwaaHome

    return MwaaHome(environment)


def _package(folder: Path | None, progress: Progress, *, is_kept: bool) -> Package:
    """The package in a folder as it is; without one, that of the checkout, kept in dist/ (a container cannot)."""
    if folder is not None:
        return read_package(folder)
    with progress.stage("package", str(DIST) if is_kept else ""):
        package = build_package()
        if is_kept:
            write_package(package)
    return package


def _parts(text: str) -> frozenset[Part]:
    try:
        return read_parts(text)
    except UnknownPart as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _ask() -> Callable[[str], str] | None:
    return input if sys.stdin.isatty() else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.deployment", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["deploy", "undeploy", "start", "stop", "status"])
    parser.add_argument(
        "--environment", default="local", metavar="NAME", help="infra/environments/NAME.toml (default: %(default)s)"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    deploy = parser.add_argument_group("deploy")
    deploy.add_argument(
        "--package",
        type=Path,
        metavar="DIR",
        help="deploy this package as it is (default: build dist/ anew); so goes one with wheels",
    )
    some = deploy.add_mutually_exclusive_group()
    some.add_argument(
        "--only",
        type=_parts,
        metavar="PARTS",
        help="deploy these parts alone, with commas between them: "
        + "; ".join(f"{part} - {what}" for part, what in PARTS.items())
        + "; a part whose needs are not there says so, before anything is changed",
    )
    some.add_argument(
        "--only-access", action="store_true", help="deploy the roles alone: the part of an administrator of the account"
    )
    undeploy = parser.add_argument_group("undeploy")
    undeploy.add_argument("--with-data", action="store_true", help="delete the bucket, all history and the tokens too")
    undeploy.add_argument("--with-access", action="store_true", help="delete the roles too, as an administrator")
    laptop = parser.add_argument_group("an environment on this laptop")
    laptop.add_argument("--source", metavar="SPEC", help="where Garmin data comes from (default: as the last time)")
    laptop.add_argument("--state", type=Path, default=Path(".local"), metavar="DIR", help="default: %(default)s")
    laptop.add_argument("--port-airflow", type=int, help="of Airflow's UI (default: as the last time, else 8080)")
    laptop.add_argument("--port-aws", type=int, help="of local AWS and REST (default: as the last time, else 4566)")
    laptop.add_argument("--free-ports", action="store_true", help="take free ports, and keep them")
    compose = parser.add_argument_group(
        "an environment of docker compose", "AWS_ENDPOINT_URL and GFF_AIRFLOW_URL say where they are"
    )
    compose.add_argument(
        "--airflow-url-shown", metavar="URL", help="Airflow for a browser (default: GFF_AIRFLOW_URL_SHOWN)"
    )
    compose.add_argument("--aws-url-shown", metavar="URL", help="local AWS for a browser (default: GFF_AWS_URL_SHOWN)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
