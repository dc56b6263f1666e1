"""The report of a training run: one page of HTML that needs nothing else, no network either."""

from pwlact_figures.report.page import FILE_NAME, write_report

__all__ = ["FILE_NAME", "write_report"]
