"""Every resource type that local AWS makes; a stack with any other fails."""

from infra.localaws.cloudformation.adapters import (
    apigateway,
    iam,
    lambdas,
    management,
    messaging,
    s3,
    sagemaker,
    usage_plans,
)
from infra.localaws.cloudformation.handler import Handler

_MODULES = (s3, iam, lambdas, messaging, management, sagemaker, apigateway, usage_plans)

HANDLERS: dict[str, Handler] = {handler.type: handler for module in _MODULES for handler in module.HANDLERS}
