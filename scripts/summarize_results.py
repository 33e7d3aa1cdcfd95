"""Prints mean and standard deviation of runs' results as a Markdown table.

    python -m scripts.summarize_results 'runs/baseline-*/test/results.json' \\
        'runs/grw-*/test/results.json'

Each argument is a row: the results.json files, of scripts.evaluate or
scripts.linear_probe, of runs that differ in their seed alone.
"""

from grw_tf.common import programs
from grw_tf.evaluation.summary import summarize


def main(arguments):
    print(summarize(arguments[1:]))


if __name__ == "__main__":
    programs.run(main)
