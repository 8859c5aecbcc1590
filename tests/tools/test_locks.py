"""The tools for tests and packages are locked by hashes, and are installed only from the locks."""

import json
import re

import pytest

LOCKS = ["tests", "benches", "packaging"]


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
    scripts = [root / "tools/install-test-tools.sh", root / "packaging/packages.mk"]
    text = "\n".join(path.read_text().replace("\\\n", " ") for path in scripts)
    installs = [line for line in text.splitlines() if "pip install" in line or 'pip" install' in line]
    assert len(installs) == 2 and all("--require-hashes -r" in line for line in installs), installs
    assert re.findall(r"npm (\w+)", re.sub(r"#.*", "", text).replace("command -v npm", "")).count("install") == 0
    assert "npm ci --silent --ignore-scripts" in text
