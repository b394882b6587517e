"""One WSGI application for every AWS service: our routes first, moto for everything else."""

import gc
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from infra.localaws import refusals
from infra.localaws.iam.guard import Denied
from infra.localaws.iam.request import BODY_MAX_BYTES, BodyTooLarge, read_body
from infra.localaws.refusals import Asked
from infra.localaws.request_body import BadRequest
from infra.localaws.world import ACCOUNT_ID, Environ, StartResponse, World

log = logging.getLogger("localaws")

VERSION = "1"
HEALTH_PATH = "/_localaws/health"
SERVICES = (
    "infra.localaws.s3",
    "infra.localaws.logs",
    "infra.localaws.ssm",
    "infra.localaws.sagemaker",
    "infra.localaws.featurestore",
    "infra.localaws.lambdas",
    "infra.localaws.events",
    "infra.localaws.apigateway",
    "infra.localaws.cloudformation",
)
"""Each has `install(world)`; the order is that of installation."""
READS = ("Describe", "List", "Get", "BatchGet", "Head", "Search", "Filter", "Lookup", "Test", "Validate", "Estimate")
"""Actions that begin so change nothing that is to be kept."""


class Application:
    """Answers /_localaws/health from the start, everything else once `open` has installed the services."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._began = time.monotonic()
        self._ready = threading.Event()
        self._moto: Any = None
        self._snapshots: Any = None

    def open(self) -> None:
        """Import moto, install every service, restore kept state.

        Raises:
            StateError: kept state that cannot be used.
        """
        os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT_ID
        os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"  # a web page must not be able to call AWS here
        os.environ.setdefault("AWS_DEFAULT_REGION", self.world.config.region)
        gc.disable()  # importing makes no garbage worth looking for
        try:
            from infra.localaws.iam import service as iam
            from infra.localaws.moto_app import MotoApplication
            from infra.localaws.snapshot import Snapshots, forget_instances

            shutil.rmtree(self.world.work_dir, ignore_errors=True)
            forget_instances()
            self._moto = MotoApplication()
            self.world.guard = iam.install(self.world)
            for name in SERVICES:
                import_module(name).install(self.world)
            self._snapshots = Snapshots(self.world)
            self.world.save = self._snapshots.save
            self._snapshots.restore()
        finally:
            gc.freeze()
            gc.enable()
        for hook in self.world.restore_hooks:
            hook()
        self._snapshots.start()
        self._ready.set()

    def close(self) -> None:
        """End what the services started, save the state, close files."""
        for hook in reversed(self.world.shutdown_hooks):
            self._run(hook)
        if self._ready.is_set():
            self._run(self._snapshots.stop)
        for hook in reversed(self.world.close_hooks):
            self._run(hook)

    @staticmethod
    def _run(hook: Any) -> None:
        try:
            hook()
        except Exception:
            log.exception("while stopping: %s", hook)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == HEALTH_PATH:
            return self._health(start_response)
        if not self._is_for_us(environ):
            what = refusals.asked(environ)
            text = f"the Host header {environ.get('HTTP_HOST')!r} is not this machine"
            return refusals.error(start_response, what, 403, "AccessDenied", text)
        if _is_too_large(environ):  # before the guard, which reads bodies
            return refusals.error(
                start_response,
                refusals.asked(environ),
                400,
                "RequestEntityTooLargeException",
                str(BodyTooLarge(BODY_MAX_BYTES)),
            )
        self._ready.wait()
        try:
            self.world.guard.admit(environ)
        except Denied as denied:
            return self._denied(environ, start_response, denied)
        for matches, app in self.world.routes:
            if matches(environ):
                return self._routed(app, environ, start_response)
        return self._control(environ, start_response)

    @staticmethod
    def _denied(environ: Environ, start_response: StartResponse, denied: Denied) -> Iterable[bytes]:
        what = refusals.asked(environ)
        if not what.service and what.protocol == "rest-json":
            what = Asked("s3", "", "rest-xml")  # without a signature a path alone says which service: S3
        code = refusals.denial_code(environ, what, denied.code)
        return refusals.error(start_response, what, denied.status, code, denied.message)

    def _routed(self, app: Any, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            answer: Iterable[bytes] = app(environ, start_response)
            return answer
        except BadRequest:
            raise
        except Exception as exception:
            return refusals.broke(environ, start_response, refusals.asked(environ), exception)

    def _is_for_us(self, environ: Environ) -> bool:
        """Whether the Host header is a name of this machine: no web page can reach us under a name of its own."""
        names = self.world.config.host_names
        if not names and self.world.config.host not in ("127.0.0.1", "localhost", "::1"):
            return True
        host = environ.get("HTTP_HOST", "localhost").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return name in ("127.0.0.1", "localhost", "[::1]", "", *names) or name.endswith(
            (".localhost", ".amazonaws.com")
        )

    def _health(self, start_response: StartResponse) -> Iterable[bytes]:
        health = {
            "status": "ready" if self._ready.is_set() else "starting",
            "version": VERSION,
            "uptime_s": round(time.monotonic() - self._began, 3),
            "services": [name.rpartition(".")[2] for name in SERVICES],
            "region": self.world.config.region,
            "state": str(self.world.config.state_dir),
        }
        body = json.dumps(health).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _control(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """moto's answer, made whole and durable before it is sent."""
        try:
            what = refusals.asked(environ, self._form(environ))
        except BodyTooLarge as error:
            return refusals.error(start_response, refusals.asked(environ), 400, error.code, str(error))
        try:
            answer = self._moto.call(environ)
        except BadRequest:
            raise
        except NotImplementedError:
            return refusals.refuse(environ, start_response, what)
        except Exception as exception:
            return refusals.broke(environ, start_response, what, exception)
        finally:
            self._commit(environ, what)
        if answer.is_missing_action(environ, what.service):
            return refusals.refuse(environ, start_response, what)
        start_response(answer.status, answer.headers)
        return [answer.body]

    @staticmethod
    def _form(environ: Environ) -> bytes:
        """The body of a form request, which says its action there; it stays readable for moto."""
        if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
            return b""
        if "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            return b""
        return read_body(environ)

    def _commit(self, environ: Environ, what: Asked) -> None:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS") or what.action.startswith(READS):
            return
        for hook in self.world.commit_hooks:
            hook(environ)
        if what.service != "s3":
            self.world.mark_changed()


def _is_too_large(environ: Environ) -> bool:
    """Whether a request that is not for S3 says that its body exceeds the limit."""
    return int(environ.get("CONTENT_LENGTH") or 0) > BODY_MAX_BYTES and refusals.asked(environ).service != "s3"
