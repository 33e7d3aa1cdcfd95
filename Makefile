# Two commands do everything: `make demo` and `make test`.
#
#   make demo                         the airplanes demo, three minutes on 2 idle cores
#   make demo CLIPS=DIR [INIT=CKPT]   the same on a folder of class folders of videos
#   make demo ARGS='--epochs=3'       any flag of scripts/demo.py
#   make demo GPU=1                   the same on NVIDIA GPUs, with CUDA's packages; each
#                                     target takes GPU=1
#   make test [PROCESSES=2]           linter, formatter, type checker, tests
#   make test-slow                    the longer tests
#   make docs                         the pages and the API reference, in build/docs
#   make format                       rewrites the code as the formatter wants it

PYTHON ?= python3
# Of tests at once; each takes up to 3 GB.
PROCESSES ?= 2
BIN := .venv/bin
LOCK := requirements$(if $(GPU),-gpu).lock
INSTALLED := .venv/installed$(if $(GPU),-gpu)
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test test-slow docs format

demo: $(INSTALLED)
	$(BIN)/python -m scripts.demo $(if $(CLIPS),--clips="$(CLIPS)") $(if $(INIT),--init_checkpoint="$(INIT)") $(ARGS)

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses=$(PROCESSES) --dist=loadfile

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

docs: $(INSTALLED)
	$(BIN)/python -m scripts.build_docs $(ARGS)

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# requirements.lock holds what the extra `dev` of setup.py resolved to, tested from empty;
# requirements-gpu.lock adds the extra `gpu`.
$(INSTALLED): requirements.lock $(LOCK) setup.py
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13) and "Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is %d.%d: give another by PYTHON=..." % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	# Compiling all modules takes a minute; Python compiles those that are imported.
	$(BIN)/python -m pip install --quiet --no-compile --requirement $(LOCK)
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@
