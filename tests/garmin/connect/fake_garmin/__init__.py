"""A small Garmin Connect on 127.0.0.1: the real clients talk to it, whose transport alone is led here."""

from tests.garmin.connect.fake_garmin.accounts import Account
from tests.garmin.connect.fake_garmin.faults import Fault
from tests.garmin.connect.fake_garmin.server import FakeGarmin, Seen

__all__ = ["Account", "FakeGarmin", "Fault", "Seen"]
