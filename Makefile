# make demo: paint two slides, segment them, write the report. make test: run the tests.
# Each sets up .venv on a fresh machine with Python 3.11 or newer.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin

.PHONY: demo test test-oldest test-slurm test-faults test-fuzz test-container test-gpu check docs schema sbom benchmark study clean

demo: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores $(CORES)

test: .venv/installed-test
	PATH="$(CURDIR)/$(BIN):$$PATH" pytest -n auto --dist loadfile --ignore tests/slurm

# What reads and writes TIFF, with the oldest tifffile that pyproject.toml allows; .venv has the newest.
test-oldest: .venv/installed-test
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target build/oldest \
	  tifffile==2025.5.21
	PYTHONPATH="$(CURDIR)/build/oldest" $(BIN)/pytest tests/slides tests/formats tests/reference \
	  tests/hostile_files

# The workflow on a SLURM that the tests start and stop. As root it installs the Debian packages for it.
test-slurm: .venv/installed-test
	.ci/install slurm-wlm munge
	PATH="$(CURDIR)/$(BIN):$$PATH" pytest tests/slurm

# The image of the Dockerfile, built and tried without a daemon: containers/check. As root, on Debian; a quarter of
# an hour, and 12 GB in build/container. ARGUMENTS are those of `buildah build`.
test-container:
	containers/check $(ARGUMENTS)

# What only a CUDA GPU can show: results as on a CPU, precision, jobs that take turns, too little memory.
# tests/benchmark/gpu_speed.py measures how fast it is.
test-gpu: .venv/installed-test
	PATH="$(CURDIR)/$(BIN):$$PATH" pytest -m gpu

# Killed jobs, full disks, bad slides and other faults; ends with a table. A quarter of an hour on two
# cores. WRITE=--write-page writes the table into docs/faults.md.
test-faults: .venv/installed-test
	PATH="$(CURDIR)/$(BIN):$$PATH" pytest tests/faults -m faults -n auto $(WRITE)

# Mutants of slides, labels, sheets, models and what stages write; ends with a table and every flaw.
# Some minutes on two cores. MUTANTS=500 for fewer, SEED=2 for others; WRITE=--write-page as above.
test-fuzz: .venv/installed-test
	PATH="$(CURDIR)/$(BIN):$$PATH" python tests/fuzz/fuzz.py --mutants $(or $(MUTANTS),5000) \
	  --seed $(or $(SEED),1) $(WRITE)

check: .venv/installed-test
	PATH="$(CURDIR)/$(BIN):$$PATH" .ci/check

# The documentation site, in build/docs; open its index.html. REPORT=results/report puts that report into it.
docs: .venv/installed-test
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

# Writes the schema of config.yaml from the options in lds_path/; a test compares the two.
schema: .venv/installed
	$(BIN)/python -m lds_path.options.schema workflow/schemas/config.schema.yaml

# The packages of .venv with versions and licences, as CycloneDX: build/lds-path.cdx.json. The tool has an
# environment of its own, so that it is not among them.
sbom: .venv/installed
	$(PYTHON) -m venv build/sbom
	build/sbom/bin/pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0
	build/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON \
	  --output-file build/lds-path.cdx.json $(BIN)/python

# Needs the real slides (LDS_PATH_DATA) and installs pyvips, which nothing else needs.
benchmark: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check pyvips==3.2.0 pyvips-binary==8.18.7
	PATH="$(CURDIR)/$(BIN):$$PATH" python tests/benchmark/benchmark.py --folder build/benchmark

# Needs the real images (LDS_PATH_DATA). Hours on two cores; resumes where it stopped. With STEPS=5 it
# tries everything with trainings of 5 steps, and leaves the docs unchanged.
study: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --snakefile tests/study/Snakefile --cores $(CORES) \
	  --directory build/study$(if $(STEPS),-$(STEPS) --config steps=$(STEPS))

clean:
	rm -rf .venv .snakemake results logs benchmarks

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lds-path needs Python 3.11 or newer; run make with PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	-$(BIN)/lds-path doctor  # also compiles what would be compiled for the first slide
	touch $@

.venv/installed-test: .venv/installed requirements-test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-test.txt
	touch $@
