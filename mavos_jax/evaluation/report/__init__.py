"""The page that is opened after a benchmark: scores, speed, and what the masks look like."""

from mavos_jax.evaluation.report.overview import ReportContents
from mavos_jax.evaluation.report.writing import write_report

__all__ = ["ReportContents", "write_report"]
