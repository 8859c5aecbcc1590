"""The container's image, without a container engine: a Debian with the changes of the Dockerfile, entered with its user
and variables. packaging/chroot.sh makes the Debian, which has the contents of debian:bookworm-slim."""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from agent import ADD_TO_CART, JSON, Answer, Local, cart  # noqa: E402
from waiting import wait_for  # noqa: E402


def instructions(dockerfile):
    """(instruction, arguments) of each line. Other instructions fail the test."""
    text = "\n".join(line for line in dockerfile.read_text().splitlines() if not line.startswith("#"))
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        assert name in ("FROM", "COPY", "USER", "ENV", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"), line
        yield name, rest


class Image:
    """Builds the context's Dockerfile in the folder `root`."""

    def __init__(self, context, root):
        self.root, self.env = root, {}
        for name, rest in instructions(context / "Dockerfile"):
            if name == "COPY":
                self._copy(context, shlex.split(rest))
            elif name == "ENV":
                variable, _, value = rest.partition("=")
                self.env[variable] = value
            elif name == "USER":
                self.user = rest
            elif name == "HEALTHCHECK":
                self.health = json.loads(rest.partition("CMD ")[2])
            elif name == "ENTRYPOINT":
                self.entrypoint = json.loads(rest)
            elif name == "CMD":
                self.command = json.loads(rest)

    def _copy(self, context, words):
        *options, source, target = words
        owner = next((option.partition("=")[2] for option in options if option.startswith("--chown=")), "0:0")
        assert all(option.startswith("--chown=") for option in options)
        source, target = context / source, self.root / target.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
            target.chmod(0o755)
        else:
            shutil.copy(source, target)
        for path in [target, *(target.rglob("*") if target.is_dir() else [])]:
            os.chown(path, *map(int, owner.split(":")))

    def entered(self, command, **env):
        """Starts the image like a container engine: with its user, without capabilities, and without this machine's
        environment."""
        variables = [f"{name}={value}" for name, value in {**self.env, **env}.items()]
        inside = f'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot --userspec={self.user} "$0" env -i "$@"'
        return ["unshare", "--mount", "sh", "-c", inside, str(self.root), *variables, *command]

    def run(self, command, **env):
        return subprocess.run(self.entered(command, **env), capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def image(root, packages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    subprocess.run(["tar", "--numeric-owner", "-xf", root / "target/chroot/minimal.tar", "-C", folder], check=True)
    yield Image(packages / "container", folder)
    shutil.rmtree(folder)


def post(socket, body):
    connection = Local(str(socket), timeout=60)
    try:
        connection.request("POST", ADD_TO_CART, body, JSON)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def test_image_runs_the_agent_as_its_user_and_is_healthy(image, sandbox):
    socket = image.root / "run/esales-notify/agent.socket"
    with subprocess.Popen(image.entered([*image.entrypoint, *image.command], ESALES_BASE_URL=sandbox.base_url), stderr=subprocess.PIPE) as agent:
        try:
            wait_for(socket.exists, "the agent does not listen")
            wait_for(lambda: image.run(image.health).returncode == 0, "the agent is not well")
            assert image.run([*image.health, "--ready"]).returncode == 0
            assert post(socket, cart("contained")).status == 202
            received, = wait_for(sandbox.received, "not delivered")
            assert received["body"] == cart("contained")
            spool = image.root / "var/lib/esales-notify/spool"
            uid = int(image.user.partition(":")[0])
            assert {path.stat().st_uid for path in [spool, *spool.iterdir()]} == {uid} != {0}
            assert socket.stat().st_uid == uid
            with open(f"/proc/{agent.pid}/status") as status:
                assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in status.read()
            agent.terminate()
            assert agent.wait(timeout=60) == 0
        finally:
            agent.kill()
    assert image.run(image.health).returncode == 1


# The compose file

@pytest.fixture(scope="module")
def compose(root):
    """Ruby parses the YAML."""
    text = (root / "packaging/container/compose.yaml").read_text()
    done = subprocess.run(["ruby", "-ryaml", "-rjson", "-e", "puts JSON.dump(YAML.load(STDIN.read))"], input=text, capture_output=True, text=True,
                          check=True)
    return json.loads(done.stdout)


def test_compose_file_names_only_existing_files(root, compose):
    services = compose["services"]
    assert set(services) == {"shop", "agent", "valkey", "sandbox"}
    context = (root / "packaging/container" / services["agent"]["build"]).resolve()
    assert (context / "Dockerfile").read_text() == (root / "packaging/container/Dockerfile").read_text()
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (root / "packaging/container" / source).is_dir(), volume
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), service
        for name in service.get("depends_on", []):
            assert name in services


def test_compose_file_has_options_that_the_command_knows(compose, command, image):
    known = {row["environment_variable"] for row in json.loads(
        subprocess.run([command, "options", "--json"], capture_output=True, text=True, check=True).stdout)}
    for name in ("agent", "sandbox"):
        service = compose["services"][name]
        assert {variable for variable in service.get("environment", {}) if variable.startswith("ESALES_")} <= known
        helped = subprocess.run([command, service["command"][0], "--help"], capture_output=True, text=True, check=True).stdout
        assert all(word in helped for word in service["command"] if word.startswith("--"))
    socket = image.env["ESALES_NOTIFY_LISTEN"].removeprefix("unix:")
    assert compose["services"]["shop"]["environment"]["AGENT_SOCKET"] == socket
