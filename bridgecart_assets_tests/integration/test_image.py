"""deploy/Dockerfile without a Docker engine: its steps, in their order, in a folder with nothing else."""

import fnmatch
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridgecart_assets_tests.integration.processes import ROOT
from bridgecart_assets_tests.integration.stack import DOCKERFILE, instructions

BUILD_SECONDS = 600
HOME = "/opt/bridgecart"


def allowed_in_the_context(name: str) -> bool:
    """What .dockerignore lets through: it refuses everything but what it names."""
    refused, *exceptions = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert refused == "*"
    return any(fnmatch.fnmatch(name.split("/")[0], line.removeprefix("!")) for line in exceptions if line[0] == "!")


def steps(stage: str) -> list[str]:
    """The lines of one stage of the Dockerfile."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    (found,) = [part for part in text.split("\nFROM ")[1:] if part.splitlines()[0].endswith(f" AS {stage}")]
    return found.splitlines()


def carry_out(stage: str, folder: Path) -> Path:
    """The folder that WORKDIR names in the image, as the COPY and RUN steps of the stage leave it."""
    home, data, programs = folder / "home", folder / "data", folder / "bin"
    for made in (home, programs):
        made.mkdir(exist_ok=True)
    python = programs / "python"
    if not python.exists():
        python.symlink_to(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BRIDGECART_", "PYTHON", "VIRTUAL"))
        },
        "PATH": f"{home / '.venv' / 'bin'}:{programs}:/usr/bin:/bin",
        # Half of pip's time goes into modules that nobody imports here.
        "PIP_COMPILE": "0",
    }
    for line in steps(stage):
        step, _, rest = line.partition(" ")
        if step == "COPY":
            *sources, target = rest.split()
            for source in sources:
                assert allowed_in_the_context(source), f"{source} is not in the build context"
                copied = (
                    home / target
                    if len(sources) == 1 and not target.endswith("/")
                    else home / target / Path(source).name
                )
                copied.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, copied, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, copied)
        elif step == "RUN" and not rest.startswith("useradd"):
            script = rest.replace("/data", str(data))
            done = subprocess.run(
                ["sh", "-ec", script],
                cwd=home,
                env=environment,
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=False,
            )
            assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return home


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What four of the services run."""
    return carry_out("platform", tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def image_of_orders(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service of made-up orders runs: the other one's files and one step more."""
    folder = tmp_path_factory.mktemp("orders")
    shutil.copytree(image, folder / "home", symlinks=True, copy_function=os.link)
    return carry_out("orders", folder)


def in_the_image(home: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """A program of the image to its end, in another folder."""
    return subprocess.run(
        [home / ".venv" / "bin" / words[0], *words[1:]],
        cwd=home.parent,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.timeout(2 * BUILD_SECONDS)
@pytest.mark.parametrize(
    "words",
    [
        ("bridgecart", "--version"),
        ("dagster", "--version"),
        ("dagster-webserver", "--version"),
        ("dagster-daemon", "--help"),
    ],
    ids=lambda words: words[0],
)
def test_the_image_has_every_program_of_the_stack(image: Path, words: tuple[str, ...]) -> None:
    done = in_the_image(image, *words)
    assert done.returncode == 0, done.stderr


def test_the_image_without_faker_says_which_service_makes_up_orders(image: Path) -> None:
    done = in_the_image(image, "bridgecart", "generate", BRIDGECART_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "the service `orders` has it" in done.stderr


def test_the_image_without_the_embedded_broker_says_how_to_name_another(image: Path) -> None:
    done = in_the_image(image, "bridgecart", "up")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "set BRIDGECART_KAFKA_BOOTSTRAP_SERVERS" in done.stderr


def test_the_service_of_made_up_orders_can_name_customers(image_of_orders: Path) -> None:
    program = "from bridgecart_assets.synthetic.names import build_name_pools; print(build_name_pools(7).first[0])"
    done = in_the_image(image_of_orders, "python", "-c", program)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_the_image_loads_the_definitions_and_draws_the_report_with_its_own_files(image: Path, tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; import psycopg2; from bridgecart_assets.definitions import defs; "
        "from bridgecart_assets.report.page import write_page; import bridgecart_assets; "
        "print(len(list(defs.resolve_all_asset_specs())), bridgecart_assets.__file__); "
        f"write_page({{}}, Path({str(tmp_path / 'segments.html')!r}))"
    )
    done = in_the_image(image, "python", "-c", program)
    assert done.returncode == 0, done.stderr
    count, place = done.stdout.split()
    assert int(count) > 20
    assert place.startswith(str(image / ".venv"))
    assert (tmp_path / "segments.html").stat().st_size > 500_000


def test_a_new_version_with_the_same_dependencies_is_a_small_layer() -> None:
    lines = steps("platform")
    installs = next(number for number, line in enumerate(lines) if "--require-hashes" in line)
    before = [line.split()[1] for line in lines[:installs] if line.startswith("COPY ")]
    assert before == ["requirements-image.lock"]


def test_the_image_does_not_run_as_root_and_its_data_belong_to_its_user() -> None:
    user = "10001:10001"
    for stage in ("platform", "orders"):
        assert [line for line in steps(stage) if line.startswith("USER ")][-1] == f"USER {user}", stage
    (step,) = [step for step in instructions("RUN") if step.startswith("useradd")]
    assert "--uid 10001" in step
    assert f"chown -R {user} /data" in step
    (home,) = instructions("WORKDIR")
    assert home == HOME
