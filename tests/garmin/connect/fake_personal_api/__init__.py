"""A small Personal API of Garmin on 127.0.0.1, to which Garmin's own client talks over HTTP."""

from tests.garmin.connect.fake_personal_api.account import PersonalAccount
from tests.garmin.connect.fake_personal_api.server import FakePersonalApi

__all__ = ["FakePersonalApi", "PersonalAccount"]
