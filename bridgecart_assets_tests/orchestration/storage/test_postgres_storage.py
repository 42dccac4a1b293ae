"""The password of PostgreSQL comes from a file, whatever stands in it, and is in no message."""

from pathlib import Path

import pytest
from dagster._config import process_config
from sqlalchemy import make_url

from bridgecart_assets.orchestration.storage.postgres_storage import PasswordUnreadable, PostgresStorage

PASSWORD = "p@ss/w:rd %41 ü"


def block(file: Path) -> dict[str, object]:
    said = {"hostname": "postgres", "username": "dagster", "password_file": str(file), "db_name": "runs"}
    return dict(process_config(PostgresStorage.config_type(), said).value or {})


def test_the_password_is_that_of_the_file_to_the_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(PostgresStorage, "__init__", lambda _, url, inst_data: given.append(url))
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    PostgresStorage.from_config_value(None, block(file))
    (url,) = map(make_url, given)
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "dagster",
        PASSWORD,
        "postgres",
        5432,
        "runs",
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, r"Cannot read the password .* \(No such file"), (b"\n", "is empty"), (b"\xff", r"\(not UTF-8\)")],
)
def test_a_file_without_a_password_is_named(tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PasswordUnreadable, match=says):
        PostgresStorage.from_config_value(None, block(file))
