"""Ask every S3 bucket for its owner: a bucket of someone else with the name of ours gets nothing and gives nothing.

A bucket's name is free for the whole world once it is deleted, and anyone may take it. S3 answers 403 to a request
whose `ExpectedBucketOwner` is not the owner. So that nothing has left this machine by then, bodies are sent only after
S3 said `100 Continue`.
"""

from typing import Any


def expect_bucket_owner[Client](client: Client, account_id: str) -> Client:
    """Add the expected owner to every S3 request of a boto3 client; clients of other services are left as they are.

    Uploads, downloads and paginators of the client are covered too: they call its operations.
    """

    def add_owner(params: dict[str, Any], model: Any, **_: Any) -> None:
        members = model.input_shape.members if model.input_shape else {}
        for name in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
            if name in members:
                params.setdefault(name, account_id)

    events: Any = client
    events.meta.events.register("before-parameter-build.s3", add_owner, unique_id="expected-bucket-owner")
    for operation in ("PutObject", "UploadPart"):
        events.meta.events.register(f"before-call.s3.{operation}", _ask_before_body, unique_id="ask-before-body")
    return client


def _ask_before_body(params: dict[str, Any], **_: Any) -> None:
    """botocore asks so for files, but sends bytes at once."""
    if params.get("body"):
        params["headers"]["Expect"] = "100-continue"
