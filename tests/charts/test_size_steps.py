"""The analysis names the chart size_steps; what all charts of packet paths draw is held in test_path_charts."""

from forensics.analysis.packet_paths import CHARTS
from forensics.charts import size_steps as module


def test_the_chart_is_one_that_the_analysis_names() -> None:
    assert "size_steps" in CHARTS
    assert callable(module.size_steps)
