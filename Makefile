# Everything runs in .venv, which each command makes or refreshes by itself (.ci/env does the work and says what is missing).
# `make test` and `make test-all` together are all that CI runs; no test is in both (docs/testing.md).
# Settings: PYTHON=python3.12 (the Python that .venv starts from), CHROMIUM=/path/to/chromium, WORKERS=2, PYTEST_ARGS=..., LAB_ARGS=...
PY       := .venv/bin/python
WORKERS  ?= 2
CHROMIUM ?= $(firstword $(shell for name in chromium chromium-browser google-chrome-stable google-chrome; do command -v $$name; done; true))
PYTEST    = OMP_NUM_THREADS=1 $(PY) -m pytest $(PYTEST_ARGS)
# Tests, notebooks and browser tests in processes of one thread each; a file, and so a notebook, stays in one process.
PARALLEL  = JUPYTER_PATH="$(CURDIR)/tests" $(PYTEST) tests notebooks -n $(WORKERS) --dist loadfile \
	--nbval --nbval-kernel-name offline --nbval-cell-timeout 100 --nbval-sanitize-with tests/nbval_sanitize.cfg
BROWSER   = $(if $(CHROMIUM),$(PYTEST) tests/browser -n $(WORKERS) --dist loadfile,@echo "Browser tests were left out: no Chromium found; install it or name one with CHROMIUM=/path/to/it."; true)
# As rdskd_lab/__init__.py says; here for kernels that import torch first.
GOMP_SPINCOUNT ?= 1000
export CHROMIUM PYTHON NEED_GB GOMP_SPINCOUNT

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

env: .venv/.ready  ## set everything up in .venv (quick when nothing changed)
	@echo "Ready: $$($(PY) -V) in .venv"

# A folder that was moved, or whose Python is gone, is not ready whatever its dates say.
ifneq ($(shell test -x $(PY) && cat .venv/.ready 2>/dev/null),$(shell pwd -P))
.PHONY: .venv/.ready
endif
.venv/.ready: pyproject.toml constraints.txt .ci/env
	@.ci/env

demo: .venv/.ready  ## distil a student without data, test it on real digits, write a report (a minute or two)
	@out=runs/demo; n=2; while [ -e "$$out" ]; do out=runs/demo-$$n; n=$$((n + 1)); done; \
	.venv/bin/rdskd-lab distill --method rdskd --preset classroom --data digits --seed 0 --out "$$out" && \
	echo "Open $$out/report.html in a browser."

lab: .venv/.ready  ## open JupyterLab on notebooks/
	@PATH="$$PWD/.venv/bin:$$PATH" $(PY) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks \
	$(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

test: .venv/.ready  ## lint, tests, four notebooks, quick browser tests where Chromium is found
	$(PY) -m ruff check . && $(PY) -m ruff format --check .
	$(PARALLEL) -m "not slow and not measure and not browser"
	$(BROWSER) -m "not slow and not measure"

test-all: .venv/.ready  ## what make test leaves out: slow tests, the other notebooks, browser tests, older front ends
	$(PARALLEL) -m "slow and not measure and not browser"
	$(BROWSER) -m "slow and not measure"
	$(PY) tests/overlay.py $(if $(CHROMIUM),,colab)

notebooks: .venv/.ready  ## build notebooks/*.ipynb from their .py: execute, clean, write (NAME=08_rdskd for one)
	$(PY) tools/build_notebooks.py $(NAME)

slides: .venv/.ready  ## write build/slides.html, the slides of the 90-minute class, from docs/slides.md (needs a network once)
	$(PY) tools/slides.py

doctor: .venv/.ready  ## what is wrong with this machine, what to type, how long things will take
	@.venv/bin/rdskd-lab doctor

badges: .venv/.ready  ## write Binder's and Colab's badges into README.md, once pyproject.toml names the repository
	$(PY) tools/badges.py

site: .venv/.ready  ## build site/: the page that plays recorded runs, the course, the results; no network needed
	PYTHONPATH=tools $(PY) tools/build_site.py

bench: .venv/.ready  ## measure speed, memory and accuracy: results/bench.csv and bench.md (about a quarter of an hour)
	$(PY) benchmarks/bench.py

clean:  ## delete .venv and caches (runs/ stays)
	rm -rf .venv .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help env demo lab test test-all notebooks slides doctor badges site bench clean
