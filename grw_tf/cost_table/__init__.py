"""The table of models' costs, counted from their graphs, beside published figures.

`measure` counts one model and `cache` keeps the counts; `published` has the published
figures, `rows` and `footnotes` the table, `figure` the picture. `table` writes it all.
"""
