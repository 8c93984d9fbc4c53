# Everything that a person or CI does with this repository. `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := api controller hack e2e conftest.py

.DEFAULT_GOAL := help
.PHONY: help venv demo cluster test test-unit test-e2e lint types contracts fmt generate verify lock builds image clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## install what the project needs into .venv

$(STAMP): requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

demo: $(STAMP) ## the whole story on a real control plane (KEEP=1 stays up, SPEED=slow waits for a reader)
	@$(BIN)/python -m hack.demo

cluster: $(STAMP) ## start a real control plane on loopback until Ctrl-C
	@$(BIN)/python -m hack.controlplane up

builds: $(STAMP) ## build and cache the control plane and the helm, flux and registry binaries
	@$(BIN)/python -m hack.controlplane build

test: lint types contracts verify test-unit test-e2e ## all checks and all tests

test-unit: $(STAMP) ## unit tests, under a minute
	$(BIN)/python -m pytest api controller hack

test-e2e: $(STAMP) ## end to end, against a real API server, Git and the flux binary
	$(BIN)/python -m pytest e2e

lint: $(STAMP) ## ruff: rules and format
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

contracts: $(STAMP) ## the import rules between the layers, and the budgets of files and functions
	$(BIN)/lint-imports
	$(BIN)/python -m hack.budgets

fmt: $(STAMP) ## format and fix what can be fixed
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

generate: $(STAMP) ## CRDs and RBAC from the code into config/
	$(BIN)/python -m hack.crds
	$(BIN)/python -m hack.rbac

verify: $(STAMP) ## generated files are up to date
	$(BIN)/python -m hack.crds --check
	$(BIN)/python -m hack.rbac --check

lock: ## renew the lock files (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml -o requirements-dev.txt

image: ## build the container image (needs docker)
	docker build -t tidegate:dev .

clean: ## remove what was generated here; caches outside the tree stay
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
