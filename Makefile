# Everything here runs the same on a laptop and in CI.  `make` alone lists the targets.
# Needs Python 3.11+ and make; the contract targets bring Node by themselves (make setup-node).

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup setup-node demo test chaos check bench contracts forge-test lock clean

# The first interpreter that is new enough; override with make PYTHON=/path/to/python.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; exit; }; done; echo python3)

VENV := .venv
PY := $(VENV)/bin/python
NODE_STAMP := contracts/node_modules/.stamp

# A Node that `make setup-node` brought lives in .venv/bin; one of the system goes first.
export PATH := $(PATH):$(CURDIR)/$(VENV)/bin
export REQUIRE_ALL ?=
# Workers of `make test`; one per core, at most 4.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); [ "$$n" -gt 4 ] && n=4; echo $$n)

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.package ## build .venv (uv where present, else pip); the CLI is .venv/bin/keeper

$(VENV)/.deps: requirements.lock
	@command -v "$(PYTHON)" >/dev/null || { echo "setup: no Python found. Install Python 3.11 or newer, or run make PYTHON=/path/to/python"; exit 1; }
	@"$(PYTHON)" scripts/bootstrap.py python
	@touch $(VENV)/.package $@

$(VENV)/.package: $(VENV)/.deps pyproject.toml
	@test $(VENV)/.package -nt pyproject.toml || "$(PY)" scripts/bootstrap.py package
	@touch $@

# Not a file target: Node itself may have gone with an old .venv while node_modules stayed.
setup-node: setup ## install compiler, OpenZeppelin, forge, anvil; brings Node where there is none
	@test $(NODE_STAMP) -nt contracts/package-lock.json && command -v node >/dev/null && command -v npm >/dev/null \
		|| { "$(PY)" scripts/bootstrap.py node && touch $(NODE_STAMP); }

demo: setup ## live through a crash on an embedded chain: make demo ARGS="--control"
	@$(VENV)/bin/keeper demo $(ARGS)

test: setup ## run the tests; Python only, names what absent tools kept out
	@$(PY) -m pytest -n $(WORKERS) $(ARGS)

# Lives in this process, real SIGKILLs, and the seed that everything follows from.
N ?= 10000
KILLS ?= 500
SEED ?= 1
chaos: setup ## live N scenarios under faults and KILLS real deaths: make chaos N=500 KILLS=50 SEED=7
	@$(PY) -m keeper.testing.chaos --scenarios $(N) --kills $(KILLS) --seed $(SEED) $(ARGS)

check: setup ## format, lint, types, import contracts, ABI drift, Solidity format
	@$(PY) scripts/check.py

bench: setup ## time one real unit of work, print and compare ratios
	@$(PY) scripts/bench.py $(ARGS)

contracts: setup-node ## compile contracts/src and rewrite abis/
	@$(PY) scripts/build_contracts.py $(ARGS)

forge-test: setup-node ## Solidity unit, fuzz and invariant tests: FOUNDRY_PROFILE=ci for ten times the runs
	@cd contracts && node_modules/.bin/forge test $(ARGS)

lock: ## resolve pyproject.toml again into requirements.lock (needs uv)
	@uv pip compile pyproject.toml --extra dev --extra garch --extra parquet --extra aws --extra gcp --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.lock
	@if grep -n '://' requirements.lock; then echo "lock: the file names a host"; exit 1; fi

clean: ## remove caches and build outputs; keeps .venv and node_modules
	@rm -rf contracts/out contracts/cache dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
