"""An engine with TLS (`rediss://`), with the authority in `ca_file`, and with a password."""

import subprocess

import pytest
from conftest import queued
from ports import free_port

PASSWORD = "a password with blanks and a %"


@pytest.fixture
def certificates(tmp_path):
    """Makes an authority, and its certificate for 127.0.0.1."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    for name in ("authority", "stranger"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-subj", f"/CN={name}", "-days", "365")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "engine.key", "-out", "engine.csr", "-subj", "/CN=engine")
    (tmp_path / "engine.ext").write_text("subjectAltName=IP:127.0.0.1")
    openssl("x509", "-req", "-in", "engine.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
            "-days", "365", "-extfile", "engine.ext", "-out", "engine.pem")
    return tmp_path


@pytest.fixture
def tls(certificates, start_engine):
    """The address of an engine with TLS and a password."""
    port = free_port()
    engine = start_engine("--tls-port", port, "--tls-auth-clients", "no", "--tls-cert-file", certificates / "engine.pem",
                          "--tls-key-file", certificates / "engine.key", "--tls-ca-cert-file", certificates / "authority.pem")
    engine("CONFIG", "SET", "requirepass", PASSWORD)
    return f"rediss://127.0.0.1:{port}/0?name=shop"


def test_events_are_delivered_once_when_the_engine_speaks_tls(tls, certificates, produce, drain, settle):
    options = {"spool": tls, "ca_file": certificates / "authority.pem", "spool_password": PASSWORD}
    producer = produce("a", 0, 200, **options)
    drain(**options)
    assert len(queued(producer.finish())) == 200
    report, counters = settle(tls, producer, **{name: value for name, value in options.items() if name != "spool"})
    assert (report.lost, report.unexpected, report.duplicated) == ([], [], [])
    assert counters["delivered"] == 200


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_password_is_read_from_a_file(tls, certificates, produce, tmp_path, mark):
    (tmp_path / "password").write_text(f"{mark}{PASSWORD}\n")
    producer = produce("a", 0, 1, spool=tls, ca_file=certificates / "authority.pem", spool_password_file=tmp_path / "password")
    assert len(queued(producer.finish())) == 1


@pytest.mark.parametrize("authority", ["stranger", None])
def test_engine_is_refused_when_its_certificate_is_not_trusted(authority, tls, certificates, produce):
    options = {"ca_file": certificates / f"{authority}.pem"} if authority else {}
    call = produce("a", 0, 1, spool=tls, spool_password=PASSWORD, **options).finish()[0]
    assert call["status"] == "ESALES_SPOOL_FAILED" and "set ca_file" in call["detail"], call
    assert PASSWORD not in call["detail"]


def test_message_has_advice_when_the_engine_uses_an_authoritys_certificate(certificates, start_engine, produce):
    port = free_port()
    start_engine("--tls-port", port, "--tls-auth-clients", "no", "--tls-cert-file", certificates / "authority.pem",
                 "--tls-key-file", certificates / "authority.key")
    call = produce("a", 0, 1, spool=f"rediss://127.0.0.1:{port}/0?name=shop", ca_file=certificates / "authority.pem").finish()[0]
    assert call["status"] == "ESALES_SPOOL_FAILED" and "CA:TRUE" in call["detail"], call
    assert "Error" not in call["detail"]


def test_message_names_the_client_certificate_when_the_engine_wants_one(certificates, start_engine, produce):
    port = free_port()
    start_engine("--tls-port", port, "--tls-cert-file", certificates / "engine.pem", "--tls-key-file", certificates / "engine.key",
                 "--tls-ca-cert-file", certificates / "authority.pem")
    call = produce("a", 0, 1, spool=f"rediss://127.0.0.1:{port}/0?name=shop", ca_file=certificates / "authority.pem").finish()[0]
    assert call["status"] == "ESALES_SPOOL_FAILED" and "client certificate" in call["detail"], call


def test_message_names_spool_password_when_the_password_is_wrong(tls, certificates, produce):
    call = produce("a", 0, 1, spool=tls, ca_file=certificates / "authority.pem", spool_password="another one").finish()[0]
    assert call["status"] == "ESALES_SPOOL_FAILED" and "spool_password" in call["detail"], call
    assert "another one" not in call["detail"]
