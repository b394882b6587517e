"""The link from a task to the report of its build, shown with the task in the Airflow UI."""

import os
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.sdk import BaseOperatorLink


class ReportLink(BaseOperatorLink):
    """Needs an operator with a `report_uri` (s3://…): the object where AWS is local, else its page in the console."""

    name = "Forecast report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return browser_address(operator.report_uri, region, os.environ.get("AWS_ENDPOINT_URL"))


def browser_address(s3_uri: str, region: str, endpoint_url: str | None) -> str:
    """Where a browser finds an object. No signature: an address is kept with the task, and must open nothing by itself.

    Args:
        endpoint_url: where AWS is spoken, when not by AWS itself.
    """
    place = urlsplit(s3_uri)
    key = place.path.lstrip("/")
    if endpoint_url:
        return f"{endpoint_url.rstrip('/')}/{place.netloc}/{quote(key)}"
    query = urlencode({"region": region, "prefix": key})
    return f"https://{region}.console.aws.amazon.com/s3/object/{place.netloc}?{query}"
