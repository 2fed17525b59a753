# Everything a person does here. `make demo` and `make test` set up what they need and work again and again.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
# Hundreds of tests start a process: each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE
READY := .venv/.ready
PYTEST := $(BIN)/python -P -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test check golden docs generated fuzz audit lab bench system-deps lock clean

help:
	@echo "make demo         set up, triage the bundled cases, print their findings and where the reports are"
	@echo "make test         set up, run the whole suite"
	@echo "make check        the quick part: lint, types, layers, unit tests"
	@echo "make system-deps  install the Debian packages that only some tests and the lab need"
	@echo "make bench        measure against the peers, as ratios (SIZE=MiB, 1024 unless said)"
	@echo "make lab          make the cases under data/ again, with the real programs (root)"
	@echo "make generated    triage made-up incidents by the hundred, print how often the findings are right (CASES=200)"
	@echo "make fuzz         any octets into every reader, each for a while (SECONDS=60 TARGET='*')"
	@echo "make audit        compare requirements.lock with the known vulnerabilities (asks a service on the internet)"
	@echo "make golden       rewrite the expected files of tests/golden after a look at the difference"
	@echo "make docs         write docs/records.md and the pictures under docs/images anew"
	@echo "make lock         resolve requirements.lock anew"

setup: $(READY)

$(READY): requirements.lock pyproject.toml $(wildcard forensics/kernels/*.[ch])
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing what requirements.lock pins (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	@$(BIN)/forensics demo

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -q -x --ignore=tests/test_notebooks.py

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -n 2 --dist worksteal --durations=15

golden: $(READY)
	FORENSICS_WRITE_GOLDEN=1 $(PYTEST) -q tests/test_golden.py
	@git diff --stat -- tests/golden

docs: $(READY)
	$(BIN)/python -P docs/make.py
	$(BIN)/python -P docs/images/make.py

CASES ?= 200
generated: $(READY)
	$(BIN)/python -m tests.generated --cases $(CASES)

# In bash, SECONDS would be the age of the shell: it comes from the command line alone.
fuzz: SECONDS := $(if $(filter command line,$(origin SECONDS)),$(SECONDS),60)
fuzz: TARGET ?= *
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) --target '$(TARGET)'
	$(BIN)/python -m tests.fuzz._sanitized --seconds $(SECONDS)
	$(BIN)/python -m tests.fuzz._sanitized_packets --seconds $(SECONDS)
	$(BIN)/python -m tests.fuzz._sanitized_notifications --seconds $(SECONDS)

AUDIT := .venv/audit
audit:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python3"; exit 1; }
	@mkdir -p .venv
	@test -x $(AUDIT)/bin/pip-audit || { $(PYTHON) -m venv $(AUDIT) && $(AUDIT)/bin/python -m pip install --quiet pip-audit; }
	$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

lab: $(READY)
	@for case in data/*/make.py; do echo "== $$case"; $(BIN)/python -P "$$case" || exit $$?; done

SIZE ?= 1024
bench: $(READY)
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/packets.py --mib $(SIZE)
	$(BIN)/python benchmarks/logs.py --mib $(SIZE)
	$(BIN)/python benchmarks/notifications.py --mib $$(( $(SIZE) / 4 ))
	$(BIN)/python benchmarks/dump.py --mib $(SIZE)
	$(BIN)/python benchmarks/triage.py --sizes 10 100 $(SIZE)

# tshark tcpdump chromium strace mariadb-server postgresql: tests. The others: the lab.
SYSTEM := tshark tcpdump nftables chromium strace mariadb-server postgresql dnsmasq-base isc-dhcp-client rsyslog libfaketime \
	util-linux mount bsdutils procps iproute2 ethtool iputils-ping iperf3 wireshark-common tzdata openvswitch-switch openvswitch-common \
	rabbitmq-server python3-amqp python3-eventlet curl qemu-utils fonts-dejavu-core
system-deps:
	@if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	missing=; for p in $(SYSTEM); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then echo "all there: $(SYSTEM)"; else \
	$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null && echo "installed:$$missing"; fi

lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links --python-version 3.11 --all-extras --upgrade -o requirements.lock pyproject.toml

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build dist *.egg-info
