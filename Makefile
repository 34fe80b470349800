# `make` alone lists what there is. Every target does its own set-up.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SAFETY := $(VENV)/.ready-for-security

.DEFAULT_GOAL := help
.PHONY: help setup run demo cache list warm doctor test chaos bench bench-cost bench-large bench-scaling bench-soak fuzz audit lock lint format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment and install what is needed

$(READY): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV) (once; about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# PORT and the other settings come from the command line, the environment or .env, in this order.
run: $(READY) ## run readers, a refresher and, without REDIS_URL, a Redis; Ctrl-C stops all
	@$(BIN)/python -m scripts.run

demo: $(READY) ## the same against a stand-in GitHub: no network, no token
	@$(BIN)/python -m scripts.demo

# On the Redis of .env, or of a `make run` that runs: `make cache ARGS="show /orgs/Netflix/repos"`.
cache: $(READY) ## the command line: list, show, refresh, purge, warm, pause, resume, doctor
	@$(BIN)/python -m scripts.cache $(or $(ARGS),--help)

list: $(READY) ## what is held, and how it is
	@$(BIN)/python -m scripts.cache list $(ARGS)

warm: $(READY) ## have everything tracked refreshed that is not fresh
	@$(BIN)/python -m scripts.cache warm $(ARGS)

doctor: $(READY) ## what is wrong with the set-up, and what to do about it
	@$(BIN)/python -m scripts.cache doctor $(ARGS)

test: $(READY) ## every test, with real Redis, readers and workers
	@$(BIN)/python -m scripts.test_tools
	@$(BIN)/python -m pytest -n 4 --quiet

# `make chaos ARGS="--seed 2 --minutes 10"`; without a seed it takes one and says it.
chaos: $(READY) ## kill, stop and cut everything at random for 5 minutes, and check what must hold
	@$(BIN)/python -m tests.chaos $(ARGS)

# `make bench ARGS=--quick` takes a minute; `ARGS=--help` tells more.
bench: $(READY) ## throughput, latency, pauses, push lag, beside nginx and Varnish; 7 minutes
	@$(BIN)/python -m bench.throughput $(ARGS)

bench-cost: $(READY) ## what an hour of freshness costs at GitHub, against other ways
	@$(BIN)/python -m bench.cost

bench-large: $(READY) ## time and memory of refreshing lists of 250 and of 7,000
	@$(BIN)/python -m bench.large

bench-scaling: $(READY) ## how far it goes, by simulation: resources, readers, limits
	@$(BIN)/python -m bench.scaling

bench-soak: $(READY) ## an hour's load in five minutes: slow and rude clients, GitHub away, Redis restarted
	@$(BIN)/python -m bench.soak $(ARGS)

$(SAFETY): $(READY) requirements-security.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-security.txt
	@touch $@

# `make fuzz ARGS="--seconds 300 query head"`; `ARGS=--help` tells more.
fuzz: $(SAFETY) ## random and mutated input for every parser of what clients send; a minute each
	@$(BIN)/python -m tests.fuzz $(ARGS)

# Needs PyPI's list of vulnerabilities; fails where it cannot be asked.
audit: $(SAFETY) ## known vulnerabilities in what is deployed, and what is dangerous in the code
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive \
	  reader refresher shared scripts gunicorn.conf.py
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

lock: $(SAFETY) ## write requirements.lock anew, of requirements.txt
	@$(BIN)/uv pip compile requirements.txt --output-file requirements.lock --quiet --upgrade \
	  --generate-hashes --universal --python-version 3.11 --custom-compile-command "make lock"

lint: $(READY) ## style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY) ## put the code in form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove the virtual environment, the caches and the embedded Redis's data
	rm -rf $(VENV) .data .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  tests/clients/octokit/node_modules tests/browser/axe/node_modules
