# Every target sets .venv up by itself; on a set-up tree that takes no time.
.DEFAULT_GOAL := help
.PHONY: help demo test check soak zero-failed torture s3-torture faults figures focus gpu s3-tests lint format constraints clean venv
BIN := .venv/bin
# Hundreds of processes of ours start in the tests: without their bytecode each compiles a thousand files first.
unexport PYTHONDONTWRITEBYTECODE
# Two workers: the suite starts real processes, and more of them than cores only wait for each other.
WORKERS ?= 2
PYTEST_ARGS ?=
# How many simulated worlds `make soak` plays, and the seed of the first.
WORLDS ?= 10000
FIRST ?= 0
# How often `make torture` kills each process of the demo, and the object store; cuts the power of its disk; and
# how many stories the store's model is told.
MOMENTS ?= 20
KILLS ?= 200
CUTS ?= 200
STORIES ?= 100

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: venv ## bring examples/digits up, interrupt it half-way, ask its endpoint, show the bill
	@$(BIN)/python examples/digits/demo.py

test: venv ## run every test
	@$(BIN)/pytest -n $(WORKERS) $(PYTEST_ARGS)

check: lint ## lint, then the tests that lie beside the code: under a minute
	@$(BIN)/pytest -n $(WORKERS) src $(PYTEST_ARGS)

soak: venv ## play WORLDS simulated worlds from seed FIRST on; one that breaks tells how to play it again
	@$(BIN)/python -m weyr.sim.replay --worlds $(WORLDS) --first $(FIRST)

faults: venv ## fail at every write there is, not at a sample of them: needs strace, faketime and the right to mount
	@$(BIN)/pytest -n $(WORKERS) tests/faults --every-fault $(PYTEST_ARGS)

s3-tests: venv ## run Ceph's s3-tests, a checkout of which is at S3_TESTS, against `weyr s3 serve`
	@$(BIN)/python tests/s3/conformance.py $(S3_TESTS) $(ARGS)

figures: venv ## fail if anything has become much slower, by counts and CPU time
	@$(BIN)/python bench/guard.py

focus: venv ## have the FinOps Foundation's validator judge a bill in FOCUS 1.2; needs Python 3.12
	@$(BIN)/python bench/focus_validator.py $(ARGS)

gpu: venv ## a day on a machine with an NVIDIA device, PyTorch and transformers: jobs, shares, training, an answering model
	@$(BIN)/pytest tests/gpu/gpu_day.py $(PYTEST_ARGS)

zero-failed: venv ## ask 100,000 times while versions, replicas and the plane's processes change; some minutes
	@$(BIN)/python bench/zero_failed.py $(ARGS)

torture: venv ## kill each process of the demo with SIGKILL at MOMENTS random moments; half an hour
	@nice $(BIN)/python tests/torture/torture.py --moments $(MOMENTS) --seed $(FIRST)

s3-torture: venv ## kill the object store KILLS times under load, cut its disk's power CUTS times, tell its model STORIES stories; 20 minutes
	@nice $(BIN)/pytest tests/clients/test_s3_crash.py --kills $(KILLS) $(PYTEST_ARGS)
	@nice $(BIN)/pytest tests/faults/test_power_cut_s3.py --cuts $(CUTS) $(PYTEST_ARGS)
	@nice $(BIN)/pytest tests/clients/test_s3_model.py --examples $(STORIES) $(PYTEST_ARGS)

lint: venv ## ruff, mypy --strict, the import contracts
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: venv ## rewrite the code as ruff formats it
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet

constraints: ## pin every dependency anew from pyproject.toml (needs uv)
	@.ci/constraints $(ARGS)

clean: ## remove .venv and every cache; leaves your data folder alone
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist src/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@.ci/venv
