"""One warm process that serves one model: started, asked, restarted once when dead, ended."""

import contextlib
import io
import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.localaws import logs
from infra.localaws.sagemaker import archives, opt_ml, storage, worker
from infra.localaws.sagemaker.containers import UnknownImage, base_environment, interpreter_for
from infra.localaws.sagemaker.model_containers import ModelContainer
from infra.localaws.sagemaker.opt_ml import Launch
from infra.localaws.sagemaker.storage import S3Uri
from infra.localaws.world import World

MODEL_DIR = "/opt/ml/model"
STARTUP_S = 240.0
INVOCATION_S = 60.0
"""SageMaker's limit for a real-time answer."""


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
    custom_attributes: str | None = None


class ServingProcess:
    """Serves `container` behind `log_group`; requests are answered one at a time."""

    def __init__(self, world: World, container: ModelContainer, log_group: str, variant: str) -> None:
        self._world = world
        self._container = container
        self._instance = f"i-{secrets.token_hex(8)}0"
        self._log = (log_group, f"{variant}/{self._instance}")
        self._folder = world.work_dir / "endpoints" / self._instance
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._stream: Any = io.BytesIO()
        self._closed = False

    @property
    def log_stream(self) -> str:
        return ":log-stream:".join(self._log)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Bring the artifact and wait until the script is loaded.

        Raises:
            StartFailed: no artifact, no interpreter, or the script failed.
        """
        try:
            python = interpreter_for(self._container.image, self._world.config)
            code_dir = self._furnish()
        except (UnknownImage, KeyError, ValueError, archives.BadArchive) as error:
            raise StartFailed(str(error.args[0])) from error
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
            _fetch(self._container.model_data_url, tree / "model", "the model artifact")
        submitted = self._container.environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code")
        if submitted.startswith("s3://"):
            _fetch(submitted, tree / "code", "SAGEMAKER_SUBMIT_DIRECTORY")
            return "/opt/ml/code"
        if not opt_ml.inside(tree, submitted).is_dir():
            raise ValueError(f"the model artifact has no folder {submitted} (SAGEMAKER_SUBMIT_DIRECTORY)")
        return submitted

    def _launch(self, python: Path, code_dir: str) -> Launch:
        environment = {
            **base_environment(self._world, python, self._folder / "tmp", threads=1),
            "SM_MODEL_DIR": MODEL_DIR,
            **self._container.environment,
        }
        command = (str(python), str(Path(worker.__file__).resolve()), MODEL_DIR, code_dir)
        return Launch(self._folder / "opt-ml", command, environment, opt_ml.OPT_ML)

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
            raise StartFailed(str(frame[0]["error"] if frame else "the model's process ended while it started"))
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
        return Answer(head["status"], head["content_type"], answer, head.get("custom_attributes"))

    def _end(self) -> None:
        process, channel = self._process, self._channel
        self._channel = None
        if channel is not None:
            channel.close()
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)

    def _copy_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            logs.write(*self._log, [line.decode("utf-8", "replace").rstrip("\r\n")])


def _fetch(uri: str, folder: Path, what: str) -> None:
    source = S3Uri.parse(uri)
    try:
        archives.unpack(storage.read(source), folder)
    except KeyError as error:
        raise ValueError(f"{what} {uri} does not exist (NoSuchKey)") from error
    except archives.BadArchive as error:
        raise ValueError(f"{what} {uri} is not a usable .tar.gz: {error}") from error
