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
PACKAGING_TOOLS = target/packaging-venv/installed

WHERE = env DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" BINDIR="$(BINDIR)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" \
	DATADIR="$(DATADIR)" MANDIR="$(MANDIR)" DOCDIR="$(DOCDIR)" UNITDIR="$(UNITDIR)"

.PHONY: install uninstall native portable packages wheel deb composer nuget tarball container test-packages abi-check abi-record

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

LIBRARY_SOURCES = $(shell find src Cargo.toml Cargo.lock build.rs include packaging/build.sh packaging/archive.sh -type f)
COMMAND_SOURCES = $(shell find tools/cli tools/sandbox tools/serving packaging/sbom.py -type f ! -name '*.md')

$(LIBRARY): $(LIBRARY_SOURCES) $(PACKAGING_TOOLS)
	$(WITHOUT_MAKE) sh packaging/build.sh library

$(PORTABLE)/complete: $(LIBRARY) $(COMMAND_SOURCES)
	$(WITHOUT_MAKE) sh packaging/build.sh portable
	touch $@

# After the library, because Cargo builds both into one file.
$(PANIC_LIBRARY): $(LIBRARY)
	$(WITHOUT_MAKE) sh packaging/build.sh panicking

$(PACKAGING_TOOLS): packaging/requirements.txt
	sh tools/python-env.sh target/packaging-venv packaging/requirements.txt
	touch $@

packages: wheel deb composer nuget tarball container
	cd $(PACKAGES) && sha256sum -- *.whl *.tar.gz *.deb *.zip *.nupkg *.cdx.json >SHA256SUMS

wheel deb composer nuget tarball container: portable
	sh packaging/$@.sh

test-packages: tools packages target/chroot/tools.tar
	$(RUN) $(PYTEST) --junitxml $(TIMES)/packages.xml tests/packages

# The Debian systems into which the packages are installed.
target/chroot/tools.tar: packaging/chroot.sh | tools
	sh packaging/chroot.sh

# Tests that programs compiled for any release with this SONAME work with the present library; see abi/README.md.
abi-check: $(LIBRARY)
	python3 packaging/abi.py check $(LIBRARY)

abi-record: $(LIBRARY)
	python3 packaging/abi.py record $(LIBRARY)
