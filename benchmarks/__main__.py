"""`python -m benchmarks`: lists the benchmarks; with names or patterns, runs them."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from .harness import ROUNDS, Result, Scale, WrongAnswerError, benchmarks, chosen, machine, run

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 1 a wrong answer, 2 bad usage. Missing a goal is no failure."""
    options = _parser().parse_args(arguments)
    if not options.pattern:
        for benchmark in benchmarks().values():
            print(f"{benchmark.name}\n    {benchmark.about}")
        return 0
    try:
        selected = chosen(["*" if pattern == "all" else pattern for pattern in options.pattern])
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    scale = Scale.QUICK if options.quick else Scale.FULL
    results = []
    for benchmark in selected:
        print(f"{benchmark.name} ...", file=sys.stderr)
        try:
            results.append(run(benchmark, scale, options.repeat))
        except WrongAnswerError as error:
            print(f"{benchmark.name}: {error}", file=sys.stderr)
            return 1
        if not (options.json or options.markdown):
            print(_text(results[-1]), flush=True)
    if options.json:
        print(json.dumps(_document(results, options.repeat), indent=1))
    elif options.markdown:
        print(_markdown(results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("pattern", nargs="*", help="part of a name, a pattern (*, ?), or all; none: list them")
    parser.add_argument("--quick", action="store_true", help="small sizes: to try a benchmark out, not to quote it")
    parser.add_argument("--repeat", type=_positive, default=ROUNDS, metavar="N", help=f"rounds (default {ROUNDS})")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON document: machine, figures, every value")
    form.add_argument("--markdown", action="store_true", help="print the table of docs/benchmarks.md")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _number(value: float, unit: str) -> str:
    """Four significant digits; rates in millions or thousands."""
    if unit.startswith(("flow/s", "record/s", "row/s")):
        return f"{value / 1e6:.4g} M" if value >= 1e6 else f"{value / 1e3:.4g} k"
    return f"{value:.4g}"


def _goal(row: dict[str, Any]) -> str:
    """`30 M / 50 M: must met`, or nothing where there is no goal."""
    if row["must"] is None:
        return ""
    goals = " / ".join(_number(row[name], row["unit"]) for name in ("must", "edge") if row[name] is not None)
    state = "edge met" if "edge" in row["met"] else "must met" if "must" in row["met"] else "not met"
    return f"{goals}: {state}"


def _text(result: Result) -> str:
    size = "" if result.scale is Scale.FULL else f"   ({result.scale.value} size: not the one in the name, no goals)"
    lines = [f"{result.benchmark.name}{size}"]
    rows = list(result.rows())
    width = max(len(row["figure"]) for row in rows)
    for row in rows:
        unit = row["unit"]
        spread = f"{_number(row['min'], unit)} to {_number(row['max'], unit)}"
        times = "" if row["cpu"] is None else f"cpu {row['cpu']:.4g} s"
        times += "" if row["wall"] is None else f"  wall {row['wall']:.4g} s"
        goal = _goal(row)
        line = f"  {row['figure']:{width}}  {_number(row['median'], unit):>8} {unit:11}  {spread:22}  {times:32}"
        lines.append(f"{line}{'goal ' + goal if goal else ''}".rstrip())
    return "\n".join(lines)


def _markdown(results: Sequence[Result]) -> str:
    lines = ["| benchmark | figure | median | min to max | unit | goal (must / edge) |", "|---|---|---|---|---|---|"]
    for result in results:
        name = result.benchmark.name + ("" if result.scale is Scale.FULL else f" ({result.scale.value})")
        for row in result.rows():
            unit = row["unit"]
            spread = f"{_number(row['min'], unit)} to {_number(row['max'], unit)}"
            cells = (name, row["figure"], _number(row["median"], unit), spread, unit, _goal(row))
            lines.append(f"| {' | '.join(cells)} |")
            name = ""
    return "\n".join(lines)


def _document(results: Sequence[Result], rounds: int) -> dict[str, Any]:
    return {
        "machine": machine(),
        "rounds": rounds,
        "benchmarks": [
            {"name": result.benchmark.name, "scale": result.scale.value, "figures": list(result.rows())}
            for result in results
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
