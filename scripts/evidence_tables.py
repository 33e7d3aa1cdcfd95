r"""Writes the tables and the figure of kept comparisons into the pages of docs.

    python -m scripts.evidence_tables --add=runs/compare/report.json --name=utd

--add first keeps the slim copy of a report of scripts.compare in docs/evidence. Reports
by one name are parts of one comparison, with other seeds each, and are joined. A page
asks for a table, of the metrics that it names, by two comments:

    <!-- table: utd accuracy macro_f1 -->
    <!-- end -->
"""

from grw_tf.common import flags, programs
from grw_tf.comparison.evidence_tables import EvidenceConfig, write_evidence

flags.define_flags(EvidenceConfig)


def main(_: list[str]) -> None:
    for path in write_evidence(flags.config_from_flags(EvidenceConfig)):
        print(f"Written: {path}.")


if __name__ == "__main__":
    programs.run(main)
