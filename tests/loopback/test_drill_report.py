"""The report: complete, safe with hostile names, and seen in a real browser."""

import re
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inventory.load import load_catalogue
from tasks.drill.faults import Fault, make_fault
from tasks.drill.lives import Lived
from tasks.drill.picture import report
from tasks.drill.result import DrillResult, conclude
from tests.loopback.browser import measure, needs_browser, shoot
from tests.site import Site
from tests.unit.drills import MOMENTS, clean_failover, row

Colour = tuple[int, int, int]
# As templates/report/drill.html.j2 has them: page, primary, fallback, lost.
LIGHT: tuple[Colour, ...] = ((251, 251, 249), (33, 102, 172), (224, 130, 20), (194, 24, 91))
DARK: tuple[Colour, ...] = ((20, 23, 26), (106, 174, 214), (253, 174, 97), (255, 111, 163))


@pytest.fixture
def result(site: Site) -> DrillResult:
    catalogue = load_catalogue(site.config)
    service = catalogue.services["organizr"]
    fault = make_fault("stop", catalogue, service, "vps2")
    lost = [row(11 + n / 50, "", error="timeout", status=None, latency=15.0) for n in range(100)]
    named = [replace(r, vantage="name") for r in clean_failover()]
    return conclude(
        service,
        fault,
        [*clean_failover(), *lost, *named],
        MOMENTS,
        rate=10,
        began=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        unseen={},
    )


def test_the_report_says_what_happened_and_what_it_cost(result: DrillResult):
    page = report(result)
    assert "organizr on vps2 is stopped" in page
    assert "✗ over the budget" in page
    assert '<td>lost GETs</td><td data-label="name">0</td>' in page
    assert '<td class="bad" data-label="vps1">100</td>' in page
    assert page.count("<tr><td>11.0") and "timeout" in page


def test_a_drill_within_its_budget_lists_no_losses(result: DrillResult):
    kept = replace(result, rows=clean_failover(), outages=result.outages[:1])
    page = report(kept)
    assert "✓ within the budget" in page and "Lost requests" not in page


def test_what_websockets_lived_through_stands_below_the_vantages_that_held_some(
    result: DrillResult,
):
    held = Lived(vantage="vps1", opened=2, closed=2, silence=0.0, without=0.5,
                 at_end={"vps1": 2}, apart=2)  # fmt: skip
    held_open = replace(result, websockets=[held])
    page = report(held_open)
    assert "<tr><td>of them closed</td><td>-</td><td>2</td>" in page
    assert "<tr><td>at the end with</td><td>-</td><td>vps1</td>" in page
    (told,) = held_open.as_json()["websockets"]
    assert (told["vantage"], told["closed"], told["apart"]) == ("vps1", 2, 2)


def test_the_numbers_stand_beside_the_picture_and_the_legend_names_the_hosts(result: DrillResult):
    page = report(result)
    assert (
        "<strong>name</strong>: 0 of 600 lost, slowest 2.01 s, fallback after 2.0 s, back" in page
    )
    assert "primary (vps2)</span>" in page and "fallback (vps1)</span>" in page


def test_a_drill_is_compared_with_the_last_one_of_its_kind(result: DrillResult):
    assert "The last drill of its kind" not in report(result)
    page = report(result, before=result.as_json())
    part = page.partition("The last drill of its kind")[2].partition("<h2>")[0]
    assert "2026-01-02T03:04:05" in part and "vps1</strong>: 100 of 700 lost" in part


@needs_browser
def test_the_report_is_whole_on_a_phone(result: DrillResult, tmp_path: Path):
    file = tmp_path / "drill.html"
    file.write_text(report(result, before=result.as_json()), encoding="utf-8")
    probe = Path(__file__).with_name("page_probe.js")
    seen = measure(file, probe, size=(390, 3000))
    assert seen["width"] <= seen["window"] == 390, "it does not scroll sideways"
    assert seen["scrolls"] == ["The picture; on a narrow screen it scrolls sideways"]


def test_the_report_needs_nothing_but_itself(result: DrillResult):
    page = report(result)
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=|url\(|@import|<script", page)


def test_hostile_text_stays_text(result: DrillResult):
    fault = Fault(**{**vars(result.fault), "words": "<script>alert('x')</script> & \"quotes\""})
    page = report(replace(result, fault=fault, unseen={"<b>": "</p><img onerror=x>"}))
    assert "<script" not in page and "<img" not in page and "<b>" not in page


def test_the_json_has_the_numbers_of_the_terminal(result: DrillResult):
    told = result.as_json()
    assert told["schema"] == 1 and told["kept"] is False
    assert {v["vantage"]: v["lost_reads"] for v in told["vantages"]} == {"name": 0, "vps1": 100}


@needs_browser
@pytest.mark.parametrize(("scheme", "colours"), [(1, LIGHT), (0, DARK)], ids=["light", "dark"])
def test_a_browser_shows_who_answered_and_what_was_lost(
    result: DrillResult, tmp_path: Path, scheme: int, colours: tuple[Colour, ...]
):
    page, picture = tmp_path / "drill.html", tmp_path / "drill.png"
    page.write_text(report(result), encoding="utf-8")
    shoot(page, picture, size=(1280, 900), scheme=scheme)
    pixels = pixels_of(picture)
    area = len(pixels)
    background, primary, fallback, lost = (pixels.count(colour) / area for colour in colours)
    assert background > 0.5, "most of the page is page"
    assert primary > 0.02 and fallback > 0.02, "both bands are there"
    assert 0.0005 < lost < 0.02, "the losses are marked"


def pixels_of(path: Path) -> list[Colour]:
    """The pixels of a PNG with 8 bits a channel, RGB or RGBA, as browsers write it."""
    data = path.read_bytes()
    chunks, at = {}, 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        chunks[kind] = chunks.get(kind, b"") + data[at + 8 : at + 8 + length]
        at += length + 12
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8 and colour in (2, 6)
    step = 3 if colour == 2 else 4
    raw, before = zlib.decompress(chunks[b"IDAT"]), bytes(width * step)
    found: list[Colour] = []
    for y in range(height):
        start = y * (width * step + 1)
        before = unfilter(raw[start], raw[start + 1 : start + 1 + width * step], before, step)
        found += zip(before[0::step], before[1::step], before[2::step], strict=True)
    return found


def unfilter(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    """One line of a PNG, as the filter of that number left it (PNG specification, 9)."""
    out = bytearray(line)
    for n in range(len(out)):
        left = out[n - step] if n >= step else 0
        up = above[n]
        corner = above[n - step] if n >= step else 0
        match kind:
            case 1:
                out[n] = (out[n] + left) & 255
            case 2:
                out[n] = (out[n] + up) & 255
            case 3:
                out[n] = (out[n] + (left + up) // 2) & 255
            case 4:
                guess = left + up - corner
                nearest = min((left, up, corner), key=lambda side: abs(guess - side))
                out[n] = (out[n] + nearest) & 255
    return bytes(out)
