"""What the live sources have in common: an athlete's tokens, a lease on renewing them, and manners."""

import time
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from include.garmin.connect.lease import lease, utc_now
from include.garmin.connect.manners import Manners
from include.garmin.connect.tokens import Client, TokenStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class TokenSource:
    """The athletes who have stored tokens of one client."""

    client: ClassVar[Client]

    def __init__(
        self,
        store: TokenStore,
        s3: "S3Client",
        bucket: str,
        today: date,
        manners: Manners | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`store` has the tokens and `bucket` the leases; `today` is the last day that is asked for.

        `sleep` waits for a lease.
        """
        self._store = store
        self._s3 = s3
        self._bucket = bucket
        self._today = today
        self._manners = manners or Manners()
        self._now = now
        self._lease = partial(lease, s3, bucket, now=now, sleep=sleep)

    def athletes(self) -> list[str]:
        return self._store.athletes(self.client)
