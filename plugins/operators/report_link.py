"""The link from a task to the report of its build, shown with the task in the Airflow UI."""

from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink

from include.settings import settings


class ReportLink(BaseOperatorLink):
    """The page of the object at an operator's `report_uri` (s3://…).

    It carries no signature: an address is kept with the task, and must open nothing by itself.
    """

    name = "Forecast report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        place = urlsplit(operator.report_uri)
        return settings().object_page(place.netloc, place.path.lstrip("/"))
