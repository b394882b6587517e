"""Parameter Store against the real server: what AWS refuses is refused."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.conftest import LocalAws
from tests.localaws.test_cloudformation import make, parameter, reasons, template


@pytest.fixture(scope="module")
def ssm(localaws: LocalAws) -> Any:
    return localaws.client("ssm")


def put(ssm: Any, name: str, size: int, **more: Any) -> Any:
    return ssm.put_parameter(Name=name, Value="x" * size, Type="String", **more)


def refused(ssm: Any, name: str, size: int, **more: Any) -> str:
    with pytest.raises(ClientError) as error:
        put(ssm, name, size, **more)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    return str(error.value.response["Error"]["Message"])


@pytest.mark.parametrize("tier", [{}, {"Tier": "Standard"}])
def test_a_standard_parameter_holds_4096_characters(ssm: Any, tier: dict[str, str]) -> None:
    name = f"/size/{len(tier)}"
    assert put(ssm, name, 4096, **tier)["Tier"] == "Standard"
    words = refused(ssm, name, 4097, Overwrite=True, **tier)
    assert words.startswith("Standard tier parameters support a maximum parameter value of 4096 characters.")
    assert len(ssm.get_parameter(Name=name)["Parameter"]["Value"]) == 4096, "what was there stays"


def test_an_advanced_parameter_holds_8192_characters(ssm: Any) -> None:
    assert put(ssm, "/size/advanced", 8192, Tier="Advanced")["Tier"] == "Advanced"
    assert "8192 characters" in refused(ssm, "/size/too-advanced", 8193, Tier="Advanced")
    assert "8192 characters" in refused(ssm, "/size/too-intelligent", 8193, Tier="Intelligent-Tiering")


def test_an_intelligent_tier_goes_by_the_size_and_never_back(ssm: Any) -> None:
    kind = {"Tier": "Intelligent-Tiering", "Overwrite": True}
    assert put(ssm, "/size/clever", 4096, **kind)["Tier"] == "Standard"
    assert put(ssm, "/size/clever", 4097, **kind)["Tier"] == "Advanced"
    assert put(ssm, "/size/clever", 10, **kind)["Tier"] == "Advanced"
    assert put(ssm, "/size/clever", 5000, Overwrite=True)["Tier"] == "Advanced", "an advanced one stays advanced"


def test_a_secure_string_has_the_same_limit(ssm: Any) -> None:
    with pytest.raises(ClientError, match="4096 characters"):
        ssm.put_parameter(Name="/size/secret", Value="x" * 4097, Type="SecureString")


@pytest.mark.parametrize("name", ["aws-x", "AWS", "ssm-x", "/ssm/x", "/aws/x", "/awsome/x"])
def test_names_that_aws_keeps_for_itself_are_refused(ssm: Any, name: str) -> None:
    with pytest.raises(ClientError) as error:
        put(ssm, name, 1)
    assert error.value.response["Error"]["Code"] in ("ValidationException", "AccessDeniedException")


def test_a_stack_with_a_parameter_that_is_too_long_fails_with_the_reason(localaws: LocalAws) -> None:
    cloudformation = localaws.client("cloudformation")
    stack = make(cloudformation, "too-long", template(Long=parameter("/size/stack", "x" * 4097)))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "4096 characters" in json.dumps(reasons(cloudformation, "too-long"))
