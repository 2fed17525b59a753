"""The analysis names the chart size_ladder; what all charts of packet paths draw is held in test_path_charts."""

from forensics.analysis.packet_paths import CHARTS
from forensics.charts import size_ladder as module


def test_the_chart_is_one_that_the_analysis_names() -> None:
    assert "size_ladder" in CHARTS
    assert callable(module.size_ladder)
