"""Address of a data directory's embedded broker, for commands started beside `bridgecart up`."""

from pathlib import Path

_FILE = "embedded-broker"


def announce_broker(data_dir: Path, bootstrap_servers: str) -> None:
    """Write the address, by atomic rename."""
    partial = data_dir / f"{_FILE}.partial"
    partial.write_text(bootstrap_servers, encoding="utf-8")
    partial.replace(data_dir / _FILE)


def withdraw_broker(data_dir: Path) -> None:
    """Remove the address; nothing happens if there is none."""
    (data_dir / _FILE).unlink(missing_ok=True)


def announced_broker(data_dir: Path) -> str | None:
    """The address that was announced last, or None. A killed `up` leaves one behind that nobody answers at."""
    file = data_dir / _FILE
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None
