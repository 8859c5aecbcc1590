"""The files of the page on .NET, under Mono and .NET Core, with the native library in the folder of the page."""

import contextlib
import json
import shutil
import subprocess

import pytest

from complete_page import assert_is_complete, assert_page_is_served_when_an_event_is_refused, post, signing_sandbox
from environment import CLEAN
from ports import free_port
from shop import DEPLOYMENT
from waiting import wait_for

RUNTIMES = ["mono", "dotnet"]
# The HttpListener of .NET Core 3.1 needs an OpenSSL that Debian no longer has.
PAGE = "mono"


@pytest.fixture
def folder(root, library, tmp_path):
    """Compiled and installed with the commands of the page."""
    bin = tmp_path / "bin"
    bin.mkdir()
    compiler = ["mcs", "-langversion:7.2", "-warnaserror"]
    sources = sorted(map(str, (root / "bindings/csharp/src").glob("*.cs")))
    subprocess.run([*compiler, "-unsafe", "-target:library", f"-out:{tmp_path}/Esales.Notify.dll", *sources], check=True)
    shop = [*compiler, f"-r:{tmp_path}/Esales.Notify.dll", str(DEPLOYMENT / "dotnet/Shop.cs")]
    subprocess.run([*shop, f"-out:{bin}/Shop.exe"], check=True)
    subprocess.run([*shop, "-main:Program", f"-out:{bin}/cart.exe", str(root / "tests/hosts/cart.cs")], check=True)
    shutil.copy(library, tmp_path / "libesales_notify.so")
    line = (DEPLOYMENT / "dotnet/install.sh").read_text()
    assert "/var/www/shop/bin/" in line
    subprocess.run(["sh", "-e", "-c", line.replace("/var/www/shop/bin/", f"{bin}/")], check=True, cwd=tmp_path)
    (bin / "runtimeconfig.json").write_text(json.dumps({"runtimeOptions": {
        "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}, "rollForward": "LatestMajor",
        "configProperties": {"System.Globalization.Invariant": True}}}))
    return bin


def program(root, folder, runtime, name):
    if runtime == "mono":
        return ["mono", str(folder / name)]
    dotnet = root / "target/dotnet/node_modules/dotnet-3.1-linux-x64/dotnet"
    return [str(dotnet), "exec", "--runtimeconfig", str(folder / "runtimeconfig.json"), str(folder / name)]


def environment(folder, base_url):
    """The variables in the file of the page. The library is found only where it was installed."""
    env = {**CLEAN, "ESALES_BASE_URL": base_url, "ESALES_MARKET": "UK", "ESALES_PRIVATE_KEY": "the private key",
           "ESALES_SPOOL": str(folder.parent / "spool"), "ESALES_ENQUEUE_TIMEOUT_MS": "60000"}
    env.pop("ESALES_NOTIFY_LIBRARY", None)
    return env


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_events_arrive_when_domains_and_processes_end(root, folder, sandbox, runtime):
    arguments, count = (["domains", "4"], 4) if runtime == "mono" else (["once"], 1)
    done = subprocess.run([*program(root, folder, runtime, "cart.exe"), *arguments], capture_output=True, text=True,
                          env=environment(folder, sandbox.base_url), timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert len({r["notification"]["id"] for r in sandbox.received()}) == len(sandbox.received()) == 5 * count


@contextlib.contextmanager
def served(command, env, log):
    """The page, at a separate address."""
    address = f"http://127.0.0.1:{free_port()}/"
    with open(log, "wb") as out:
        process = subprocess.Popen([*command, address], env=env, stdout=out, stderr=out)
    try:
        def answers():
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError):
                return post(address, {})[0] == 200

        wait_for(answers, "the page is not served")
        yield address
    finally:
        process.kill()
        process.wait()


def test_csharp_page_is_complete(root, folder, command, tmp_path):
    with signing_sandbox(command, tmp_path) as sandbox:
        env = environment(folder, sandbox.base_url)
        with served(program(root, folder, PAGE, "Shop.exe"), env, tmp_path / "log") as address:
            assert_is_complete(address, sandbox)


@pytest.mark.parametrize("broken", ["spool", "library"])
def test_csharp_page_is_served_when_events_are_refused(root, folder, tmp_path, broken):
    env = environment(folder, "http://127.0.0.1:9")
    if broken == "spool":
        env["ESALES_SPOOL"] = "/nowhere/spool"
    else:
        (folder / "libesales_notify.so").write_text("not a library")
    with served(program(root, folder, PAGE, "Shop.exe"), env, tmp_path / "log") as address:
        assert_page_is_served_when_an_event_is_refused(address, (tmp_path / "log").read_text)
