"""The verdict dataset: Parquet that is whole or not there, the same bytes for the same rows however they arrive.

Rows are regrouped into row groups of a fixed size, words are strings for every reader (Parquet encodes them as a
dictionary, which is taken over from the evaluator's columns), and nothing of the time or the machine is noted.
Everything is written under a temporary name beside `out` and renamed at the end: a run that dies leaves nothing
that looks like a result.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from .errors import InputError
from .sources.intake import REJECT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    import polars as pl

#: Rows of a row group, and of a part file of a folder.
ROW_GROUP_ROWS = 1 << 18
PART_ROWS = 16 * ROW_GROUP_ROWS

#: Bytes that are written at once: pages of 100 kB, header and body each by itself, took 1.4 times as long.
_BUFFER = 1 << 20

#: Metadata key that says a Parquet file is a dataset of ours; its value says of which kind.
MARK = "flowcore.dataset"
VERDICTS = "verdicts"

#: What names no place here; of `s3://bucket` a Path leaves one slash.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

_OUR_NAMES = re.compile(r"part-\d{5,}\.parquet")


class VerdictWriter:
    """Writes frames of `columns` to `out`: one file if it ends in .parquet, else a folder of part files.

    A column of type Categorical holds words of a set known before: Enums of it are written without making text of them.

    A context manager: leaving it normally puts the dataset in place, leaving it by an exception removes what was
    written. Rejects go to `OUT.rejects.csv`, beside it; without rejects there is no such file.
    Raises InputError if `out` exists and is not a dataset of ours, unless `overwrite`, and if it cannot be written.
    """

    mark = VERDICTS
    notes: Mapping[str, str] = {}
    """More metadata of the files."""

    def __init__(self, out: Path, columns: Mapping[str, pl.DataType], *, overwrite: bool = False) -> None:
        import polars as pl

        self.out, self._columns = out, dict(columns)
        self._words = {name for name, dtype in self._columns.items() if dtype == pl.Categorical}
        self._single = is_single(out)
        with writing(out):
            check_out(out, overwrite, self.mark)
        self._partial, self._old = hidden(out, "partial"), hidden(out, "old")
        self._rejects_out = rejects_path(out)
        self._rejects_partial = hidden(self._rejects_out, "partial")
        self._waiting: list[pl.DataFrame] = []
        self._rows = self._part_rows = self._parts = 0
        self._writer: Any = None
        self._rejects: BinaryIO | None = None

    def __enter__(self) -> Self:
        with writing(self.out):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._remove_partial()
            if not self._single:
                self._partial.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with writing(self.out):
                    self._finish()
        finally:
            self._abandon()

    def write(self, frame: pl.DataFrame) -> None:
        """Adds rows. Columns are put in order; those `frame` does not have are null, those unknown are left out."""
        rest = self._columns_of(frame)
        while self._rows + rest.height >= ROW_GROUP_ROWS:
            room = ROW_GROUP_ROWS - self._rows
            with writing(self.out):
                self._write_group([*self._waiting, rest[:room]])
            self._waiting, self._rows, rest = [], 0, rest[room:]
        if rest.height:
            self._waiting.append(rest)
            self._rows += rest.height

    def _columns_of(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows with the columns of the dataset; columns of words stay Enums if they are, else become strings."""
        import polars as pl

        def ready(name: str, dtype: pl.DataType) -> pl.Expr:
            plain = pl.String() if dtype == pl.Categorical else dtype
            if name not in frame.columns:
                return pl.lit(None, plain).alias(name)
            as_it_is = dtype == pl.Categorical and isinstance(frame.schema[name], pl.Enum)
            return pl.col(name) if as_it_is else pl.col(name).cast(plain)

        return frame.select(ready(name, dtype) for name, dtype in self._columns.items())

    def write_rejects(self, frame: pl.DataFrame) -> None:
        """Adds lines to the rejects file."""
        lines = frame.write_csv(include_header=False).encode()
        with writing(self._rejects_out):
            if self._rejects is None:
                self._rejects = self._rejects_partial.open("wb")
                self._rejects.write((",".join(REJECT_COLUMNS) + "\n").encode())
            self._rejects.write(lines)
            self._rejects.flush()

    def _write_group(self, pieces: list[pl.DataFrame]) -> None:
        import pyarrow.parquet as pq

        if self._writer is not None and self._part_rows >= PART_ROWS and not self._single:
            self._writer.close()
            self._writer = None
        table = _written(pieces, self._words)
        if self._writer is None:
            place = self._partial if self._single else self._partial / part_name(self._parts)
            self._writer = pq.ParquetWriter(place, table.schema, compression="zstd", store_schema=False)
            self._writer.add_key_value_metadata({MARK: self.mark, **self.notes})
            self._parts, self._part_rows = self._parts + 1, 0
        self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self._part_rows += table.num_rows

    def _finish(self) -> None:
        import polars as pl

        if self._waiting or self._writer is None:
            self._write_group(
                self._waiting or [pl.DataFrame(schema={**self._columns, **dict.fromkeys(self._words, pl.String())})]
            )
        self._close()
        if not self._single and self.out.exists():
            self.out.replace(self._old)
        self._partial.replace(self.out)
        if self._rejects_partial.exists():
            self._rejects_partial.replace(self._rejects_out)
        else:
            self._rejects_out.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._rejects is not None:
            self._rejects.close()
            self._rejects = None

    def _abandon(self) -> None:
        """Lets go of what is still open and removes it, whatever the disk says to that; after a good end: nothing."""
        writer, self._writer = self._writer, None
        rejects, self._rejects = self._rejects, None
        with suppress(OSError):
            if writer is not None:
                try:
                    writer.close()
                finally:
                    writer.is_open = False  # else it would try again, and complain, when it is collected
        with suppress(OSError):
            if rejects is not None:
                rejects.close()
        with suppress(OSError):
            self._remove_partial()

    def _remove_partial(self) -> None:
        """Removes what a run left, this one or one that died; a dataset that was being replaced comes back."""
        if self._old.exists() and not self.out.exists():
            self._old.replace(self.out)
        for path in (self._partial, self._rejects_partial, self._old):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


class ColumnWriter(VerdictWriter):
    """Writes row groups of codes and numbers to one Parquet file; in all else as VerdictWriter."""

    def __init__(self, out: Path, columns: Mapping[str, pl.DataType], *, overwrite: bool = False) -> None:
        super().__init__(out, columns, overwrite=overwrite)
        self._single = True

    def write_columns(self, columns: Mapping[str, Any], rows: int) -> None:
        """Adds a row group; columns that are not given are null."""
        with writing(self.out):
            self._open().write(columns, rows)

    def _open(self) -> Any:
        from .pipeline_parquet import ParquetWriter

        if self._writer is None:
            kinds = {name: _KINDS.get(str(dtype), "string") for name, dtype in self._columns.items()}
            stream = self._partial.open("wb", buffering=_BUFFER)
            self._writer = ParquetWriter(stream, kinds, {MARK: self.mark, **self.notes})
        return self._writer

    def _finish(self) -> None:
        with writing(self.out):
            self._open()
        super()._finish()


_KINDS = {"Int32": "int32", "Int64": "int64", "UInt32": "uint32", "UInt16": "uint16", "Boolean": "bool"}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the system says against writing `path` (full disk, no permission) into InputError."""
    try:
        yield
    except OSError as error:
        found = os.strerror(error.errno) if error.errno else str(error)
        raise InputError("cannot be written", source=path, found=found) from None


def hidden(path: Path, word: str) -> Path:
    """A name beside `path` that no reader of datasets looks at."""
    return path.with_name(f".{path.name}.flowcore-{word}")


def part_name(number: int) -> str:
    """The file name of part `number` of a dataset."""
    return f"part-{number:05d}.parquet"


def is_single(out: Path) -> bool:
    """Whether `out` names one Parquet file; else it is a folder of part files."""
    return out.suffix == ".parquet"


def place_of(out: str | os.PathLike[str]) -> Path:
    """Where `out` is. Raises InputError for what is not the name of a file or folder here."""
    place, expected = Path(out), "a .parquet file or a folder of its own"
    if place.name in ("", ".."):
        raise InputError("not a place for a dataset", source=os.fspath(out) or "''", expected=expected)
    if _URL.match(os.fspath(out)):
        hint = "write it here, and copy it there"
        raise InputError("nothing is written there", source=os.fspath(out), expected=expected, hint=hint)
    return place


def rejects_path(out: Path) -> Path:
    """Where the rejected lines of a run that writes `out` are."""
    return out.with_name(out.name + ".rejects.csv")


def _written(pieces: list[pl.DataFrame], words: set[str]) -> Any:
    """The rows as an Arrow table of one chunk: the same for the same rows, however they are cut into pieces.

    Strings have 32-bit offsets. The columns of `words` become dictionaries of the words that occur, which Parquet takes
    over as they are.
    """
    import polars as pl
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for name in pieces[0].columns:
        parts = [piece[name] for piece in pieces]
        if len({part.dtype for part in parts}) > 1:
            parts = [part.cast(pl.String) for part in parts]
        column = pl.concat(parts) if len(parts) > 1 else parts[0]
        if isinstance(column.dtype, pl.Enum):
            columns[name] = _dictionary(column)
            continue
        array = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        array = array.cast(pa.string()) if pa.types.is_large_string(array.type) else array
        columns[name] = array.dictionary_encode() if name in words else array
    return pa.table(columns)


def _dictionary(words: pl.Series) -> Any:
    """The Enums as an Arrow dictionary array of those words that occur, in the Enum's order."""
    import numpy as np
    import polars as pl
    import pyarrow as pa

    categories = words.dtype.categories  # type: ignore[attr-defined]
    missing = words.is_null().to_numpy()
    codes = words.to_physical().fill_null(0).to_numpy()
    used = np.zeros(max(len(categories), 1), np.bool_)
    used[codes[~missing]] = True
    places = (np.cumsum(used, dtype=np.int32) - 1)[codes]
    dictionary = categories.filter(pl.Series(used[: len(categories)])).to_arrow().cast(pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(places, mask=missing), dictionary)


def check_out(out: Path, overwrite: bool, mark: str = VERDICTS) -> None:
    """Raises InputError if writing `out` would replace something that is not a dataset of this kind."""
    rejects = rejects_path(out)
    if is_single(out):
        if out.is_dir():
            raise InputError("is a folder", source=out, hint="a name that ends in .parquet is for a single file")
        ours = not out.exists() or _is_ours(out, mark)
    else:
        if out.exists() and not out.is_dir():
            raise InputError("is a file", source=out, hint="the name of a single file must end in .parquet")
        names = sorted(path.name for path in out.iterdir()) if out.exists() else []
        strange = [name for name in names if not _OUR_NAMES.fullmatch(name)]
        if strange:
            hint = "name another folder; a folder with other files in it is never replaced"
            raise InputError("is not a verdict dataset of flowcore", source=out, found=strange[0], hint=hint)
        ours = all(_is_ours(out / name, mark) for name in names if name.endswith(".parquet"))
    if ours and rejects.exists():
        ours = _starts_with(rejects, ",".join(REJECT_COLUMNS).encode())
    kind = "verdict dataset" if mark == VERDICTS else mark
    if not ours and not overwrite:
        raise InputError(
            f"exists and is not a {kind} of flowcore",
            source=out,
            hint="name another, or overwrite",
        )


def _is_ours(path: Path, mark: str) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError):
        return False
    return bool(found.get(MARK.encode()) == mark.encode())


def _starts_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(start)) == start
