from pathlib import Path

import pytest

from infra.laptop.disk import require_space
from infra.laptop.options import LaptopError


def test_enough_space_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    require_space(tmp_path / "state", needed_mib=1)
    assert list((tmp_path / "state").iterdir()) == []


def test_a_full_disk_says_what_is_free_and_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(LaptopError, match=r"\d+ MiB are free, 1000000000000 MiB are needed.*--state"):
        require_space(tmp_path, needed_mib=10**12)


def test_a_state_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LaptopError, match=r"cannot be written.*--state"):
        require_space(tmp_path / "file")
