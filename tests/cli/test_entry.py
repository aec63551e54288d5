"""The command line as a user meets it: help, version, codes, and errors in two lines."""

import subprocess
import sys
import time

import pytest

import hf_crosssight
from hf_crosssight.cli import entry
from hf_crosssight.cli.entry import main
from hf_crosssight.errors import HubError, UserError


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


def two_lines(text: str) -> tuple[str, str]:
    what, hint = text.strip().splitlines()
    assert what.startswith("error: ")
    assert hint.startswith("hint: ")
    return what, hint


def test_help_names_the_commands_and_shows_an_example(capsys):
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert "rank" in shown
    assert "env" in shown
    assert "hf-crosssight rank --dataset digits" in shown


def test_help_of_rank_ends_in_examples(capsys):
    assert run("rank", "--help") == 0
    assert "hf-crosssight rank --dataset cifar10 --license mit" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [(), ("ground-truth",)])
def test_a_bare_command_shows_its_help(arguments, capsys):
    assert run(*arguments) == 0
    assert "Commands:" in capsys.readouterr().out


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"hf-crosssight {hf_crosssight.__version__}\n"


def test_help_imports_neither_torch_nor_transformers_and_is_quick():
    code = (
        "import sys\n"
        "try:\n"
        "    from hf_crosssight.cli import main; main(['rank', '--help'])\n"
        "except SystemExit as stopped: assert stopped.code == 0\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    assert time.perf_counter() - begin < 2.0  # 0.2 s on an idle core; the bound leaves room for a busy one


@pytest.mark.parametrize(
    "arguments",
    [
        ("rank",),
        ("rank", "--dataset", "digits", "--no-such-option"),
        ("rank", "--dataset", "digits", "--top", "many"),
        ("rank", "--dataset", "digits", "--format", "xml"),
        ("no-such-command",),
    ],
)
def test_misuse_is_two_lines_and_exit_code_2(arguments, capsys):
    assert run(*arguments) == 2
    _, hint = two_lines(capsys.readouterr().err)
    assert "--help" in hint


@pytest.mark.parametrize(
    ("error", "code", "what"),
    [
        (UserError("bad", "mend it"), 2, "error: bad"),
        (HubError("down", "wait"), 3, "error: down"),
        (KeyboardInterrupt(), 2, "error: interrupted"),
        (ZeroDivisionError("oops"), 1, "error: a defect of hf-crosssight: ZeroDivisionError: oops"),
    ],
)
def test_every_failure_has_its_code_and_no_traceback(error, code, what, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(entry, "app", fail)
    assert run("rank", "--dataset", "digits") == code
    assert two_lines(capsys.readouterr().err)[0] == what


def test_debug_shows_the_traceback(monkeypatch, capsys):
    def fail(*_, **__):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(entry, "app", fail)
    assert run("rank", "--dataset", "digits", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_env_prints_versions_but_no_token(monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert run("env", "--format", "json") == 0
    shown = capsys.readouterr().out
    assert "hf_secret" not in shown
    assert '"token": true' in shown
    assert '"transformers": "' in shown


def test_ctrl_c_within_an_import_waits_for_its_end(tmp_path):
    (tmp_path / "heavy.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0.3)\nprint('whole', flush=True)\n"
    )
    program = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from hf_crosssight.cli.interrupt import wait_for_imports\nwait_for_imports()\n"
        "try:\n    import heavy\n    time.sleep(30)\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=25)
    assert done.stdout.split() == ["whole", "interrupted"]
    assert done.returncode == 0


def test_ctrl_c_outside_of_imports_is_immediate():
    program = (
        "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from hf_crosssight.cli.interrupt import wait_for_imports\nwait_for_imports()\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    print('late')\n"
        "except KeyboardInterrupt:\n    print('now')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=25)
    assert done.stdout.split() == ["now"]
