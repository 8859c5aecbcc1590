"""`send`: every kind of notification, as new users and scripts send it."""

import json
import re
import shlex
import socket
import subprocess

import pytest
from environment import CLEAN
from sandbox import Sandbox

VISITOR = ["--market", "UK", "--customer-key", "d9528030-509c-4e0f-b585-7168f1e9feca",
           "--session-key", "b106299c-eac0-4f6f-96d2-93e57c255784"]
MEMBERS = {"market": "UK", "customerKey": VISITOR[3], "sessionKey": VISITOR[5]}
LINE = ["--line", "product=P1,variant=V1,quantity=2,price=199.50"]
COST = ["--line", "product=P2,quantity=1,price=45,cost=30.10"]
#: Each kind: its own flags, the end of its path, the members of its body beside the visitor's and the id.
KINDS = {
    "add-to-cart": (["--ticket", "abc"], "adding-to-cart", {"ticket": "abc"}),
    "click": (["--ticket", "abc"], "click", {"ticket": "abc"}),
    "non-esales-click": (["--product-key", "P1"], "non-esales-click", {"productKey": "P1", "variantKey": None}),
    "non-esales-add-to-cart": (["--product-key", "P1", "--variant-key", "V1"], "non-esales-adding-to-cart",
                               {"productKey": "P1", "variantKey": "V1"}),
    "payment": (LINE, "payment", {"lines": [{"productKey": "P1", "variantKey": "V1", "quantity": 2, "sellingPrice": "199.50"}]}),
    "secure-payment": ([*LINE, *COST], "payment", {"lines": [
        {"productKey": "P1", "variantKey": "V1", "quantity": 2, "sellingPrice": "199.50"},
        {"productKey": "P2", "quantity": 1, "sellingPrice": "45", "cost": "30.10"}]}),
    "end": ([], "end", {}),
}
PAYMENTS = ["payment", "secure-payment"]
#: An environment for all kinds.
ENV = {"ESALES_PRIVATE_KEY": "s3cret-key"}


@pytest.fixture
def send(command):
    def run(kind, *arguments, env=None, own=True):
        flags = KINDS[kind][0] if own else []
        return subprocess.run([str(command), "send", kind, *flags, *map(str, arguments)], env={**CLEAN, **ENV, **(env or {})},
                              capture_output=True, text=True, timeout=60)

    return run


def of_kind(flag):
    return flag.replace("-", "_")


@pytest.mark.parametrize("kind", KINDS)
def test_send_puts_its_flags_into_the_body(send, command, kind):
    _, path, members = KINDS[kind]
    with Sandbox(command, "--private-key", ENV["ESALES_PRIVATE_KEY"]) as sandbox:
        for form in ([], ["--json"]):
            sent = send(kind, *VISITOR, "--base-url", sandbox.base_url, "--id", f"n{len(form)}", *form)
            assert sent.returncode == 0 and sent.stderr == "", sent
            assert "s3cret" not in sent.stdout
            if form:
                receipt = json.loads(sent.stdout)
                assert (receipt["kind"], receipt["status_name"], receipt["id"]) == (of_kind(kind), "ESALES_DELIVERED", "n1")
            else:
                assert sent.stdout.startswith("ESALES_DELIVERED") and f"kind          {of_kind(kind)}\n" in sent.stdout
        first, second = sandbox.received()
    # Prices unchanged.
    body = json.loads(first["body"], parse_float=str, parse_int=str)
    written = json.loads(json.dumps(members).replace('"quantity": 2', '"quantity": "2"').replace('"quantity": 1', '"quantity": "1"'))
    identity = {} if kind in (*PAYMENTS, "end") else {"id": "n0"}
    assert body == {**MEMBERS, **identity, **written}
    assert first["path"].split("?")[0] == f"/api/v1/notifications/{path}" and first["kind"] == of_kind(kind)
    assert ("paymentToken=" in first["path"]) == (kind == "secure-payment")
    if kind == "secure-payment":
        assert first["payment_token_valid"] and second["payment_token_valid"]


@pytest.mark.parametrize("kind, flag", [
    ("end", "--ticket"), ("end", "--line"), ("payment", "--ticket"), ("payment", "--product-key"), ("click", "--product-key"),
    ("click", "--line"), ("non-esales-click", "--ticket"), ("non-esales-add-to-cart", "--line"), ("secure-payment", "--variant-key"),
])
def test_send_refuses_a_flag_of_another_kind_by_name(send, sandbox, kind, flag):
    refused = send(kind, *VISITOR, "--base-url", sandbox.base_url, flag, "x")
    assert refused.returncode == 2 and refused.stdout == "" and f"'{flag}'" in refused.stderr, refused
    assert sandbox.received() == []


@pytest.mark.parametrize("kind, flag", [
    ("add-to-cart", "--ticket"), ("click", "--ticket"), ("non-esales-click", "--product-key"), ("payment", "--line"),
    ("secure-payment", "--line"),
])
def test_send_names_a_missing_flag(send, sandbox, kind, flag):
    refused = send(kind, *VISITOR, "--base-url", sandbox.base_url, own=False)
    assert refused.returncode == 2 and flag in refused.stderr, refused


def test_send_ignores_variables_of_other_kinds(send, sandbox):
    env = {"ESALES_TICKET": "t", "ESALES_PRODUCT_KEY": "P9", "ESALES_VARIANT_KEY": "V9"}
    for kind in ("end", "click", "payment"):
        sent = send(kind, *VISITOR, "--base-url", sandbox.base_url, env=env)
        assert sent.returncode == 0, sent
    assert not any("V9" in r["body"] for r in sandbox.received())
    assert send("non-esales-click", *VISITOR, "--base-url", sandbox.base_url, env=env, own=False).returncode == 0
    assert json.loads(sandbox.received()[-1]["body"])["variantKey"] == "V9"


def test_send_refuses_a_private_key_when_nothing_is_to_be_signed(send, sandbox, tmp_path):
    file = tmp_path / "key"
    file.write_text("s3cret-key")
    for kind in ("click", "payment", "end"):
        for flag, value in (("--private-key-file", file), ("--private-key", "s3cret-key")):
            refused = send(kind, *VISITOR, "--base-url", sandbox.base_url, flag, value)
            assert refused.returncode == 2 and f"{flag} does not belong to {kind}" in refused.stderr, refused
            assert "s3cret" not in refused.stderr
    assert sandbox.received() == []


def test_send_signs_a_secure_payment_and_its_signed_in_visitor_with_one_key(send, command, tmp_path):
    file = tmp_path / "key"
    file.write_text("the-key\n")
    with Sandbox(command, "--private-key", "the-key") as sandbox:
        arguments = ["--market", "UK", "--customer-id", "4711", "--base-url", sandbox.base_url]
        assert send("secure-payment", *arguments, "--private-key-file", file).returncode == 0
        assert send("secure-payment", *arguments).returncode == 3, "the key of the environment is a wrong one"
        right, wrong = sandbox.received()
    assert right["token_valid"] and right["payment_token_valid"]
    assert not wrong["token_valid"] and not wrong["payment_token_valid"]


def test_send_exits_2_when_a_secure_payment_has_no_private_key(send, sandbox):
    refused = send("secure-payment", *VISITOR, "--base-url", sandbox.base_url, env={"ESALES_PRIVATE_KEY": ""})
    assert refused.returncode == 2 and "private" in refused.stdout + refused.stderr, refused
    assert sandbox.received() == []


@pytest.mark.parametrize("line, message", [
    ("product=P1,quantity=2", "price is missing"), ("product=P1,price=1", "quantity is missing"),
    ("quantity=2,price=1", "product is missing"), ("P1", "`P1` is not a part"), ("product=P1,qty=1,price=1", "qty is not a part"),
    ("product=P1,quantity=1.5,price=1", "quantity is `1.5`"), ("product=P1,quantity=0,price=1", "--line 2: quantity is 0"),
    ("product=P1,quantity=1,price=1,5", "--line 2: price is not a decimal number"),
    ("product=P1,quantity=1,price=1e3", "--line 2: price is not a decimal number"),
    ("product=,quantity=1,price=1", "--line 2: product is empty"),
    ("product=P1,quantity=1,price=10,cost=10", "--line 2: cost must be more than 0 and less than price"),
    ("product=P1,quantity=1,price=1,price=2", "price is given twice"),
])
def test_send_names_the_invalid_part_of_an_order_line(send, sandbox, line, message):
    refused = send("secure-payment", *VISITOR, "--base-url", sandbox.base_url, "--line", "product=P0,quantity=1,price=1",
                   "--line", line, own=False)
    assert refused.returncode == 2 and message in refused.stdout + refused.stderr, refused
    assert sandbox.received() == []


def test_send_refuses_a_cost_in_a_payment_that_is_not_signed(send, sandbox):
    refused = send("payment", *VISITOR, "--base-url", sandbox.base_url, *COST)
    assert refused.returncode == 2 and "--line 2: cost does not belong to payment" in refused.stdout, refused


@pytest.mark.parametrize("kind", PAYMENTS)
@pytest.mark.parametrize("answer", ["500", "502", "408", "close", "garbage", "hang"])
def test_send_exits_5_without_a_retry_when_a_payment_may_have_arrived(send, sandbox, kind, answer):
    sandbox.script(f"{answer}:times=3")
    sent = send(kind, *VISITOR, "--base-url", sandbox.base_url, "--backoff-ms", "0", "--timeout-ms", "2000", "--json")
    assert sent.returncode == 5, sent
    assert json.loads(sent.stdout)["status_name"] == "ESALES_MAY_HAVE_ARRIVED"
    assert len(sandbox.received()) == 1


@pytest.mark.parametrize("kind", PAYMENTS)
def test_send_exits_4_after_retries_when_a_payment_did_not_arrive(send, sandbox, kind):
    for answer in ("503", "429"):
        sandbox.script(f"{answer}:times=3")
        sent = send(kind, *VISITOR, "--base-url", sandbox.base_url, "--backoff-ms", "0", "--json")
        assert (sent.returncode, json.loads(sent.stdout)["attempts"]) == (4, 3), sent
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert send(kind, *VISITOR, "--base-url", nobody, "--backoff-ms", "0").returncode == 4


def test_send_retries_a_payment_and_exits_4_when_payment_repeat_is_always(send, sandbox):
    sandbox.script("500:times=3")
    sent = send("payment", *VISITOR, "--base-url", sandbox.base_url, "--backoff-ms", "0", "--payment-repeat", "always")
    assert sent.returncode == 4 and len(sandbox.received()) == 3, sent


def test_send_retries_click_and_end_when_they_may_have_arrived(send, sandbox):
    for kind in ("click", "end"):
        sandbox.script("500, garbage")
        sent = send(kind, *VISITOR, "--base-url", sandbox.base_url, "--backoff-ms", "0", "--json")
        assert (sent.returncode, json.loads(sent.stdout)["attempts"]) == (0, 3), sent


def test_send_kind_defaults_to_add_to_cart(send, sandbox):
    sent = send("--ticket", "t", *VISITOR, "--base-url", sandbox.base_url, own=False)
    assert sent.returncode == 0 and sandbox.received()[-1]["kind"] == "add_to_cart", sent


# --help

def test_send_help_lists_every_kind_and_its_examples_run(command, tmp_path):
    shown = subprocess.run([str(command), "send", "--help"], env=CLEAN, capture_output=True, text=True).stdout
    assert len(shown.splitlines()) < 50
    listed = re.findall(r"^  ([a-z-]+)  ", shown.partition("\nKinds:\n")[2].split("\n\n")[0], re.M)
    assert listed == list(KINDS)
    examples = shown.partition("Examples")[2].split("\n\n")[0].partition("\n")[2].replace("\\\n", " ")
    (tmp_path / "FILE").write_text(ENV["ESALES_PRIVATE_KEY"])
    commands = [line.split() for line in examples.splitlines()]
    assert len(commands) >= 6
    with Sandbox(command, "--private-key", ENV["ESALES_PRIVATE_KEY"]) as sandbox:
        env = {**CLEAN, "ESALES_BASE_URL": sandbox.base_url, "ESALES_MARKET": "UK"}
        for program, *arguments in commands:
            assert program == "esales-notify"
            # Every example has the word KEY for two keys that differ.
            arguments = [word.replace("KEY", f"key-{at}") if word == "KEY" else word for at, word in enumerate(arguments)]
            done = subprocess.run([str(command), *arguments], env=env, cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, (shlex.join(arguments), done)


@pytest.mark.parametrize("kind", KINDS)
def test_send_help_of_a_kind_is_short_and_begins_with_its_flags(command, kind):
    for flag in ("-h", "--help"):
        shown = subprocess.run([str(command), "send", kind, flag], env=CLEAN, capture_output=True, text=True).stdout
        assert "Exit code: 0 delivered" in " ".join(shown.split())
        assert "esales-notify options" in shown and "--max-attempts <" not in shown
        own = [name for name in KINDS[kind][0] if name.startswith("--")]
        flags = re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", shown, re.M)
        assert set(flags[:len(set(own))]) >= set(own[:1]), flags
        assert {"--customer-key", "--session-key", "--json", "--base-url", "--market"} <= set(flags)
