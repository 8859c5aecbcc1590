"""A shop's page under nginx and php-fpm, installed as docs/deployment/php-fpm.md says, sending over HTTPS.

The page prints how long its call took. One worker serves all pages, as in a shop.
"""

import contextlib
import json
import os
import shutil
import sys

from ..measure import Way, compare
from ..report import Found, plain, timings
from ..stage import ROOT, WORKERS

sys.path[:0] = [str(ROOT / "tests/hosts"), str(ROOT / "tests/support")]

from php_fpm import PhpFpm  # noqa: E402
from shop import Shop  # noqa: E402

LOADED = {"preload": "preload with header", "enable": "enable"}
ONE, BUNDLE = "one CA", "the distribution's bundle"


@contextlib.contextmanager
def on_cpu(cpu):
    """Binds this process to a CPU. Servers that are started meanwhile stay on that CPU."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


@contextlib.contextmanager
def shop(stage, loading, authorities):
    """The URL of the page."""
    one = Shop(stage.library, stage.command)
    try:
        # Keeps the modification time: opcache does not cache files younger than two seconds, so PHP would compile them
        # for every page.
        for page in ("page.php", "curl.php"):
            shutil.copy2(WORKERS / page, one.public)
        trusted = shutil.copy(stage.ca if authorities == ONE else stage.bundle, one.folder)
        (one.public / "settings.json").write_text(json.dumps({
            "url": stage.variables("https")["BENCH_URL"], "body": stage.body, "ticket": stage.ticket, "ca": trusted}))
        # A variable replaces the system's CA bundle, which does not contain the test server's authority.
        options = {"env": {"ca_file": trusted}} if authorities == ONE else {"pool": {"env[SSL_CERT_FILE]": trusted}}
        with on_cpu(stage.cpu):
            server = PhpFpm(one, stage.base_url("https"), LOADED[loading], **options)
            server.__enter__()
        try:
            yield f"{server.address}/page.php"
        finally:
            server.__exit__(*sys.exc_info())
    finally:
        one.remove()


def page(stage):
    with contextlib.ExitStack() as stack:
        one, bundle, enabled = (stack.enter_context(shop(stage, *which)) for which in (
            ("preload", ONE), ("preload", BUNDLE), ("enable", ONE)))

        def way(name, address, usual):
            return Way(name, (sys.executable, WORKERS / "pages.py"), stage.effort.count(usual), {"BENCH_PAGE": address},
                       stage.cpu)

        sends = compare([
            way(f"ext-curl, {ONE}", f"{one}?do=curl", 300),
            way(f"ours, {ONE}", f"{one}?do=send", 1000),
            way(f"ours, {ONE}, not preloaded", f"{enabled}?do=send", 1000),
            way(f"ext-curl, {BUNDLE}", f"{bundle}?do=curl", 100),
            way(f"ours, {BUNDLE}", f"{bundle}?do=send", 1000),
        ], stage.effort.rounds, stage.say)
        loads = compare([
            way("preloaded, and ffi.preload", f"{one}?do=load", 1000), way("ffi.enable=1", f"{enabled}?do=load", 1000),
        ], stage.effort.rounds, stage.say)
    return Found(
        [
            timings("php-fpm page, HTTPS: time in the page for one send", sends,
                    note="ext-curl with a new handle on every page; ours with a new Client on every page."),
            timings("php-fpm page: time in the page to load the library", loads),
        ],
        {
            "page/one-ca": sends[f"ours, {ONE}"].p50 / sends[f"ext-curl, {ONE}"].p50,
            "page/bundle": sends[f"ours, {BUNDLE}"].p50 / sends[f"ext-curl, {BUNDLE}"].p50,
        },
        {"page/sends": plain(sends), "page/loads": plain(loads)},
    )
