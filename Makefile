# Lesionflow: two commands for a newcomer, `make demo` and `make test`; the rest is for people who change it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install demo test test-fast check format bench clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]" --constraint constraints.txt
	@touch $@

install: $(STAMP) ## make .venv and install the pinned versions (about 3 minutes the first time)

demo: install ## generate 12 phantom patients as DICOM, run the whole chain, say where the report is
	$(BIN)/python -m flows.demo

test: install ## run all tests
	$(BIN)/python -m pytest -n 2 -m "not server"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m server

test-fast: install ## run the tests that take no server and under a minute
	$(BIN)/python -m pytest -n 2 -m "not slow and not server"

check: install ## formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/house

format: install ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

WORK ?= normalize
bench: install ## compare our speed with other libraries': make bench [WORK=normalize] [OUT=FILE.json] [ONLY=row]
	$(BIN)/python -m tests.benchmarks.bench $(WORK) $(if $(OUT),--out "$(OUT)") $(if $(ONLY),--only "$(ONLY)")

clean: ## remove what make made, runs included
	rm -rf $(VENV) tests/benchmarks/.peers runs build .pytest_cache .mypy_cache .ruff_cache *.egg-info
