"""The asset checks of a pull request: the commands of our workflow, and of the recipe in docs/ci.md, as they stand."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from bridgecart_assets_tests.integration.processes import ROOT
from bridgecart_assets_tests.sources.kafka.fixtures import only_apache

WORKFLOW = ".github/workflows/ci.yml"
RECIPE = "docs/ci.md"


def job(file: str) -> dict[str, Any]:
    """The job that runs the assets."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file == RECIPE:
        (text,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
        found: dict[str, Any] = yaml.safe_load(text)["jobs"]["checks"]
    else:
        found = yaml.safe_load(text)["jobs"]["assets"]
    return found


@only_apache
@pytest.mark.parametrize("file", [WORKFLOW, RECIPE])
def test_the_steps_check_every_asset_and_leave_what_is_uploaded(file: str, broker: str, tmp_path: Path) -> None:
    given = job(file)
    lines = [step["run"] for step in given["steps"] if step.get("run", "").startswith("bridgecart ")]
    assert len(lines) == 2
    environment = {
        **{name: value for name, value in os.environ.items() if name != "BRIDGECART_DATA_DIR"},
        **dict.fromkeys(given["env"], broker),
        "BRIDGECART_KAFKA_TOPIC": f"orders-{uuid.uuid4().hex[:12]}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for line in lines:
        # Fewer orders: CI has other things to do.
        script = line.replace("--orders 20000", "--orders 3000")
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    (upload,) = [step["with"]["path"] for step in given["steps"] if "upload-artifact" in step.get("uses", "")]
    assert upload.split() == ["checks.xml", "data/reports/segments.html"]
    assert all((tmp_path / path).stat().st_size > 1_000 for path in upload.split())
    suite = ElementTree.parse(tmp_path / "checks.xml").getroot()[0]
    assert int(suite.attrib["tests"]) > 40
    assert "BridgeCart: " in (tmp_path / "summary.md").read_text(encoding="utf-8")
