"""The table of what models cost, counted from their graphs, beside published figures.

Counting one model (`measure`, kept by `kept`), the published figures (`published`), the
table (`rows`, `footnotes`), the picture (`figure`), and all together (`table`).
"""
