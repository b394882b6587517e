"""Models and endpoint configurations: moto's, with AWS's refusals and the network isolation that moto forgets."""

from collections.abc import Callable
from typing import Any

from moto.sagemaker.models import FakeEndpointConfig, Model, SageMakerModelBackend

from infra.localaws.sagemaker.actions import Request, guard, override, replace
from infra.localaws.sagemaker.constraints import enum_values
from infra.localaws.sagemaker.errors import ValidationException
from infra.localaws.sagemaker.model_containers import check_model_data, container_of


def install() -> None:
    """Refuse taken names, containers that cannot be, and instance types that AWS does not know."""
    override("CreateModel", _create_model)
    for action in ("CreateEndpointConfig", "CreateEndpoint"):
        guard(action)
    creating_model = _creating_model(SageMakerModelBackend.create_model)
    creating_config = _creating_config(SageMakerModelBackend.create_endpoint_config)
    replace(SageMakerModelBackend, "create_model", creating_model)
    replace(SageMakerModelBackend, "create_endpoint_config", creating_config)
    replace(SageMakerModelBackend, "delete_model", _delete_model)
    replace(FakeEndpointConfig, "validate_instance_type", _validate_instance_type)


def _create_model(backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
    model = backend.create_model(
        model_name=request["ModelName"],
        execution_role_arn=request.get("ExecutionRoleArn", ""),
        primary_container=request.get("PrimaryContainer"),
        vpc_config=request.get("VpcConfig"),
        containers=request.get("Containers"),
        tags=request.get("Tags"),
    )
    model.enable_network_isolation = bool(request.get("EnableNetworkIsolation"))
    return {"ModelArn": model.arn}


def _creating_model(original: Callable[..., Model]) -> Callable[..., Model]:
    def create_model(backend: SageMakerModelBackend, model_name: str, **fields: Any) -> Model:
        if model_name in backend._models:
            raise ValidationException(f'Cannot create already existing model "{backend._models[model_name].arn}".')
        model = original(backend, model_name=model_name, **fields)
        try:
            check_model_data(container_of(backend, model).model_data_url)
        except Exception:
            del backend._models[model_name]
            raise
        return model

    return create_model


def _delete_model(backend: SageMakerModelBackend, model_name: str) -> None:
    if backend._models.pop(model_name, None) is None:
        arn = f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:model/{model_name}"
        raise ValidationException(f'Could not find model "{arn}".')


def _creating_config(original: Callable[..., FakeEndpointConfig]) -> Callable[..., FakeEndpointConfig]:
    def create_endpoint_config(
        backend: SageMakerModelBackend, endpoint_config_name: str, **fields: Any
    ) -> FakeEndpointConfig:
        existing = backend.endpoint_configs.get(endpoint_config_name)
        if existing is not None:
            raise ValidationException(
                f'Cannot create already existing endpoint configuration "{existing.endpoint_config_arn}".'
            )
        config = original(backend, endpoint_config_name=endpoint_config_name, **fields)
        config.arn = config.endpoint_config_arn  # type: ignore[assignment]  # moto makes it a tuple
        return config

    return create_endpoint_config


def _validate_instance_type(_config: FakeEndpointConfig, instance_type: str) -> None:
    if instance_type not in enum_values("ProductionVariantInstanceType"):
        raise ValidationException(
            f"Value '{instance_type}' at 'productionVariants.1.member.instanceType' failed to satisfy constraint: "
            "Member must satisfy enum value set of ProductionVariantInstanceType"
        )
