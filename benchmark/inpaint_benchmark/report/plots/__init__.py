"""Plots of a report as SVG, drawn to be read in light and dark: axes with units, labels that do not overlap."""

from inpaint_benchmark.report.plots.bars import Bar, BarRow, bars
from inpaint_benchmark.report.plots.scatter import Point, scatter

__all__ = ["Bar", "BarRow", "Point", "bars", "scatter"]
