"""The data plane over HTTP: PutRecord, GetRecord, BatchGetRecord, DeleteRecord (REST-JSON)."""

import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, unquote

from infra.localaws.featurestore.groups import FeatureGroup, group_name, not_found_text
from infra.localaws.featurestore.offline import Flusher
from infra.localaws.featurestore.records import RecordStore, Write
from infra.localaws.featurestore.schema import RecordError
from infra.localaws.featurestore.write_units import WriteUnits, units_of
from infra.localaws.world import Environ, StartResponse

GROUP_PATH = "/FeatureGroup/"
BATCH_PATH = "/BatchGetRecord"
STORES = frozenset(("OnlineStore", "OfflineStore"))
_REGION = re.compile(r"Credential=[^/]*/\d+/([a-z0-9-]+)/")

FindGroup = Callable[[str, str], FeatureGroup | None]
"""(region, group name) -> group."""


class RequestError(Exception):
    """An error answer: code of the service model, HTTP status, message."""

    def __init__(self, code: str, status: str, message: str) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def invalid(message: str) -> RequestError:
    return RequestError("ValidationError", "400 Bad Request", message)


def matches(environ: Environ) -> bool:
    """Whether a request is of the feature store's data plane (no bucket can have these names)."""
    path: str = environ["PATH_INFO"]
    return path.startswith(GROUP_PATH) or path == BATCH_PATH


class Runtime:
    """The WSGI application of the data plane."""

    def __init__(
        self, records: RecordStore, flusher: Flusher, units: WriteUnits, find_group: FindGroup, default_region: str
    ) -> None:
        self._records = records
        self._flusher = flusher
        self._units = units
        self._find_group = find_group
        self._default_region = default_region
        self._actions = {"PUT": self._put, "GET": self._get, "DELETE": self._delete}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        headers = [("Content-Type", "application/json")]
        try:
            body, status = self._answer(environ).encode(), "200 OK"
        except RequestError as fault:
            body, status = json.dumps({"message": str(fault)}).encode(), fault.status
            headers.append(("x-amzn-ErrorType", fault.code))
        headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]

    def _answer(self, environ: Environ) -> str:
        region = self._region(environ)
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == BATCH_PATH:
            return self._batch_get(region, _json_body(environ))
        action = self._actions.get(method)
        if action is None:
            raise RequestError("UnknownOperationException", "404 Not Found", f"{method} {path} is no operation")
        name = group_name(unquote(path[len(GROUP_PATH) :]))
        group = self._find_group(region, name)
        if group is None:
            if method == "GET":
                raise RequestError("ResourceNotFound", "404 Not Found", not_found_text(name))
            raise invalid(not_found_text(name))
        if group.status != "Created":
            raise invalid(f"FeatureGroup {name} is in status {group.status}")
        try:
            return action(group, environ)
        except RecordError as error:
            raise invalid(f"Validation Error encountered: {error}") from error

    def _region(self, environ: Environ) -> str:
        match = _REGION.search(environ.get("HTTP_AUTHORIZATION", ""))
        return match.group(1) if match else self._default_region

    def _put(self, group: FeatureGroup, environ: Environ) -> str:
        request = _json_body(environ)
        if request.get("TtlDuration") is not None:
            raise invalid("TtlDuration is not supported by local AWS")
        online, offline = _stores(group, request.get("TargetStores"))
        record: Any = request.get("Record")
        checked = group.schema.check(record)
        self._take_units(group, checked.record_id, units_of(record))
        text = json.dumps(record, separators=(",", ":"))
        write = Write(group.key, checked.record_id, checked.event_time_us, time.time_ns() // 1000, text)
        self._records.write(write, online, offline)
        if offline:
            self._flusher.record_waits(group.key)
        return ""

    def _take_units(self, group: FeatureGroup, record_id: str, units: int) -> None:
        if not self._units.take(group.key, record_id, units):
            raise RequestError("ThrottlingException", "400 Bad Request", "Rate exceeded")

    def _get(self, group: FeatureGroup, environ: Environ) -> str:
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        names = query.get("FeatureName")
        record = self._latest(group, _one(query, "RecordIdentifierValueAsString"), names)
        return "{}" if record is None else f'{{"Record":{record}}}'

    def _latest(self, group: FeatureGroup, record_id: str, names: list[str] | None) -> str | None:
        if not group.has_online_store:
            raise invalid(f"FeatureGroup {group.feature_group_name} has no online store")
        if unknown := [name for name in names or () if name not in group.schema.types]:
            raise RecordError(f"FeatureGroup has no feature with the name [{unknown[0]}]")
        record = self._records.latest(group.key, record_id)
        if record is None or not names:
            return record
        chosen = [feature for feature in json.loads(record) if feature["FeatureName"] in names]
        return json.dumps(chosen) if chosen else None

    def _delete(self, group: FeatureGroup, environ: Environ) -> str:
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if not group.has_online_store:
            raise invalid(f"FeatureGroup {group.feature_group_name} has no online store")
        record_id, event_time = _one(query, "RecordIdentifierValueAsString"), _one(query, "EventTime")
        online, offline = _stores(group, query.get("TargetStores"))
        marker = [(group.schema.record_id, record_id), (group.schema.event_time, event_time)]
        event_time_us = group.schema.moment_us(event_time)
        self._take_units(group, record_id, 1)
        write = Write(
            group.key,
            record_id,
            event_time_us,
            time.time_ns() // 1000,
            json.dumps([{"FeatureName": name, "ValueAsString": value} for name, value in marker]),
            is_deleted=True,
        )
        if query.get("DeletionMode", ["SoftDelete"])[0] == "HardDelete" and online:
            if not self._records.remove(write, offline):
                raise invalid("EventTime: must be later than the event time of the existing record")
        else:
            self._records.write(write, online, offline)
        if offline:
            self._flusher.record_waits(group.key)
        return ""

    def _batch_get(self, region: str, request: dict[str, Any]) -> str:
        records, errors = [], []
        for wanted in request.get("Identifiers") or ():
            name = wanted["FeatureGroupName"]
            group = self._find_group(region, group_name(name))
            for record_id in wanted["RecordIdentifiersValueAsString"]:
                found: dict[str, Any] = {"FeatureGroupName": name, "RecordIdentifierValueAsString": record_id}
                try:
                    if group is None:
                        raise RequestError("ResourceNotFound", "404 Not Found", not_found_text(name))
                    record = self._latest(group, record_id, wanted.get("FeatureNames"))
                except (RequestError, RecordError) as fault:
                    code = getattr(fault, "code", "ValidationError")
                    errors.append(found | {"ErrorCode": code, "ErrorMessage": str(fault)})
                    continue
                if record is not None:
                    records.append(found | {"Record": json.loads(record)})
        return json.dumps({"Records": records, "Errors": errors, "UnprocessedIdentifiers": []})


def _stores(group: FeatureGroup, targets: list[str] | None) -> tuple[bool, bool]:
    """(online, offline) that a write goes to: all of the group's stores, or those named."""
    if not targets:
        return group.has_online_store, group.has_offline_store
    if unknown := set(targets) - STORES:
        raise invalid(f"TargetStores: {', '.join(sorted(unknown))} is none of {', '.join(sorted(STORES))}")
    online, offline = "OnlineStore" in targets, "OfflineStore" in targets
    if (online and not group.has_online_store) or (offline and not group.has_offline_store):
        raise invalid(f"FeatureGroup {group.feature_group_name} does not have all of {', '.join(sorted(targets))}")
    return online, offline


def _one(query: dict[str, list[str]], name: str) -> str:
    value = query.get(name, [""])[0]
    if not value:
        raise invalid(f"{name} must not be empty")
    return value


def _json_body(environ: Environ) -> dict[str, Any]:
    length = environ.get("CONTENT_LENGTH")
    text = environ["wsgi.input"].read(int(length)) if length else environ["wsgi.input"].read()
    try:
        body = json.loads(text)
    except ValueError as error:
        raise RequestError("SerializationException", "400 Bad Request", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise RequestError("SerializationException", "400 Bad Request", "the body is no JSON object")
    return body
