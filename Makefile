# Two commands to begin with: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check install -q -c constraints.txt
# unpacked development data, where a checkout has it beside itself
SHARED_DATA ?= ../shared/data

.PHONY: demo test check bench figures paper study docs clean data

$(VENV)/.runtime: pyproject.toml constraints.txt $(wildcard pwlact/pwl/kernels/csrc/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/.development: $(VENV)/.runtime
	$(PIP) -e '.[dev]'
	touch $@

demo: $(VENV)/.runtime
	$(BIN)/pwlact unit --classes 20 --sigma 1.0 --out runs/demo-unit --force
	SHARED_DATA='$(SHARED_DATA)' BIN='$(BIN)' sh tools/demo-cifar.sh

data: $(VENV)/.runtime
	SHARED_DATA='$(SHARED_DATA)' BIN='$(BIN)' sh tools/prepare-data.sh

# freed memory is kept: on Linux, mapping it anew costs a seventh of the time
KEEP_MEMORY := MALLOC_MMAP_THRESHOLD_=134217728 MALLOC_TRIM_THRESHOLD_=4000000000

test: $(VENV)/.development data
	$(KEEP_MEMORY) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -q

check: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet --site-dir build/site

bench: $(VENV)/.runtime
	$(BIN)/pwlact bench unit
	$(BIN)/pwlact bench activation
	$(BIN)/pwlact bench train

figures: $(VENV)/.runtime
	$(BIN)/pwlact figure all --out figures/out

VARIANTS := local-half-rate,local-twice-rate,local-moving,local-moving-half-rate,local-moving-twice-rate,local-moving-smoother,local-moving-channel

study: $(VENV)/.runtime data
	$(BIN)/pwlact study --results figures/results/networks
	$(BIN)/pwlact study --kinds $(VARIANTS) --results figures/results/networks
	$(BIN)/pwlact study --arch resnet10,vgg11 --width 1 --seeds 1 --kinds relu,backprop,local-moving --results figures/results/networks

paper: figures
	$(BIN)/pwlact paper --cache figures/out/.computed
	@command -v latexmk >/dev/null && command -v pdflatex >/dev/null || { echo "the PDF needs latexmk and LaTeX, which are not there (Debian: apt-get install latexmk texlive-latex-extra texlive-fonts-recommended)" >&2; exit 1; }
	latexmk -cd -pdf -interaction=nonstopmode -halt-on-error -quiet -outdir=../build/paper paper/main.tex
	@echo "wrote build/paper/main.pdf"

docs: $(VENV)/.development
	$(BIN)/mkdocs build --strict

clean:
	rm -rf build dist site figures/out .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -exec rm -rf {} +
