import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagster._core.secrets.env_file import get_env_var_dict

from bridgecart_assets.base.env_file import EnvFileUnusable, env_file, load_env_file, require_own_home
from bridgecart_assets.base.settings import Settings, load_settings

FILE = """# a comment
BRIDGECART_KAFKA_TOPIC=of-the-file
export BRIDGECART_SEGMENTS='5'
BRIDGECART_KAFKA_SASL_PASSWORD="pass word $1#2"
BRIDGECART_KAFKA_GROUP=${BRIDGECART_KAFKA_TOPIC}-group
BRIDGECART_REPORT_URL=
WITHOUT_A_VALUE
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a `.env`; what a test puts into the environment is taken out again."""
    (tmp_path / ".env").write_text(FILE)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return tmp_path


def test_the_file_is_read_as_dagster_reads_it(folder: Path) -> None:
    assert env_file(folder) == get_env_var_dict(str(folder))
    assert env_file(folder / "elsewhere") == get_env_var_dict(str(folder / "elsewhere")) == {}


def test_settings_come_from_the_file_and_it_counts_before_the_environment_as_in_dagster(folder: Path) -> None:
    os.environ["BRIDGECART_KAFKA_TOPIC"] = "of-the-shell"
    os.environ["BRIDGECART_SEGMENTS"] = "5"
    assert load_env_file(folder) == ["BRIDGECART_KAFKA_TOPIC"]
    settings = load_settings()
    assert (settings.kafka_topic, settings.segments, settings.report_url) == ("of-the-file", 5, None)
    assert settings.kafka_properties["sasl.password"].get_secret_value() == "pass word $1#2"
    assert load_env_file(folder) == []


@pytest.mark.parametrize("content", [b"BRIDGECART_KAFKA_TOPIC=\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / ".env"
    if content is None:
        file.mkdir()
        assert env_file(tmp_path) == get_env_var_dict(str(tmp_path)) == {}
        return
    file.write_bytes(content)
    with pytest.raises(EnvFileUnusable, match="make it readable") as raised:
        env_file(tmp_path)
    assert "\n" not in str(raised.value)


def test_another_home_of_dagster_is_refused_and_our_own_is_not(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DAGSTER_HOME=/somewhere/else\n")
    with pytest.raises(EnvFileUnusable, match="sets DAGSTER_HOME to another folder than"):
        require_own_home(settings.dagster_home, tmp_path)
    file.write_text(f"DAGSTER_HOME={settings.dagster_home}\n")
    require_own_home(settings.dagster_home, tmp_path)


def test_a_command_reads_the_file_in_its_working_folder_says_what_it_replaces_and_shows_no_value(
    folder: Path, data_dir: Path
) -> None:
    (folder / ".env").write_text("BRIDGECART_SEGMENTS=many-secrets\nBRIDGECART_KPI_PERIOD=week\n")
    done = subprocess.run(
        [sys.executable, "-m", "bridgecart_assets", "export"],
        cwd=folder,
        env={**os.environ, "BRIDGECART_KPI_PERIOD": "day"},
        capture_output=True,
        text=True,
        check=False,
    )
    replaced, error = done.stderr.splitlines()
    assert replaced == "bridgecart: BRIDGECART_KPI_PERIOD is set in .env and otherwise in the environment: .env counts."
    assert error.startswith("bridgecart: BRIDGECART_SEGMENTS: give a number")
    assert done.returncode == 1
    assert "many-secrets" not in done.stderr
