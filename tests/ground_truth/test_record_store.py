"""The append-only table: kills at random moments, several processes, cut lines, a full disk."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth.record_store import Record, RecordStore, key_of
from hf_crosssight.ground_truth.time_left import TimeLeft, duration
from hf_crosssight.ground_truth.work_queue import Piece, work_through

from . import table_worker

ROOT = Path(__file__).parents[2]


def start_worker(folder: Path, seconds: float = 0.02) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.ground_truth.table_worker", str(folder), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT)


def raw_keys(folder: Path) -> Counter[tuple[str, ...]]:
    """How often each key stands in the files, whole lines only."""
    found: Counter[tuple[str, ...]] = Counter()
    for path in (folder / "records").glob("*.jsonl"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            found[key_of(json.loads(line))] += 1
    return found


def table(folder: Path) -> list[Record]:
    with RecordStore(folder) as store:
        return list(store)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "nothing happened for a minute"
        time.sleep(0.01)


def is_held(store: RecordStore, name: str) -> bool:
    with store.claim(name) as ours:
        return not ours


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert table_worker.fill(str(folder), 0.0) == 0
    assert len(table(folder)) == 2 * table_worker.PIECES
    return table(folder)


def test_three_kills_lose_nothing_and_repeat_nothing(tmp_path: Path, uninterrupted: list[Record]) -> None:
    rng = random.Random(4)
    for _ in range(3):
        worker = start_worker(tmp_path)
        seen = sum(raw_keys(tmp_path).values())
        wait_until(lambda seen=seen: sum(raw_keys(tmp_path).values()) > seen)  # a kill before that proves nothing
        time.sleep(rng.uniform(0.0, 0.1))
        assert worker.poll() is None, "the worker ended before it could be killed"
        worker.kill()
        worker.wait()
    assert 3 <= sum(raw_keys(tmp_path).values()) < 2 * table_worker.PIECES
    assert start_worker(tmp_path, 0.0).wait(timeout=90) == 0
    assert table(tmp_path) == uninterrupted
    assert set(raw_keys(tmp_path).values()) == {1}


def test_two_processes_share_the_work(tmp_path: Path, uninterrupted: list[Record]) -> None:
    workers = [start_worker(tmp_path, 0.01) for _ in range(2)]
    assert [worker.wait(timeout=90) for worker in workers] == [0, 0]
    assert table(tmp_path) == uninterrupted
    assert set(raw_keys(tmp_path).values()) == {1}


def test_what_a_killed_process_held_is_taken_over(tmp_path: Path, uninterrupted: list[Record]) -> None:
    holder = start_worker(tmp_path, 30.0)  # claims its first piece and sleeps in it
    with RecordStore(tmp_path) as store:
        wait_until(lambda: any(is_held(store, f"m{number}") for number in range(table_worker.PIECES)))
    other = start_worker(tmp_path, 0.0)
    wait_until(lambda: sum(raw_keys(tmp_path).values()) == 2 * (table_worker.PIECES - 1))
    time.sleep(0.2)
    assert other.poll() is None  # it waits for the piece that is held
    holder.kill()
    holder.wait()
    assert other.wait(timeout=90) == 0
    assert table(tmp_path) == uninterrupted


def test_a_line_cut_in_the_middle_is_left_out_and_written_again(tmp_path: Path, uninterrupted: list[Record]) -> None:
    table_worker.fill(str(tmp_path), 0.0)
    [path] = (tmp_path / "records").glob("*.jsonl")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert len(table(tmp_path)) < len(uninterrupted)
    table_worker.fill(str(tmp_path), 0.0)
    assert table(tmp_path) == uninterrupted


def test_a_spoilt_line_in_the_middle_is_counted(tmp_path: Path) -> None:
    with RecordStore(tmp_path) as store:
        store.append(table_worker.about(1, 0))
    [path] = (tmp_path / "records").glob("*.jsonl")
    path.write_bytes(b'{"kind": "res\n\x00\xff\n[1, 2]\n' + path.read_bytes())
    with RecordStore(tmp_path) as store:
        assert store.broken_lines == 3
        assert [record["model_id"] for record in store] == ["m01"]


def test_a_record_being_written_by_another_process_is_read_once_whole(tmp_path: Path) -> None:
    with RecordStore(tmp_path) as store:
        path = tmp_path / "records" / "other.jsonl"
        line = json.dumps(table_worker.about(1, 0)).encode()
        path.write_bytes(line[:20])
        store.refresh()
        assert len(store) == 0
        assert store.broken_lines == 0
        path.write_bytes(line + b"\n")
        store.refresh()
        assert len(store) == 1


def test_a_success_replaces_a_failure_and_never_the_reverse(tmp_path: Path) -> None:
    about = table_worker.about(1, 0)
    with RecordStore(tmp_path) as store:
        for status in ("failed", "ok", "failed", "ok"):
            store.append(about | {"status": status, "accuracy": len(status)})
        assert store.get(key_of(about)) == about | {"status": "ok", "accuracy": 2}
    assert [record["status"] for record in table(tmp_path)] == ["ok"]


def test_a_full_disk_is_told_and_leaves_whole_lines(tmp_path: Path) -> None:
    """A limit on file size fails as a full disk does: part of the line is written, then nothing."""
    with RecordStore(tmp_path) as store:
        store.append(table_worker.about(1, 0))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
        try:
            with pytest.raises(UserError, match="cannot be written"):
                store.append(table_worker.about(2, 0) | {"padding": "x" * 500})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        store.append(table_worker.about(3, 0))
    assert [record["model_id"] for record in table(tmp_path)] == ["m01", "m03"]
    [path] = (tmp_path / "records").glob("*.jsonl")
    assert path.read_bytes().count(b"\n") == 2
    assert b"padding" not in path.read_bytes()


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    with RecordStore(tmp_path) as store, pytest.raises(ValueError):
        store.append(table_worker.about(1, 0) | {"accuracy": float("nan")})
    assert table(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        RecordStore(tmp_path / "file" / "table")


def test_failed_runs_are_tried_again_once_when_asked(tmp_path: Path) -> None:
    about = table_worker.about(1, 0)
    tries: list[int] = []

    def fail(store: RecordStore) -> None:
        tries.append(1)
        store.append(about | {"status": "failed"})

    with RecordStore(tmp_path) as store:
        pieces = [Piece("m1", (key_of(about),), fail)]
        assert work_through(store, pieces) == 0
        assert work_through(store, pieces) == 0
        assert len(tries) == 1
        assert work_through(store, pieces, retry_failed=True) == 0
        assert len(tries) == 2


def test_time_that_runs_out_leaves_pieces_for_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("hf_crosssight.ground_truth.work_queue.time.monotonic", lambda: now[0])

    def run(number: int, store: RecordStore) -> None:
        now[0] += 20
        store.append(table_worker.about(number, 0))

    def piece(number: int) -> Piece:
        return Piece(f"m{number}", (key_of(table_worker.about(number, 0)),), lambda store: run(number, store))

    pieces = [piece(number) for number in range(6)]
    steps: list[tuple[str, int, int | None]] = []
    with RecordStore(tmp_path) as store:
        assert work_through(store, pieces, stop_after=30, progress=lambda *step: steps.append(step)) == 4
        assert work_through(store, pieces) == 0
    assert [done for _, done, _ in steps] == [0, 1]
    assert steps[0][0].endswith("time left unknown")
    assert "about" in steps[1][0]


def test_time_left() -> None:
    now = [0.0]
    left = TimeLeft(10, clock=lambda: now[0])
    assert str(left) == "time left unknown"
    now[0] = 60.0
    left.add(2)
    assert str(left) == "about 4 min left"  # eight more at half a minute each
    assert [duration(seconds) for seconds in (40, 600, 12600)] == ["40 s", "10 min", "3.5 h"]


def test_a_claim_ends_with_its_block(tmp_path: Path) -> None:
    with RecordStore(tmp_path) as store:
        with store.claim("x") as ours:
            assert ours
            reader = os.fork()
            if reader == 0:
                with RecordStore(tmp_path) as other, other.claim("x") as taken, other.claim("y") as free:
                    os._exit(0 if not taken and free else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]) == 0
        reader = os.fork()
        if reader == 0:
            with RecordStore(tmp_path) as other, other.claim("x") as taken:
                os._exit(0 if taken else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]) == 0
