"""The benchmark of sparse maps, at a size of milliseconds."""

import json

import pytest
import torch
from asserts import assert_refused

from pwlact.experiments.bench_sparse import MEASURE, SparseBenchConfig, contenders, run


@pytest.fixture(scope="module")
def record():
    turns = []
    before = torch.get_num_threads()
    result = run(SparseBenchConfig(rows=8, units=40, repeats=3, slow=True, threads=1), lambda *a: turns.append(a))
    assert torch.get_num_threads() == before
    return result, turns


def test_record(record):
    result, turns = record
    rows = {row["name"]: row for row in result["rows"]}
    assert set(rows) == set(contenders(slow=True))
    for row in rows.values():
        assert row["total_ms"] > 0
        assert max(row["forward_ms"], row["backward_ms"]) <= row["total_ms"]
        assert row["spread"][0] <= row["vs_softmax"] <= row["spread"][1]
    assert rows[MEASURE]["vs_softmax"] == 1
    assert rows["softmax"]["support"] == 40
    assert 1 <= rows["sparsemax"]["support"] < rows["entmax15"]["support"] < 40
    assert rows["sparsemax"]["support"] == rows["entmax package: sparsemax, k = 32"]["support"]
    assert turns[-1] == (len(rows) * 4, len(rows) * 4)
    assert [done for done, _ in turns] == list(range(1, len(turns) + 1))
    assert json.loads(json.dumps(result))["threads"] == 1


def test_maps_agree():
    z = torch.randn(5, 200, dtype=torch.float64)
    maps = contenders(slow=True)
    assert (maps["sparsemax"](z) - maps["entmax package: sparsemax, k = 32"](z)).abs().max() < 1e-12
    assert (maps["entmax15"](z) - maps["entmax package: entmax15, k = 100"](z)).abs().max() < 1e-12


def test_refused():
    assert_refused(lambda: SparseBenchConfig(rows=0), "rows")
    assert_refused(lambda: SparseBenchConfig(scale=-1.0), "scale")
    assert_refused(lambda: SparseBenchConfig(threads=0), "threads")
    assert_refused(lambda: SparseBenchConfig(device="tpu"), "tpu")
