"""The pages in each package: no dead link, and metadata with the project's addresses."""

import json
import re
import subprocess
import tarfile
import zipfile

import pytest


@pytest.fixture(scope="module")
def project(root):
    lines = (root / "packaging/project").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#")


def pages(file):
    """(name, text) of every page and description in a package, and the names of all of its files."""
    if file.name.endswith(".tar.gz"):
        with tarfile.open(file) as tar:
            names = tar.getnames()
            return names, {name: tar.extractfile(name).read().decode() for name in names if name.endswith((".md", "PKG-INFO"))}
    with zipfile.ZipFile(file) as unzipped:
        names = unzipped.namelist()
        return names, {name: unzipped.read(name).decode() for name in names if name.endswith((".md", "METADATA"))}


@pytest.mark.parametrize("pattern", ["*-linux-x86_64.tar.gz", "*-php-*.zip", "*.nupkg", "*.whl", "esales_notify-*.tar.gz"])
def test_packaged_pages_have_no_dead_link(package, root, version, project, pattern):
    names, texts = pages(package(pattern))
    assert texts
    for name, text in texts.items():
        code = r"^```+.*\n(?:.*\n)*?```+$|`[^`\n]*`"
        links = re.findall(r"\]\(([^()#\s][^()\s]*)\)", re.sub(code, "", text, flags=re.M))
        for link in links:
            if "://" not in link:
                assert name.rpartition("/")[0] + "/" + link in names, (name, link)
                continue
            path = link.partition(f"/v{version}/")[2].partition("#")[0]
            assert not link.startswith(project["REPOSITORY"]) or (root / path).exists(), (name, link)


def test_metadata_of_every_package_has_the_addresses(package, project):
    _, wheel = pages(package("*.whl"))
    assert all(address in next(iter(wheel.values())) for address in project.values())
    with zipfile.ZipFile(package("*-php-*.zip")) as unzipped:
        described = json.loads(unzipped.read("composer.json"))
    assert described["homepage"] == project["HOMEPAGE"]
    assert described["support"] == {"source": project["REPOSITORY"], "docs": project["DOCUMENTATION"]}
    with zipfile.ZipFile(package("*.nupkg")) as unzipped:
        nuspec = unzipped.read("Esales.Notify.nuspec").decode()
    assert project["HOMEPAGE"] in nuspec and project["REPOSITORY"] in nuspec
    for pattern in ("libesales-notify0_*.deb", "libesales-notify-dev_*.deb", "esales-notify_*.deb"):
        control = subprocess.run(["dpkg-deb", "--field", package(pattern), "Homepage"], check=True, capture_output=True, text=True)
        assert control.stdout.strip() == project["HOMEPAGE"]
