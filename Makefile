# make demo, make test: everything on a fresh machine, into .venv. Nothing outside this folder.
PYTHON ?= python3
# The demo and the tests need no GPU. Another torch: make test TORCH=torch==2.9.1
TORCH ?= torch==2.13.0
VENV ?= .venv
WORKERS ?= 2
RUN := $(VENV)/bin/python
# named after the torch, so that another one is installed when asked for
READY := $(VENV)/ready-$(subst =,-,$(TORCH))

.PHONY: demo test test-hosts bench lint clean

demo: $(READY)
	$(VENV)/bin/headforcing demo

# file by file on as many workers; a host is one server for all, and its tests take turns
test: $(READY) lint
	$(RUN) -m pytest tests/host
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(WORKERS) --dist loadfile --ignore=tests/host

# the host tests on every ComfyUI of COMFYUI_HOSTS (folders with colons between them), and a table;
# COMFYUI_PAGE, the static folder of a newer page, is tried on the last of them
test-hosts: $(READY)
	$(RUN) tests/hosts.py $(if $(COMFYUI_PAGE),--page $(COMFYUI_PAGE))

# on a GPU: is everything right there, and how fast; writes benchmarks/results/*_CARD.json.
# With a ComfyUI at COMFYUI_PATH, whose Python is COMFYUI_PYTHON, its VAE is timed as well.
bench: $(READY)
	@$(RUN) -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else \
	  f"make bench needs a GPU, torch {torch.__version__} sees none; set TORCH to a build for yours")'
	$(RUN) -m pytest tests/kernels tests/core/test_device.py
	$(RUN) benchmarks/attention.py
	$(or $(COMFYUI_PYTHON),$(RUN)) benchmarks/rollout.py --compile $(if $(COMFYUI_PATH),--comfyui $(COMFYUI_PATH))

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

clean:
	rm -rf $(VENV) demo_out

# torch first: the torch that other packages would pull in may be gigabytes larger
$(READY): pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and \
	  f"Python 3.10 or newer is needed, got {sys.version.split()[0]}; set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(RUN) -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@rm -f $(VENV)/ready-* && touch $@
