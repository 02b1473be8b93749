# `make run` and `make test` do all their own set-up, with nothing but Python 3.11 or newer.
#
#   make test PYTHON=python3.12     with that Python
#   make test ARGS='-k redirect'    further arguments for what is run
#   make test JOBS=0                one after the other (`--pdb` needs it)
#   make test VENV=/tmp/other       in another environment

VENV ?= .venv
PYTHON ?=
ARGS ?=
# Many tests wait for a server, a process or a deadline: two at a time for each of two cores take half the
# time, and a fixed number keeps what they measure comparable.
JOBS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup run test test-compiled lint format types contracts fuzz compiled wheel bench bench-full torture docs pictures clean

bin := $(VENV)/bin
ready := $(VENV)/.installed
peers := $(VENV)/.peers
pip := $(bin)/python -m pip --quiet --disable-pip-version-check
# Another environment may be another Python, for which it has to be built anew.
built := build/compiled/.built-for$(subst /,-,$(abspath $(VENV)))

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(ready) ## fetch 5,000 URLs from the embedded demo server, with everything live
	@$(bin)/fetchpool demo -n 5000 $(ARGS)

test: $(ready) ## all tests
	$(bin)/python -m pytest --numprocesses=$(JOBS) --dist=worksteal $(ARGS)

test-compiled: $(built) ## all tests, on the compiled build
	@cd build/compiled && rm -rf tests bench docs examples
	@git ls-files -z --cached --others --exclude-standard ':!fetchpool' | tar --null -T - -cf - | tar -xf - -C build/compiled
	@cd build/compiled && $(abspath $(bin))/python -m fetchpool --version | grep compiled
	@cd build/compiled && PYTHONPATH=$(CURDIR)/build/compiled $(abspath $(bin))/python -m pytest --numprocesses=$(JOBS) --dist=worksteal $(ARGS)

lint: $(ready) ## style, layout and retired words
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/python .ci/words

format: $(ready) ## put style and layout right, as far as a program can
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

types: $(ready) ## mypy, strict
	$(bin)/mypy

contracts: $(ready) ## who may import whom
	$(bin)/lint-imports

fuzz: $(ready) ## the property tests, with many more examples (minutes)
	$(bin)/python -m pytest -m hypothesis --hypothesis-profile=fuzz --timeout=0 $(ARGS)

compiled: $(built) ## a build whose inner rooms are compiled, in build/compiled (needs a C compiler)

wheel: $(ready) ## the same as a wheel for this Python, in dist
	@rm -rf build dist
	@FETCHPOOL_COMPILE=1 $(pip) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

bench: $(peers) ## this beside its peers, in short (minutes; keep the machine quiet)
	@$(bin)/python -m bench.harness.run $(ARGS)

bench-full: $(peers) ## the same at length, into docs/benchmarks.md
	@$(bin)/python -m bench.harness.run --full --write $(ARGS)

torture: $(ready) ## kill runs at random moments, resume them, and check that nothing is lost (minutes)
	@$(bin)/python -m bench.endurance.torture --kills 1000 $(ARGS)

docs: $(ready) ## write the generated parts of the documents
	$(bin)/python -m tests.update_docs
	$(bin)/python -m tests.faults.write_docs

pictures: $(ready) ## draw the README's pictures from the display and the summary
	$(bin)/python -m tests.pictures

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

setup: $(ready) ## the environment alone

# Made again whenever pyproject.toml is newer: it says what has to be there.
$(ready): pyproject.toml
	@$(bin)/python -c '' 2>/dev/null || { \
		python=$$(./.ci/find-python $(PYTHON)) || exit 1; \
		echo "Making $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear $(VENV); }
	@echo "Installing into $(VENV)"
	@$(pip) install --editable '.[dev]'
	@touch $@

$(peers): $(ready)
	@$(pip) install --editable '.[dev,bench]' \
		|| echo "Not all of Python's peers could be installed; who is missing is left out"
	@$(MAKE) --no-print-directory compiled || echo "There is no compiled build; it is left out"
	@touch $@

$(built): $(ready) setup.py $(shell find fetchpool -name '*.py')
	@echo "Compiling"
	@rm -rf build
	@FETCHPOOL_COMPILE=1 $(pip) install --no-deps --no-build-isolation --target build/compiled .
	@touch $@
