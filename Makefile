# Two commands are all a new user needs: make run, make test.
.DEFAULT_GOAL := help
.PHONY: help run test test-all lint bench notebooks notebooks-small lock clean

PYTHON ?= python3.11
VENV   ?= .venv
# Test processes at a time.
WORKERS ?= 2
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

help:
	@echo "make run        start the app and print its address"
	@echo "make test       lint, types, import contract and the tests, notebooks (about 9 minutes)"
	@echo "make test-all   the same with full counts and long drills (up to 30 minutes)"
	@echo "make bench      measure this machine (about 35 minutes; let nothing else run)"
	@echo "make notebooks  run the notebooks at full size, and write their outputs anew"
	@echo "make lint       ruff, mypy and the import contract alone"
	@echo "make lock       write requirements.lock anew from pyproject.toml"

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(STAMP)
	@exec $(BIN)/plantid serve

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What plays with milliseconds between processes comes by itself: it mostly waits, and two such share the machine well.
test: $(STAMP)
	@$(MAKE) --no-print-directory -j 2 lint notebooks-small
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow" --ignore tests/resilience
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" tests/resilience

# The slow ones by themselves: some of them measure.
test-all: test
	$(BIN)/python -m pytest -m slow

bench: $(STAMP)
	$(BIN)/plantid bench all

notebooks: $(STAMP)
	$(BIN)/python -m plantid_core.lab.notebook refresh

notebooks-small: $(STAMP)
	PLANTID_NOTEBOOK_SIZE=small $(BIN)/python -m pytest -n $(WORKERS) --timeout 300 --nbmake --nbmake-timeout=240 notebooks

lock:
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --universal --python-version 3.11 --all-extras pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
