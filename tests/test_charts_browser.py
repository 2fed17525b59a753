"""Charts of one case in a browser: who zooms into one sees that time in all, and the page asks nobody for anything."""

import shutil
import subprocess
from pathlib import Path

import pytest

import forensics as fx
from tests._bundled import Bundled

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = """<script>
(async () => {
  const plots = [...document.querySelectorAll(".plotly-graph-div")];
  const shown = () => plots.map((plot) => plot._fullLayout.xaxis.range.map((at) => at.slice(0, 19)).join(" to "));
  const told = [], wait = () => new Promise((done) => setTimeout(done, 500));
  await wait(); told.push(new Set(shown()).size);
  await Plotly.relayout(plots[1], {"xaxis.range[0]": "2026-01-01 00:00:00", "xaxis.range[1]": "2026-01-01 01:00:00"});
  await wait(); told.push([...new Set(shown())].join("|"));
  await Plotly.relayout(plots[2], {"xaxis.autorange": true});
  await wait(); told.push(new Set(shown()).size, shown()[0].startsWith("2026-01-01"));
  const asked = performance.getEntriesByType("resource").map((one) => one.name);
  told.push(asked.filter((name) => /^(https?|wss?):/.test(name)).length);
  document.title = "told " + told.join(" ");
})();
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (Debian package: chromium)")
def test_all_charts_follow_the_one_that_is_zoomed(tmp_path: Path, bundled: Bundled) -> None:
    case = fx.open_case(bundled("vanished_images"))
    saved = case.charts().save(tmp_path / "charts.html")
    saved.write_text(DRIVER.join(saved.read_text().rsplit("</body>", 1)))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--enable-logging=stderr"]
    command = [str(CHROMIUM), *options, f"--user-data-dir={tmp_path}/profile", "--dump-dom", saved.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    zoomed = "2026-01-01 00:00:00 to 2026-01-01 01:00:00"
    assert f"<title>told 1 {zoomed} 1 false 0</title>" in done.stdout
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
