"""From the task that registers a model to the report of its evaluation."""

import os
from urllib.parse import parse_qs, urlsplit

import pytest

from dags import build
from plugins.operators.registry import RegisterModelVersionOperator
from plugins.operators.report_link import ReportLink, browser_address

URI = "s3://bucket/reports/version=20260101t000000z/report.html"


def test_the_task_that_registers_links_to_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    task = build.model_build().get_task("register")
    assert isinstance(task, RegisterModelVersionOperator)
    assert [link.name for link in task.operator_extra_links] == ["Forecast report"]
    assert task.report_uri == task.extras["CustomerMetadataProperties"]["report"]
    assert task.report_uri.endswith("/report.html")
    assert "report_uri" in task.template_fields
    task.report_uri = URI
    monkeypatch.setitem(os.environ, "AWS_ENDPOINT_URL", "http://127.0.0.1:4566/")
    assert ReportLink().get_link(task, ti_key=None) == (
        "http://127.0.0.1:4566/bucket/reports/version%3D20260101t000000z/report.html"
    )


def test_on_aws_the_link_is_the_consoles_and_signs_nothing() -> None:
    address = urlsplit(browser_address(URI, "eu-west-1", None))
    assert address.netloc == "eu-west-1.console.aws.amazon.com"
    assert address.path == "/s3/object/bucket"
    assert parse_qs(address.query) == {
        "region": ["eu-west-1"],
        "prefix": ["reports/version=20260101t000000z/report.html"],
    }
