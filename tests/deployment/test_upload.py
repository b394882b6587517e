"""What is uploaded, in which order, and that nothing is uploaded twice."""

from pathlib import Path
from typing import Any

import pytest

from infra.deployment import upload
from infra.deployment.upload import plan_folder, plan_objects, put_versioned, rank, sync_folder, upload_objects
from tests.localaws.conftest import LocalAws

BUCKET = "uploads"
FILES = {
    "dags/ingest.py": b"from include import lake\n",
    "dags/.airflowignore": b"/policy.py\n",
    "include/lake.py": b"PREFIX = 'raw/'\n",
    "plugins/operators/stack.py": b"",
    ".airflowignore": b"/include/\n",
}


def nothing_is_same(_path: str, _body: bytes) -> bool:
    return False


def test_what_is_imported_comes_before_what_imports_it() -> None:
    plan = plan_folder(FILES, {}, nothing_is_same)
    assert plan.put == (
        ".airflowignore",
        "dags/.airflowignore",
        "include/lake.py",
        "plugins/operators/stack.py",
        "dags/ingest.py",
    )
    assert (plan.added, plan.unchanged, plan.surplus) == (5, 0, ())


def test_what_is_gone_goes_in_the_opposite_order() -> None:
    plan = plan_folder({}, dict.fromkeys(FILES, "0"), nothing_is_same)
    assert plan.surplus[0] == "dags/ingest.py"
    assert rank(plan.surplus[-1]) == 0


def test_a_plan_says_how_much_changes() -> None:
    held = {"dags/ingest.py": "another", "dags/old.py": "0"}
    plan = plan_folder(FILES, held, nothing_is_same)
    assert plan.text() == "4 new, 1 changed, 1 gone, 0 as they are"


@pytest.fixture(scope="module")
def s3(localaws: LocalAws) -> Any:
    client = localaws.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


class Recorder:
    """Keeps the order of what was written to the bucket."""

    def __init__(self, s3: Any) -> None:
        self.s3, self.done = s3, list[tuple[str, str]]()

    def put_object(self, **arguments: Any) -> Any:
        self.done.append(("put", arguments["Key"]))
        return self.s3.put_object(**arguments)

    def delete_objects(self, **arguments: Any) -> Any:
        self.done += [("delete", item["Key"]) for item in arguments["Delete"]["Objects"]]
        return self.s3.delete_objects(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.s3, name)


def upload_all(s3: Any, prefix: str, files: dict[str, bytes]) -> list[tuple[str, str]]:
    recorder = Recorder(s3)
    upload_objects(recorder, BUCKET, prefix, files, plan_objects(s3, BUCKET, prefix, files), lambda _: None)
    return recorder.done


def test_only_what_changed_is_uploaded_and_what_is_gone_is_deleted_last(s3: Any) -> None:
    assert len(upload_all(s3, "a/", FILES)) == len(FILES)
    assert upload_all(s3, "a/", FILES) == []
    changed = {**FILES, "include/lake.py": b"PREFIX = 'raw'\n", "dags/new.py": b""}
    del changed["dags/ingest.py"]
    assert upload_all(s3, "a/", changed) == [
        ("put", "a/include/lake.py"),
        ("put", "a/dags/new.py"),
        ("delete", "a/dags/ingest.py"),
    ]
    assert plan_objects(s3, BUCKET, "a/", changed).is_empty


def test_groups_follow_each_other(s3: Any) -> None:
    many = {f"{top}/m{n}.py": str(n).encode() for top in ("dags", "plugins", "include") for n in range(20)}
    done = [rank(key.removeprefix("many/")) for _, key in upload_all(s3, "many/", many)]
    assert done == sorted(done)


def test_an_object_whose_etag_is_no_hash_is_known_by_its_own(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_all(s3, "kms/", FILES)

    class WithKms(Recorder):
        def head_object(self, **arguments: Any) -> Any:
            return {**self.s3.head_object(**arguments), "ETag": '"no-md5"'}

        def get_paginator(self, name: str) -> Any:
            pages = list(self.s3.get_paginator(name).paginate(Bucket=BUCKET, Prefix="kms/"))
            for page in pages:
                page["Contents"] = [{**item, "ETag": '"no-md5"'} for item in page["Contents"]]
            return type("Pages", (), {"paginate": lambda *_, **__: pages})()

    assert plan_objects(WithKms(s3), BUCKET, "kms/", FILES).is_empty
    changed = {**FILES, "include/lake.py": b"# changed\n"}
    assert plan_objects(WithKms(s3), BUCKET, "kms/", changed).put == ("include/lake.py",)


def test_the_same_bytes_keep_their_version(s3: Any) -> None:
    first = put_versioned(s3, BUCKET, upload.REQUIREMENTS_KEY, b"pandas\n")
    assert put_versioned(s3, BUCKET, upload.REQUIREMENTS_KEY, b"pandas\n") == first
    assert put_versioned(s3, BUCKET, upload.REQUIREMENTS_KEY, b"pandas==2\n") != first
    assert upload.held_version(s3, BUCKET, "airflow/none", b"") is None


def test_a_folder_of_this_machine_becomes_the_same(tmp_path: Path) -> None:
    sync_folder(tmp_path, FILES)
    (tmp_path / "dags/__pycache__").mkdir()
    (tmp_path / "dags/__pycache__/ingest.pyc").write_bytes(b"")
    (tmp_path / "dags/old.py").write_bytes(b"")
    done = sync_folder(tmp_path, {**FILES, "include/lake.py": b"# changed\n"})
    assert (done.put, done.surplus) == (("include/lake.py",), ("dags/old.py",))
    assert (tmp_path / "include/lake.py").read_bytes() == b"# changed\n"
    assert not (tmp_path / "dags/old.py").exists()
    assert (tmp_path / "dags/__pycache__/ingest.pyc").exists()
