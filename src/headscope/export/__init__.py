"""Results outside the notebook: self-contained pages and Plotly figures."""
