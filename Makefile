# The same words for people, pre-commit and CI. `make` alone lists them.
SHELL := /bin/sh
AIRFLOW := .venvs/airflow/bin
JOBS := .venvs/jobs/bin
export PYTHONPATH := $(CURDIR)
SOURCE ?= synthetic
STATE ?= .local
OPTIONS ?=
# POSIX shells know a variable ENV of their own: only `make … ENV=NAME` names an environment.
ifneq ($(origin ENV),command line)
ENV := local
endif
DEPLOYMENT = $(AIRFLOW)/python -m infra.deployment
# Only a SOURCE that was asked for: without one an environment keeps its own.
SOURCE_GIVEN = $(if $(filter command environment,$(origin SOURCE)),--source "$(SOURCE)")

# What is not given here .env may say.
COMPOSE_VARIABLES = $(foreach name,SOURCE DATA AIRFLOW_PORT AWS_PORT,$(if $(filter command environment,$(firstword $(origin $(name)))),$(name)="$($(name))"))

.DEFAULT_GOAL := help
.PHONY: help environments run compose compose-down compose-test deploy undeploy start stop status garmin-login package publish \
	test fuzz e2e faults lint format bench bench-forecast population lock clean

help:            ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-16s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

environments:
	@sh infra/environments.sh

run: environments ## everything on this laptop: local AWS, Airflow, athletes, forecast (SOURCE=export:PATH.zip, folder:PATH, …)
	@$(AIRFLOW)/python -m infra.laptop run --source "$(SOURCE)" --state "$(STATE)" $(OPTIONS)

compose:         ## everything in containers: checks Docker first, then `docker compose up` (SOURCE=…, DATA=FOLDER is /data)
	@$(COMPOSE_VARIABLES) python3 infra/compose/preflight.py up

compose-down:    ## end the containers; their data stays (OPTIONS=--volumes deletes it)
	@python3 infra/compose/preflight.py down $(OPTIONS)

deploy: environments ## the package to an environment, with a plan first: ENV=local, or infra/environments/NAME.toml (OPTIONS=--yes)
	@$(DEPLOYMENT) deploy --environment "$(ENV)" --state "$(STATE)" $(SOURCE_GIVEN) $(OPTIONS)

undeploy: environments ## take an environment away; its history stays unless OPTIONS=--with-data
	@$(DEPLOYMENT) undeploy --environment "$(ENV)" --state "$(STATE)" $(OPTIONS)

start: environments ## start the Airflow of an environment again
	@$(DEPLOYMENT) start --environment "$(ENV)" --state "$(STATE)" $(OPTIONS)

stop: environments ## stop an environment (ENV=local: all that `make deploy` keeps running and a `make run` left behind)
	@$(DEPLOYMENT) stop --environment "$(ENV)" --state "$(STATE)" $(OPTIONS)

status: environments ## what of an environment is there
	@$(DEPLOYMENT) status --environment "$(ENV)" --state "$(STATE)" $(OPTIONS)

garmin-login: environments ## store an athlete's Garmin tokens: ATHLETE=me (OPTIONS=--help says all)
	@$(AIRFLOW)/python -m infra.garmin_login --athlete "$(ATHLETE)" $(OPTIONS)

publish: environments ## the repositories ModelBuild and ModelDeploy of an environment: ENV=NAME (OPTIONS=--help says all)
	@$(AIRFLOW)/python -m infra.delivery publish --environment "$(ENV)" $(OPTIONS)

test:            ## every fast test, with coverage of include/
	@sh infra/environments.sh release
	@sh tests/run.sh

fuzz: environments ## 10^5 inputs made by chance for every reader of foreign bytes, bounded in time (OPTIONS=--help)
	@$(AIRFLOW)/python -m tests.fuzz $(OPTIONS)

e2e: environments ## the whole chain, headless, ending with every forecast checked
	@$(AIRFLOW)/python -m infra.laptop e2e --source "$(SOURCE)" $(OPTIONS)

faults: environments ## kill -9 of scheduler, local AWS and jobs, a role without an action, a forgotten athlete, bad files, rebuild
	@$(AIRFLOW)/python -m pytest tests/e2e tests/package -m e2e -q --timeout=900

package: environments ## write dist/: what MWAA, compose and a deployment need, the same bytes for the same sources
	@$(AIRFLOW)/python -m infra.package $(OPTIONS)

compose-test: environments ## docker compose for real: forecasts, every container killed, down and up again
	@$(AIRFLOW)/python -m pytest tests/e2e/test_compose.py -m compose -q -rs --timeout=1500

lint:            ## ruff, mypy, import arrows, locks on every platform, CloudFormation
	@sh infra/environments.sh checkov
	@sh infra/check_locks.sh
	@$(AIRFLOW)/ruff check .
	@$(AIRFLOW)/ruff format --check .
	@$(AIRFLOW)/mypy include infra dags plugins
	@$(AIRFLOW)/lint-imports
	@$(AIRFLOW)/cfn-lint infra/stacks/*.yaml
	@.venvs/checkov/bin/checkov --quiet --compact --skip-download --framework cloudformation --directory infra/stacks

format: environments ## let ruff format and mend
	@$(AIRFLOW)/ruff check --fix .
	@$(AIRFLOW)/ruff format .

bench: environments ## measure, print the table, write benchmarks/results.json (ONLY=name for one)
	@$(AIRFLOW)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

population: environments ## make the figures of other athletes that ship with the project: DATA=PATH
	@$(AIRFLOW)/python -m infra.population --data "$(DATA)"

bench-forecast: environments ## backtest a folder of athletes: DATA=PATH (HOLDOUT=id,… POOL=PATH)
	@$(AIRFLOW)/python -m benchmarks.forecast_bench --data "$(DATA)" $(if $(HOLDOUT),--holdout "$(HOLDOUT)") $(if $(POOL),--pool "$(POOL)")

lock: environments ## resolve requirements anew into locks/ (OPTIONS=--upgrade takes the newest)
	@sh infra/lock.sh $(OPTIONS)

clean: stop      ## end everything and delete the state of `make run` and the caches (not the environments)
	@rm -rf "$(STATE)" .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
