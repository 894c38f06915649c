# Everything a developer or CI does, in one place. Each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint conformance targets bench docs record clean

help:  ## show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

setup: $(STAMP)  ## make .venv with the project and all it needs

$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("tappass-host needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup   installing into $(VENV) (once; a minute or two)"
	@$(BIN)/python -m pip install -q -r requirements/dev.txt
	@$(BIN)/python -m pip install -q -e '.[host,dataplane,monty,kit]'
	@touch $@

demo: setup targets  ## run the main job end to end on examples/acme and print the proof
	@$(BIN)/python scripts/demo.py

targets: setup
	@$(BIN)/python conformance/install.py claude-code bubblewrap monty || echo "demo    goes on with the targets that are here"

test: setup  ## run the whole offline suite
	@$(BIN)/python -m pytest -m "not live"

lint: setup  ## ruff, mypy, import arrows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

conformance: setup  ## install the pinned targets into a cache and run everything live
	@$(BIN)/python -m pip install -q -r requirements/targets.txt || echo "MISSING  validators of previews: their live tests are skipped"
	@$(BIN)/python conformance/install.py || echo "goes on without what is missing; every skip is counted below"
	@$(BIN)/python conformance/run.py

bench: setup  ## measure, beside an alternative in the same run
	@$(BIN)/python bench/run.py

docs: setup  ## generate the pages that are generated
	@$(BIN)/python scripts/generate_docs.py

record: setup targets  ## record the live proofs that the package ships
	@$(BIN)/python scripts/record.py

clean:  ## remove what the targets above made
	@rm -rf $(VENV) .demo dist build site
