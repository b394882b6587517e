"""What an athlete's own forecasts that have come due say about the methods, and how the endpoint comes to know it.

The endpoint holds nothing of any athlete. It works the record out of the athlete's past, which takes up to a second and
a large request; so the past is sent once for each model and each change of the athlete's features, and the record that
came back ever after.
"""

import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from include.features.schema import NAMES, SCHEMA_VERSION
from include.serving import deployment
from include.serving.cache import RecentCache
from include.serving.evidence import first_day
from include.serving.latest import Latest

MOST_HISTORY_BYTES = 3_900_000
"""A serverless endpoint takes no request above 4 MB, and the features go into the same one."""
KEPT_RECORDS = 4096
"""A few KB each in memory."""

cache = RecentCache(KEPT_RECORDS)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OwnPast:
    """What a request says of an athlete's past: the `history`, or the `record` of an earlier answer, or nothing."""

    key: Hashable
    fields: dict[str, Any]

    def record_of_answer(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """The athlete's record as an answer has it; it is kept where it was worked out of the history.

        Where nothing was sent the endpoint answers a blank record, which would say of an athlete with years of
        forecasts that none has come due: then there is none.
        """
        if not self.fields or not answer.get("records"):
            return {}
        record: dict[str, Any] = answer["records"][0]
        if "history" in self.fields:
            cache.keep(self.key, record)
        return record


def own_past(athlete_id: str, latest: Latest, model_package_arn: str) -> OwnPast:
    """The past to send for an athlete's forecast by this model."""
    key = (model_package_arn, latest.fingerprint)
    record = cache.get(key)
    if record is not None:
        return OwnPast(key, {"record": record})
    history = _history(athlete_id, latest)
    return OwnPast(key, {} if history is None else {"history": history})


def _history(athlete_id: str, latest: Latest) -> dict[str, Any] | None:
    """The athlete's origins up to the day of the features; None where there are none that the endpoint could use."""
    object_key = f"serving/origins/athlete_id={athlete_id}/origins.json"
    try:
        document = deployment.document_of(object_key, MOST_HISTORY_BYTES)
        return None if document is None else usable_origins(document, latest)
    except ValueError as error:
        log.warning("%s is not sent to the endpoint: %s", object_key, error)
        return None


def usable_origins(document: Any, latest: Latest) -> dict[str, Any]:
    """An origins document without the days after the features' own: ingest may have written it a moment before them.

    Raises:
        ValueError: it is of another schema than the features, or not what `include/features/origins.py` makes.
    """
    if not isinstance(document, dict) or not isinstance(document.get("days"), list):
        raise ValueError("it is no document of origins")
    if document.get("schema_version") != SCHEMA_VERSION or document.get("features") != list(NAMES):
        raise ValueError(f"it is of feature schema {document.get('schema_version')}, not {SCHEMA_VERSION}")
    as_of = latest.as_of.isoformat()
    count = sum(1 for day in document["days"] if day <= as_of)
    columns = {name: document.get(name) for name in ("days", "sports", "rows")}
    if not all(isinstance(values, list) and len(values) == len(document["days"]) for values in columns.values()):
        raise ValueError("it has not a sport and a row for each day")
    return (
        document | {"as_of": as_of} | {name: values[:count] for name, values in columns.items() if values is not None}
    )


def shown_record(record: Mapping[str, Any], days: int) -> dict[str, dict[str, Any]]:
    """The record as the API answers it, of the ranges that so many days ahead touch."""
    return {
        name: {
            "windows": round(own["windows"], 1),
            "gain": round(own["gain"], 3),
            "weights": {method: round(weight, 3) for method, weight in own["weights"].items()},
        }
        for name, own in record.items()
        if first_day(name) <= days
    }
