# One entrance for every language: `make VERB` for all, `make VERB-PART` for one, e.g. lint-go.
# `make` alone explains the verbs.

PYTHON ?= python3.13
# the path of a checkout may contain spaces, so it is quoted wherever it stands
BIN := "$(CURDIR)/.venv/bin"
# a language takes part as soon as its folder holds a build file
LANGUAGES := $(patsubst %/,%,$(dir $(wildcard python/pyproject.toml java/pom.xml javascript/package.json go/go.mod)))
PARTS := $(LANGUAGES) harness
VERBS := format lint types test-unit

NPM = PATH="$$(dirname "$$($(BIN)/python -m harness.toolchain node)"):$$PATH" npm --prefix javascript
STATICCHECK = go tool -modfile=../tools/golint/go.mod staticcheck
# without programs that some machines have and others lack
FORGE_SCHEMA = $(BIN)/check-jsonschema --quiet --builtin-schema vendor
ACTIONLINT = go -C tools/actionlint tool actionlint -shellcheck= -pyflakes= \
	$(patsubst %,"$(CURDIR)/%",$(wildcard .github/workflows/*.yml))
# vale reads prose; its rules are in tools/vale/styles
DOCS := $(wildcard *.md) docs tests/README.md $(LANGUAGES:%=%/README.md)
VALE = go -C tools/vale tool vale --config "$(CURDIR)/.vale.ini" $(DOCS:%="$(CURDIR)/%")
# one that checks the hashes in .mvn/checksums
MVN = PATH="$$(dirname "$$($(BIN)/python -m harness.toolchain maven)"):$$PATH" \
	mvn --file java/pom.xml --batch-mode --no-transfer-progress -Dstyle.color=never
CHECKS := $(foreach v,$(VERBS),$(PARTS:%=$(v)-%))

.PHONY: help setup compare mutants fuzz disturb drill exercise solve-all stone slides check test lock lock-debian third-party sbom clean build $(VERBS)
.PHONY: drills $(CHECKS) lock-java test-parts $(PARTS:%=check-%) $(LANGUAGES:%=made-%) lint-docs test-sql

help: ## explain the verbs
	@echo "make VERB does all parts; make VERB-PART one part, for the verbs marked with *."
	@echo "Parts: $(PARTS)"
	@echo
	@awk -F ' *## ' '/^[a-z-]+:.* ## / {sub(/:.*/, "", $$1); part = $$2 ~ /\*$$/ ? "*" : ""; \
		sub(/ \*$$/, "", $$2); printf "  %-11s %-61s %s\n", $$1 part, $$2, $$3}' $(MAKEFILE_LIST)
	@echo
	@echo "Times are of two cores, with caches that are filled. Examples:"
	@echo
	@echo "  make check                                         before each commit"
	@echo "  make check BASE=HEAD~1                             what changed since another commit"
	@echo "  make format-go lint-go test-unit-go                one part, step by step"
	@echo "  make compare ARGS='--objects 500 --languages go,java'"
	@echo "  make mutants ARGS='--languages go --sample 5'      some of the faults"
	@echo "  make fuzz SECONDS=600 ARGS='--seed 1'"
	@echo "  make disturb ARGS='--languages go --kinds kill,cuts'"
	@echo "  make drill ARGS='--languages go --fault killed,damaged'"
	@echo "  make exercise STEP=splitter LANGUAGE=go            again after each change"

setup: .venv/made ## make .venv and the tools in .tools ## minutes, at first
	@$(BIN)/python -m harness.toolchain

compare: .venv/made ## build all, check that the outputs agree, compare ## 6 min
	@$(BIN)/python -m harness compare $(ARGS)

mutants: javascript/node_modules/.package-lock.json
mutants: .venv/made ## check that the vectors find faults ## hours; see below
	@$(BIN)/python -m harness mutants $(ARGS)

SECONDS ?= 60
fuzz: .venv/made ## look for bodies and days on which the languages disagree ## SECONDS (60)
	@$(BIN)/python -m harness fuzz --seconds $(SECONDS) $(ARGS)

disturb: .venv/made ## disturb the languages on purpose, and count broken promises ## 30 min
	@$(BIN)/python -m harness disturb $(ARGS)
drills: disturb # its former name

drill: .venv/made ## play nights with a fault: who notices, and what is lost ## 10 min
	@$(BIN)/python -m harness drill $(ARGS)

# set here, because a shell may have a LANGUAGE of its own
STEP =
LANGUAGE =
exercise: $(if $(filter javascript,$(LANGUAGE)),javascript/node_modules/.package-lock.json)
exercise: .venv/made ## write a STEP of a LANGUAGE yourself; alone, list them ## seconds
	@$(BIN)/python -m harness exercise $(STEP) $(LANGUAGE) $(ARGS) || test $$? -eq 1 # not complete

solve-all: javascript/node_modules/.package-lock.json
solve-all: .venv/made ## solve every exercise in every language ## 15 min
	@EXERCISES=all $(BIN)/pytest tests/test_exercise.py

stone: .venv/made ## write .build/stone/index.html: the four side by side ## seconds
	@$(BIN)/python -m harness stone $(ARGS)

slides: .venv/made ## write .build/stone/slides.html: the slides for a class ## seconds
	@$(BIN)/python -m harness slides $(ARGS)

# A part's steps come one after the other: lint-java and test-unit-java write to the same folder.
BASE = $(shell git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main)
CHANGED = $(shell { git diff --name-only $(BASE); git ls-files --others --exclude-standard; } | \
	cut -d/ -f1,2 | sort -u)
# the unit tests of every language read the vectors
TOUCHED = $(sort $(foreach part,$(LANGUAGES),\
	$(if $(filter $(part)/% tests/vectors,$(CHANGED)),$(part))) \
	$(if $(filter-out $(LANGUAGES:%=%/%),$(CHANGED)),harness))
check: .venv/made ## lint, types and unit tests of what changed since main * ## under 3 min
	@echo "changed: $(or $(TOUCHED),nothing)"
	@$(if $(TOUCHED),$(call timed,-k -j2 --output-sync=target $(TOUCHED:%=check-%)))
$(PARTS:%=check-%): check-%: .venv/made
	@$(MAKE) --no-print-directory lint-$*
	@$(MAKE) --no-print-directory types-$*
	@$(MAKE) --no-print-directory $(if $(filter harness,$*),test-quick,test-unit)-$*

# The harness's tests come last: they copy the folders that the parts' own tests write to. So does
# the build of a language, which therefore follows its checks.
test: .venv/made ## every check and every test: lint, types, test-unit ## 35 min
	@$(call timed,-k test-parts test-unit-harness)
test-parts:
	@$(MAKE) --no-print-directory -k -j3 --output-sync=target \
		$(LANGUAGES:%=made-%) lint-harness types-harness
$(LANGUAGES:%=made-%): made-%: check-%
	@began=$$(date +%s); $(BIN)/python -m harness.build $*; status=$$?; \
		echo "$$(($$(date +%s) - began)) build-$*" >>$(TIMES); exit $$status

format: $(PARTS:%=format-%) ## rewrite the sources in each language's standard style * ## seconds
lint: $(PARTS:%=lint-%) ## check style and correctness, rewrite nothing * ## 1 min
types: $(PARTS:%=types-%) ## check types, by type checker or compiler * ## 30 s
test-unit: $(PARTS:%=test-unit-%) ## run each part's tests * ## 30 min, a language 1 min

build: $(LANGUAGES:%=build-%) ## make the artefacts for this machine with `sam build` * ## 2 min
build-%: .venv/made
	@$(BIN)/python -m harness.build $*

third-party: .venv/made ## write the licences of the components of each package ## 1 min
	@$(BIN)/python -m harness.build.third_party

sbom: .venv/made ## build, and list the components of each package in .build/sbom/ ## 2 min
	@$(BIN)/python -m harness.build.sbom

# Runs make with these words and prints how long each of its steps took, also if one failed.
TIMES := .build/times
timed = mkdir -p .build; rm -f $(TIMES); began=$$(date +%s); \
	$(MAKE) --no-print-directory $1; status=$$?; \
	echo "== where the time went: $$(($$(date +%s) - began)) s"; \
	sort -rn $(TIMES) | awk '{printf "%6d s  %s\n", $$1, $$2}'; exit $$status

format-python = cd python && $(BIN)/ruff format . && $(BIN)/ruff check --fix-only .
lint-python = cd python && $(BIN)/ruff format --check . && $(BIN)/ruff check .
types-python = cd python && $(BIN)/mypy
test-unit-python = cd python && $(BIN)/pytest
format-java = $(MVN) --quiet spotless:apply
lint-java = $(MVN) --quiet spotless:check && $(MVN) --quiet -Plint clean test-compile
types-java = $(MVN) --quiet test-compile
test-unit-java = $(MVN) test
format-javascript = $(NPM) run --silent format
lint-javascript = $(NPM) run --silent lint
types-javascript = $(NPM) run --silent types
test-unit-javascript = $(NPM) run --silent test
format-go = cd go && gofmt -w .
lint-go = cd go && gofmt -d . | diff /dev/null - && go vet ./... && $(STATICCHECK) ./...
types-go = cd go && go build -o /dev/null ./...
test-unit-go = cd go && go test -race -count=1 ./...
format-harness = $(BIN)/ruff format harness tests && $(BIN)/ruff check --fix-only harness tests
lint-harness = $(BIN)/ruff format --check harness tests && $(BIN)/ruff check harness tests && \
	$(ACTIONLINT) && \
	$(FORGE_SCHEMA).dependabot .github/dependabot.yml && \
	$(FORGE_SCHEMA).github-issue-forms .github/ISSUE_TEMPLATE/f*.yml && \
	$(VALE)
lint-docs = $(VALE)
types-harness = $(BIN)/mypy
# Tools and artefacts first: no test's time is that of a build. Most tests wait more than they work,
# so there are more than one for each core. Those that measure time come last, with nothing beside
# them.
test-unit-harness = $(BIN)/python -m harness.toolchain && $(BIN)/python -m harness.build || exit; \
	$(BESIDE) --durations=25 -m "not timed and not alone" -n $$(($$(nproc) * 5 / 2)); beside=$$?; \
	$(BESIDE) --durations=5 -m timed -n $$(($$(nproc) * 2)) tests/test_contract.py; timed=$$?; \
	$(BIN)/pytest --durations=5 -m alone $$(grep -l mark.alone tests/test_*.py); alone=$$?; \
	exit $$((beside | timed | alone))
BESIDE = $(BIN)/pytest --dist loadscope --no-loadscope-reorder

test-quick-harness = $(BESIDE) -q --durations=5 -m "not slow and not alone" -n $$(nproc)

test-sql = $(BIN)/pytest --durations=5 tests/test_trino.py tests/test_compact_trino.py \
	tests/test_sql.py

test-sql: ## the tests on a real Trino; a part of test-unit-harness ## under 5 min
lint-docs: ## check the prose of the documents; a part of lint-harness ## seconds
$(CHECKS) test-quick-harness test-sql lint-docs: .venv/made
	@echo "== $@"; mkdir -p .build; began=$$(date +%s); ($($@)); status=$$?; \
		echo "$$(($$(date +%s) - began)) $@" >>$(TIMES); exit $$status
$(filter %-javascript,$(CHECKS)): javascript/node_modules/.package-lock.json
javascript/node_modules/.package-lock.json: javascript/package-lock.json | .venv/made
	$(NPM) ci --ignore-scripts --no-audit --no-fund && touch $@

.venv/made: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
		|| { echo "Python 3.13 not found: install Python 3.13 or set PYTHON=/path/to/python3.13" >&2; exit 3; }
	@mkdir -p .build; exec 9>.build/venv.lock; \
		flock -n 9 || { echo "waiting: another make makes .venv" >&2; flock 9; }; \
		[ $@ -nt $< ] || { $(MAKE_VENV) && touch $@; }
MAKE_VENV = $(PYTHON) -m venv .venv && \
	awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.txt | \
	$(BIN)/pip --disable-pip-version-check install --quiet --require-hashes --no-deps \
		-r /dev/stdin && \
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt

LOCK = uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --python-version 3.13 --custom-compile-command "make lock"
SUMS = .mvn/checksums/checksums.sha256
RECORD = --quiet -Daether.artifactResolver.postProcessor.trustedChecksums.record=true
lock: .venv/made lock-java ## write the locks of Python and Maven anew ## 3 min
	$(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd tools/python-ric && $(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd tools/floor && $(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd tools/duckdb && $(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd tools/ministack && $(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd tools/checkov && $(BIN)/$(LOCK) requirements.in -o requirements.txt
	cd python && $(BIN)/$(LOCK) requirements.in -o src/requirements.txt
# every command of this file and of SAM, because each resolves plugins of its own
lock-java: .venv/made
	rm -f java/$(SUMS) tools/java-ric/$(SUMS) tools/trino/$(SUMS)
	$(MVN) $(RECORD) -DskipTests clean install spotless:check
	$(MVN) $(RECORD) -Plint test-compile
	$(MVN) $(RECORD) test -Dtest=ConfigTest
	$(MVN) $(RECORD) dependency:copy-dependencies@licences -DincludeScope=runtime \
		-DoutputDirectory=target/poms -Dmdep.copyPom=true -Dmdep.addParentPoms=true
	$(subst java/pom.xml,tools/java-ric/pom.xml,$(MVN)) $(RECORD) dependency:copy-dependencies \
		-DoutputDirectory=$(CURDIR)/.build/java-ric
	$(subst java/pom.xml,tools/trino/pom.xml,$(MVN)) $(RECORD) dependency:unpack \
		-DoutputDirectory=$(CURDIR)/.build/trino
	rm -rf .build/trino
	for each in java tools/java-ric tools/trino; do \
		rm -f $$each/$(SUMS).bak; LC_ALL=C sort -k 2 -o $$each/$(SUMS) $$each/$(SUMS); done

lock-debian: .venv/made ## write the lock of Debian's packages for images anew ## seconds
	$(BIN)/python -m harness.toolchain.debian_lock

clean: ## remove all that make made ## seconds
	rm -rf .venv .tools .build .aws-sam java/target javascript/node_modules
