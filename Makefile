# `make` alone lists the targets. Each target sets up what it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SAFETY := $(VENV)/.ready-for-security

# Compiled modules are kept: tests import the same ones in many processes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run demo cache list warm doctor check style types quick-tests matrix test test-shipping image-test chaos simulate bench bench-change bench-cost bench-large bench-miss bench-scaling bench-soak fuzz audit lock lint format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## create the virtual environment and install all dependencies

$(READY): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV) (once; about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# PORT and the other settings come from the command line, the environment or .env, in this order.
run: $(READY) ## run readers, refreshers, a scheduler and, without REDIS_URL, a Redis; Ctrl-C stops all
	@$(BIN)/python -m scripts.run

demo: $(READY) ## the same with a stand-in GitHub: no network, no token
	@$(BIN)/python -m scripts.demo

# Uses the Redis of .env, or of a running `make run`: `make cache ARGS="show /orgs/Netflix/repos"`.
cache: $(READY) ## the command line: list, show, refresh, purge, warm, pause, resume, doctor
	@$(BIN)/python -m scripts.cache $(or $(ARGS),--help)

list: $(READY) ## list the cached resources and their state
	@$(BIN)/python -m scripts.cache list $(ARGS)

warm: $(READY) ## refresh all tracked resources that are not fresh
	@$(BIN)/python -m scripts.cache warm $(ARGS)

doctor: $(READY) ## check the set-up, and advise on what is wrong
	@$(BIN)/python -m scripts.cache doctor $(ARGS)

# Property tests draw fewer examples than in `make test`; the slowest tests, and what is timed, are left to it.
check: $(READY) ## check style and types, and run the tests that start no processes; two or three minutes
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target style types quick-tests

style: $(READY)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

types: $(READY)
	@$(BIN)/mypy

quick-tests: $(READY)
	@$(BIN)/python -m pytest -n 3 --quiet -m "not processes and not slow and not timing and not shipping and not image" \
	  --ignore=tests/browser --ignore=tests/clients --ignore=tests/end_to_end \
	  --hypothesis-profile=quick $(ARGS)

# `make matrix ARGS=3.13` runs one of them.
matrix: $(READY) ## run the quick tests with each of Python 3.11 to 3.14 that is installed; a minute for each
	@$(BIN)/python -m scripts.matrix $(ARGS)

# Tests that promise a time run last; the few that fail are run again, alone: see tests/run_all.py.
test: $(READY) ## run all tests except those of test-shipping, with real Redis, readers and workers
	@$(BIN)/python -m scripts.test_tools haproxy redis promtool
	@$(BIN)/python -m tests.run_all -n 7 --quiet -m "not shipping and not image" $(ARGS)

# `make test-shipping ARGS=tests/clients` runs a part; `TOOLS=gh` installs only that.
test-shipping: $(READY) ## run the tests in a browser, with clients in other languages, HAProxy and Debian's packages
	@$(BIN)/python -m scripts.test_tools $(TOOLS)
	@$(BIN)/python -m tests.run_all -n 4 --quiet -m shipping $(ARGS)

# A registry of Python packages and Debian's packages must be reachable.
image-test: $(READY) ## build the image and run it, with Compose's settings: Debian, as root; two minutes
	@$(BIN)/python -m scripts.test_tools image redis
	@$(BIN)/python -m pytest --quiet -m image $(ARGS)

# `make chaos ARGS="--seed 2 --minutes 10"`; without a seed it chooses one and prints it.
chaos: $(READY) ## kill, stop and disconnect processes at random for 5 minutes, and check the promises
	@$(BIN)/python -m tests.chaos $(ARGS)

# `make simulate ARGS="--seed 7 --hours 3"`; without a seed it chooses one and prints it.
simulate: $(READY) ## simulate a fleet and its faults on virtual time, from a seed; an hour of it takes minutes
	@$(BIN)/python -m tests.simulation $(ARGS)

# `make bench ARGS=--quick` takes a minute; `ARGS=--help` lists all options.
bench: $(READY) ## measure throughput, latency, pauses and push lag, beside nginx and Varnish; 7 minutes
	@$(BIN)/python -m bench.throughput $(ARGS)

# `make bench-change ARGS=--quick` is shorter; `ARGS=--help` lists all options.
bench-change: $(READY) ## measure what one change of a list costs, by the list's size, now and before; 30 minutes
	@$(BIN)/python -m bench.change $(ARGS)

bench-cost: $(READY) ## count the GitHub requests for an hour of freshness, compared with other designs
	@$(BIN)/python -m bench.cost
	@$(BIN)/python -m bench.being_sure

bench-large: $(READY) ## measure time and memory of refreshing lists of 250 and of 7,000 items
	@$(BIN)/python -m bench.large

# `make bench-miss ARGS=--quick` is shorter; `ARGS=--help` lists all options.
bench-miss: $(READY) ## measure misses beside nginx and Varnish, and while a large list is refreshed; 8 minutes
	@$(BIN)/python -m bench.misses $(ARGS)

bench-scaling: $(READY) ## simulate the limits of scaling: resources, readers, rate limits
	@$(BIN)/python -m bench.scaling

bench-soak: $(READY) ## an hour's load in five minutes: slow and abusive clients, GitHub away, Redis restarted
	@$(BIN)/python -m bench.soak $(ARGS)

$(SAFETY): $(READY) requirements-security.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-security.txt
	@touch $@

# `make fuzz ARGS="--seconds 300 query head"`; `ARGS=--help` lists all options.
fuzz: $(SAFETY) ## fuzz every parser of client input, a minute each
	@$(BIN)/python -m tests.fuzz $(ARGS)

# Needs PyPI's list of vulnerabilities; fails if it cannot be reached.
audit: $(SAFETY) ## check for known vulnerabilities in dependencies, and for dangerous code
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive \
	  reader refresher shared scripts gunicorn.conf.py
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

lock: $(SAFETY) ## generate requirements.lock from requirements.txt
	@$(BIN)/uv pip compile requirements.txt --output-file requirements.lock --quiet --upgrade \
	  --generate-hashes --universal --python-version 3.11 --custom-compile-command "make lock"

lint: style types ## check style, format and types

format: $(READY) ## fix style and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove the virtual environment, the caches and the embedded Redis's data
	rm -rf $(VENV) .data .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  tests/clients/octokit/node_modules tests/clients/go_github/build tests/browser/axe/node_modules
