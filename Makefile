# Everything that is done with this repository by hand or by CI. `make` alone lists it.
PYTHON ?= python3
VENV := .venv/bin
SOURCES := $(wildcard contracts services client deploy demo tools bench tests)

# RABBITMQ=4: on the version that compose and Kubernetes start, unpacked in .local, instead of Debian 12's 3.10 (RABBITMQ=3).
# What is claimed of speed and of faults is claimed of that one.
RABBITMQ := $(or $(RABBITMQ),$(if $(filter attack chaos bench% prove-%,$(MAKECMDGOALS)),4))
ifeq ($(RABBITMQ),4)
export IMI_TEST_RABBITMQ := $(CURDIR)/.local/rabbitmq-4
unpacked := deploy/local/rabbitmq-4.sh $(IMI_TEST_RABBITMQ)
endif

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 18
	@echo "RABBITMQ=4 with any of them: on RabbitMQ 4; attack, chaos, bench* and prove-* are on it unless RABBITMQ=3 is given"

setup: ## make .venv from the lock, and see that RabbitMQ and MongoDB can be had
	@PYTHON=$(PYTHON) deploy/local/setup.sh
	@$(unpacked)

lock: ## compile the locks from pyproject.toml (LOCK_FLAGS=--upgrade for newer versions)
	@PYTHON=$(PYTHON) deploy/local/lock.sh $(LOCK_FLAGS)

lint: setup docs-check ## style, types and walls between packages
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy --strict $(SOURCES)
	$(VENV)/lint-imports

docs-check: setup ## what is published about the messages is what the code says
	$(VENV)/python -m tools.asyncapi --check
	$(VENV)/python -m tools.worked_dates --check
	$(VENV)/python -m tools.metrics --check
	$(VENV)/python -m tools.dashboards --check
	$(VENV)/python -m tools.rules --check
	$(VENV)/python -m tools.nodejs

docs: setup ## write again what is generated from the code
	$(VENV)/python -m tools.templates
	$(VENV)/python -m tools.asyncapi
	$(VENV)/python -m tools.worked_dates
	$(VENV)/python -m tools.metrics
	$(VENV)/python -m tools.dashboards
	$(VENV)/python -m tools.rules

mails: setup ## every e-mail in every language, as files to look at, in .local/mails
	$(VENV)/python -m tools.mails .local/mails

mails-known: setup ## write again what e-mails are known to say: look at the difference before it is committed
	$(VENV)/python -m tests.unit.notifier.shown

test: setup ## all tests, against real servers
	$(VENV)/pytest

demo: setup ## four states join an empty exchange; two whole cases, told as they happen, with the e-mails
	$(VENV)/python -m demo

up: setup ## an exchange on this machine, until Ctrl-C
	$(VENV)/python -m demo.playground

compose-smoke: setup ## docker-compose.yml for real: built, started, scaled; a case runs through it
	$(PYTHON) -m deploy.compose.smoke

bench: setup ## whole cases a second, beside plain FastStream and the limit of the broker; at most ten minutes
	$(VENV)/python -m bench

bench-directory: setup ## how quickly, and how well, the directory finds among 5,000 and 100,000 real authorities
	$(VENV)/python -m bench.directory

bench-imports: setup ## 95,404 real local units imported through the front door
	$(VENV)/python -m bench.imports

bench-flood: setup ## one system floods, the others search on
	$(VENV)/python -m bench.flood

bench-growth: setup ## the same with up to 1,000,000 cases, 100,000 authorities, 200 areas; idle memory; 20,000 commands at once
	$(VENV)/python -m bench.growth

bench-history: setup ## a case with 1,000, 100,000 and 1,000,000 others stored beside it
	$(VENV)/python -m bench.history

bench-translation: setup ## what one replica of translation renders with 1 area published, and with 200
	$(VENV)/python -m bench.translation

bench-deadlines: setup ## finding what is due with 1,000 and with 1,000,000 planned beside it
	$(VENV)/python -m bench.deadlines

prove-emails: setup ## a year of deadlines recomputed; then replicas of the notifier killed while a mail server fails
	$(VENV)/python -m tests.proof.year
	$(VENV)/python -m tests.proof.emails

bench-journal: setup ## what the journal costs a command on its way in
	$(VENV)/python -m bench.journal

bench-seen: setup ## what metrics, logs and traces cost together
	$(VENV)/python -m bench.seen

bench-sizing: setup ## what operations size by: cases a second by replicas, processor, memory and bytes for each case
	$(VENV)/python -m bench.sizing

prove-cases: setup ## ten thousand random commands on cases, while replicas of casework are killed
	$(VENV)/python -m tests.proof.cases

chaos: setup ## faults on purpose under load, alone and together; nothing is lost (CHAOS_FLAGS="--seed 7 --seconds 600")
	$(VENV)/python -m tests.chaos $(CHAOS_FLAGS)

sbom: setup ## a bill of materials (CycloneDX) for each image, in .local/sbom
	$(VENV)/python -m tools.sbom

audit: setup ## known vulnerabilities of what is locked: ADVISORIES=<a folder or zip in the OSV format>
	$(VENV)/python -m tools.audit $(ADVISORIES)

prove-scaling: setup ## each service from one replica to four and back, and rolled over, twice, under load
	$(VENV)/python -m tests.proof.scaling

prove-upgrades: setup ## the previous release's services beside this one's, in any mix, under load
	$(VENV)/python -m tests.proof.upgrading

attack: setup ## a connected system that wants harm: named attacks, 100,000 shapes of messages, more of everything than is fair
	$(VENV)/python -m tests.attack

clean: ## remove what was made here, but not the virtualenv
	rm -rf .local .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
