# One door for every language: `make VERB` for all, `make VERB-PART` for one, e.g. lint-go.

PYTHON ?= python3.13
BIN := $(CURDIR)/.venv/bin
# a language takes part as soon as its folder holds a build file
LANGUAGES := $(patsubst %/,%,$(dir $(wildcard python/pyproject.toml java/pom.xml javascript/package.json go/go.mod)))
PARTS := $(LANGUAGES) harness
VERBS := format lint types test-unit

NPM = PATH="$$(dirname "$$($(BIN)/python -m harness.toolchain node)"):$$PATH" npm --prefix javascript
STATICCHECK = go tool -modfile=../tools/golint/go.mod staticcheck
MVN = mvn --batch-mode --no-transfer-progress -Dstyle.color=never
CHECKS := $(foreach v,$(VERBS),$(PARTS:%=$(v)-%))

.PHONY: help setup compare mutants fuzz test lock clean build $(VERBS) $(CHECKS)

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "VERB-PART does one part of $(PARTS), as in lint-$(lastword $(PARTS))"

setup: .venv/made ## make .venv and the tools in .tools (the first time takes minutes)
	@$(BIN)/python -m harness.toolchain

compare: .venv/made ## build all, check that the outputs agree, compare: make compare ARGS="..."
	@$(BIN)/python -m harness compare $(ARGS)

mutants: .venv/made javascript/node_modules/.package-lock.json ## check that the vectors find faults: make mutants ARGS="--languages go"
	@$(BIN)/python -m harness mutants $(ARGS)

SECONDS ?= 60
fuzz: .venv/made ## look for bodies and lakes on which they disagree: make fuzz SECONDS=600 ARGS="--seed 1"
	@$(BIN)/python -m harness fuzz --seconds $(SECONDS) $(ARGS)

test: lint types test-unit ## every check and every test

format: $(PARTS:%=format-%) ## rewrite the sources in each language's standard style
lint: $(PARTS:%=lint-%) ## check style and correctness, rewrite nothing
types: $(PARTS:%=types-%) ## check types, by type checker or compiler
test-unit: $(PARTS:%=test-unit-%) ## run each part's tests

build: $(LANGUAGES:%=build-%) ## make the artefacts for this machine with `sam build`
build-%: .venv/made
	@$(BIN)/python -m harness.build $*

format-python = cd python && $(BIN)/ruff format . && $(BIN)/ruff check --fix-only .
lint-python = cd python && $(BIN)/ruff format --check . && $(BIN)/ruff check .
types-python = cd python && $(BIN)/mypy
test-unit-python = cd python && $(BIN)/pytest
format-java = cd java && $(MVN) --quiet spotless:apply
lint-java = cd java && $(MVN) --quiet spotless:check && $(MVN) --quiet -Plint clean test-compile
types-java = cd java && $(MVN) --quiet test-compile
test-unit-java = cd java && $(MVN) test
format-javascript = $(NPM) run --silent format
lint-javascript = $(NPM) run --silent lint
types-javascript = $(NPM) run --silent types
test-unit-javascript = $(NPM) run --silent test
format-go = cd go && gofmt -w .
lint-go = cd go && gofmt -d . | diff /dev/null - && go vet ./... && $(STATICCHECK) ./...
types-go = cd go && go build -o /dev/null ./...
test-unit-go = cd go && go test -race -count=1 ./...
format-harness = $(BIN)/ruff format harness tests && $(BIN)/ruff check --fix-only harness tests
lint-harness = $(BIN)/ruff format --check harness tests && $(BIN)/ruff check harness tests
types-harness = $(BIN)/mypy
# Tools and artefacts first: no test's time is that of a build. Every vector against every artefact
# waits more than it works, so that runs beside the rest.
CONTRACT = tests/test_contract.py
test-unit-harness = $(BIN)/python -m harness.toolchain && $(BIN)/python -m harness.build || exit; \
	$(BIN)/pytest -p no:cacheprovider $(CONTRACT) >.build/contract.log 2>&1 & contract=$$!; \
	$(BIN)/pytest --ignore=$(CONTRACT); rest=$$?; wait $$contract; judged=$$?; tail -n 40 .build/contract.log; exit $$((rest | judged))

$(CHECKS): .venv/made
	@echo "== $@"; $($@)
$(filter %-javascript,$(CHECKS)): javascript/node_modules/.package-lock.json
javascript/node_modules/.package-lock.json: javascript/package-lock.json | .venv/made
	$(NPM) ci --no-audit --no-fund && touch $@

.venv/made: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
		|| { echo "Python 3.13 not found: install Python 3.13 or set PYTHON=/path/to/python3.13" >&2; exit 3; }
	@$(PYTHON) -m venv .venv
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' $< | $(BIN)/pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r /dev/stdin
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $<
	@touch $@

LOCK = uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --python-version 3.13 --custom-compile-command "make lock"
lock: .venv/made ## write the Python locks anew
	$(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd tools/python-ric && $(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd tools/floor && $(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd tools/duckdb && $(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd tools/ministack && $(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd python && $(BIN)/$(LOCK) requirements.in -o src/requirements.txt

clean: ## remove all that make made
	rm -rf .venv .tools .build .aws-sam java/target javascript/node_modules
