"""From the task that registers a model to the report of its evaluation."""

import pytest

from dags import build
from include.settings import Settings, settings
from plugins.operators import report_link
from plugins.operators.registry import RegisterModelVersionOperator
from plugins.operators.report_link import ReportLink

KEY = "reports/version=20260101t000000z/report.html"


def test_the_task_that_registers_links_to_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    task = build.model_build().get_task("register")
    assert isinstance(task, RegisterModelVersionOperator)
    assert [link.name for link in task.operator_extra_links] == ["Forecast report"]
    assert task.report_uri == task.extras["CustomerMetadataProperties"]["report"]
    assert task.report_uri.endswith("/report.html")
    assert "report_uri" in task.template_fields
    task.report_uri = f"s3://{settings().bucket}/{KEY}"
    local = Settings(object_page_url="http://127.0.0.1:4566/_localaws/s3/{bucket}/{key}")  # type: ignore[call-arg]
    monkeypatch.setattr(report_link, "settings", lambda: local)
    assert ReportLink().get_link(task, ti_key=None) == (
        f"http://127.0.0.1:4566/_localaws/s3/{settings().bucket}/reports/version%3D20260101t000000z/report.html"
    )


def test_on_aws_the_link_is_the_consoles_and_signs_nothing() -> None:
    page = Settings(region="eu-west-1").object_page("bucket", KEY)  # type: ignore[call-arg]
    assert page == (
        "https://eu-west-1.console.aws.amazon.com/s3/object/bucket?region=eu-west-1"
        "&prefix=reports/version%3D20260101t000000z/report.html"
    )
