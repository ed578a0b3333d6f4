"""Kernels as plain Python, for work so small that machine code takes longer to load, and far longer to compile.

`flowcore.interpreted.kernels` and `.kernels_long` are the files of these names imported once more, as modules of this
package: there `kernels.kernel` leaves every function as it is (KERNELS_ARE_PLAIN). One text, so one meaning; the tests
hold both forms against each other. A first verdict in an empty cache took 21 s of compiling, and takes 1.3 s this way.
"""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__path__ = [str(Path(__file__).parent)]

#: How much a process asks of a kernel before it is worth machine code: kernel -> flows, addresses, or policies times
#: remote classes. About a third of a second each, which is what loading from the cache may take. And rows of a Parquet
#: file: so many are read by pyarrow, not by `logkernels_pages`. Whatever else was read does not matter: where a file is
#: damaged, both may end at other rows.
MOST = {
    "evaluate_rows": 1_000, "walk_rows": 500, "read_addresses": 5_000, "build_policies": 20_000, "read_pages": 1 << 17,
}  # fmt: skip
_asked: Counter[str] = Counter()


def never() -> None:
    """From now on this process uses machine code for all work, however little."""
    MOST.clear()


def for_work(kernel: Any, amount: int) -> Callable[..., Any]:
    """`kernel`, or the same function as plain Python if this process has asked little of it and never loaded it."""
    source = getattr(kernel, "py_func", None)
    # plain already (NUMBA_DISABLE_JIT), or machine code at hand; a list of its `signatures` takes 80 µs
    if source is None or kernel.overloads:
        return kernel  # type: ignore[no-any-return]
    name = source.__name__
    if _asked[name] + amount > MOST.get(name, 0):
        return kernel  # type: ignore[no-any-return]
    _asked[name] += amount
    plain = getattr(import_module(f"{__name__}.{source.__module__.rpartition('.')[2]}"), name)

    def quiet(*values: Any) -> Any:
        with np.errstate(all="ignore"):  # unsigned numbers wrap on purpose
            return plain(*values)

    return quiet
