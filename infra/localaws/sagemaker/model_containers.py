"""What a SageMaker Model says to serve: image, artifact, environment; by itself or through a model package."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.sagemaker.models import Model, SageMakerModelBackend

from infra.localaws.sagemaker import storage
from infra.localaws.sagemaker.errors import ValidationException


@dataclass(frozen=True)
class ModelContainer:
    """One container to serve."""

    image: str
    model_data_url: str | None
    environment: Mapping[str, str]
    is_isolated: bool
    """Whether the container has no network (EnableNetworkIsolation of the model)."""
    role_arn: str
    """The model's execution role."""
    model_arn: str


def container_of(backend: SageMakerModelBackend, model: Model) -> ModelContainer:
    """The container of a model; a ModelPackageName brings image, artifact and environment, the model's own win.

    Raises:
        ValidationException: no container, more than one, no image, or an unknown package.
    """
    containers = [model.primary_container] if model.primary_container else list(model.containers)
    if len(containers) != 1:
        raise ValidationException(
            f"local AWS serves models of one container; '{model.model_name}' has {len(containers)}"
        )
    own = containers[0]
    package = package_container(backend, own["ModelPackageName"]) if own.get("ModelPackageName") else {}
    image = own.get("Image") or package.get("Image")
    if not image:
        raise ValidationException(
            f"The container of model '{model.model_name}' names neither Image nor ModelPackageName"
        )
    environment = {**(package.get("Environment") or {}), **(own.get("Environment") or {})}
    return ModelContainer(
        image,
        _data_of(own) or _data_of(package),
        {name: str(value) for name, value in environment.items()},
        bool(model.enable_network_isolation),
        str(model.execution_role_arn or ""),
        str(model.arn),
    )


def package_container(backend: SageMakerModelBackend, name_or_arn: str) -> dict[str, Any]:
    """The first container of a model package's InferenceSpecification.

    Raises:
        ValidationException: for an unknown package, or one without a specification.
    """
    package = backend.describe_model_package(name_or_arn)
    containers = (package.inference_specification or {}).get("Containers") or []
    if not containers:
        raise ValidationException(f"Model package {name_or_arn} has no InferenceSpecification to serve")
    first: dict[str, Any] = containers[0]
    return first


def check_model_data(url: str | None) -> None:
    """Raise ValidationException where the artifact at `url` does not exist, as SageMaker does before it takes one."""
    if url is None:
        return
    try:
        exists = storage.exists(storage.S3Uri.parse(url))
    except ValueError as error:
        raise ValidationException(f"Invalid ModelDataUrl: {error}") from error
    if not exists:
        raise ValidationException(f"Could not find model data at {url}.")


def _data_of(container: Mapping[str, Any]) -> str | None:
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    url: str | None = container.get("ModelDataUrl") or source.get("S3Uri")
    return url
