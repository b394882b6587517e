"""The accounts of the XGBoost images are the SageMaker SDK's."""

import json
from pathlib import Path

import pytest

from infra.image_accounts import ENVIRONMENT, MODULE, TABLE, SdkMissing, image_table, module_text


def sdk(folder: Path, training: dict[str, object], inference: dict[str, object]) -> Path:
    """An environment that holds a SageMaker SDK of a few lines."""
    packages = folder / "lib/python3.12/site-packages"
    (packages / TABLE).parent.mkdir(parents=True)
    scopes = {"training": {"versions": training}, "inference": {"versions": inference}}
    (packages / TABLE).write_text(json.dumps(scopes))
    (packages / "sagemaker_core-9.9.dist-info").mkdir()
    (packages / "sagemaker_core-9.9.dist-info/METADATA").write_text("Name: sagemaker-core\nVersion: 9.9\n")
    return folder


def test_the_kept_table_is_that_of_the_installed_sdk() -> None:
    try:
        table = image_table()
    except SdkMissing:
        pytest.skip(f"the SageMaker SDK is not installed in {ENVIRONMENT.name}")
    assert MODULE.read_text() == module_text(table), "run python -m infra.image_accounts"


def test_a_table_is_written_as_a_module(tmp_path: Path) -> None:
    row = {"registries": {"us-east-1": "2", "af-south-1": "1"}, "repository": "sagemaker-xgboost"}
    table = image_table(sdk(tmp_path, {"3.2-0": row}, {"3.2-0": row}))
    made: dict[str, object] = {}
    exec(module_text(table), made)
    assert made["ACCOUNTS"] == {"af-south-1": "1", "us-east-1": "2"}
    assert (made["REPOSITORY"], made["IMAGE_VERSION"]) == ("sagemaker-xgboost", "3.2-0")
    assert "sagemaker-core 9.9" in str(made["__doc__"])


def test_an_image_that_the_sdk_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no one image 3\.2-0"):
        image_table(sdk(tmp_path, {}, {}))
    with pytest.raises(SdkMissing, match=r"locks/release\.txt"):
        image_table(tmp_path / "empty")
