"""Which athletes each API key reads: `config/api-keys.json` in the bucket, a document of the people who run the API.

The stack only makes a key. What the key may read is written here once, and never over what a person wrote.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from include.lake import API_KEYS_KEY

ALL_ATHLETES = ["*"]
TRIES = 5
_CHANGED_MEANWHILE = ("PreconditionFailed", "ConditionalRequestConflict")


class ApiKeysError(Exception):
    """The map of API keys cannot be changed; the message says why."""


def seed(s3: Any, bucket: str, api_key_id: str) -> bool:
    """Let an API key that is not in the map yet read every athlete; says whether it was added.

    Two who change the map at once do not undo each other: it is written over the version that was read.

    Raises:
        ApiKeysError: the map is not a JSON object, or kept changing.
    """
    for _ in range(TRIES):
        present, condition = _read(s3, bucket)
        if api_key_id in present:
            return False
        body = json.dumps({**present, api_key_id: ALL_ATHLETES}, indent=1).encode()
        try:
            s3.put_object(Bucket=bucket, Key=API_KEYS_KEY, Body=body, ContentType="application/json", **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _CHANGED_MEANWHILE:
                raise
        else:
            return True
    raise ApiKeysError(f"s3://{bucket}/{API_KEYS_KEY} kept changing while a key was being added; deploy again")


def _read(s3: Any, bucket: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The map, and the condition under which it may be written."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=API_KEYS_KEY)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return {}, {"IfNoneMatch": "*"}
    try:
        present = json.loads(answer["Body"].read())
    except ValueError as error:
        raise ApiKeysError(f"s3://{bucket}/{API_KEYS_KEY} is not JSON ({error}); mend it and deploy again") from error
    if not isinstance(present, dict):
        raise ApiKeysError(f"s3://{bucket}/{API_KEYS_KEY} is not an object of API keys; mend it and deploy again")
    return present, {"IfMatch": answer["ETag"]}
