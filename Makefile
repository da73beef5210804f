# Every target builds the environment it needs; nothing but Python 3.11+ and make is required.
PYTHON ?= python3
PORT   ?= 7860
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test lint format demo-models bench-models bench-ratings bench-votes bench-integrity bench-page bench-console docs tour clean

help:           ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

# The stamps hold the hash of what was installed, so a second call costs nothing and a changed file reinstalls.
$(VENV)/run.stamp: requirements.txt
	@echo "K-AI Arena: building the environment in $(VENV) (first time: a few minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make run PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --progress-bar on -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	@$(BIN)/python -m pip install --progress-bar on -r requirements-dev.txt
	@touch $@

run: $(VENV)/run.stamp         ## serve the arena at http://127.0.0.1:PORT with embedded defaults
	@PORT=$(PORT) exec $(BIN)/python app.py

# Servers that teams may run, each in an environment of its own beside ours; 590 MB in all, without the bytecode.
SERVERS := $(patsubst tests/servers/%.txt,build/servers/%.stamp,$(wildcard tests/servers/*.txt))
build/servers/%.stamp: tests/servers/%.txt
	@test -x build/servers/$*/bin/python || $(PYTHON) -m venv build/servers/$*
	@build/servers/$*/bin/python -m pip install --no-compile --progress-bar on -r $<
	@touch $@

test: $(VENV)/dev.stamp $(SERVERS) ## every test
	@$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp        ## ruff and pyright, no change to any file
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

format: $(VENV)/dev.stamp      ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

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

bench-integrity: $(VENV)/dev.stamp ## attackers of several kinds: who is found, who is wronged, how far the score moves
	@$(BIN)/python -m benchmarks.integrity

docs: $(VENV)/run.stamp        ## write the pages that come from the code
	@$(BIN)/python docs/make.py

bench-page: $(VENV)/dev.stamp  ## the citizen's page: weight, layout shift, long tasks while two long answers stream
	@$(BIN)/python -m benchmarks.page

bench-console: $(VENV)/dev.stamp ## fifty open consoles: the server's processor time, how soon a vote is seen; beside Gradio's queue
	@$(BIN)/python -m benchmarks.console

tour: $(VENV)/dev.stamp        ## take the pictures of docs/tour.md again, from the running app
	@$(BIN)/python -m docs.tour

clean:          ## remove the environment and caches (never the data)
	@rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis
