# Targets for installing and packaging, included by the Makefile. Everything is built below target/packages.
#
#   make install [PREFIX=/usr/local] [DESTDIR=] [LIBDIR=...]   builds for this machine, and installs
#   make uninstall                                             removes the installed files; needs the same variables
#   make packages                                              all packages, for Linux on x86-64 with glibc 2.17 or later
#   make test-packages                                         installs and uses each package in another place; as root
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
# A folder with the files to install. Empty: they are built for this machine.
FROM =

PACKAGES = $(CURDIR)/target/packages
NATIVE = $(PACKAGES)/native
PORTABLE = $(PACKAGES)/portable
PANICKING = $(PACKAGES)/panicking
PACKAGING_PYTHON = target/packaging-venv/bin/python

WHERE = env DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" BINDIR="$(BINDIR)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" \
	DATADIR="$(DATADIR)" MANDIR="$(MANDIR)" DOCDIR="$(DOCDIR)" UNITDIR="$(UNITDIR)"

# The library of the packages, for suites that test it instead of this machine's build.
RUN_SHIPPED = $(WITHOUT_MAKE) ESALES_NOTIFY_LIBRARY=$(PORTABLE)/libesales_notify.so ESALES_NOTIFY_COMMAND=$(PORTABLE)/esales-notify \
	ESALES_NOTIFY_TEST_PANIC_LIBRARY=$(PANICKING)/libesales_notify.so

.PHONY: install uninstall native portable packages wheel deb composer nuget tarball container test-packages test-shipped abi-check abi-record

install:
	[ -n "$(FROM)" ] || $(MAKE) native
	$(WHERE) FROM="$(if $(FROM),$(FROM),$(NATIVE))" sh packaging/install.sh install

uninstall:
	$(WHERE) sh packaging/install.sh uninstall

# Builds the library, the command, the manual pages and so on for this machine.
native:
	sh packaging/build.sh native

# Builds the same for Linux on x86-64 with glibc 2.17 or later, if a source is newer.
portable: $(PORTABLE)/complete

PORTABLE_SOURCES = $(shell find src tools/cli tools/sandbox tools/serving packaging/build.sh packaging/archive.sh packaging/sbom.py Cargo.toml Cargo.lock \
	build.rs include -type f ! -name '*.md')

$(PORTABLE)/complete: $(PORTABLE_SOURCES) $(PACKAGING_PYTHON)
	sh packaging/build.sh portable
	touch $@

# The library of the packages, with a function that makes it panic. It is only for tests.
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

test-packages: tools packages native target/chroot/tools.tar test-shipped
	$(RUN) $(PYTEST) --junitxml $(TIMES)/packages.xml tests/packages

# Tests of C, the ABI, forced panics and Python with the library of the packages. Tests that do not depend on the
# library (headers, types) are left out, and so is memcheck, which is slow and needs symbols.
test-shipped: tools portable $(PANICKING)/libesales_notify.so
	$(RUN_SHIPPED) $(PYTEST) --junitxml $(TIMES)/shipped.xml tests/c tests/abi -k "not compiles_with_every_compiler and not valgrind"
	$(RUN_SHIPPED) $(PYTEST) --junitxml $(TIMES)/shipped-python.xml bindings/python/tests --ignore=bindings/python/tests/test_package.py

# The Debian systems into which the packages are installed.
target/chroot/tools.tar: packaging/chroot.sh
	sh packaging/chroot.sh

# Tests that programs compiled for any release with this SONAME work with the present library; see abi/README.md.
abi-check: build
	python3 packaging/abi.py check $(LIBRARY)

abi-record: build
	python3 packaging/abi.py record $(LIBRARY)
