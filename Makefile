# Each target calls a script, meson or the program. `make help` lists the targets.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := build
.SUFFIXES:

BUILD ?= build
PREFIX ?= /usr/local
PAYMENTSD = $(BUILD)/paymentsd
export BUILD

.PHONY: build test test-postgresql check format demo run fuzz crash nodes race model soak bench pressure costs clients asan tsan install clean help \
        createsuperadmin createmerchant updatemerchant createapikey revokeapikey listapikeys listmerchants

# Refuses a variable that the target does not take. Otherwise a misspelt one would be ignored: SCOPE= would create a key
# with every default scope.
given = $(foreach v,$(.VARIABLES),$(if $(findstring command line,$(origin $(v))),$(v)))
unknown = $(filter-out $(1) BUILD PAYMENTSD CC CFLAGS LDFLAGS PAYMENTS_%,$(given))
only = $(if $(call unknown,$(1)),$(error make $@: unknown variable $(strip $(call unknown,$(1))); it takes $(or $(1),no variables)))

build: ## build the program, build/paymentsd (the default)
	@scripts/build "$(BUILD)" paymentsd

test: ## run all tests and print their counts; those of what uses a database also on PostgreSQL
	@scripts/build "$(BUILD)" all
	@scripts/test "$(BUILD)"

test-postgresql: ## run all tests of what uses a database on PostgreSQL
	@scripts/build "$(BUILD)" all
	@scripts/with-postgresql scripts/test "$(BUILD)"

check: ## run all checks: format, clang-tidy, generated clients, fuzzers, and the tests with sanitizers and on the other Debian release
	@scripts/check

format: ## format every C file with clang-format
	@scripts/check format fix

demo: build ## start everything on a sandbox and show each request, response and webhook
	@scripts/deps demo
	@scripts/demo

run: build ## run the service (`build/paymentsd serve --help` lists its settings)
	$(call only,)@exec "$(PAYMENTSD)" serve

fuzz: ## fuzz each parser for SECONDS (20)
	$(call only,SECONDS)@scripts/fuzz $(SECONDS)

race: build ## request 64 refunds of one payment at once, ROUNDS times (1000)
	$(call only,ROUNDS)@ROUNDS=$${ROUNDS:-1000} PAYMENTSD="$(PAYMENTSD)" /usr/bin/python3 -m pytest -s tests/api/test_refund_race.py

crash: ## kill the service at every call with an effect, and compare its ledger with Stripe's (SEED; ROUNDS per step, or all)
	$(call only,SEED ROUNDS)@scripts/build "$(BUILD)" all
	@scripts/crash "$(BUILD)" "$(SEED)" "$(ROUNDS)"

nodes: ## kill and stop three nodes and their PostgreSQL at random under load: ROUNDS faults (200); SEED
	$(call only,SEED ROUNDS)@scripts/build "$(BUILD)" all
	@ROUNDS=$(or $(ROUNDS),200) SEED=$(SEED) PAYMENTSD="$(PAYMENTSD)" /usr/bin/python3 -m pytest tests/crash/test_nodes.py

sim: ## simulate the service and its failures: SEED=n replays one run, SEEDS=n runs that many (10000)
	$(call only,SEED SEEDS)@scripts/build "$(BUILD)" all
	@"$(BUILD)/tests/sim/sim" $(if $(SEED),--seed $(SEED),--seeds 1 $(or $(SEEDS),10000))

model: ## search the models of what several nodes do, and find the mistakes planted in them
	$(call only,)@scripts/model

soak: ## make PAYMENTS payments (200000) over failing connections to Stripe; or apply a mixed load for SECONDS
	$(call only,PAYMENTS SECONDS)@scripts/build "$(BUILD)" all
	@$(if $(SECONDS),SECONDS="$(SECONDS)" scripts/soak-mixed,scripts/soak) "$(BUILD)"

bench: ## measure the service: ROWS (100000,1000000), SECONDS a phase (5), PEER=node beside it, DATABASE=postgresql with NODES (1,3), DOCUMENT=1 keeps the figures
	$(call only,ROWS SECONDS PEER DATABASE NODES DOCUMENT)@scripts/deps bench
	@scripts/bench $(if $(ROWS),--rows "$(ROWS)") $(if $(SECONDS),--seconds "$(SECONDS)") $(if $(PEER),--peer) \
	    $(if $(DATABASE),--database "$(DATABASE)") $(if $(NODES),--nodes "$(NODES)") \
	    $(if $(DOCUMENT),--document)

costs: ## count what requests cost, and compare that with scripts/costs.bounds
	@scripts/deps check
	@scripts/costs

pressure: build ## park 10,000 charges, overload the service, flood it with one merchant's requests, send it events, let it send webhooks
	@scripts/deps demo
	@scripts/pressure "$(BUILD)"

clients: ## generate clients from docs/openapi.yaml and make payments with them
	@scripts/clients

asan: ## build and test under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/check asan

tsan: ## build and test under ThreadSanitizer
	@scripts/check tsan

# These targets pass NAME, MERCHANT, ACTIVE, SCOPES, MODE, EXPIRES and KEY, from make's command line or the environment, to
# the commands, which prompt for the rest in a terminal. Only the commands' own output goes to stdout.
flag = $${$(1)+$(2) "$$$(1)"}
command = $(call only,$(1))@scripts/build "$(BUILD)" paymentsd >&2 && exec "$(PAYMENTSD)" $@
name = $(call flag,NAME,--name)
merchant = $(call flag,MERCHANT,--merchant)
scopes = $(call flag,SCOPES,--scopes)
mode = $(call flag,MODE,--mode)
expires = $(call flag,EXPIRES,--expires)

createsuperadmin: ## create an admin and its API key, and show the key once (NAME, MODE, EXPIRES)
	$(call command,NAME MODE EXPIRES) $(name) $(mode) $(expires)

createmerchant: ## create a merchant (NAME)
	$(call command,NAME) $(name)

updatemerchant: ## rename a merchant, deactivate it, or activate it again (MERCHANT, NAME, ACTIVE: true or false)
	$(call command,MERCHANT NAME ACTIVE) $(merchant) $(name) $(call flag,ACTIVE,--active)

listmerchants: ## list merchants and admins
	$(call command,)

createapikey: ## create a merchant's API key, and show it once (MERCHANT, SCOPES, MODE, EXPIRES, NAME)
	$(call command,MERCHANT SCOPES MODE EXPIRES NAME) $(merchant) $(scopes) $(mode) $(expires) $(name)

revokeapikey: ## revoke an API key permanently (KEY: its ID or an unambiguous prefix)
	$(call command,KEY) $(call flag,KEY,--key)

listapikeys: ## list API keys (MERCHANT)
	$(call command,MERCHANT) $(merchant)

install: build ## install under PREFIX (/usr/local); DESTDIR stages it
	@install -D -m 755 "$(PAYMENTSD)" "$(DESTDIR)$(PREFIX)/bin/paymentsd"
	@install -D -m 644 dist/paymentsd.sysusers "$(DESTDIR)$(PREFIX)/lib/sysusers.d/paymentsd.conf"
	@install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	@sed 's|@PREFIX@|$(PREFIX)|' dist/paymentsd.service \
	    >"$(DESTDIR)$(PREFIX)/lib/systemd/system/paymentsd.service"

clean: ## remove the build directories
	@rm -rf build build-*

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 20
