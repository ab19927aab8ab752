# One target for each thing a person does. `make` alone prints them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST_ARGS ?=
# Processes that run tests, each with servers of its own. Tests wait much, for timers and for programs that they start:
# so there is one more than there are cores. JOBS=0 runs all in one process, as a debugger wants it.
JOBS ?= $(shell cores=$$(nproc); echo $$((cores < 7 ? cores + 1 : 8)))
PYTEST = $(BIN)/pytest -q --numprocesses $(JOBS) --dist worksteal
# Programs are started by the hundred: let each find its modules compiled, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up down status test lint types unit pipelines thorough integration web-test acceptance packaging docker-check chaos slow chaos-baseline soak bench-demo bench-geometry bench-gpu bench-gpu-tiny gpu-bundle bench-history bench-queue bench-web gpu-figures \
	pictures web-pictures format schema clean

help:  ## Show what there is to make
	@echo "Inpaint Fleet. Begin with: make demo"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- for everybody ---------------------------------------------------------------------------------------------------

demo: $(VENV)/.installed  ## Start the fleet on this machine and inpaint a picture with it
	@$(BIN)/inpaint demo

up: $(VENV)/.installed  ## Start the fleet on this machine and stay in front of it (Ctrl-C stops it)
	@$(BIN)/inpaint up --flower

down: $(VENV)/.installed  ## Stop the fleet that runs on this machine
	@$(BIN)/inpaint down

status: $(VENV)/.installed  ## Show queues, workers, last jobs and disk
	@$(BIN)/inpaint status

# --- for developers --------------------------------------------------------------------------------------------------

test: lint types unit pipelines integration web-test slow  ## Run every check and test, as CI does
	@echo "Every check and test has passed."

lint: $(VENV)/.developer  ## Style, formatting and layers
	@echo "==> ruff, import-linter"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-logo

types: $(VENV)/.developer  ## Types (mypy, strict)
	@echo "==> mypy"
	@$(BIN)/mypy

unit: $(VENV)/.developer  ## Tests that need no server
	@echo "==> unit tests"
	@$(PYTEST) tests/unit $(PYTEST_ARGS)

pipelines: $(VENV)/.developer  ## Every model with tiny weights, on the CPU
	@echo "==> pipeline tests"
	@$(PYTEST) tests/pipelines $(PYTEST_ARGS)

thorough: $(VENV)/.developer  ## Compiling and canceling in more models than `make test` has time for
	@echo "==> more pipeline tests"
	@$(PYTEST) -m thorough tests/pipelines $(PYTEST_ARGS)

integration: $(VENV)/.developer  ## Tests on a real Redis, Postgres and S3, which they start
	@echo "==> integration tests"
	@$(PYTEST) tests/integration $(PYTEST_ARGS)

# Side by side, since most of it is waiting; chaos first, since that takes longest. -rP: what the chaos was is worth a look.
slow: $(VENV)/.developer  ## The next four at once
	@echo "==> chaos, acceptance and packaging tests"
	@$(PYTEST) --dist loadgroup --no-loadscope-reorder -raP tests/chaos tests/acceptance tests/packaging $(PYTEST_ARGS)

chaos: $(VENV)/.developer  ## Break everything while 300 jobs run, and check that none is lost (MINUTES=30: for longer)
	@echo "==> chaos"
	@$(if $(MINUTES),$(BIN)/inpaint bench chaos --minutes $(MINUTES) --output chaos.json,$(PYTEST) -raP tests/chaos $(PYTEST_ARGS))

web-test: $(VENV)/.developer chromium  ## The web pages: over HTTP, under attack, and in a real browser
	@echo "==> web tests"
	@$(PYTEST) tests/web $(PYTEST_ARGS)

# Root on Debian gets the browser; others are told how, and the tests that need it are skipped.
.PHONY: chromium
chromium:
	@command -v "$${CHROMIUM:-chromium}" > /dev/null || command -v google-chrome-stable > /dev/null || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && echo "==> installing chromium" && \
		  { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } > /dev/null; } || \
		echo "No Chromium here, so tests in a browser are skipped. On Debian: apt install chromium"

acceptance: $(VENV)/.developer  ## The README's commands as written, from a fresh copy
	@echo "==> acceptance tests"
	@$(BIN)/pytest tests/acceptance -q $(PYTEST_ARGS)

packaging: $(VENV)/.developer  ## The wheel, its contents, and the light client
	@echo "==> packaging tests"
	@$(BIN)/pytest tests/packaging -q --ignore tests/packaging/test_docker.py $(PYTEST_ARGS)

docker-check: $(VENV)/.developer  ## Dockerfiles and compose file (linted and checked, not built)
	@echo "==> docker files"
	@$(BIN)/pytest tests/packaging/test_docker.py -q $(PYTEST_ARGS)

chaos-baseline: $(VENV)/.developer  ## The same faults on plain Celery
	@$(BIN)/inpaint bench plain-celery

soak: $(VENV)/.developer  ## 20,000 jobs through one worker: what grows?
	@$(BIN)/inpaint bench soak

bench-geometry: $(VENV)/.developer  ## Measure decoding, fitting, compositing, encoding and the check, beside plain Pillow
	@$(BIN)/inpaint bench geometry

bench-demo: $(VENV)/.developer  ## The whole benchmark with small models, ending in a report (DATASET=FILE: of your own)
	@PYTHONPATH=tests $(BIN)/python tests/bench_demo.py $(if $(DATASET),--dataset $(DATASET))

bench-history: $(VENV)/.developer  ## Measure the views for analysts over 100,000 trials
	@$(BIN)/inpaint bench history

bench-queue: $(VENV)/.developer  ## Measure submitting, per-job overhead and the idle time between jobs
	@$(BIN)/inpaint bench queue

gpu-figures: $(VENV)/.developer  ## Count anew what each model weighs and computes
	@$(BIN)/python -m inpaint_benchmark.gpu.figures

bench-gpu: $(VENV)/.developer  ## Measure every model on this machine's GPU (ARGS="--models flux-1-fill-dev --modes 'none compile'")
	@$(BIN)/inpaint bench gpu $(ARGS)

bench-gpu-tiny: $(VENV)/.developer  ## The same with tiny models on the CPU, to see that it works
	@$(BIN)/inpaint bench gpu --tiny --device cpu --repeats 2 $(ARGS)

gpu-bundle: $(VENV)/.developer  ## Wheels for measuring on a GPU without internet (GPU_PYTHON, GPU_CUDA, GPU_SERVERS=1, GPU_NEWER=1)
	@$(BIN)/python benchmark/gpu-bundle/bundle.py --python $(or $(GPU_PYTHON),3.12) --cuda $(or $(GPU_CUDA),130) \
		$(if $(GPU_SERVERS),--servers) $(if $(GPU_NEWER),--newer)

bench-web: $(VENV)/.developer chromium  ## Measure saving with many raters at once, and how soon the next picture is there; fails if an aim is missed
	@$(BIN)/inpaint bench web --check
	@AIMS=check $(BIN)/pytest -q -s -n0 tests/web/test_web_weight.py

web-pictures: $(VENV)/.developer chromium  ## Draw the pictures of docs/rating-page.md
	@PICTURES=docs/images $(BIN)/pytest tests/web/test_web_pictures.py -q

pictures: $(VENV)/.developer  ## Draw the pictures of docs/images-and-masks.md
	@$(BIN)/python docs/images/sheets.py

format: $(VENV)/.developer  ## Put the code into the house style
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

schema: $(VENV)/.developer  ## Write a migration for what changed in the mapped classes: make schema NAME=what_changed
	@$(BIN)/alembic revision --autogenerate -m "$(NAME)" --rev-id "$$(date +%Y%m%d)_$(or $(N),01)"

clean:  ## Remove what these targets made (not the data folder of the fleet)
	rm -rf $(VENV) dist build out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# --- environments ----------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "==> making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing. On Debian: apt install python3-venv"; exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "==> installing the fleet for one machine (no torch; about half a minute)"
	@$(PIP) --constraint constraints.txt --editable '.[worker,benchmark,local,flower,web]'
	@touch $@

$(VENV)/.developer: pyproject.toml constraints.txt | $(BIN)/python
	@echo "==> installing the fleet and what its tests need"
	@$(PIP) 'pip>=25.1'
	@$(PIP) --constraint constraints.txt --group dev --editable '.[diffusers,openai,local,flower,benchmark,web]'
	@touch $@ $(VENV)/.installed
