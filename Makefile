# Partitur: 'make' says what there is. Needs Python 3.11+ and a package index; everything stays in this folder.

SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin

# The newest Python that fits; set PYTHON to choose another.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null && echo "$$p" && break; done)

define SET_UP
@test -n "$(PYTHON)" || { echo "No Python from 3.11 to 3.14 was found. Expected python3 on PATH." >&2; \
	echo "Install one ('apt-get install python3' on Debian 12, Ubuntu 24.04 or newer), or name it: make PYTHON=/path/to/python3" >&2; exit 2; }
@"$(PYTHON)" deploy/bootstrap.py
endef

.PHONY: help
help: ## What there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## A newsletter from the sample documents, in out/newsletter/
	$(SET_UP)
	@$(BIN)/partitur demo

.PHONY: serve
serve: ## OpenAI and MCP interfaces on http://127.0.0.1:8642
	$(SET_UP)
	@$(BIN)/partitur serve

.PHONY: test
test: ## The tests; needs the package index alone
	@# Machines that are shared can be many times slower than a desk: 'make check' keeps to the 5 s a test.
	$(SET_UP) dev
	@$(BIN)/python -m pytest -q tests -m "not real and not vllm" --timeout 120 -n 2 --dist loadfile

.PHONY: test-real
test-real: ## The tests on real parts from outside; installs them by apt and npm
	$(SET_UP) dev
	@"$(BIN)/python" deploy/real_parts.py
	@$(BIN)/python -m pytest -q tests -m real

.PHONY: test-vllm
test-vllm: ## The tests on a real vLLM; installs it and makes tiny models for it
	$(SET_UP) dev
	@"$(BIN)/python" deploy/vllm_engine.py
	@$(BIN)/python -m pytest -q tests/real -m vllm --capture=sys --timeout 300

.PHONY: check
check: ## Before a commit: format, lint, types, floors, tests
	$(SET_UP) dev lint
	@$(BIN)/ruff format --check --quiet . || { echo "Run 'make format'." >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/basedpyright --warnings
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest -q tests -m "not real and not vllm" -n 2 --dist loadfile

.PHONY: format
format: ## Formats the code and mends what can be mended
	$(SET_UP) dev lint
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

.PHONY: setup
setup: ## Only the environment, with all groups
	$(SET_UP) dev lint

.PHONY: clean
clean: ## Removes what was made here: environment, tools, data, results
	rm -rf .venv .tools .partitur out dist .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
