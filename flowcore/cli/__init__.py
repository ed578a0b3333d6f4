"""The command line: parse, make one library call, print. No rule of the domain lives here.

Each command is a module of this package, imported only when it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import FlowcoreError, IncompleteError, InputError
from .terminal import BAD_INPUT, BROKEN, DONE, INCOMPLETE, INTERRUPTED, drop_stdout, ready_streams, say

#: Command -> its one-line help, in the order `flowcore --help` shows them.
COMMANDS: dict[str, str] = {
    "capacity": "What gateways and zone crossings carry, by time window; what fills up; what a change saves.",
    "demo": "Judge a few million flows of the bundled network and show what comes out.",
    "diff": "Which flows would a change break, and which would it open? Says which change did it.",
    "evaluate": "Judge flows or flow logs against a network; write the verdicts as Parquet.",
    "digest": "Fold months of flow logs into distinct flows with totals.",
    "explain": "Follow one flow hop by hop: what lets it through, what stops it.",
    "issues": "List what of a snapshot was not understood, is missing or is not modelled.",
    "synth": "Make a seeded network and flows for it.",
    "usage": "What the flows used of every rule and route, and which rules nothing needs.",
    "warmup": "Compile the kernels now, so that the first evaluation does not wait for it.",
}

_HELP = """\
Would this flow get through this AWS network, and would the reply come back?

Exit codes: 0 done; 1 findings; 2 bad usage or bad input; 3 incomplete; 130 interrupted.
Data goes to stdout, messages to stderr. NO_COLOR is respected. Documentation: docs/cli.md.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `arguments` defaults to the process's own."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    ready_streams()
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()
        return DONE
    except KeyboardInterrupt:
        say("flowcore: interrupted")
        return INTERRUPTED
    except IncompleteError as error:
        say(f"flowcore: incomplete: {error}")
        return INCOMPLETE
    except FlowcoreError as error:
        say(f"flowcore: error: {error}")
        return BAD_INPUT
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error.strerror or error
        say(f"flowcore: error: {said}")
        return BAD_INPUT
    except Exception:  # not ours: shown in full, under a code that cannot be taken for "findings"
        import traceback

        say("flowcore: this is a defect in flowcore:\n" + traceback.format_exc())
        return BROKEN
    return code


def _run(given: list[str]) -> int:
    if given in (["--version"], ["version"]):
        print(__version__)
        return DONE
    from cyclopts import App, CycloptsError, Parameter

    app = App(
        name="flowcore",
        help=_HELP,
        help_format="plaintext",
        version=__version__,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
        default_parameter=Parameter(show_default=lambda value: None if value in (None, False) else value),
    )
    if given and not given[0].startswith("-") and given[0] not in COMMANDS:
        raise InputError("no such command", found=given[0], expected=", ".join(COMMANDS))
    if "-" in given:
        raise InputError("standard input is not read", found="-", expected="the name of a file or folder")
    for name, text in COMMANDS.items():
        app.command(f"{__name__}.{name}:{name}", name=name, help=text)
    try:
        result = app(given, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        say(f"flowcore: error: {error}\nflowcore: see `flowcore --help` or `flowcore COMMAND --help`")
        return BAD_INPUT
    return result if isinstance(result, int) else DONE
