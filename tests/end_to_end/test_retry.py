"""``flowforge retry`` and the selectors ``result:``: going on where the last run stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

BROKEN = "select nothing from {{ ref('a') }}"
GOOD = "select id, v from {{ ref('a') }}"


def test_nothing_to_retry(shop) -> None:
    assert "nothing to retry: no run under the profile 'dev' is known here" in shop("retry").err
    shop("build")
    assert "nothing to retry: the last build, 2" in shop("retry").err
    record = json.loads(shop("retry", "--log-format", "json").err)
    assert (record["version"], record["event"]) == (1, "message")
    assert record["message"].startswith("nothing to retry")


def test_what_failed_and_what_was_skipped_is_built(shop) -> None:
    shop.write("models/b.ff.sql", BROKEN)
    assert shop("build", "--keep-going", "-j", "1", ok=False).code == 1
    assert shop("ls", "-s", "result:error").names == ["b"]
    assert shop("ls", "-s", "result:skipped").names == ["c"]
    assert shop("ls", "-s", "result:ok").names == ["lone", "raw", "a"]
    assert shop("ls", "-s", "result:error+").names == ["b", "c"]
    assert shop.statuses("retry", ok=False) == {"b": "error", "c": "skipped"}
    shop.write("models/b.ff.sql", GOOD)
    dry = shop("retry", "--dry-run")
    assert [line.split()[:2] for line in dry.out.splitlines()[:-1]] == [["build", "b"], ["build", "c"]]
    assert shop.statuses("retry") == {"b": "success", "c": "success"}
    assert "nothing to retry" in shop("retry").err


def test_a_failed_check_can_be_retried_and_selected(shop) -> None:
    shop.write("seeds/raw.csv", "id,v\n1,5\n2,\n")
    assert shop("build", ok=False).code == 2
    assert shop("ls", "-s", "result:fail").names == ["b"]
    assert shop("ls", "--checks", "-s", "result:fail").out == "not_null_b_v\n"
    shop.write("models/b.ff.sql", "select id, coalesce(v, 0) as v from {{ ref('a') }}")
    assert shop.statuses("retry") == {"b": "success", "c": "success"}


def test_the_options_of_the_run_hold_unless_others_are_given(shop) -> None:
    shop.write("models/b.ff.sql", "select {{ var('what') }} as v from {{ ref('a') }}")
    shop("build", "--vars", "what=nothing", "--keep-going", "--no-cache", "-j", "1", ok=False)
    ended = shop("retry", ok=False)
    assert ended.code == 1
    assert "nothing" in ended.err
    assert shop.statuses("retry", "--vars", "what=5", "-j", "2") == {"b": "success", "c": "success"}
    assert shop.statuses("build", "--vars", "what=5")["b"] == "success", "the retry was as --no-cache as the run"


def test_what_was_forced_and_went_well_is_not_asked_for_again(shop) -> None:
    shop("build")
    shop.write("models/b.ff.sql", BROKEN)
    shop("run", "--keep-going", "--rebuild", "lone", ok=False)
    shop.write("models/b.ff.sql", GOOD)
    ended = shop("retry")
    assert "retrying 2 nodes" in ended.err
    assert "--rebuild" not in ended.err


def test_secret_variables_are_not_kept(shop) -> None:
    shop.write("models/b.ff.sql", "select nothing, '{{ var('api_token') }}' as v from {{ ref('a') }}")
    shop("build", "--vars", "api_token=hush-hush-hush", ok=False)
    state = b"".join(path.read_bytes() for path in (shop.root / ".flowforge").iterdir())
    assert b"api_token" in state
    ended = shop("retry", ok=False)
    assert ended.code == 64
    assert "--vars api_token=" in ended.err


def test_what_is_gone_is_left_out(shop) -> None:
    shop.write("models/b.ff.sql", BROKEN)
    shop("build", ok=False)
    (shop.root / "models/c.ff.sql").unlink()
    shop.write("models/b.ff.sql", GOOD)
    ended = shop("retry")
    assert "no longer in the project, so not retried: c" in ended.err
    assert "FF2344" in ended.err


def test_after_a_kill_the_rest_is_built(shop) -> None:
    shop.write(
        "models/d.ff.py",
        "import os\n\nfrom flowforge import model\n\n\n@model(name='d', deps=['b'], cache=True)\ndef d(b):\n"
        "    if os.environ.get('DIE'):\n        os.kill(os.getpid(), 9)\n    return b\n",
    )
    command = [sys.executable, "-m", "flowforge", "build", "-j", "1", "-q"]
    done = subprocess.run(command, env={**os.environ, "DIE": "1"}, capture_output=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert "d" in shop("ls", "-s", "result:cancelled").names
    assert shop.statuses("retry")["d"] == "success"
    assert set(shop.statuses("build").values()) == {"cached"}


def test_the_history_of_a_profile_is_its_own(shop) -> None:
    shop.write("models/b.ff.sql", BROKEN)
    shop("build", ok=False)
    assert "nothing to retry" in shop("retry", "--env", "other").err
    ended = shop("ls", "-s", "result:error", "--env", "other", ok=False)
    assert ended.code == 5
    assert "error[FF5003]" in ended.err


@pytest.mark.parametrize(("word", "help_"), [("sucess", "did you mean result:success?"), ("xyz", "one of cached,")])
def test_unknown_words_are_usage_errors(shop, word: str, help_: str) -> None:
    ended = shop("ls", "-s", f"result:{word}", ok=False)
    assert ended.code == 64
    assert help_ in ended.err
