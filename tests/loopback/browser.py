"""A real headless Chromium, if there is one: pictures of a page, and its document."""

import json
import re
import shutil
import subprocess
import tempfile
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip
LIGHT, DARK = 1, 0  # Chromium's preferredColorScheme

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium here; script/browser installs it"
)


def shoot(page: Path, picture: Path, *, size: tuple[int, int], scheme: int = LIGHT) -> None:
    """Take a picture of `page`."""
    _run(page, size, scheme, f"--screenshot={picture}")


def document(page: Path, *, size: tuple[int, int], scheme: int = LIGHT) -> str:
    """The document of `page` once its scripts have run."""
    return _run(page, size, scheme, "--dump-dom")


def measure(
    page: Path, script: Path, *, size: tuple[int, int], scheme: int = LIGHT
) -> dict[str, Any]:
    """What `script`, which ends in an expression, says of `page` in the browser.

    The page's own policy would forbid it, so it is asked of a copy without one; in a frame,
    because no window of Chromium's is as narrow as a phone.
    """
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    text = text.replace("</body>", f"<script>{script.read_text('utf-8')}</script></body>")
    copy = page.with_name(f"probe-{page.name}")
    copy.write_text(
        '<meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f'<pre id="probe"></pre><iframe width="{size[0]}" height="{size[1]}" style="border:0" '
        f'srcdoc="{escape(text)}"></iframe>',
        encoding="utf-8",
    )
    shown = document(copy, size=(1400, size[1]), scheme=scheme)
    said = re.search(r'<pre id="probe">(.*?)</pre>', shown, re.S)
    assert said, "the script did not run"
    told: dict[str, Any] = json.loads(unescape(said[1]))
    return told


def _run(page: Path, size: tuple[int, int], scheme: int, what: str) -> str:
    width, height = size
    with tempfile.TemporaryDirectory(prefix="profile-") as profile:
        done = subprocess.run(
            [str(CHROMIUM), *QUIET, f"--window-size={width},{height}", f"--user-data-dir={profile}",
             f"--blink-settings=preferredColorScheme={scheme}", what, page.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
    return done.stdout.decode()
