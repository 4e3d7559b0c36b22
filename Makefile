PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PARALLEL ?= --numprocesses auto --maxprocesses 4 --dist loadfile
DATA ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup check format test test-fast serve worker migrate demo bench pins clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make the virtual environment and install the pinned dependencies

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

check: $(STAMP) ## format, lint, types, import contracts, Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

format: $(STAMP) ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP) ## all tests, on SQLite and PostgreSQL
	$(BIN)/pytest $(PARALLEL) $(ARGS)

test-fast: $(STAMP) ## the tests that take seconds
	$(BIN)/pytest -m 'not slow' $(PARALLEL) $(ARGS)

serve: $(STAMP) ## the whole service on SQLite and local files
	$(BIN)/ssmtl serve $(ARGS)

worker: $(STAMP) ## one more worker (PostgreSQL)
	$(BIN)/ssmtl worker $(ARGS)

migrate: $(STAMP) ## bring the database to the newest schema
	$(BIN)/ssmtl migrate

demo: $(STAMP) ## the main job over HTTP on a simulated shop, or DATA=path/to/online_retail_II.parquet
	$(BIN)/ssmtl demo $(if $(DATA),--data '$(DATA)') $(ARGS)

bench: $(STAMP) ## the measured claims: how much of the possible skill the model reaches
	$(BIN)/python -m benchmarks.quality $(ARGS)

pins: ## renew constraints.txt: the newest versions that go together
	rm -rf build/pins
	$(PYTHON) -m venv build/pins
	build/pins/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	head -n 1 constraints.txt > build/constraints.txt
	build/pins/bin/python -m pip freeze --all --exclude pip --exclude ssmtl \
		| awk -F '==' '!/^(nvidia|cuda|triton)/ { name = tolower($$1); gsub(/[_.]+/, "-", name); \
			sub(/[+].*/, "", $$2); print name "==" $$2 }' \
		| LC_ALL=C sort -t '=' -k 1,1 >> build/constraints.txt
	mv build/constraints.txt constraints.txt

clean: ## remove what the targets above made
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
