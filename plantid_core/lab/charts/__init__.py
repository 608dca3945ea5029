"""The lab's charts: a module each, with ``figure(…)`` and ``finding(…)``, its sentence from the data.

The sentence is the chart's alternative text as well. Backgrounds are transparent, so that a chart
takes the page's light or dark; `png` makes a picture of one on white.
"""

from __future__ import annotations

from plantid_core.lab.charts.export import ChartNotExported, png

__all__ = ["ChartNotExported", "png"]
