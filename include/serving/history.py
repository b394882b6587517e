"""History and model: documents that were made elsewhere, cut to what was asked for."""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from include.serving import deployment
from include.serving.cache import AgedCache
from include.serving.clients import client
from include.serving.problem import Problem, no_data

HISTORY_AGE_S = 60
PACKAGE_AGE_S = 300

cache = AgedCache(size=64)


def history(athlete_id: str, first: date | None, last: date | None) -> dict[str, Any]:
    """Readings and load from `first` to `last`, both included; None for no limit.

    Raises:
        Problem: 404, nothing came in yet.
    """
    key = f"serving/history/athlete_id={athlete_id}/history.json"
    document = cache.get(("history", athlete_id), lambda: deployment.document_of(key), HISTORY_AGE_S)
    if document is None:
        raise no_data(athlete_id)
    low, high = (first or date.min).isoformat(), (last or date.max).isoformat()

    def within(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if low <= row["day"] <= high]

    return {**document, "readings": within(document["readings"]), "load": within(document["load"])}


def model() -> dict[str, Any]:
    """What serves, which model answers in each bucket of horizons, and how it was measured.

    Raises:
        Problem: 503, nothing is served.
    """
    served = deployment.serving()
    if served is None:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "No model is served",
            "The endpoint is stopped or no model is approved yet. Try again in 30 s.",
            retry_after_s=30,
        )
    arn = served["model_package_arn"]
    evaluation = cache.get(("evaluation", arn), lambda: _evaluation(arn), PACKAGE_AGE_S)
    return {
        **served,
        "served_by": (evaluation.get("gate") or {}).get("served_by"),
        "metrics": evaluation.get("buckets"),
    }


def _evaluation(model_package_arn: str) -> Mapping[str, Any]:
    """The evaluation.json that was registered with the package; empty where there is none."""
    package = client("sagemaker").describe_model_package(ModelPackageName=model_package_arn)
    statistics = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    uri = urlsplit(statistics.get("S3Uri", ""))
    if uri.netloc != deployment.name("BUCKET"):
        return {}
    return deployment.document_of(uri.path.lstrip("/")) or {}
