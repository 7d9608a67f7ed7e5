"""`ringback bench revert` runs to its end and says what it promises; the figures themselves are no test."""

import json

from click.testing import CliRunner

from ringback.bench import revert


def test_one_revert_of_each_plane_gives_its_figures(monkeypatch):
    monkeypatch.setattr(revert, "MODEL_BYTES", 200_000)
    monkeypatch.setenv("PYTHONPATH", "src")

    result = CliRunner().invoke(revert.command, ["--runs", "1", "--json"])

    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    for plane in ("config", "model"):
        assert figures[plane]["runs"] == 1
        assert 0 < figures[plane]["p50_ms"] <= figures[plane]["max_ms"]
    assert figures["model_bytes"] == 200_000
