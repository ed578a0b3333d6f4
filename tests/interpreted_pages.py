"""Run by test_parquet_pages.py: `python interpreted_pages.py FOLDER` reads each FOLDER/*.parquet by pages.

What is read goes to the JSON file of that name. With NUMBA_DISABLE_JIT=1 an index beyond an array is an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from page_files import read, small_pieces


def main(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, np.errstate(over="ignore"):  # hashes wrap
        small_pieces(monkeypatch, 64)
        for file in sorted(folder.glob("*.parquet")):
            rows, rejects, *_ = read(file, monkeypatch, pages=True, group_rows=200)
            file.with_suffix(".json").write_text(json.dumps([rows, [row[1:] for row in rejects]]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
