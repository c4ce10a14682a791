# Meet Attendance: every command a person or a machine needs. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
SHELL_SCRIPTS := .ci/run $(wildcard infra/*.sh infra/deploy/*.sh)

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(INSTALLED): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another one: make PYTHON=python3.13 …" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "No virtual environment could be made. On Debian: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the pinned packages into $(VENV), once; this takes a minute or two. A dot for each package:"
	@$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --require-hashes -r requirements-dev.txt \
	  | awk '/^(Collecting|Processing) / { printf "."; fflush() } /^Installing/ { printf " installing"; fflush() } END { print "" }'
	@touch $@

# Packages of npm, wherever a lock file names them; each folder installs its own again when its lock file changes.
NODE_MODULES := $(patsubst %/package-lock.json,%/node_modules/.package-lock.json,$(wildcard docs/*/package-lock.json tests/*/package-lock.json))

%/node_modules/.package-lock.json: %/package-lock.json
	@command -v npm >/dev/null || { echo "The packages of npm cannot be installed: npm is missing. On Debian: sudo apt-get install nodejs npm. Elsewhere: https://nodejs.org/en/download" >&2; exit 1; }
	@echo "Installing the pinned packages of npm into $(@D) …"
	@npm ci --prefix $* --ignore-scripts --no-fund --no-audit --silent
	@touch $@

.PHONY: node-modules
node-modules: $(NODE_MODULES) ## install the packages of npm: the Firebase SDK of docs/lms, and what tests generate clients with

.PHONY: setup
setup: $(INSTALLED) ## make the virtual environment with the pinned packages

.PHONY: demo
demo: $(INSTALLED) ## see a simulated class end and its attendance appear (no Google account, no Java; PEOPLE=40, SEED=2)
	@$(BIN)/python -m infra.local.demo $(if $(PEOPLE),--people "$$PEOPLE") $(if $(SEED),--seed "$$SEED") $(ARGS)

.PHONY: run
run: $(INSTALLED) ## leave the local stack running and print its URLs (STORE=sqlite needs no Java; PORT=8190 is a second one)
	@$(BIN)/python -m infra.local.run $(if $(STORE),--store $(STORE)) $(if $(PORT),--port $(PORT)) $(ARGS)

# With PROJECT=… these commands work on that deployment, with the settings that `make settings` has written down;
# without it, with the settings of the environment.
DEPLOYED_SETTINGS ?= .local/deployed
define OPERATE
$(if $(filter command\ line,$(origin PROJECT)),deployed="$(DEPLOYED_SETTINGS)/$${PROJECT//:/_}.env"; [[ -f "$$deployed" ]] || { echo "The settings of $$PROJECT are not on this machine: make settings PROJECT=$$PROJECT REGION=…" >&2; exit 2; }; source "$$deployed"; )$(BIN)/python -m functions.entrypoints.commands.operate
endef
DRY = $(if $(DRY_RUN),--dry-run)

.PHONY: enroll
enroll: $(INSTALLED) ## track teachers: TEACHER=a@school.example,b@school.example (DRY_RUN=1, PROJECT=…)
	@[[ -n "$${TEACHER:-}" ]] || { echo "Name the teacher: make enroll TEACHER=teacher@school.example (several with commas between them)" >&2; exit 2; }
	@$(OPERATE) enroll --teacher "$$TEACHER" $(DRY)

.PHONY: backfill
backfill: $(INSTALLED) ## read what Meet remembers and is missing here: SINCE=30d (TEACHER=…, SOURCE=reports, DRY_RUN=1, PROJECT=…)
	@[[ -n "$${SINCE:-}" ]] || { echo "Say how far back: make backfill SINCE=30d (or 12h, 2026-11-23, 2026-11-23T09:00:00+01:00)" >&2; exit 2; }
	@$(OPERATE) backfill --since "$$SINCE" $(if $(TEACHER),--teacher "$$TEACHER") $(if $(SOURCE),--source "$$SOURCE") $(DRY)

.PHONY: replay
replay: $(INSTALLED) ## process parked messages again: all, or ID=…, REASON=… (DRY_RUN=1 lists them, PROJECT=…)
	@$(OPERATE) replay $(if $(ID),--id "$$ID") $(if $(REASON),--reason "$$REASON") $(DRY)

.PHONY: status
status: $(INSTALLED) ## say what needs a person, and what fixes it (ARGS=--json, PROJECT=…)
	@$(OPERATE) status $(ARGS)

# Options as they were typed, each one argument: `make deploy PROJECT=my-school "ROOM_DEVICE_NAMES=Room *"`.
TYPED = $(foreach name,$(filter-out PYTHON SHELL,$(.VARIABLES)),$(if $(filter command\ line,$(origin $(name))),$(name)))
FROM_SHELL = $(foreach name,PROJECT REGION DRY_RUN,$(if $(filter environment,$(origin $(name))),$(name)))
OPTIONS = $(foreach name,$(TYPED) $(FROM_SHELL),"$(name)=$${$(name)}")

.PHONY: deploy
deploy: $(INSTALLED) ## everything on Google Cloud, again and again: PROJECT=my-school REGION=europe-west1 (DRY_RUN=1; docs/deploy.md)
	@infra/deploy.sh $(OPTIONS)

.PHONY: destroy
destroy: ## take the deployment away, keep the data: PROJECT=my-school REGION=europe-west1 (DRY_RUN=1, DELETE_DATA=yes)
	@infra/destroy.sh $(OPTIONS)

# The same for the doctor, which takes no DRY_RUN from the environment: it changes nothing.
LOOK = $(foreach name,$(TYPED) $(filter-out DRY_RUN,$(FROM_SHELL)),"$(name)=$${$(name)}")

.PHONY: doctor
doctor: $(INSTALLED) ## say what is not well with a deployment: PROJECT=my-school REGION=europe-west1 (FIX=1, ARGS=--json)
	@$(BIN)/python -m infra.doctor $(LOOK)

.PHONY: settings
settings: $(INSTALLED) ## let status, enroll, backfill and replay work on a deployment: PROJECT=my-school REGION=europe-west1
	@$(BIN)/python -m infra.doctor.settings $(LOOK)

.PHONY: deploy-steps
deploy-steps: $(INSTALLED) ## break a deployment off at every step, against a stand-in of Google, and see it continue
	@$(BIN)/python -m infra.local.control_plane.interrupted

.PHONY: debian-packages
debian-packages: ## install what the tests need of Debian
	@infra/debian-packages.sh

# One more than there are processors: a test that waits for an emulator leaves its own idle. Tests start hundreds of
# programs, each of which would compile all modules if Python were told not to write bytecode.
WORKERS = $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

.PHONY: test
test: $(INSTALLED) $(if $(ARGS),,debian-packages node-modules) ## run every test, with the real Firestore and Pub/Sub emulators (ARGS="-k room")
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --max-worker-restart 0 $(ARGS)

.PHONY: unit
unit: $(INSTALLED) ## run the fast tests, which need nothing but Python (ARGS="-k room")
	@$(BIN)/python -m pytest -q --numprocesses auto --hypothesis-profile quick --ignore tests/unit/local tests/unit $(ARGS)

.PHONY: explore
explore: $(INSTALLED) ## look for a counterexample to a rule in thousands of random examples (ARGS="-k naive")
	@$(BIN)/python -m pytest --numprocesses auto --hypothesis-profile explore -m hypothesis --timeout 3600 tests/unit tests/contract $(ARGS)

.PHONY: coverage
coverage: $(INSTALLED) debian-packages node-modules ## run every test and show which lines of functions/ none of them reaches
	@$(BIN)/python -m pytest -q --numprocesses $(WORKERS) --dist loadfile --max-worker-restart 0 --cov $(ARGS)

.PHONY: hooks
hooks: $(INSTALLED) ## run the checks before each commit
	@$(BIN)/pre-commit install

.PHONY: screenshots
screenshots: $(INSTALLED) debian-packages node-modules ## take pictures of the pages into build/screenshots
	@$(BIN)/python -m infra.local.screenshots

.PHONY: check
check: $(INSTALLED) ## formatter, linter, type checker, import rules, shellcheck
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/shellcheck $(SHELL_SCRIPTS)

.PHONY: format
format: $(INSTALLED) ## format the code and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: openapi
openapi: $(INSTALLED) ## write docs/openapi.json, from which clients are generated, after a change of the API
	@$(BIN)/python -m infra.local.openapi

.PHONY: bench
bench: $(INSTALLED) ## measure all figures of README.md and write its table (ARGS="--only conference --no-sizes": quick)
	@$(BIN)/python -m bench $(ARGS)

LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: chaos
chaos: $(INSTALLED) ## prove that nothing is lost whatever goes wrong (ARGS="--seeds 20 --seed 1")
	@$(BIN)/python -m infra.local.chaos $(ARGS)

.PHONY: lock
lock: ## pin the packages of pyproject.toml anew (needs uv)
	$(LOCK) --output-file requirements.txt
	$(LOCK) --group dev --constraints requirements.txt --output-file requirements-dev.txt

.PHONY: clean
clean: ## remove the virtual environment and everything made
	rm -rf $(VENV) $(dir $(NODE_MODULES)) .local build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
