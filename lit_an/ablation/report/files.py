"""Writes the report of a study: a page, tables, charts."""

from pathlib import Path

from lit_an.ablation.analysis.study import Study
from lit_an.errors import needs_package
from lit_an.files import replacing


def write_report(study: Study, folder: Path) -> list[Path]:
    """Writes ``index.html`` (which needs no other file), CSV, Markdown and LaTeX tables, and charts as PNG.

    Args:
        study: what to compare.
        folder: for the files; files of the same names are replaced, each at once.

    Returns:
        What was written; the page first.

    Raises:
        InputError: scipy or matplotlib is missing, or a picture of a run cannot be read.
        OutputError: the disk is full, or the folder is not writable.
    """
    try:
        import matplotlib  # noqa: F401
        import scipy  # noqa: F401
    except ImportError as error:
        raise needs_package("the report needs", str(error.name), "ablation", error) from error
    from lit_an.ablation.analysis.comparison import figures_of
    from lit_an.ablation.report.charts import learning_curves
    from lit_an.ablation.report.embedding import pictures_of
    from lit_an.ablation.report.page import page_of
    from lit_an.ablation.report.page_facts import REGIONS, layout_figures
    from lit_an.ablation.report.sentences import tables_of
    from lit_an.ablation.report.tables import differences_csv, latex, markdown, results_csv

    tables = tables_of(study)
    shown = figures_of(study)
    charts = {figure: learning_curves(study, figure) for figure in shown}
    of_layouts = [name for name in layout_figures(study) if name.endswith(REGIONS) and name not in shown]
    layout_charts = [chart for name in of_layouts for chart in learning_curves(study, name)[:1]]
    page = page_of(study, tables, charts, layout_charts, pictures_of(study))
    texts = {
        "index.html": page,
        "results.csv": results_csv(study),
        "differences.csv": differences_csv(study, tables),
        "table.md": markdown(study, tables),
        "table.tex": latex(study, tables),
    }
    contents = {folder / name: text.encode() for name, text in texts.items()}
    for chart in [*(chart for pair in charts.values() for chart in pair), *layout_charts]:
        contents[folder / "charts" / f"{chart.name}.png"] = chart.png
    for path, content in contents.items():
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    return list(contents)
