"""The tools for tests and packages are locked by hashes, and are installed only from the locks."""

import json
import re
import subprocess

import pytest

LOCKS = ["tests", "benches", "packaging", "tools/site"]
#: Makes the locks, and so cannot install from one.
MAKES_LOCKS = "tools/lock-tools.sh"


def tracked(root):
    listed = subprocess.run(["git", "-C", str(root), "ls-files"], check=True, capture_output=True, text=True).stdout
    return [root / line for line in listed.splitlines()]


def test_every_list_of_python_packages_has_a_lock(root):
    listed = {path.parent.relative_to(root).as_posix() for path in tracked(root) if path.name == "requirements.in"}
    assert listed == set(LOCKS)


@pytest.mark.parametrize("folder", LOCKS)
def test_python_packages_are_locked_with_their_hashes(root, folder):
    lock = (root / folder / "requirements.txt").read_text()
    packages = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE).strip())
    assert packages and all(re.match(r"[\w.\[\],-]+==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", package) for package in packages)
    assert "://" not in lock and "--index-url" not in lock
    wanted = [line for line in (root / folder / "requirements.in").read_text().splitlines() if line and not line.startswith("#")]
    names = {package.split(" ")[0] for package in packages}
    for line in wanted:
        assert re.sub(r"\[.*\]", "", line) in names, f"{line}: sh tools/lock-tools.sh"


def test_npm_packages_are_locked_with_their_hashes(root):
    folders = sorted(path for path in (root / "tools/npm").iterdir())
    assert [folder.name for folder in folders] == ["axe", "dotnet", "pyright"]
    for folder in folders:
        wanted = json.loads((folder / "package.json").read_text())["dependencies"]
        lock = (folder / "package-lock.json").read_text()
        packages = json.loads(lock)["packages"]
        assert packages[""]["dependencies"] == wanted, "sh tools/lock-tools.sh"
        for name, package in packages.items():
            assert name == "" or package["integrity"].startswith("sha512-"), name
        assert "://" not in lock


def test_tools_are_installed_from_their_locks_only(root):
    scripts = [path for path in tracked(root) if path.name == "Makefile" or path.suffix in (".mk", ".sh", ".yml")]
    scripts = [path for path in scripts if path != root / MAKES_LOCKS]
    assert {"Makefile", "packages.mk", "install-test-tools.sh"} <= {path.name for path in scripts}
    text = "\n".join(path.read_text().replace("\\\n", " ") for path in scripts)
    installs = [line for line in text.splitlines() if "pip install" in line or 'pip" install' in line]
    assert len(installs) == 1 and all("--require-hashes -r" in line for line in installs), installs
    assert re.findall(r"npm (\w+)", re.sub(r"#.*", "", text).replace("command -v npm", "")).count("install") == 0
    assert "npm ci --silent --ignore-scripts" in text
