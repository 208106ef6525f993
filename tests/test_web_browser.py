"""The page in a real browser: it renders, fits a phone, and asks the network for nothing. Skipped without one."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from golden import drawings_result, hostile_result, periods_result, rfm_result
from userops.outputs import web
from userops.results import Lang, Result

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (found := shutil.which(name))),
    None,
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium here")

PHONE = 390


def browse(folder: Path, page: Path, *options: str) -> str:
    """The document as the browser holds it after loading ``page``, which had nothing to complain of."""
    quiet = (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--allow-file-access-from-files",
    )  # fmt: skip
    profile = folder / "profile"
    command = [str(BROWSER), *quiet, "--enable-logging=stderr", f"--user-data-dir={profile}", *options, page.as_uri()]
    environ = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environ)
    assert not [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout


def measured(folder: Path, result: Result, lang: Lang, width: int, script: str) -> str:
    """What ``script`` returns of the page's document ``d``, in a frame of that width (a headless window has a least
    one), run outside the page.
    """
    (folder / "page.html").write_text(web.page(result, lang), encoding="utf-8")
    (folder / "frame.html").write_text(
        f'<iframe id="f" src="page.html" style="width:{width}px;height:900px;border:0"></iframe><p id="out"></p>'
        "<script>onload=()=>{const d=document.getElementById('f').contentDocument,r=d.documentElement;"
        f"document.getElementById('out').textContent=(()=>{{{script}}})()}}</script>",
        encoding="utf-8",
    )
    dom = browse(folder, folder / "frame.html", "--dump-dom", "--virtual-time-budget=3000")
    answer = re.search(r'<p id="out">([^<]+)</p>', dom)
    assert answer, "the page did not load"
    return answer[1]


@pytest.mark.parametrize("made", [rfm_result, periods_result, drawings_result, hostile_result])
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [320, PHONE, 1200])
def test_a_page_is_never_wider_than_its_window(tmp_path, made, lang, width):
    script = (
        "return [r.scrollWidth,r.clientWidth,d.querySelectorAll('tr').length,"
        "Math.max(...[...d.querySelectorAll('.scroll,.chart')].map(s=>s.getBoundingClientRect().right)),"
        "getComputedStyle(d.querySelector('main')).maxWidth].join(' ')"
    )
    scroll, client, rows, right, most = measured(tmp_path, made(), lang, width, script).split()
    assert int(scroll) <= int(client) == width
    assert float(right) <= width
    assert int(rows) >= (0 if made is drawings_result else 4)
    assert most != "none", "the style did not apply"


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("width", "least"), [(320, 8.5), (PHONE, 11), (700, 12), (800, 9), (1200, 11.5)])
def test_the_text_of_charts_can_be_read(tmp_path, lang, width, least):
    """One drawing of each chart is shown; its text is large enough, inside the card, and overlaps no other."""
    script = """
        const shown = [...d.querySelectorAll('.chart > svg')].filter(s => s.getBoundingClientRect().width);
        const boxes = s => [...s.querySelectorAll('text')].map(t => t.getBoundingClientRect());
        const size = s => 12 * s.getBoundingClientRect().width / s.viewBox.baseVal.width;
        const inside = s => {const c = s.parentNode.getBoundingClientRect();
            return boxes(s).every(b => b.left >= c.left && b.right <= c.right && b.bottom <= c.bottom)};
        const apart = s => boxes(s).every((a, i) => boxes(s).every((b, j) => j <= i ||
            a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 3 || b.bottom <= a.top + 3));
        return [d.querySelectorAll('.chart').length, shown.length, Math.min(...shown.map(size)).toFixed(1),
            shown.every(inside), shown.every(apart)].join(' ')"""
    charts, shown, size, inside, apart = measured(tmp_path, periods_result(), lang, width, script).split()
    assert charts == shown == "3"
    assert float(size) >= least
    assert (inside, apart) == ("true", "true")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("width", "least"), [(320, 8.5), (PHONE, 11), (700, 8), (1200, 11.5)])
def test_funnels_and_graphs_can_be_read(tmp_path, lang, width, least):
    """One drawing of each is shown, its text large enough, inside it, and none on another; names lie in their boxes."""
    script = """
        const shown = [...d.querySelectorAll('.chart > svg')].filter(s => s.getBoundingClientRect().width);
        const box = e => e.getBoundingClientRect(), all = (s, what) => [...s.querySelectorAll(what)].map(box);
        const size = s => 12 * box(s).width / s.viewBox.baseVal.width;
        const within = (b, c) => b.left >= c.left - 1 && b.right <= c.right + 1 && b.top >= c.top - 1
            && b.bottom <= c.bottom + 1;
        const inside = s => all(s, 'text').every(b => within(b, box(s)));
        const clear = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 4 || b.bottom <= a.top + 4;
        const apart = bs => bs.every((a, i) => bs.every((b, j) => j <= i || clear(a, b)));
        const named = s => [...s.querySelectorAll('.spot')].every(g => all(g, 'text').every(t => within(t, all(g, 'rect')[0])));
        const free = s => all(s, '.spot>rect').every(r => all(s, '.share').every(t => clear(r, t)));
        return [shown.length, Math.min(...shown.map(size)).toFixed(1), shown.every(inside),
            shown.every(s => apart(all(s, 'text'))), shown.every(s => apart(all(s, '.spot>rect'))),
            shown.every(named), shown.every(free)].join(' ')"""
    shown, size, *held = measured(tmp_path, drawings_result(), lang, width, script).split()
    assert shown == "2"
    assert float(size) >= least
    assert held == ["true"] * 5


def test_the_page_asks_the_network_for_nothing(tmp_path):
    """Every request the browser could make, but for the file itself, is sent to a proxy that counts."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.5)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                try:
                    connection, _ = proxy.accept()
                except TimeoutError:
                    continue
                with connection:
                    asked.append(connection.recv(200))

        listener = threading.Thread(target=listen)
        listener.start()
        page = tmp_path / "page.html"
        page.write_text(web.page(rfm_result(), "en"), encoding="utf-8")
        dom = browse(
            tmp_path,
            page,
            "--dump-dom",
            f"--proxy-server=127.0.0.1:{proxy.getsockname()[1]}",
            "--proxy-bypass-list=<-loopback>",
        )
        done.set()
        listener.join()
    assert "Champions" in dom
    assert not [request for request in asked if b"google" not in request], asked  # the browser's own talk is not ours


def test_hostile_text_is_shown_and_not_run(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(web.page(hostile_result(), "en"), encoding="utf-8")
    dom = browse(tmp_path, page, "--dump-dom")
    assert "<script" not in dom
    assert "&lt;script&gt;" in dom


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_paint(tmp_path, scheme):
    """The picture is not blank, and its ground is that of the scheme."""
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text(web.page(rfm_result(), "en"), encoding="utf-8")
    dark = "--blink-settings=preferredColorScheme=" + ("0" if scheme == "dark" else "1")
    browse(tmp_path, page, f"--screenshot={picture}", "--window-size=800,600", dark)
    assert picture.stat().st_size > 10_000
    probe = tmp_path / "probe.html"
    probe.write_text(
        '<p id="out"></p><canvas id="c"></canvas>'
        '<script>const i=new Image();i.onload=()=>{const x=document.getElementById("c")'
        '.getContext("2d");x.drawImage(i,0,0);document.getElementById("out").textContent=x.getImageData(3,3,1,1).data[0]};'
        'i.src="page.png"</script>',
        encoding="utf-8",
    )
    ground = re.search(r'<p id="out">(\d+)</p>', browse(tmp_path, probe, "--dump-dom", "--virtual-time-budget=3000"))
    assert ground
    assert (int(ground[1]) < 60) == (scheme == "dark")
