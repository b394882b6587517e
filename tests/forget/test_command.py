"""The command line of `forget`, and what S3 may answer on the way."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.deploy import redaction
from include.deploy.versions import NotDeleted, ObjectVersions, Version
from infra import deploy
from tests.localaws.conftest import LocalAws


@pytest.fixture
def on_local_aws(localaws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> LocalAws:
    monkeypatch.setattr(deploy, "_client", localaws.client)
    localaws.client("s3").create_bucket(Bucket=deploy.settings().bucket)
    return localaws


def test_the_command_erases_and_says_so(on_local_aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    s3, bucket = on_local_aws.client("s3"), deploy.settings().bucket
    s3.put_object(Bucket=bucket, Key="raw/athlete_id=ann/day/2026/01/01/d.json", Body=b"{}")
    s3.put_object(Bucket=bucket, Key="config/athletes.json", Body=b'{"athletes": ["ann", "bob"]}')
    assert deploy.main(["forget", "--athlete", "ann", "--yes"]) == 0
    assert "erased raw/athlete_id=ann/: 1 object, 1 version" in capsys.readouterr().out
    # This bucket keeps no versions: what was written in place of the list is the list.
    assert (
        s3.get_object(Bucket=bucket, Key="config/athletes.json")["Body"].read() == b'{\n "athletes": [\n  "bob"\n ]\n}'
    )
    assert deploy.main(["forget", "--athlete", "ann", "--yes"]) == 0
    assert "nothing left of ann" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["forget"], ["forget", "release", "--athlete", "ann"]])
def test_forget_goes_alone_and_names_the_athlete(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        deploy.main(arguments)
    assert "forget goes alone, and wants --athlete ID" in capsys.readouterr().err


def test_an_impossible_id_is_one_line(on_local_aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["forget", "--athlete", "a/b", "--yes"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_versions_that_s3_keeps_are_an_error() -> None:
    class Refusing:
        def delete_objects(self, **_: Any) -> dict[str, Any]:
            return {"Errors": [{"Key": "raw/a", "Code": "AccessDenied", "Message": "Access Denied"}]}

    with pytest.raises(NotDeleted, match=r"1 versions not deleted, first raw/a: Access Denied"):
        ObjectVersions(Refusing(), "b").delete([Version("raw/a", "1", True, False)])


def test_a_document_that_is_not_of_the_expected_form_is_never_taken_for_one_without_the_athlete() -> None:
    for redact, body in (
        (redaction.parquet_without, b"PAR1"),
        (redaction.parquet_without, _parquet(pa.table({"other": ["ann"]}))),
        (redaction.csv_without, b"day,athlete_id\n1,ann\n"),
        (redaction.csv_without, b""),
        (redaction.athletes_without, b"["),
        (redaction.athletes_without, b"[]"),
        (redaction.api_keys_without, b'{"k": "ann"}'),
        (redaction.evaluation_without, b"x"),
    ):
        with pytest.raises(redaction.NotReadable):
            redact(body, "ann")


def test_an_athlete_who_is_called_like_a_field_takes_nothing_else_along() -> None:
    body = b'{"athletes": {"buckets": {}, "bob": {}}, "buckets": [{"bucket": "1-7"}], "cases": {"worst": []}}'
    cleaned = redaction.evaluation_without(body, "buckets")
    assert cleaned is not None and b'"bucket": "1-7"' in cleaned and b'"bob"' in cleaned
    assert redaction.evaluation_without(cleaned, "buckets") is None


def test_a_file_of_the_offline_store_keeps_its_columns_and_compression() -> None:
    table = pa.table({
        "athlete_id": ["ann", "bob"],
        "load_7d": pa.array([None, 1.5], pa.float64()),
        "write_time": pa.array([1, 2], pa.timestamp("us", tz="UTC")),
    })  # fmt: skip
    cleaned = redaction.parquet_without(_parquet(table, compression="gzip"), "ann")
    assert cleaned is not None
    file = pq.ParquetFile(io.BytesIO(cleaned))
    assert file.read() == table.slice(1)
    assert file.metadata.row_group(0).column(0).compression == "GZIP"
    assert redaction.parquet_without(cleaned, "ann") is None
    assert redaction.parquet_without(cleaned, "bob") == b""


def _parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()
