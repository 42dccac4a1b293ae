"""`bridgecart up --host`: the UI and the report for other machines. By default they are for this one: `test_up`."""

import re
from pathlib import Path

from bridgecart_assets_tests.integration.served import is_open_to_others, listening, up


def test_other_machines_reach_the_ui_after_a_warning_and_never_the_embedded_broker(data_dir: Path) -> None:
    with up(data_dir, "--host", "0.0.0.0") as served:
        assert is_open_to_others(served.url)
        assert not is_open_to_others(served.kafka.bootstrap_servers)
        (warning,) = [line for line in served.output.read_text().splitlines() if line.startswith("Warning")]
        assert "no login" in warning
        ports = [int(number) for number in re.findall(r"\d+", warning)]
        assert ports[0] == int(served.url.rpartition(":")[2])
        assert {place for place in listening(data_dir) if place[0] != "127.0.0.1"} == {("0.0.0.0", p) for p in ports}
