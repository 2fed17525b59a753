"""The analysis names the chart path_matrix; what all charts of packet paths draw is held in test_path_charts."""

from forensics.analysis.packet_paths import CHARTS
from forensics.charts import path_matrix as module


def test_the_chart_is_one_that_the_analysis_names() -> None:
    assert "path_matrix" in CHARTS
    assert callable(module.path_matrix)
