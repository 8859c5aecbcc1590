"""The files of the page on .NET, under Mono and .NET Core, with the native library where the page puts it."""

import json
import shutil
import subprocess

import pytest

from shop import DEPLOYMENT


@pytest.fixture
def folder(root, library, tmp_path):
    """Compiled as the page says, and installed by its line."""
    bin = tmp_path / "bin"
    bin.mkdir()
    compiler = ["mcs", "-langversion:7.2", "-warnaserror"]
    sources = sorted(map(str, (root / "bindings/csharp/src").glob("*.cs")))
    subprocess.run([*compiler, "-unsafe", "-target:library", f"-out:{tmp_path}/Esales.Notify.dll", *sources], check=True)
    subprocess.run([*compiler, f"-r:{tmp_path}/Esales.Notify.dll", f"-out:{bin}/cart.exe", str(DEPLOYMENT / "dotnet/Cart.cs"),
                    str(root / "tests/hosts/cart.cs")], check=True)
    shutil.copy(library, tmp_path / "libesales_notify.so")
    line = (DEPLOYMENT / "dotnet/install.sh").read_text()
    assert "/var/www/shop/bin/" in line
    subprocess.run(["sh", "-e", "-c", line.replace("/var/www/shop/bin/", f"{bin}/")], check=True, cwd=tmp_path)
    (bin / "runtimeconfig.json").write_text(json.dumps({"runtimeOptions": {
        "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}, "rollForward": "LatestMajor",
        "configProperties": {"System.Globalization.Invariant": True}}}))
    return bin


@pytest.mark.parametrize("runtime", ["mono", "dotnet"])
def test_documented_dotnet_cart_enqueues_and_delivers(root, folder, sandbox, plain_environment, runtime):
    if runtime == "mono":
        command, count = ["mono", str(folder / "cart.exe"), "domains", "4"], 4
    else:
        dotnet = root / "target/dotnet/node_modules/dotnet-3.1-linux-x64/dotnet"
        command = [str(dotnet), "exec", "--runtimeconfig", str(folder / "runtimeconfig.json"), str(folder / "cart.exe"), "once"]
        count = 1
    env = {**plain_environment, "ESALES_BASE_URL": sandbox.base_url, "ESALES_MARKET": "UK",
           "ESALES_SPOOL": str(folder.parent / "spool"), "ESALES_ENQUEUE_TIMEOUT_MS": "60000"}
    # The library is found where it was installed, or not at all.
    env.pop("ESALES_NOTIFY_LIBRARY", None)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    ids = done.stdout.split()
    assert len(ids) == 5 * count
    assert sorted(ids) == sorted(r["notification"]["id"] for r in sandbox.received())
