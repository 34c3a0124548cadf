# Needs make, Python 3.11 or newer and network for packages. No Docker, Java, Maven or Node.
#   make demo    a realistic feed on the live map        make test    all tests
#   make setup   install only                            make check   style, types, imports, dependencies
#   make bench   the budgets, measured                   make faults  every process hurt, every way
#   make secrets fresh secrets for docker compose        make clean   remove what setup made
#   make mutation  mistakes put into the code: do the tests notice?

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test setup check bench faults mutation secrets clean

# The first Python on PATH that runs and is new enough; `make PYTHON=/path/to/python …` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)

UV := .uv/bin/uv
BIN := .venv/bin

# uv takes the Python that is there and trusts the certificates the system trusts.
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS ?= 1
# Compiled now, a start need not do it; where PYTHONDONTWRITEBYTECODE is set every start would, anew.
export UV_COMPILE_BYTECODE := 1
export UV_PROJECT_ENVIRONMENT := .venv
unexport VIRTUAL_ENV

help:
	@sed -n '2,6s/^# //p' Makefile

demo: .venv/ready
	@$(BIN)/touchline demo $(ARGS) || [ $$? -eq 130 ]

# Two workers, each with a Kafka and a ClickHouse of its own. Which tests stay together, in their order: tests/conftest.py.
test: .venv/ready
	@$(BIN)/pytest -n 2 --no-loadscope-reorder $(ARGS)

faults: .venv/ready
	@$(BIN)/python -m tests.faults.kit $(ARGS)

mutation: .venv/ready
	@$(UV) sync --frozen --quiet --extra embedded --group mutation --python "$(PYTHON)"
	@$(BIN)/python -m tests.mutation $(ARGS)

bench: .venv/ready
	@$(BIN)/python -m benchmarks $(ARGS)

secrets: .venv/ready
	@$(BIN)/touchline secrets .secrets

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

setup: .venv/ready

.venv/ready: pyproject.toml uv.lock infra/kafka/jars.sha256 | $(UV)
	@$(UV) sync --frozen --quiet --extra embedded --python "$(PYTHON)"
	@$(BIN)/python -m compileall -q schemas streams services
	@$(BIN)/touchline setup
	@touch $@

$(UV):
	@[ -n "$(PYTHON)" ] || { echo "Touchline needs Python 3.11 or newer as python3 on PATH, or make PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -m venv .uv || { rm -rf .uv; echo "$(PYTHON) cannot make a virtual environment: install its venv and pip packages (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Installing; the first time takes a minute or two" >&2
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

clean:
	rm -rf .venv .uv .mutation .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
