"""SageMaker that runs: jobs are processes with an /opt/ml, endpoints answer from the real artifact."""

import random
import threading

from moto.sagemaker.models import sagemaker_backends

from infra.localaws.sagemaker import models, opt_ml, storage
from infra.localaws.sagemaker.endpoints import EndpointFailed, Endpoints
from infra.localaws.sagemaker.fleet import Fleet
from infra.localaws.sagemaker.invoke import Invocations
from infra.localaws.sagemaker.processing import Processing
from infra.localaws.sagemaker.registry import Registry
from infra.localaws.sagemaker.training import Training
from infra.localaws.world import ACCOUNT_ID, World, log

__all__ = ["EndpointFailed", "install", "wait_in_service"]

_endpoints: list[Endpoints] = []


def install(world: World) -> None:
    """Put jobs, endpoints and the registry behind the actions of SageMaker."""
    storage.use_guard(world.guard)
    fleet = Fleet(random.Random())  # noqa: S311  # traffic shares, no secret
    training, processing = Training(world), Processing(world)
    models.install()
    endpoints = Endpoints(world, fleet)
    Invocations(world, fleet)
    registry = Registry(world)
    threading.Thread(target=_say_what_is_lacking, name="sagemaker-lacks", daemon=True).start()
    _endpoints[:] = [endpoints]

    def restore() -> None:
        for backend in list(sagemaker_backends[ACCOUNT_ID].values()):
            training.fail_interrupted(backend)
            processing.fail_interrupted(backend)
            endpoints.restore(backend)
            registry.complete_interrupted(backend)

    world.on_restore(restore)


def _say_what_is_lacking() -> None:
    for line in opt_ml.warnings(wants_isolation=True):
        log.warning(line.removeprefix("local AWS: "))


def wait_in_service(name: str, timeout_s: float, region: str = "us-east-1") -> None:
    """Block until the endpoint `name` serves the configuration it was last given.

    Raises:
        EndpointFailed: it failed, was rolled back or deleted; the text is the FailureReason.
        TimeoutError: after `timeout_s` seconds.
    """
    _endpoints[0].wait_in_service(sagemaker_backends[ACCOUNT_ID][region], name, timeout_s)
