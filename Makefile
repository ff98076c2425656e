# Lampas: build, test, demonstrate. Needs git, Python 3.10+ and a C++20 compiler; the rest is
# installed into .venv. `make help` lists the targets.

# The first interpreter that is new enough; `make PYTHON=python3.12` chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
# Options of pip, such as another source of wheels: `make test PIP_FLAGS="--find-links wheels"`.
PIP_FLAGS ?=
# Where `make demo` trains: cpu or cuda.
DEVICE ?= cpu
# Extra arguments of pytest: `make test ARGS="-k conv -x"`.
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip install --quiet $(PIP_FLAGS)
CMAKE_FLAGS := -G Ninja -DPython_EXECUTABLE=$(abspath $(PY)) \
    -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja) -DCMAKE_BUILD_TYPE=Release --log-level=WARNING

.PHONY: help demo test test-full test-cuda bench bench-cuda sanitize wheel lint build clean distclean
help:
	@echo "make demo      train LeNet on handwritten digits, write demo/report.png"
	@echo "make test      build and run the test suite (installs PyTorch as the oracle)"
	@echo "make test-full every operator by dtype, layout and form against PyTorch: for the night"
	@echo "make test-cuda what needs a GPU, on a machine that has one: ten minutes, a table last"
	@echo "make bench-cuda  workloads on the GPU beside PyTorch, a table in benchmarks/results"
	@echo "make bench     everyday workloads beside PyTorch, a table in benchmarks/results: 12 minutes"
	@echo "make sanitize  the test suite under AddressSanitizer and UBSan"
	@echo "make wheel     a wheel in dist/"
	@echo "make lint      ruff, clang-format, stubs"
	@echo "make build     the extension module, into src/lampas"
	@echo "make clean     remove build outputs (distclean: .venv too)"

# --- environment -------------------------------------------------------------------------------
$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Lampas needs Python 3.10 or newer; try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# The working tree is on the path, so Python edits need no reinstall.
	@echo "$(CURDIR)/src" > "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/lampas.pth"
	@touch $@

$(VENV)/.build: $(VENV)/.created
	$(PIP) cmake ninja scipy-openblas32
	@touch $@

$(VENV)/.demo: $(VENV)/.build
	$(PIP) Pillow tqdm matplotlib
	@touch $@

$(VENV)/.test: tests/requirements.txt $(VENV)/.build
	$(PIP) -r tests/requirements.txt
	@touch $@

# --- build -------------------------------------------------------------------------------------
# CMake puts the module into src/lampas; it uses ccache when it finds it.
build: $(VENV)/.build
	@$(BIN)/cmake -S . -B build/dev $(CMAKE_FLAGS)
	@$(BIN)/cmake --build build/dev -j $(JOBS)

# --- what one comes for ------------------------------------------------------------------------
demo: build $(VENV)/.demo
	$(PY) examples/digits.py --out demo --device $(DEVICE)

test: build $(VENV)/.test
	$(PY) -m pytest tests $(ARGS)

# No part of `make test`: it plays PyTorch's whole operator database. ARGS="--op 'linalg.*'" for some.
test-full: build $(VENV)/.test
	$(PY) tests/full/run.py $(ARGS)
	LAMPAS_TEST_FULL=1 $(PY) -m pytest tests/cuda

# On a machine with a GPU, each in one call of at most ten minutes, with a table last. Nothing is
# installed: GPU_PYTHON needs cmake, ninja, numpy and pytest; wheels that it lacks may lie in
# .whl/. bench-cuda compares with PyTorch where GPU_PYTHON has one for CUDA.
GPU_PYTHON ?= python3
test-cuda:
	$(GPU_PYTHON) tools/on_gpu.py test $(ARGS)
bench-cuda:
	$(GPU_PYTHON) tools/on_gpu.py bench $(ARGS)

bench: build $(VENV)/.test
	$(PY) benchmarks/table.py $(ARGS)

# A second build beside a copy of the package. LeakSanitizer is off: the interpreter and PyTorch
# keep memory until exit on purpose. Tests of whole programs and of child processes are left out:
# the sanitizers' runtime takes their signals and memory, and -O1 rounds a long training otherwise.
SAN_LEFT_OUT := data multiprocessing fuzz seeds packages vision/test_vision_examples.py \
    vision/test_vision_launched.py test_seeds.py test_examples.py test_launcher.py test_packages.py \
    test_readme.py test_demo.py test_hints.py test_import.py
SAN_SITE := build/sanitize/site
SAN_LIBS = $(foreach lib,libasan libubsan,$(shell $(or $(CXX),c++) -print-file-name=$(lib).so))
sanitize: $(VENV)/.test
	@$(BIN)/cmake -S . -B build/sanitize $(CMAKE_FLAGS) -DSKBUILD=ON -DLAMPAS_SANITIZE=ON
	@$(BIN)/cmake --build build/sanitize -j $(JOBS)
	@rm -rf $(SAN_SITE) && mkdir -p $(SAN_SITE) && cp -R src/lampas $(SAN_SITE)/lampas
	@rm -f $(SAN_SITE)/lampas/_core*.so
	@$(BIN)/cmake --install build/sanitize --prefix $(SAN_SITE) > build/sanitize/install.log
	PYTHONPATH=$(abspath $(SAN_SITE)) LAMPAS_SANITIZE=1 LD_PRELOAD="$(SAN_LIBS)" \
	    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:alloc_dealloc_mismatch=0 \
	    UBSAN_OPTIONS=print_stacktrace=1 \
	    $(PY) -m pytest tests -p no:cacheprovider $(addprefix --ignore=tests/,$(SAN_LEFT_OUT)) $(ARGS)

wheel: $(VENV)/.build
	$(PIP) "scikit-build-core>=0.10"
	@mkdir -p dist && rm -f dist/lampas-*.whl
	PATH="$(abspath $(BIN)):$$PATH" $(PY) -m pip wheel --quiet --no-deps --no-build-isolation \
	    --wheel-dir dist .
	@ls -l dist/lampas-*.whl

# --- care --------------------------------------------------------------------------------------
lint: build $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@git ls-files 'core/*.cc' 'core/*.h' | xargs -r $(BIN)/clang-format --dry-run -Werror
	$(PY) tools/stubs.py src/lampas/_core*.so src/lampas/_core.pyi --check

clean:
	rm -rf build dist demo .pytest_cache .ruff_cache .hypothesis src/lampas/_core*.so src/lampas/_core.pyi
	find src tests benchmarks examples tools -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
