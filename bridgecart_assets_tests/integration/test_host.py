"""`bridgecart up --host`: the UI and the report for other machines. By default they are for this one: `test_up`.

And what becomes of any `up` whose broker dies: a second one is not started for that.
"""

import re
from pathlib import Path

from bridgecart_assets_tests.integration.processes import processes_of, wait_until
from bridgecart_assets_tests.integration.served import TICK_SECONDS, is_open_to_others, listening, up

GONE_SECONDS = 10.0


def test_other_machines_reach_the_ui_after_a_warning_and_never_the_embedded_broker_whose_death_ends_up_with_a_word(
    data_dir: Path,
) -> None:
    with up(data_dir, "--host", "0.0.0.0") as served:
        assert is_open_to_others(served.url)
        assert not is_open_to_others(served.kafka.bootstrap_servers)
        (warning,) = [line for line in served.output.read_text().splitlines() if line.startswith("Warning")]
        assert "no login" in warning
        ports = [int(number) for number in re.findall(r"\d+", warning)]
        assert ports[0] == int(served.url.rpartition(":")[2])
        assert {place for place in listening(data_dir) if place[0] != "127.0.0.1"} == {("0.0.0.0", p) for p in ports}
        (broker,) = [process for process in processes_of(data_dir) if "broker" in process.cmdline()[1:2]]
        broker.kill()
        assert served.process.wait(TICK_SECONDS) == 1
        assert "The embedded broker died, and its records with it; see " in served.output.read_text()
        wait_until(lambda: not processes_of(data_dir), GONE_SECONDS, "all processes are gone")
