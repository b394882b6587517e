"""What `run`, `e2e`, `stop` and `clean` do."""

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from include.deploy.stack import StackFailed
from include.settings import settings
from infra.access.calls import judge
from infra.access.grants import grants
from infra.deployment import forecasts
from infra.deployment.addresses import Addresses, keep_addresses
from infra.deployment.airflow_api import RunFailed
from infra.deployment.airflow_transport import AirflowRefused, AirflowUnreachable
from infra.deployment.progress import Progress
from infra.laptop import airflow_home, background, disk, machine, ports
from infra.laptop.options import LaptopError, Options
from infra.laptop.stages import Deployment
from infra.laptop.state import exclusive
from infra.laptop.supervisor import Supervisor, end_leftovers

CALLS_PATH = "/_localaws/iam/calls"
"""Where local AWS says what every role did."""
SHOWN_ATHLETES = 12
"""As many as made-up ones; the page has the others."""
E2E_FOLDER_KEPT_ON_FAILURE = "the state is kept in {}"


class Interrupted(BaseException):
    """Ctrl-C, or SIGTERM; no Exception, which botocore would take for a connection that broke."""


def run(options: Options) -> int:
    """Bring everything up and stay until Ctrl-C; the exit code."""
    with _deployment(options) as deployment:
        addresses = deployment.bring_to_forecast()
        _tell_ready(deployment, addresses)
        threading.Event().wait()
    return 0


def e2e(options: Options) -> int:
    """The chain on a temporary state and free ports; 0 when every athlete's forecast is as documented."""
    folder = Path(tempfile.mkdtemp(prefix="fitness-forecast-"))
    own = replace(options, state=folder, port_airflow=ports.free_port(), port_aws=ports.free_port())
    missed = True
    try:
        with _deployment(own) as deployment:
            deployment.bring_to_forecast()
            deployment.progress.plain("\n" + deployment.progress.breakdown())
            missed = _check_forecasts(deployment)
            missed = _check_deletion(deployment) or missed
            missed = _check_access(deployment) or missed
    except BaseException:
        print(E2E_FOLDER_KEPT_ON_FAILURE.format(folder), file=sys.stderr)
        raise
    if missed:
        print(E2E_FOLDER_KEPT_ON_FAILURE.format(folder), file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


def stop(options: Options) -> int:
    """End what `make deploy` keeps running in the background and what a killed `run` left behind, and no others."""
    ended = background.stop(options.state) + end_leftovers(options.processes_file)
    print(f"ended {', '.join(ended)}" if ended else "nothing of ours runs")
    return 0


def clean(options: Options) -> int:
    """Stop, and delete the state."""
    stop(options)
    if options.state.exists():
        shutil.rmtree(options.state)
        print(f"deleted {options.state}")
    return 0


@contextmanager
def _deployment(options: Options) -> Iterator[Deployment]:
    """A started deployment; ended, with all its processes, when the block is left by whatever way.

    Raises:
        LaptopError: with the failed stage, task and log when a DAG run failed.
    """
    disk.require_space(options.state)
    with exclusive(options.state), _interruptible():
        if left := end_leftovers(options.processes_file):
            print(f"ended what an earlier run left behind: {', '.join(left)}")
        ports.require_free({"--port-aws": options.port_aws, "--port-airflow": options.port_airflow})
        today = datetime.now(UTC).date()
        environment = airflow_home.environment(options, today, os.environ)
        os.environ.update(airflow_home.own_settings(environment))
        progress = Progress(sys.stdout)
        if lacking := machine.shortcoming(sys.platform, machine.can_isolate()):
            progress.say(lacking)
        supervisor = Supervisor(options.processes_file, options.logs, progress.say)
        deployment = Deployment(options, environment, settings(), supervisor, progress, today)
        try:
            deployment.start()
            yield deployment
        except RunFailed as failure:
            logs = f"All logs: {options.airflow_home / 'logs'} and {options.logs}"
            raise LaptopError(f"{deployment.chain.failure_text(failure)}\n{logs}") from failure
        except (StackFailed, ClientError, BotoCoreError, AirflowRefused, AirflowUnreachable) as error:
            stage = progress.failed or "between two stages"
            raise LaptopError(f"Failed at: {stage}. {error}\nLogs: {options.logs}") from error
        except Interrupted:
            progress.say("stopping …")
        finally:
            supervisor.stop()
            progress.close()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into Interrupted; later ones wait until all processes are ended."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        raise Interrupted

    before = {name: signal.signal(name, interrupt) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _tell_ready(deployment: Deployment, addresses: Addresses) -> None:
    athlete = deployment.athletes[0]
    kept = deployment.options.state / "addresses.txt"
    keep_addresses(addresses, athlete, kept)
    progress = deployment.progress
    progress.plain("\n" + forecasts.summary(deployment.chain.ask_all(SHOWN_ATHLETES)))
    progress.plain("\n" + progress.breakdown())
    progress.plain(f"\nReady after {progress.elapsed_s():.0f} s:\n{addresses.text(athlete)}")
    progress.plain(f"\nKept in {kept}. Ctrl-C stops everything.")


def _check_forecasts(deployment: Deployment) -> bool:
    """Print all forecasts with their evidence; whether any is not as documented."""
    answers = deployment.chain.ask_all()
    deployment.progress.plain("\n" + forecasts.summary(answers))
    missed = False
    for answer in answers:
        for fault in forecasts.faults(answer, deployment.chain.has_readings(answer.athlete_id)):
            print(f"{answer.athlete_id}: {fault}", file=sys.stderr)
            missed = True
    return missed


def _check_deletion(deployment: Deployment) -> bool:
    """Delete everything but the roles, as the one who deploys; whether anything is left."""
    with deployment.progress.stage("deletion"):
        left = deployment.delete()
    for name in left:
        print(f"left after the deletion: {name}", file=sys.stderr)
    return bool(left)


def _check_access(deployment: Deployment) -> bool:
    """Say what was denied and what was granted in vain; whether a call was denied or such a grant has no reason."""
    calls = httpx.get(f"{deployment.options.aws_url}{CALLS_PATH}", timeout=30).json()
    access = judge(calls, deployment.settings.project, grants())
    for sentence in access.denied:
        print(f"denied: {sentence}", file=sys.stderr)
    for grant in access.unexplained:
        print(f"granted in vain: {grant.role} {grant.place} {grant.action}", file=sys.stderr)
    deployment.progress.plain(
        f"\naccess: {sum(count for *_, count in calls['allowed'])} calls under roles, {len(access.denied)} denied; "
        f"{len(access.unused)} grants unused, {len(access.unexplained)} of them without a reason"
    )
    return bool(access.denied or access.unexplained)
