"""A request through a deployed API: route, key, throttle, validation, function, answer."""

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra.localaws.apigateway import errors, proxy
from infra.localaws.apigateway.access_log import AccessLog
from infra.localaws.apigateway.errors import GatewayError
from infra.localaws.apigateway.request import Request
from infra.localaws.apigateway.routes import Routes
from infra.localaws.apigateway.snapshot import ApiSnapshot, MethodSnapshot, take
from infra.localaws.apigateway.usage import Usage
from infra.localaws.apigateway.validation import check_parameters, compile_body
from infra.localaws.lambdas.policy import allows
from infra.localaws.lambdas.result import InvokeError, InvokeResult
from infra.localaws.lambdas.service import find, invoke_record

log = logging.getLogger("localaws.apigateway")

PRINCIPAL = "apigateway.amazonaws.com"
_FUNCTION = re.compile(r"functions/(.+)/invocations$")
_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([\w-]+)\}")
BodyCheck = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Compiled:
    """A deployment made ready to answer."""

    snapshot: ApiSnapshot
    routes: Routes
    body_checks: dict[tuple[str, str], BodyCheck]


class Gateway:
    """Answers requests for every deployed API. Compiled deployments are a cache; all else is in moto's records."""

    def __init__(self, region: str, account_id: str, usage: Usage, access_log: AccessLog) -> None:
        self._region = region
        self._account_id = account_id
        self._compiled: dict[tuple[str, str], Compiled] = {}
        self._usage = usage
        self._access_log = access_log
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="integration")

    def forget(self) -> None:
        """Drop compiled deployments: kept state was loaded."""
        self._compiled.clear()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def answer(self, request: Request) -> proxy.Answer:
        """The answer to a request: the function's, or an error in the API's own form."""
        started = time.perf_counter()
        request_id = str(uuid.uuid4())
        compiled: Compiled | None = None
        stage: Any = None
        seen: dict[str, str] = {}
        try:
            stage = self._stage(request)
            compiled = self._deployment(request.api_id, stage)
            result = self._call(request, request_id, stage, compiled, seen)
        except GatewayError as error:
            seen["error.responseType"] = error.kind.name
            responses = compiled.snapshot.gateway_responses if compiled else {}
            result = _rendered(error, responses, request, request_id)
        except Exception:
            log.exception("%s %s", request.method, request.full_path)
            responses = compiled.snapshot.gateway_responses if compiled else {}
            result = _rendered(GatewayError(errors.CONFIGURATION), responses, request, request_id)
        if stage is not None and stage.access_log_settings:
            seen |= {"status": str(result.status), "responseLatency": f"{_ms_since(started):.0f}"}
            context = _context(request, request_id) | seen
            self._access_log.write(stage.access_log_settings, request.api_id, request.stage, context)
        log.debug("%s %s %s in %.1f ms", request.method, request.full_path, result.status, _ms_since(started))
        return proxy.Answer(result.status, [*result.headers, ("x-amzn-RequestId", request_id)], result.body)

    def _backend(self) -> Any:
        from moto.apigateway.models import apigateway_backends

        return apigateway_backends[self._account_id][self._region]

    def _stage(self, request: Request) -> Any:
        api = self._backend().apis.get(request.api_id)
        stage = api.stages.get(request.stage) if api is not None else None
        if stage is None:
            raise GatewayError(errors.INVALID_API_KEY)
        return stage

    def _deployment(self, api_id: str, stage: Any) -> Compiled:
        name = (api_id, stage.deployment_id)
        compiled = self._compiled.get(name)
        if compiled is None:
            api = self._backend().apis[api_id]
            deployment = api.deployments.get(stage.deployment_id)
            snapshot = getattr(deployment, "snapshot", None) or take(api)
            compiled = self._compiled[name] = compile_api(snapshot)
        return compiled

    def _call(
        self, request: Request, request_id: str, stage: Any, compiled: Compiled, seen: dict[str, str]
    ) -> proxy.Answer:
        """The function's answer; what the access log may say of the request is put into `seen` on the way."""
        match = compiled.routes.match(request.raw_path)
        method = match.method(request.method) if match else None
        if match is None or method is None:
            raise GatewayError(errors.MISSING_TOKEN)
        seen["resourcePath"] = method.path
        key = self._admit(request, stage, method)
        if key is not None:
            seen["identity.apiKeyId"] = key.id
        check_parameters(method, request.query, request.lower_headers, match.parameters)
        body = request.read_body()
        if check := compiled.body_checks.get((method.path, method.method)):
            check(request.content_type, body)
        call = proxy.Call(
            request=request,
            method=method,
            path_parameters=match.parameters,
            stage_variables=stage.variables or {},
            account_id=compiled.snapshot.account_id,
            deployment_id=stage.deployment_id,
            request_id=request_id,
            api_key=key,
        )
        binary_types = compiled.snapshot.binary_media_types
        event = proxy.event(call, body, binary=_is_binary(binary_types, request.content_type))
        result = self._invoke(call, compiled.snapshot, json.dumps(event).encode())
        if result.function_error:
            log.warning("%s %s: the function failed: %s", request.method, request.full_path, result.payload[:500])
            raise GatewayError(errors.INTEGRATION_FAILURE)
        accepted = request.lower_headers.get("accept", "").split(",")[0]
        return proxy.answer(result.payload, decode=_is_binary(binary_types, accepted))

    def _admit(self, request: Request, stage: Any, method: MethodSnapshot) -> Any:
        """Key and throttles; the key's record where the method needs one."""
        if method.authorization != "NONE":
            log.warning("%s %s: authorization %s is not run here", method.method, method.path, method.authorization)
            raise GatewayError(errors.UNAUTHORIZED)
        backend = self._backend()
        key = None
        name = f"{method.path}/{request.method}"
        if method.api_key_required:
            value = None
            if backend.apis[request.api_id].api_key_source == "HEADER":
                value = request.lower_headers.get("x-api-key")
            key = self._usage.admit(backend, request.api_id, request.stage, value, name)
        if settings := (stage.method_settings or {}).get("*/*"):
            self._usage.throttle_stage(request.api_id, request.stage, name, settings)
        return key

    def _invoke(self, call: proxy.Call, snapshot: ApiSnapshot, payload: bytes) -> InvokeResult:
        method = call.method
        uri = _STAGE_VARIABLE.sub(lambda m: call.stage_variables.get(m[1], ""), method.integration_uri)
        function = _FUNCTION.search(uri)
        if method.integration_type != "AWS_PROXY" or function is None:
            log.warning("%s %s: integrations of type %s are not run here", *_names(method), method.integration_type)
            raise GatewayError(errors.CONFIGURATION)
        try:
            record = find(function[1])
            source = _source_arn(snapshot, call)
            if not allows(record, PRINCIPAL, source):
                log.warning("%s has no permission that lets %s invoke it for %s", function[1], PRINCIPAL, source)
                raise GatewayError(errors.CONFIGURATION)
            if float(record.timeout or 3) <= method.timeout_s:
                return invoke_record(record, payload)
            future = self._threads.submit(invoke_record, record, payload)
            return future.result(method.timeout_s)
        except TimeoutError as e:
            raise GatewayError(errors.INTEGRATION_TIMEOUT) from e
        except InvokeError as e:
            log.warning("%s %s: %s", *_names(method), e)
            raise GatewayError(errors.CONFIGURATION) from e


def compile_api(snapshot: ApiSnapshot) -> Compiled:
    """Routes and body checks of a deployment."""
    checks = {(m.path, m.method): compile_body(m.body_schemas) for m in snapshot.methods if m.body_schemas}
    return Compiled(snapshot, Routes(snapshot.methods), checks)


def _names(method: MethodSnapshot) -> tuple[str, str]:
    return method.method, method.path


def _source_arn(snapshot: ApiSnapshot, call: proxy.Call) -> str:
    path = re.sub(r"\{[^}]+\}", "*", call.method.path)
    where = f"{snapshot.api_id}/{call.request.stage}/{call.method.method.replace('ANY', '*')}{path}"
    return f"arn:aws:execute-api:{snapshot.region}:{snapshot.account_id}:{where}"


def _is_binary(binary_media_types: tuple[str, ...], media_type: str) -> bool:
    given = media_type.split(";", maxsplit=1)[0].strip().lower()
    for binary in binary_media_types:
        kind, _, subtype = binary.lower().partition("/")
        if binary == "*/*" or given == binary.lower() or (subtype == "*" and given.startswith(kind + "/")):
            return True
    return False


def _rendered(error: GatewayError, responses: Mapping[str, Any], request: Request, request_id: str) -> proxy.Answer:
    context = _context(request, request_id)
    rendered = errors.render(error, responses, context, request.lower_headers.get("accept", ""))
    return proxy.Answer(rendered.status, list(rendered.headers.items()), rendered.body)


def _context(request: Request, request_id: str) -> dict[str, str]:
    """What gateway responses and the access log may say of any request."""
    return {
        "requestId": request_id,
        "extendedRequestId": request_id.replace("-", "")[:15] + "=",
        "requestTimeEpoch": str(int(time.time() * 1000)),
        "apiId": request.api_id,
        "stage": request.stage,
        "path": request.full_path,
        "httpMethod": request.method,
        "identity.sourceIp": request.source_ip,
    }


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
