"""The command line of local AWS."""

import argparse
import fcntl
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

from infra.localaws.http_server import HttpServer
from infra.localaws.server import Application
from infra.localaws.world import Config, StateError, World

ROOT = Path(__file__).parents[2]
OFFLINE_DELAY_MAX_S = 900
JOBS_PYTHON = ROOT / ".venvs/jobs/bin/python"

DESCRIPTION = """\
AWS on a laptop: a server that speaks the AWS API. Any SDK, CLI or Airflow operator uses it by
AWS_ENDPOINT_URL=http://127.0.0.1:PORT. The access key `local` (secret `local`) is the account's administrator; all
else is done by sessions of roles, within what their policies allow. Signatures are not checked."""

EPILOG = """\
what is real
  S3 with versions, conditions, ranges, checksums and multipart; SageMaker training and processing jobs (processes
  with their /opt/ml), endpoints answering from model.tar.gz, model registry and Feature Store; Lambda functions
  running their zip; EventBridge patterns and schedules; API Gateway REST APIs over HTTP with keys and usage plans;
  CloudFormation with rollback and change sets; CloudWatch Logs. IAM decides about every call, and about what services
  do under a role. SSM keeps parameters within AWS's limits. SNS, SQS, KMS and others keep records (moto) and do
  nothing. What is lacking is refused with a 400 that names the action.

what is kept (--state DIR)
  S3 and Feature Store records are on disk before a request is answered, a feature group before it is Created. All
  else is written within about 0.3 s of a change, log lines within 10 s, and when the server is stopped. Jobs that
  ran when it was stopped are Failed after it is started again.
  Limits: 5 GiB for one S3 request body, 128 MiB for any other request.

examples
  python -m infra.localaws --port 4566 --state .local/aws
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local \\
    AWS_DEFAULT_REGION=us-east-1 aws s3 ls
  curl http://127.0.0.1:4566/_localaws/health

exit status
  0 stopped by SIGTERM or SIGINT; 2 the port is taken, the state folder is in use or cannot be read."""


class CannotStart(Exception):
    """Why the server cannot start, in one line."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options, defaults filled in where they need no side effect."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.localaws",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=4566, help="port to listen on, 0 for any free one (default: 4566)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which other machines call this one, besides 127.0.0.1 and localhost; requests for any other "
        "are refused. Without it a server that listens to more than this machine answers to every name",
    )
    parser.add_argument("--state", type=Path, metavar="DIR", help="folder that keeps state (default: a temporary one)")
    parser.add_argument(
        "--jobs-python",
        type=Path,
        metavar="PATH",
        default=JOBS_PYTHON if JOBS_PYTHON.exists() else Path(sys.executable),
        help="interpreter that stands in for the SageMaker container (default: %(default)s)",
    )
    parser.add_argument("--region", default="us-east-1", help="region of what the server makes itself (us-east-1)")
    parser.add_argument(
        "--list-page-size",
        type=_at_least_one,
        metavar="N",
        default=os.environ.get("LOCALAWS_LIST_PAGE_SIZE", "100"),
        help="most model packages of one page of a list, which is filtered after (LOCALAWS_LIST_PAGE_SIZE, 100)",
    )
    parser.add_argument(
        "--model-package-delay",
        type=float,
        metavar="SECONDS",
        default=os.environ.get("LOCALAWS_MODEL_PACKAGE_DELAY_S", "0.5"),
        help="how long a new model package is InProgress (LOCALAWS_MODEL_PACKAGE_DELAY_S, 0.5)",
    )
    parser.add_argument(
        "--offline-delay-s",
        type=positive_seconds,
        default=Config.offline_delay_s,
        metavar="S",
        help="from the last put into a feature group until all is in its offline store (%(default)s; AWS: 900)",
    )
    parser.add_argument(
        "--offline-seed",
        type=int,
        default=Config.offline_seed,
        metavar="N",
        help="order of its partitions (%(default)s)",
    )
    parser.add_argument(
        "--write-units-per-s",
        type=int,
        default=Config.write_units_per_s,
        metavar="N",
        help="of one record identifier; beyond, puts are throttled (default: %(default)s, as on AWS)",
    )
    parser.add_argument("--verbose", action="store_true", help="log requests that fail with their traceback")
    return parser.parse_args(arguments)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def positive_seconds(text: str) -> float:
    """Seconds, more than none: a store without a delay would hide what AWS shows.

    Raises:
        ArgumentTypeError: no number above 0.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= OFFLINE_DELAY_MAX_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0 and up to {OFFLINE_DELAY_MAX_S}")
    return seconds


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is told to stop.

    Returns:
        The exit status.
    """
    options = parse(arguments)
    level = logging.DEBUG if options.verbose else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("localaws").setLevel(level)
    try:
        return _run(options)
    except CannotStart as reason:
        print(f"local AWS: {reason}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    temporary = options.state is None
    state = Path(tempfile.mkdtemp(prefix="localaws-")) if temporary else options.state.absolute()
    lock = _lock(state)
    try:
        world = World(_config(options, state))
        _serve(world, stopping, "temporary, deleted at the end" if temporary else "kept")
    finally:
        lock.close()
        if temporary:
            shutil.rmtree(state, ignore_errors=True)
    return 0


def _config(options: argparse.Namespace, state: Path) -> Config:
    return Config(
        options.port,
        state,
        options.jobs_python.absolute(),
        options.host,
        options.region,
        list_page_size=options.list_page_size,
        model_package_delay_s=options.model_package_delay,
        offline_delay_s=options.offline_delay_s,
        offline_seed=options.offline_seed,
        write_units_per_s=options.write_units_per_s,
        host_names=tuple(name.lower() for name in options.host_name),
    )


def _lock(state: Path) -> TextIOWrapper:
    """Hold the state folder; the lock ends with this process, however it ends."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (state / "lock").open("a+")
    except OSError as error:
        raise CannotStart(f"the state folder {state} cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "?"
        lock.close()
        raise CannotStart(f"the state folder {state} is in use by another local AWS (process {owner})") from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _serve(world: World, stopping: threading.Event, kept: str) -> None:
    application = Application(world)
    server = HttpServer(world.config.host, world.config.port, application)
    try:
        server.bind()
    except (OSError, OverflowError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotStart(f"port {world.config.port} of {world.config.host} cannot be used: {text}") from None
    world.config = world.config.on_port(server.port)
    threading.Thread(target=server.serve, daemon=True, name="accept").start()
    try:
        _open(application)
        if not stopping.is_set():
            _say_ready(world, kept)
            stopping.wait()
    finally:
        server.stop()
        application.close()


def _open(application: Application) -> None:
    try:
        application.open()
    except StateError as error:
        raise CannotStart(str(error)) from None


def _say_ready(world: World, kept: str) -> None:
    with suppress(OSError):  # nobody may be reading
        print(f"local AWS is ready: {world.config.url} (state: {world.config.state_dir}, {kept})", flush=True)
