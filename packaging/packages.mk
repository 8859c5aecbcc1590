# Installing, and the packages. Included by the Makefile. Everything is built below target/packages.
#
#   make install [PREFIX=/usr/local] [DESTDIR=] [LIBDIR=...]   builds for this machine, and installs
#   make uninstall                                             with the same variables: removes what install put there
#   make packages                                              all packages, for Linux on x86-64 with glibc 2.17 or later
#   make test-packages                                         installs each of them somewhere else and uses it there; as root
#
# To install as root what another user built: `make native`, then `sudo make install FROM=target/packages/native`.

PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
DATADIR = $(PREFIX)/share
MANDIR = $(DATADIR)/man
DOCDIR = $(DATADIR)/doc/esales-notify
UNITDIR = $(PREFIX)/lib/systemd/system
DESTDIR =
# A folder with what is to be installed. Empty: it is built for this machine.
FROM =

PACKAGES = $(CURDIR)/target/packages
NATIVE = $(PACKAGES)/native
PORTABLE = $(PACKAGES)/portable
PANICKING = $(PACKAGES)/panicking
PACKAGING_PYTHON = target/packaging-venv/bin/python

WHERE = env DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" BINDIR="$(BINDIR)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" \
	DATADIR="$(DATADIR)" MANDIR="$(MANDIR)" DOCDIR="$(DOCDIR)" UNITDIR="$(UNITDIR)"

# What the suites run against where it is the library that ships, not the one of this machine's compiler.
RUN_SHIPPED = env ESALES_NOTIFY_LIBRARY=$(PORTABLE)/libesales_notify.so ESALES_NOTIFY_COMMAND=$(PORTABLE)/esales-notify \
	ESALES_NOTIFY_TEST_PANIC_LIBRARY=$(PANICKING)/libesales_notify.so

.PHONY: install uninstall native portable packages wheel deb composer nuget tarball container test-packages test-shipped abi-check abi-record

install:
	[ -n "$(FROM)" ] || $(MAKE) native
	$(WHERE) FROM="$(if $(FROM),$(FROM),$(NATIVE))" sh packaging/install.sh install

uninstall:
	$(WHERE) sh packaging/install.sh uninstall

# Library, command, manual pages and so on, for this machine.
native:
	sh packaging/build.sh native

# The same, for any Linux on x86-64 with glibc 2.17 or later. Built anew when a source is newer.
portable: $(PORTABLE)/complete

PORTABLE_SOURCES = $(shell find src tools/cli tools/sandbox tools/serving packaging/build.sh packaging/archive.sh packaging/bill.py Cargo.toml Cargo.lock \
	build.rs include -type f ! -name '*.md')

$(PORTABLE)/complete: $(PORTABLE_SOURCES) $(PACKAGING_PYTHON)
	sh packaging/build.sh portable
	touch $@

# The library that ships, with a way for tests to make it panic; it goes into no package.
$(PANICKING)/libesales_notify.so: $(PORTABLE)/complete
	sh packaging/build.sh panicking

$(PACKAGING_PYTHON): packaging/requirements.txt
	python3 -m venv target/packaging-venv
	$(PACKAGING_PYTHON) -m pip install --quiet --disable-pip-version-check --retries 10 --timeout 60 \
		--require-hashes -r packaging/requirements.txt
	touch $@

packages: wheel deb composer nuget tarball container
	cd $(PACKAGES) && sha256sum -- *.whl *.tar.gz *.deb *.zip *.nupkg *.cdx.json >SHA256SUMS

wheel deb composer nuget tarball container: portable
	sh packaging/$@.sh

test-packages: tools packages test-shipped target/chroot/tools.tar
	$(RUN) $(PYTEST) --junitxml $(TIMES)/packages.xml tests/packages

# The C programs, the ABI, forced panics and Python with the library that the packages carry. Without what has nothing to do
# with the library: whether headers compile, whether types hold. Nor memcheck, which is slow and needs symbols to tell anything.
test-shipped: tools portable $(PANICKING)/libesales_notify.so
	$(RUN_SHIPPED) $(PYTEST) --junitxml $(TIMES)/shipped.xml tests/c tests/abi -k "not compiles_with_every_compiler and not valgrind"
	$(RUN_SHIPPED) $(PYTEST) --junitxml $(TIMES)/shipped-python.xml bindings/python/tests --ignore=bindings/python/tests/test_package.py

# Debians to install the packages into.
target/chroot/tools.tar: packaging/chroot.sh
	sh packaging/chroot.sh

# Whether what was compiled for any release of this SONAME goes on with the present library; abi/README.md.
abi-check: build
	python3 packaging/abi.py check $(LIBRARY)

abi-record: build
	python3 packaging/abi.py record $(LIBRARY)
