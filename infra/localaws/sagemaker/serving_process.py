"""One warm process that serves one model: started, asked, restarted once when dead, ended.

The image installs the user's script by `pip install .` before it serves. That step is not run here, since it would
write into the environment that stands in for the image; what it depends on is checked instead: pip builds in an
environment of its own and fetches setuptools for it from an index, which a model without network cannot reach, unless
PIP_NO_BUILD_ISOLATION tells pip to build with what the image holds.
"""

import contextlib
import io
import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.localaws import logs
from infra.localaws.iam.guard import Denied
from infra.localaws.sagemaker import archives, opt_ml, storage, worker
from infra.localaws.sagemaker.containers import UnknownImage, base_environment, interpreter_for
from infra.localaws.sagemaker.model_containers import ModelContainer
from infra.localaws.sagemaker.opt_ml import Launch
from infra.localaws.sagemaker.storage import S3Uri
from infra.localaws.sagemaker.under_role import acting_under, credentials_environment, may_log
from infra.localaws.world import World

MODEL_DIR = "/opt/ml/model"
STARTUP_S = 240.0
INVOCATION_S = 60.0
"""SageMaker's limit for a real-time answer."""
PIP_OFF = frozenset({"0", "no", "n", "off", "f", "false"})
"""Values of PIP_NO_BUILD_ISOLATION that end pip's build isolation: pip reads the variable as the option's own value."""
INSTALL_FAILED = (
    "pip._vendor.urllib3.exceptions.NewConnectionError: Failed to establish a new connection: Network is unreachable",
    "ERROR: Could not find a version that satisfies the requirement setuptools>=40.8.0 (from versions: none)",
    "sagemaker_containers._errors.InstallModuleError: InstallModuleError:",
    'Command "/opt/venv/bin/python -m pip install . "',
)
"""The end of the container's log when pip finds no network."""


class StartFailed(Exception):
    """The model cannot be served; the text is fit for a FailureReason."""


class WorkerDied(Exception):
    """The process ended without an answer."""


class TimedOut(Exception):
    """No answer within the limit."""


@dataclass(frozen=True)
class Answer:
    """A container's HTTP answer."""

    status: int
    content_type: str
    body: bytes


class ServingProcess:
    """Serves `container` behind `log_group`; requests are answered one at a time."""

    def __init__(self, world: World, container: ModelContainer, log_group: str, variant: str) -> None:
        self._world = world
        self._container = container
        self._instance = f"i-{secrets.token_hex(8)}0"
        self._log = (log_group, f"{variant}/{self._instance}")
        self._unhealthy = (
            f"The primary container for production variant {variant} did not pass the ping health check. "
            "Please check CloudWatch logs for this endpoint."
        )
        self._folder = world.work_dir / "endpoints" / self._instance
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._stream: Any = io.BytesIO()
        self._closed = False
        self._is_logged = False

    @property
    def log_stream(self) -> str:
        return ":log-stream:".join(self._log)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Bring the artifact and wait until the script is loaded.

        Raises:
            StartFailed: no artifact, no interpreter, or the container did not come up; its log says why.
        """
        container = self._container
        try:
            python = interpreter_for(container.image, self._world.config)
            with acting_under(self._world, container.role_arn, container.model_arn, container.image) as role:
                self._is_logged = may_log(self._world, role, *self._log)
                code_dir = self._furnish()
        except Denied as denied:
            raise StartFailed(denied.message) from denied
        except (UnknownImage, KeyError, ValueError) as error:
            raise StartFailed(str(error.args[0])) from error
        self._write_log(opt_ml.warnings(wants_isolation=self._container.is_isolated))
        if self._container.is_isolated and not _installs_offline(self._container):
            self._write_log(INSTALL_FAILED)
            raise StartFailed(self._unhealthy)
        with self._turn:
            self._begin(python, code_dir)

    def invoke(self, content_type: str, accept: str, body: bytes) -> Answer:
        """Ask the model. A dead process is started again once.

        Raises:
            WorkerDied: it died twice, or the endpoint is gone.
            TimedOut: no answer within INVOCATION_S; the process is ended, the next call starts it again.
        """
        header = {"content_type": content_type, "accept": accept}
        with self._turn:
            try:
                return self._ask(header, body)
            except OSError as first:
                if self._closed:
                    raise WorkerDied("the endpoint was deleted") from first
                self._restart()
                try:
                    return self._ask(header, body)
                except OSError as second:
                    raise WorkerDied(f"the model's process died while it answered ({second})") from second

    def close(self) -> None:
        """End the process and remove its folder."""
        self._closed = True
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _furnish(self) -> str:
        """Unpack model and code; returns the code folder as the container sees it."""
        tree = self._folder / "opt-ml"
        for folder in ("model", "code", "input", "output"):
            (tree / folder).mkdir(parents=True)
        (self._folder / "tmp").mkdir()
        if self._container.model_data_url:
            _fetch(self._container.model_data_url, tree / "model")
        submitted = self._container.environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code")
        if submitted.startswith("s3://"):
            _fetch(submitted, tree / "code")
            return "/opt/ml/code"
        if not opt_ml.inside(tree, submitted).is_dir():
            raise ValueError(f"the model artifact has no folder {submitted} (SAGEMAKER_SUBMIT_DIRECTORY)")
        return submitted

    def _launch(self, python: Path, code_dir: str) -> Launch:
        container = self._container
        environment = {
            **base_environment(self._world, python, self._folder / "tmp", threads=1),
            **credentials_environment(self._world, container.role_arn, container.model_arn, container.is_isolated),
            "SM_MODEL_DIR": MODEL_DIR,
            **container.environment,
        }
        command = (str(python), str(Path(worker.__file__).resolve()), MODEL_DIR, code_dir)
        return Launch(self._folder / "opt-ml", command, environment, opt_ml.OPT_ML, container.is_isolated)

    def _begin(self, python: Path, code_dir: str) -> None:
        self._again = (python, code_dir)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = opt_ml.start(self._launch(python, code_dir), stdin=theirs.fileno(), die_with_parent=False)
        self._channel, self._stream = ours, ours.makefile("rb")
        threading.Thread(target=self._copy_log, args=(self._process,), daemon=True).start()
        ours.settimeout(STARTUP_S)
        try:
            frame = worker.receive(self._stream)
        except OSError as error:
            frame = ({"ready": False, "error": f"not ready within {STARTUP_S:.0f} s ({error})"}, b"")
        if frame is None or not frame[0]["ready"]:
            self._end()
            cause = frame[0]["error"] if frame else "the model's process ended while it started"
            self._write_log([f"local AWS: the container did not come up: {cause}"])
            raise StartFailed(self._unhealthy)
        ours.settimeout(INVOCATION_S)

    def _restart(self) -> None:
        self._end()
        try:
            self._begin(*self._again)
        except StartFailed as error:
            raise WorkerDied(f"the model's process died and did not start again: {error}") from error

    def _ask(self, header: dict[str, Any], body: bytes) -> Answer:
        if self._channel is None:
            raise ConnectionError("no process")
        try:
            worker.send(self._channel, header, body)
            frame = worker.receive(self._stream)
        except TimeoutError as error:
            self._end()
            raise TimedOut(f"no answer within {INVOCATION_S:.0f} s") from error
        if frame is None:
            raise ConnectionError("the process ended")
        head, answer = frame
        return Answer(head["status"], head["content_type"], answer)

    def _end(self) -> None:
        process, channel = self._process, self._channel
        self._channel = None
        if channel is not None:
            channel.close()
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: the group holds a zombie alone
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)

    def _copy_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._write_log([line.decode("utf-8", "replace").rstrip("\r\n")])

    def _write_log(self, lines: Iterable[str]) -> None:
        if self._is_logged and (lines := list(lines)):
            logs.write(*self._log, lines)


def _installs_offline(container: ModelContainer) -> bool:
    """Whether the container's `pip install .` needs no network."""
    return container.environment.get("PIP_NO_BUILD_ISOLATION", "").strip().lower() in PIP_OFF


def _fetch(uri: str, folder: Path) -> None:
    try:
        archives.unpack(storage.read(S3Uri.parse(uri)), folder)
    except KeyError as error:
        raise ValueError(
            f'Failed to download model data for container "container_1" from URL: "{uri}". Please ensure that there '
            "is an object located at the URL and that the role passed to CreateModel has permissions to download it."
        ) from error
    except archives.BadArchive as error:
        raise ValueError(
            f'Failed to extract model data archive for container "container_1" from URL: "{uri}". Please ensure that '
            f"the object located at the URL is a valid tar.gz archive ({error})."
        ) from error
