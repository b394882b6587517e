"""Endpoints: created, updated blue/green, deleted; each a warm process a model.

The hooks sit on moto's backend, so that CloudFormation takes the same path as the API.
"""

import threading
import time
from typing import Any

from moto.sagemaker.models import FakeEndpoint, SageMakerModelBackend

from infra.localaws.sagemaker import notices
from infra.localaws.sagemaker.actions import Request, override, replace
from infra.localaws.sagemaker.errors import ValidationException
from infra.localaws.sagemaker.fleet import Deployment, Fleet, Variant
from infra.localaws.sagemaker.model_containers import container_of
from infra.localaws.sagemaker.records import utc_now
from infra.localaws.sagemaker.serving_process import ServingProcess, StartFailed
from infra.localaws.world import World, log


class EndpointFailed(Exception):
    """The endpoint did not come into service, or went back to its old configuration; the text says why."""


class Endpoints:
    """The actions on endpoints."""

    def __init__(self, world: World, fleet: Fleet) -> None:
        self._world = world
        self._fleet = fleet
        self._moved = threading.Condition()
        self._original_create = SageMakerModelBackend.create_endpoint
        endpoints = self

        def create_endpoint(
            backend: SageMakerModelBackend, endpoint_name: str, endpoint_config_name: str, tags: Any = None
        ) -> FakeEndpoint:
            return endpoints.create(backend, endpoint_name, endpoint_config_name, tags)

        def delete_endpoint(backend: SageMakerModelBackend, endpoint_name: str) -> None:
            endpoints.delete(backend, endpoint_name)

        def update_endpoint(
            backend: SageMakerModelBackend, endpoint_name: str, endpoint_config_name: str
        ) -> FakeEndpoint:
            return endpoints.update(backend, endpoint_name, endpoint_config_name)

        replace(SageMakerModelBackend, "create_endpoint", create_endpoint)
        replace(SageMakerModelBackend, "delete_endpoint", delete_endpoint)
        replace(SageMakerModelBackend, "update_endpoint", update_endpoint)
        replace(FakeEndpoint, "update_from_cloudformation_json", classmethod(_update_from_cloudformation))
        override("UpdateEndpoint", self._update_action)
        override("DescribeEndpoint", self._describe_action)
        world.on_shutdown(fleet.close)

    def create(self, backend: SageMakerModelBackend, name: str, config_name: str, tags: Any) -> FakeEndpoint:
        if name in backend.endpoints:
            raise ValidationException(f'Cannot create already existing endpoint "{_arn(backend, name)}".')
        _check_config(backend, config_name)
        endpoint = self._original_create(backend, name, config_name, tags or [])
        endpoint.endpoint_status = "Creating"
        self._announce(endpoint)
        self._in_background(self._bring_up, backend, endpoint, config_name)
        return endpoint

    def update(self, backend: SageMakerModelBackend, name: str, config_name: str) -> FakeEndpoint:
        endpoint = _find(backend, name)
        _check_config(backend, config_name)
        if endpoint.endpoint_status in ("Creating", "Updating", "RollingBack"):
            raise ValidationException(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if endpoint.endpoint_status == "Failed":  # deleting is all that AWS allows then
            raise ValidationException(f'Cannot update failed endpoint "{endpoint.arn}".')
        now_serverless = any(variant.get("CurrentServerlessConfig") for variant in endpoint.production_variants)
        wanted = backend.endpoint_configs[config_name].production_variants
        if now_serverless != any(variant.get("ServerlessConfig") for variant in wanted):
            raise ValidationException(
                f'Cannot update endpoint "{endpoint.arn}": updating between a real-time endpoint and a serverless '
                "endpoint is not supported."
            )
        self._move(endpoint, "Updating", None)
        self._in_background(self._bring_up, backend, endpoint, config_name)
        return endpoint

    def delete(self, backend: SageMakerModelBackend, name: str) -> None:
        endpoint = _find(backend, name)
        self._move(endpoint, "Deleting", None)
        del backend.endpoints[name]
        old = self._fleet.put(name, None)
        if old is not None:
            old.close()

    def restore(self, backend: SageMakerModelBackend) -> None:
        """Start the workers of kept endpoints again; an interrupted update goes back to its old configuration."""
        for name, endpoint in list(backend.endpoints.items()):
            if endpoint.endpoint_status == "Failed":
                continue
            self._fleet.expect(name)
            self._in_background(self._bring_up, backend, endpoint, endpoint.endpoint_config_name)

    def wait_in_service(self, backend: SageMakerModelBackend, name: str, timeout_s: float) -> None:
        """Block until the endpoint serves the configuration it was last given.

        Raises:
            EndpointFailed: it failed, was rolled back, or was deleted meanwhile.
            TimeoutError: it is still on its way after `timeout_s` seconds.
        """
        deadline = time.monotonic() + timeout_s
        with self._moved:
            while True:
                endpoint = backend.endpoints.get(name)
                if endpoint is None:
                    raise EndpointFailed(f"endpoint {name} does not exist")
                if endpoint.endpoint_status in ("Failed", "InService"):
                    if endpoint.failure_reason:
                        raise EndpointFailed(endpoint.failure_reason)
                    return
                if not self._moved.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"endpoint {name} is {endpoint.endpoint_status} after {timeout_s:.0f} s")

    def _bring_up(self, backend: SageMakerModelBackend, endpoint: FakeEndpoint, config_name: str) -> None:
        try:
            deployment = self._deploy(backend, endpoint.endpoint_name, config_name)
        except Exception as error:
            if not isinstance(error, StartFailed):
                log.exception("endpoint %s", endpoint.endpoint_name)
            self._give_up(backend, endpoint, str(error)[:1024])
            return
        if backend.endpoints.get(endpoint.endpoint_name) is not endpoint:  # deleted meanwhile
            deployment.close()
            return
        old = self._fleet.put(endpoint.endpoint_name, deployment)
        config = backend.endpoint_configs[config_name]
        endpoint.endpoint_config_name = config_name
        endpoint.production_variants = _running_variants(backend, endpoint, config.production_variants)
        self._move(endpoint, "InService", None)
        if old is not None:
            old.close()

    def _give_up(self, backend: SageMakerModelBackend, endpoint: FakeEndpoint, reason: str) -> None:
        if backend.endpoints.get(endpoint.endpoint_name) is not endpoint:
            return
        serves_still = self._fleet.get(endpoint.endpoint_name, wait_s=0) is not None
        if serves_still:
            self._move(endpoint, "RollingBack", reason)
            self._move(endpoint, "InService", reason)
        else:
            self._fleet.put(endpoint.endpoint_name, None)
            self._move(endpoint, "Failed", reason)

    def _deploy(self, backend: SageMakerModelBackend, name: str, config_name: str) -> Deployment:
        """Start a process for every variant.

        Raises:
            StartFailed: one did not start; none is left running.
        """
        variants: dict[str, Variant] = {}
        deployment = Deployment(config_name, variants)
        config = backend.endpoint_configs.get(config_name)
        if config is None:
            raise StartFailed(f"the endpoint configuration {config_name} is gone")
        for given in config.production_variants:
            variant = given["VariantName"]
            try:
                container = container_of(backend, backend.describe_model(given["ModelName"]))
                process = ServingProcess(self._world, container, f"/aws/sagemaker/Endpoints/{name}", variant)
                variants[variant] = Variant(float(given.get("InitialVariantWeight", 1.0)), process)
                process.start()
            except Exception:
                deployment.close()
                raise
        return deployment

    def _move(self, endpoint: FakeEndpoint, status: str, failure_reason: str | None) -> None:
        with self._moved:
            endpoint.endpoint_status = status
            endpoint.failure_reason = failure_reason  # type: ignore[assignment]
            endpoint.last_modified_time = utc_now()
            self._moved.notify_all()
        self._announce(endpoint)
        self._world.mark_changed()

    def _announce(self, endpoint: FakeEndpoint) -> None:
        detail = {name: value for name, value in endpoint.response_object.items() if name != "DataCaptureConfig"}
        detail["EndpointStatus"] = _EVENT_STATUS.get(endpoint.endpoint_status, endpoint.endpoint_status)
        notices.publish(self._world, "Endpoint", endpoint.arn, detail)

    def _in_background(self, body: Any, *arguments: Any) -> None:
        threading.Thread(target=body, args=arguments, name="endpoint", daemon=True).start()

    def _update_action(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        return {"EndpointArn": self.update(backend, request["EndpointName"], request["EndpointConfigName"]).arn}

    def _describe_action(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        return _find(backend, request["EndpointName"]).response_object


_EVENT_STATUS = {
    "Creating": "CREATING",
    "Updating": "UPDATING",
    "RollingBack": "ROLLING_BACK",
    "InService": "IN_SERVICE",
    "Deleting": "DELETING",
    "Failed": "FAILED",
}
"""EventBridge spells the states of endpoints in capitals."""


def _arn(backend: SageMakerModelBackend, name: str) -> str:
    return f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:endpoint/{name}"


def _find(backend: SageMakerModelBackend, name: str) -> FakeEndpoint:
    endpoint = backend.endpoints.get(name)
    if endpoint is None:
        raise ValidationException(f'Could not find endpoint "{_arn(backend, name)}".')
    return endpoint


def _check_config(backend: SageMakerModelBackend, config_name: str) -> None:
    """The configuration and its models exist."""
    config = backend.endpoint_configs.get(config_name)
    if config is None:
        arn = f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:endpoint-config/{config_name}"
        raise ValidationException(f'Could not find endpoint configuration "{arn}".')
    backend.validate_production_variants(config.production_variants)


def _running_variants(
    backend: SageMakerModelBackend, endpoint: FakeEndpoint, given: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """ProductionVariants as Describe shows them, with the deployed image."""
    variants: list[dict[str, Any]] = endpoint._process_production_variants(given)
    for variant, asked in zip(variants, given, strict=True):
        image = container_of(backend, backend.describe_model(asked["ModelName"])).image
        deployed = {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": utc_now()}
        variant["DeployedImages"] = [deployed]
        variant.setdefault("CurrentWeight", 1.0)
        variant.setdefault("DesiredWeight", 1.0)
    return variants


def _update_from_cloudformation(
    _cls: type[FakeEndpoint],
    original_resource: FakeEndpoint,
    _new_resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
) -> FakeEndpoint:
    """A stack update is an UpdateEndpoint: the old model serves until the new one does."""
    from moto.sagemaker.models import sagemaker_backends

    backend: Any = sagemaker_backends[account_id][region_name]
    config_name = cloudformation_json["Properties"]["EndpointConfigName"]
    updated: FakeEndpoint = backend.update_endpoint(original_resource.endpoint_name, config_name)
    return updated
