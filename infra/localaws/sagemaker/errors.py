"""The errors of the SageMaker control plane, by AWS's own codes."""

from moto.sagemaker.exceptions import SagemakerClientError

NOT_FOUND = "Requested resource not found."


class ValidationException(SagemakerClientError):
    """Bad input, and also what SageMaker answers for most unknown names."""

    code = "ValidationException"


class ResourceInUse(SagemakerClientError):
    """A name that is taken."""

    code = "ResourceInUse"


class ResourceNotFound(SagemakerClientError):
    """An unknown name, in the actions that say so by this code."""

    code = "ResourceNotFound"


class ConflictException(SagemakerClientError):
    """The resource still holds others."""

    code = "ConflictException"
