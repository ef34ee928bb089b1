"""What a finished run looks like: report, figures, dataset card, Croissant description. Never imports Beam."""

from pipeline.report.figures import compute_figures
from pipeline.report.html import render_html
from pipeline.report.write import write_documents

__all__ = ["compute_figures", "render_html", "write_documents"]
