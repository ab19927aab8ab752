"""The report as one HTML file: it opens without a network, needs no script, and reads on a phone and in the dark."""

from inpaint_benchmark.report.page.page import page

__all__ = ["page"]
