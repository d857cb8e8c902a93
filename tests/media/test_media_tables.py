"""Tables: what a column may hold, and what comes back from the Parquet file it is kept as."""

import datetime
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlvc.errors import UsageError
from mlvc.media import content, kinds
from mlvc.media.histograms import Histogram
from mlvc.media.images import Image
from mlvc.media.tables import Table

pytest.importorskip("PIL", reason="pip install 'mlvc[media]'")
parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'mlvc[media]'")
pd = pytest.importorskip("pandas")


class Kept(dict):
    """The files of stored values, and which of them were opened, how far."""

    def keep(self, path, held):
        self[path] = content.read(held)

    def open(self, path):
        return io.BytesIO(self[path])

    def content(self, path):
        return self[path]

    def paths_below(self, folder):
        return sorted(path for path in self if path.startswith(f"{folder}/"))

    def get(self, name):
        found = [path for path in self if path == name or path.startswith(f"{name}.")]
        return kinds.from_entry(json.loads(self[found[0]]), self) if found else None


def stored(table):
    files = Kept()
    entry = json.loads(json.dumps(table._entry("t", files.keep)))
    return kinds.from_entry(entry, files)


def column(*cells):
    table = Table(columns=["c"], data=[[cell] for cell in cells])
    return stored(table).get_column("c")


@pytest.mark.parametrize(
    "cells",
    [
        [1, 2, -(1 << 62)],
        [0.5, 1e300, None],
        [True, False, None],
        ["", "ü\u2028", None],
        [[1, 2], [], None],
        [["a"], ["b", "c"]],
        [[[1], [2, 3]], [[4]]],
        [{"a": 1, "b": [1.5]}, {"a": 2}],
        [1 << 70, 3],
        [None, None],
    ],
)
def test_plain_cells_come_back_as_they_were(cells):
    assert column(*cells) == cells


def test_times_come_back_in_utc():
    when = datetime.datetime(2026, 11, 21, 13, 8, 1, 5)
    assert column(when, datetime.date(2026, 1, 2)) == [
        when.replace(tzinfo=datetime.UTC),
        datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    ]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(3,), (28, 28, 1), (2, 3, 4, 5)])
def test_array_columns_of_any_shape_come_back_exactly(dtype, shape):
    cells = (np.random.default_rng(0).random((7, *shape)) * 100).astype(dtype)
    table = Table(columns=[], data=[])
    table.add_column("x", cells)
    found = stored(table).get_column("x", convert_to="numpy")
    assert found.dtype == cells.dtype
    assert np.array_equal(found, cells)


def test_arrays_of_different_shapes_or_types_come_back_exactly():
    cells = [np.zeros((2, 3), "float32"), np.arange(4), np.array([[True]]), np.zeros((0, 5))]
    for found, given_cell in zip(column(*cells), cells, strict=True):
        assert found.dtype == given_cell.dtype
        assert found.shape == given_cell.shape
        assert np.array_equal(found, given_cell)


def test_labels_of_bytes_come_back_as_pythons_numbers_do():
    table = Table(columns=[], data=[])
    table.add_column("y", np.array([3, 1], "uint8"))
    assert stored(table).get_column("y", convert_to="numpy").dtype == np.int64
    assert table.get_column("y") == [3, 1]


def test_images_come_back_with_what_was_said_of_them():
    pixels = np.arange(12, dtype="uint8").reshape(2, 2, 3) * 20
    image = Image(pixels, caption="c", masks={"m": {"mask_data": np.eye(2), "class_labels": {1: "yes"}}})
    found = column(image, None)
    assert np.array_equal(np.array(found[0].image), pixels)
    assert (found[0]._caption, found[1]) == ("c", None)
    assert found[0]._masks["m"]._labels == {"1": "yes"}
    assert found[0] == image


def test_mixed_cells_come_back_when_they_were_allowed():
    cells = [1, "a", None, {"x": [1]}, np.arange(3), Image(np.zeros((2, 2))), Histogram([1, 2, 3])]
    table = Table(columns=["c"], data=[[cell] for cell in cells], allow_mixed_types=True)
    found = stored(table).get_column("c")
    assert found[:4] == cells[:4]
    assert np.array_equal(found[4], cells[4])
    assert (found[5], found[6]) == (cells[5], cells[6])


@pytest.mark.parametrize(("first", "second"), [(1, "a"), ("a", 1), (1, True), ([1], ["a"]), ({"a": 1}, 3), (None, 1)])
def test_a_column_keeps_to_the_type_of_its_first_cells(first, second):
    table = Table(columns=["c"])
    table.add_data(first)
    if first is None:
        table.add_data(second)
        return
    with pytest.raises(TypeError, match="incompatible types"):
        table.add_data(second)
    assert table.data == [[first]]


def test_none_is_refused_where_it_is_not_optional():
    table = Table(columns=["c"], optional=False, dtype=int)
    with pytest.raises(TypeError):
        table.add_data(None)


def test_dtypes_are_kept_to_and_a_cast_checks_what_is_there():
    table = Table(columns=["n", "s"], dtype=[int, str])
    table.add_data(1, "a")
    with pytest.raises(TypeError):
        table.add_data("a", "a")
    with pytest.raises(TypeError, match="cannot be cast"):
        table.cast("s", int)
    with pytest.raises(ValueError, match="expects 2 columns"):
        table.add_data(1)


def test_a_column_that_does_not_fit_leaves_the_table_as_it_was():
    table = Table(columns=["a"], data=[[1], [2]])
    with pytest.raises(TypeError):
        table.add_column("b", [1, "x"])
    with pytest.raises(AssertionError):
        table.add_column("b", [1])
    with pytest.raises(AssertionError):
        table.add_column("a", [1, 2])
    assert (table.columns, table.data) == (["a"], [[1], [2]])


def test_computed_columns_see_number_and_row():
    table = Table(columns=["x", "y"], data=[[3, 1], [4, 6]])
    table.add_computed_columns(lambda ndx, row: {"diff": row["x"] - row["y"], "ndx": ndx})
    assert table.data == [[3, 1, 2, 0], [4, 6, -2, 1]]
    assert stored(table).columns == ["x", "y", "diff", "ndx"]


def test_an_incremental_table_only_gets_rows():
    table = Table(columns=["a"], log_mode="INCREMENTAL")
    table.add_data(1)
    for change in (lambda: table.add_column("b", [1]), lambda: table.add_computed_columns(lambda ndx, row: {"b": 1})):
        with pytest.raises(UsageError, match="log_mode='INCREMENTAL'"):
            change()
    with pytest.raises(AssertionError, match="Invalid log_mode"):
        Table(log_mode="SOMETIMES")


def test_a_frame_becomes_a_table_and_a_table_a_frame():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]})
    table = stored(Table(dataframe=frame))
    assert table.get_dataframe()[["a", "b"]].equals(frame[["a", "b"]])
    assert Table(data=frame).columns == ["a", "b", "c"]


def test_rows_are_numbered_and_their_numbers_give_the_row():
    table = stored(Table(columns=["a", "b"], data=[[1, "x"], [2, "y"]]))
    assert [(int(ndx), row) for ndx, row in table.iterrows()] == [(0, [1, "x"]), (1, [2, "y"])]
    assert table.index_ref(1).get_row() == {"a": 2, "b": "y"}
    assert table.get_index() == [0, 1]


def test_a_stored_table_can_be_changed_and_stored_again():
    table = stored(Table(columns=["a", "i"], data=[[1, Image(np.zeros((3, 3)))]]))
    table.add_data(2, Image(np.ones((3, 3))))
    again = stored(table)
    assert (again.get_column("a"), again.get_column("i")[1].width) == ([1, 2], 3)
    assert again == table


def test_other_programs_read_the_parquet_file():
    files = Kept()
    Table(columns=["a", "s"], data=[[1, "x"], [2, "y"]])._entry("t", files.keep)
    assert list(files) == ["t.table.parquet"]
    assert pd.read_parquet(io.BytesIO(files["t.table.parquet"])).to_dict("list") == {"a": [1, 2], "s": ["x", "y"]}


def test_reading_one_column_reads_a_small_part_of_the_file():
    files = Kept()
    noise = np.random.default_rng(0).integers(0, 255, (300, 64, 64), dtype="uint8")
    table = Table(columns=["label", "image"], data=[[n, Image(noise[n])] for n in range(300)])
    entry = table._entry("t", files.keep)
    read = []

    class Watched(io.BytesIO):
        def read(self, size=-1):
            data = super().read(size)
            read.append(len(data))
            return data

    files.open = lambda path: Watched(files[path])
    found = kinds.from_entry(entry, files)
    assert found.get_column("label", convert_to="numpy").sum() == sum(range(300))
    assert sum(read) < len(files["t.table.parquet"]) / 10


def test_a_table_with_more_rows_shares_its_pages_with_the_one_before():
    def pages(rows):
        files = Kept()
        data = np.random.default_rng(1).random(rows + 1)
        Table(columns=["x", "n"], data=[[float(data[n]), n] for n in range(rows)])._entry("t", files.keep)
        return files["t.table.parquet"]

    small, large = pages(200_000), pages(210_000)
    pieces = {small[at : at + 4096] for at in range(0, len(small) - 4096, 4096)}
    shared = sum(large.find(piece) >= 0 for piece in list(pieces)[:200])
    assert shared > 150


def test_an_empty_table_and_one_without_columns_come_back():
    assert stored(Table(columns=["a"])).data == []
    assert stored(Table(columns=[], data=[])).columns == []


def test_a_table_that_wandb_wrote_can_be_read():
    files = Kept()
    packed = io.BytesIO()
    np.savez_compressed(packed, x=np.arange(6).reshape(2, 3))
    files["media/x.npz"] = packed.getvalue()
    typed = {"x": {"wb_type": "ndarray", "params": {"serialization_path": {"path": "media/x.npz", "key": "x"}}}}
    entry = {"_type": "table", "columns": ["a", "x"], "data": [[1, None], [2, None]], "column_types": {"params": {"type_map": typed}}}
    found = kinds.from_entry(entry, files)
    assert found.get_column("a") == [1, 2]
    assert found.get_column("x", convert_to="numpy").tolist() == [[0, 1, 2], [3, 4, 5]]


CELLS = st.one_of(
    st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=6),
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=6),
    st.lists(st.text(max_size=5), min_size=1, max_size=6),
    st.lists(st.lists(st.integers(-100, 100), max_size=3), min_size=1, max_size=6),
    st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(-5, 5), max_size=3), min_size=1, max_size=6),
)


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_whatever_a_column_holds_comes_back(cells):
    assert column(*cells) == cells


def test_a_large_table_of_images_is_written_in_groups_and_does_not_stay_in_memory(tmp_path):
    table = Table(columns=["i"], data=([Image(np.full((40, 40), n % 255, "uint8"))] for n in range(2000)))
    assert all(not isinstance(row[0]._content, bytes) for row in table.data)
    files = Kept()
    table._entry("t", files.keep)
    assert parquet.ParquetFile(io.BytesIO(files["t.table.parquet"])).metadata.num_rows == 2000
