"""API Gateway REST APIs, answered over HTTP."""

from infra.localaws.apigateway.service import install

__all__ = ["install"]
