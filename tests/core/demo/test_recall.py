"""What the shipped model recalls, and which heads carry it."""

import json

import pytest

from headforcing.headforcing_core.demo import oracle, recall
from headforcing.headforcing_core.demo.absence import AWAY, Absence, window
from headforcing.headforcing_core.demo.networks import SHIPPED, DemoModel
from headforcing.headforcing_core.demo.oracle import EVERY_HEAD, sighted
from headforcing.headforcing_core.demo.profiles import maps_of
from headforcing.headforcing_core.demo.scores import HIDDEN

GROUND, REPLACED, GONE = HIDDEN


@pytest.fixture(scope="module")
def model():
    return DemoModel.load()


@pytest.fixture(scope="module")
def far(model):
    return Absence.of(model, GROUND, range(500, 506), AWAY[-1])


def error(model, absence, method):
    return absence.recollection(absence.shown(model, method, 0)).error


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda hidden: hidden.name)
def test_who_remembers_nothing_is_far_from_the_truth(model, hidden):
    """Before any training: a guess, a stranger and what was seen last lie far from recall."""
    scores = recall.recall(model, hidden, range(700, 712), AWAY[1], 0)
    truth, again = scores[recall.TRUTH], scores[recall.ROUND_TRIP]
    assert truth.error < 0.003 and truth.slope == pytest.approx(1, abs=0.05)
    assert again.error < scores[recall.STRANGER].error / 3
    for who in (recall.GUESS, recall.STRANGER):
        assert scores[who].error > 0.02 > 5 * truth.error
    last = scores[recall.LAST].error
    assert last is None if hidden is GONE else last > 2 * scores[recall.STRANGER].error


def test_the_model_recalls_what_it_claims(model):
    """Its card says how well, on more stories; here on others, and less surely."""
    card = json.loads((SHIPPED / "recall.json").read_text())
    for name, claimed in card["claims"].items():
        hidden = next(hidden for hidden in HIDDEN if hidden.name == name)
        scores = recall.recall(model, hidden, range(900, 916), AWAY[-1], 1)
        made, stranger = scores[recall.MODEL], scores[recall.STRANGER].error
        assert made.error <= claimed * stranger, name
        # from nowhere else than the frames that were there
        assert scores[recall.CUT_OFF].error > 2 * made.error


def test_stories_have_one_thing_away_at_a_time(model):
    for hidden in HIDDEN:
        absence = Absence.of(model, hidden, range(3), AWAY[2])
        for story, video in zip(absence.stories, absence.videos, strict=True):
            assert story[0].scene == story[-1].scene and story[-1].start == absence.back
            assert all(cut.scene != story[0].scene for cut in story[1:-1])
            assert len(video) == 4 * (absence.frames - 1) + 1


def test_heads_that_see_nothing_remember_nothing(model, far):
    """All heads sighted are the plain window, none is a window that ends before."""
    frames, away = far.frames, far.away
    assert error(model, far, sighted(EVERY_HEAD, frames, away)) == pytest.approx(
        error(model, far, window(frames)), abs=1e-4
    )
    assert error(model, far, sighted((), frames, away)) == pytest.approx(
        error(model, far, window(away + 3)), abs=1e-4
    )


def test_the_heads_that_the_profile_names_carry_it(model, far):
    """By intervention: with them alone it recalls nearly as well, without them not at all."""
    head_map = maps_of(model)["head_forcing"]
    named = {
        (layer, head)
        for layer, row in enumerate(head_map.types)
        for head, kind in enumerate(row)
        if kind == "hf.recall"
    }
    assert 0 < len(named) <= 9
    whole, none = (error(model, far, sighted(h, far.frames, far.away)) for h in (EVERY_HEAD, ()))
    assert none > 5 * whole
    alone = error(model, far, sighted(named, far.frames, far.away))
    without = error(model, far, sighted(set(EVERY_HEAD) - named, far.frames, far.away))
    assert alone < whole + 0.1 * (none - whole)
    assert without > none - 0.2 * (none - whole)


def test_the_recall_command(tmp_path, capsys):
    file = tmp_path / "recall.json"
    assert recall.main(["--prompts", "2", "--first", "40", "--json", str(file)]) == 0
    said = capsys.readouterr().out
    assert "model, its frames cut off" in said and "away 15" in said
    written = json.loads(file.read_text())
    assert set(written) == {hidden.name for hidden in HIDDEN}
    assert set(written["ground"]) == {str(away) for away in AWAY}
    assert written["ground"]["3"]["truth"]["error"] < 0.001
    assert written["thing, gone"]["3"]["what was seen last"]["error"] is None


@pytest.mark.parametrize("command", [recall, oracle], ids=["recall", "oracle"])
@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (["--prompts", "1"], "--prompts must be 2 to"),
        (["--first", "-1"], "--first must be 0 to"),
        (["--seed", "-1"], "seed must be a non-negative integer"),
        (["--model", "nowhere"], "must have a file headforcing_demo"),
        (["--json", "no/where/x.json"], "the folder for x.json must exist"),
    ],
)
def test_bad_options_are_one_sentence(command, wrong, rule, capsys):
    assert command.main(wrong) == 2
    said = capsys.readouterr().err
    assert rule in said and len(said.strip().splitlines()) == 1


def test_the_oracle_command(tmp_path, capsys, monkeypatch):
    few = EVERY_HEAD[::12]
    monkeypatch.setattr(oracle, "EVERY_HEAD", few)
    monkeypatch.setattr(oracle, "COUNTS", (1, 2))
    monkeypatch.setattr(oracle, "HIDDEN", (GROUND,))
    monkeypatch.setattr(oracle, "_rows", lambda values: [list(values)])
    file = tmp_path / "oracle.json"
    assert oracle.main(["--prompts", "2", "--json", str(file)]) == 0
    found = json.loads(file.read_text())["ground"]
    assert len(found["only"][0]) == len(few) and min(found["none"], found["all"]) > 0
    assert set(found["given"]) == set(found["orders"])
    said = capsys.readouterr().out
    assert "only this head sees" in said and "intervention" in said
