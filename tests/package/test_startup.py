"""The startup script: it gives MWAA's processes the environment's settings, whatever they hold, and does nothing else."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.deployment.environment import Environment
from infra.package import Package
from infra.package.startup import NotExportable, startup_script

PRINTABLE = st.text().filter(str.isprintable)
SOURCED = 'source "$1" || exit 1; printf "options %s\n" "$-"; env -0'


def environment(source: str) -> Environment:
    return Environment(
        name="prod", home="mwaa", account_id="111122223333", region="eu-west-1", settings={"source": source}
    )


def exported(script: str) -> dict[str, str]:
    """The variables after a shell like that of MWAA sourced the script; it must print nothing."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "startup.sh"
        path.write_text(script, encoding="utf-8")
        command = ["env", "-i", "bash", "--noprofile", "--norc", "-c", SOURCED, "bash", str(path)]
        done = subprocess.run(command, capture_output=True, check=False, cwd=folder)
        assert (done.returncode, done.stderr) == (0, b"")
        assert [found.name for found in Path(folder).iterdir()] == ["startup.sh"]
    options, _, variables = done.stdout.decode().partition("\n")
    assert options == "options hBc", "the shell goes on as it was"
    pairs = variables.split("\0")
    return dict(pair.partition("=")[::2] for pair in pairs if pair.startswith("GFF_"))


@settings(max_examples=40, deadline=None)
@example('it\'s "quoted"')
@example("$HOME ${HOME} $(touch run) `touch run`")
@example("back\\slash \\' ; touch run & # !! ~ * ?")
@example("-n")
@example("")
@given(PRINTABLE)
def test_a_value_arrives_as_it_was_written(value: str) -> None:
    assert exported(startup_script(environment(value))) == environment(value).variables()


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "a\x1b[31mb", "a\u2028b"])
def test_a_value_with_a_line_break_is_refused_by_name(value: str) -> None:
    with pytest.raises(
        NotExportable, match=r"^prod.toml: source is .*: a setting is one line of printable text$"
    ) as raised:
        startup_script(environment(value))
    assert "\n" not in str(raised.value)


def test_it_holds_exports_and_nothing_else(package: Package) -> None:
    for script in package.below("mwaa/startup/").values():
        first, *lines = script.decode().splitlines()
        assert first.startswith("# Made from infra/environments/")
        assert lines
        assert all(line.startswith("export GFF_") for line in lines)
