"""Prompts that are told to a running video, by the route that the page asks."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
import torch
from comfy_host import needs_host
from host_script import found_by
from live_host import errors_of
from prompts import NOW, node, only
from safetensors import safe_open

from headforcing.headforcing_core.files import ABOUT

pytestmark = needs_host
RED, BLUE = "a red ball moving slowly on plain olive", "a blue square moving slowly on plain grey"
GREEN = "a green ring moving slowly on plain grey"
CLIENT, SAMPLER, SCHEDULE = "a page", "3", "2"


def graph(text, seed, prefix, seconds=9.0, **more):
    """The demo with a schedule, a film and a saved latent."""
    sampler = {"model": ["1", 0], "prompts": [SCHEDULE, 0], "vae": ["1", 2], "seed": seed}
    sampler |= {"seconds": seconds, "width": 64, "height": 64, "filename_prefix": prefix, **NOW}
    schedule = {"clip": ["1", 1], "text": text, "prefix": "", "units": "auto"}
    return {
        "1": node("HeadForcingLoadDemo"),
        SCHEDULE: node("HeadForcingPromptSchedule", **schedule),
        SAMPLER: node("HeadForcingSampler", **(sampler | more)),
        "4": node(
            "SaveLatent", samples=[SAMPLER, 0], filename_prefix=f"steered/{Path(prefix).name}"
        ),
        "5": node("PreviewAny", source=[SAMPLER, 1]),
    }


def page(text, name=SCHEDULE, **more):
    """The page's own form of the one node that matters."""
    widgets = {"id": int(name), "type": "HeadForcingPromptSchedule", "widgets_values": [text]}
    return {"workflow": {"id": "w", "nodes": [widgets | more], "links": []}}


def queued(host, prompt, workflow=None):
    asked = {"prompt": prompt, "client_id": CLIENT}
    answer = host.post("/prompt", asked | {"extra_data": {"extra_pnginfo": workflow or {}}})
    assert "prompt_id" in answer, answer
    return answer["prompt_id"]


def told(host, prompt_id, text, cut=False, sampler=SAMPLER, client=CLIENT):
    question = {"prompt_id": prompt_id, "node": sampler, "client": client}
    return host.post("/head_forcing/steer", question | {"text": text, "cut": cut})


@contextmanager
def running(host, prompt, chunk=2, workflow=None):
    """Queue a prompt and wait until one of its chunks is made; end it well."""
    before, prompt_id = len(host.said()), queued(host, prompt, workflow)
    wait_for(host, before, f"Head Forcing: chunk {chunk} of")
    yield prompt_id
    done = host.wait(prompt_id)
    assert done["status"]["status_str"] == "success", errors_of(done)


def plan_of(host, prompt_id):
    """What the sampler says ruled when."""
    (said,) = host.wait(prompt_id)["outputs"]["5"]["text"]
    return said


def wait_for(host, before, said):
    deadline = time.monotonic() + 90
    while said not in host.said()[before:]:
        assert time.monotonic() < deadline, host.said()[before:][-2000:]
        time.sleep(0.02)


def made_anew(host, prompt, prefix):
    """Run a graph of which nothing is kept; return its latent."""
    for folder in ("head_forcing_unfinished", "video"):
        shutil.rmtree(host.base / "output" / folder, ignore_errors=True)
    host.forget()
    prompt["4"]["inputs"]["filename_prefix"] = f"steered/{prefix}"
    host.run(prompt)
    return only(host, f"steered/{prefix}_*.latent")


def film_of(host, prefix):
    (path,) = (host.base / "output").glob(f"{prefix}_*.mp4")
    with av.open(str(path)) as file:
        return {name: json.loads(text) for name, text in file.metadata.items() if text[:1] == "{"}


@pytest.mark.parametrize("cut", [False, True])
def test_a_prompt_on_the_way_is_as_if_it_had_been_in_the_schedule(host, cut):
    name = f"steer{cut}"
    prompt = graph(f"[0:6] {RED}\n[6:9] {BLUE}", 61 + cut, f"video/{name}")
    prompt["4"]["inputs"]["filename_prefix"] = f"steered/{name}"
    with running(host, prompt, 3, page(prompt[SCHEDULE]["inputs"]["text"])) as prompt_id:
        receipt = told(host, prompt_id, GREEN, cut)
    assert "error" not in receipt, receipt
    assert receipt["of"] == 12 and 4 <= receipt["chunk"] <= 8, receipt
    assert receipt["second"] == 0.75 * (receipt["chunk"] - 1) and receipt["cut"] == cut
    mark = "#" if cut else ""
    assert f"[{receipt['second']:g}s{mark}] {GREEN}" in receipt["schedule"].split("\n")
    steered, ran = only(host, f"steered/{name}_*.latent"), receipt["schedule"]
    assert f"{receipt['second']:g} s to " in plan_of(host, prompt_id)
    assert GREEN in plan_of(host, prompt_id)

    film = film_of(host, f"video/{name}")
    about = film[ABOUT]
    assert [one["text"] for one in about["prompts"]] == [RED, GREEN, BLUE]
    assert film["prompt"][SCHEDULE]["inputs"]["text"] == ran
    assert film["workflow"]["nodes"][0]["widgets_values"] == [ran]
    (saved,) = (host.base / "output" / "steered").glob(f"{name}_*.latent")
    with safe_open(saved, "pt") as file:  # by a node of the host's that runs later
        assert json.loads(file.metadata()["prompt"])[SCHEDULE]["inputs"]["text"] == ran

    again = graph(ran, 61 + cut, f"video/{name}again")
    assert torch.equal(made_anew(host, again, f"{name}again"), steered)
    first_graph = graph(f"[0:6] {RED}\n[6:9] {BLUE}", 61 + cut, f"video/{name}plain")
    plain = made_anew(host, first_graph, f"{name}plain")
    first = 3 * (receipt["chunk"] - 1)
    assert torch.equal(plain[:, :, :first], steered[:, :, :first])
    assert (plain[:, :, first:] - steered[:, :, first:]).abs().max() > 0.1


def test_the_host_does_not_answer_the_old_graph_with_the_new_video(host):
    prompt = graph(RED, 71, "video/old")
    text = prompt[SCHEDULE]["inputs"]["text"]
    prompt["4"]["inputs"]["filename_prefix"] = "steered/old"
    with running(host, prompt) as prompt_id:
        assert "chunk" in told(host, prompt_id, BLUE)
    steered = only(host, "steered/old_*.latent")
    prompt[SCHEDULE]["inputs"]["text"] = text
    prompt["4"]["inputs"]["filename_prefix"] = "steered/oldagain"
    host.run(prompt)
    assert not torch.equal(only(host, "steered/oldagain_*.latent"), steered)


def test_what_was_steered_and_interrupted_goes_on_as_the_schedule_that_ran(host):
    before, prompt = len(host.said()), graph(RED, 72, "video/on", 60.0)
    prompt_id = queued(host, prompt)
    wait_for(host, before, "Head Forcing: chunk 2 of")
    receipt = told(host, prompt_id, BLUE)
    wait_for(host, before, f"Head Forcing: chunk {receipt['chunk'] + 1} of")
    host.post("/interrupt", {})
    host.wait(prompt_id)
    said = len(host.said())
    again = graph(receipt["schedule"], 72, "video/on", 0.75 * receipt["chunk"] + 1.5)
    again["4"]["inputs"]["filename_prefix"] = "steered/on"
    host.run(again)
    gone_on = host.said()[said:].split("going on after ")[1].split()[0]
    assert int(gone_on) >= receipt["chunk"]
    # what was made before is no video of the first schedule any more
    said = len(host.said())
    host.run(graph(RED, 72, "video/first", 3.0))
    assert "going on after" not in host.said()[said:]
    on = only(host, "steered/on_*.latent")
    assert torch.equal(made_anew(host, again, "onagain"), on)


def test_who_is_not_the_page_of_a_run_cannot_reach_it(host):
    said = len(host.said())
    with running(host, graph(RED, 73, "video/mine")) as prompt_id:
        for asked in ({"client": "another"}, {"sampler": "4"}, {"sampler": "9:3"}):
            answer = told(host, prompt_id, BLUE, **asked)
            assert answer["error"].startswith("prompt_id, node and client must be those"), answer
        assert "must be those" in told(host, "another", BLUE)["error"]
    assert "must be those" in told(host, prompt_id, BLUE)["error"]  # it has ended
    assert "takes the prompt" not in host.said()[said:]
    assert film_of(host, "video/mine")[ABOUT]["prompts"][0]["text"] == RED


def test_what_is_no_prompt_is_refused_and_the_run_goes_on(host):
    wrong = {
        "": "must have a text",
        f"[0:3] {RED}": "without a time",
        f"{RED} | {BLUE}": "one prompt",
        "a purple cow": "1 to 20 words out of",  # by its encoder, when a chunk would take it
    }
    with running(host, graph(RED, 74, "video/no", 15.0)) as prompt_id:
        for text, why in wrong.items():
            assert why in told(host, prompt_id, text)["error"]
    assert film_of(host, "video/no")[ABOUT]["prompts"][0]["text"] == RED


def test_a_graph_that_could_not_say_what_ran_is_refused(host):
    plain = graph(RED, 75, "video/plain")
    plain[SCHEDULE] = node("CLIPTextEncode", clip=["1", 1], text=RED)
    with running(host, plain) as prompt_id:
        assert "must come from Prompt Schedule" in told(host, prompt_id, BLUE)["error"]
    shared = graph(RED, 76, "video/shared")
    shared["7"] = node("HeadForcingSampler", **(shared[SAMPLER]["inputs"] | {"seed": 77}))
    shared["6"] = node("SaveLatent", samples=["7", 0], filename_prefix="steered/other")
    with running(host, shared) as prompt_id:
        errors = [told(host, prompt_id, BLUE, sampler=name).get("error") for name in ("3", "7")]
        assert any("must feed this sampler alone" in (error or "") for error in errors), errors


SHAPES = {
    "nodes": {"nodes": None},
    "another form": {"1": {"class_type": "HeadForcingSampler"}, "nodes": [None, {"type": "x"}]},
    "subgraphs": page(RED)["workflow"] | {"definitions": {"subgraphs": [{"no": "id"}]}},
    "sockets": page(RED, inputs=[None])["workflow"],
    "links": page(RED, inputs=[{"name": "text", "link": 5}])["workflow"] | {"links": [None]},
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_workflow_of_another_form_is_refused_and_the_run_goes_on(host, name):
    prompt = graph(RED, 90 + len(name), f"video/shape{len(name)}", 6.0)
    with running(host, prompt, 1, {"workflow": SHAPES[name]}) as prompt_id:
        assert "must be as the page saves it" in told(host, prompt_id, BLUE)["error"]


@pytest.mark.parametrize("values", [None, [], {}, [RED, "", "auto", 0]])
def test_the_workflow_says_what_ran_however_it_has_its_widgets(host, values):
    name = f"video/values{len(values or '')}{type(values).__name__}"
    prompt = graph(RED, 101, name, 6.0)
    both = {"widgets_values": values, "widgets_values_named": {"text": RED, "fps": 0.0}}
    with running(host, prompt, 1, page(RED, **both)) as prompt_id:
        ran = told(host, prompt_id, BLUE)["schedule"]
    (shown,) = film_of(host, name)["workflow"]["nodes"]
    found = shown["widgets_values"]
    assert found == ({"text": ran} if values == {} else [ran, *(values or [])[1:]])
    assert shown["widgets_values_named"] == {"text": ran, "fps": 0.0}


def test_a_graph_that_is_read_from_a_file_is_not_answered_with_what_came_later(host):
    """Nor does the sampler's plan tell what did not run."""
    prompt = graph(RED, 111, "video/read")
    prompt["4"]["inputs"]["filename_prefix"] = "steered/read"
    prompt["5"] = node("PreviewAny", source=[SAMPLER, 1])
    with running(host, prompt, 1, page(RED)) as prompt_id:
        assert "chunk" in told(host, prompt_id, BLUE)
    (plan,) = host.wait(prompt_id)["outputs"]["5"]["text"]
    assert BLUE in plan and RED in plan
    first = only(host, "steered/read_*.latent")
    read = film_of(host, "video/read")["prompt"]
    made_anew(host, json.loads(json.dumps(read)), "readsame")
    host.forget()
    shutil.rmtree(host.base / "output" / "head_forcing_unfinished")
    read["4"]["inputs"]["filename_prefix"] = "steered/readsteered"
    with running(host, json.loads(json.dumps(read)), 1) as prompt_id:
        assert "chunk" in told(host, prompt_id, GREEN)
    read["4"]["inputs"]["filename_prefix"] = "steered/readagain"
    host.run(json.loads(json.dumps(read)))
    assert torch.equal(only(host, "steered/readagain_*.latent"), first)


def test_of_two_the_later_is_taken(host):
    with running(host, graph(RED, 78, "video/two")) as prompt_id, ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(told, host, prompt_id, f"{BLUE}{'!' * n}") for n in range(4)]
    answers = [one.result() for one in asked]
    taken = [one for one in answers if "chunk" in one]
    others = [one["error"] for one in answers if "error" in one]
    assert taken and all("got another one" in error for error in others), answers


@pytest.fixture(scope="module")
def runs():
    return found_by("check_steered_runs.py")


def test_prompts_that_have_other_names_now_are_not_taken_for_each_other(runs):
    assert [runs[name] for name in ("shots 1", "shots 2", "shot words")] == [0, 0, 0]


def test_of_a_list_the_second_run_says_what_it_is_told(runs):
    assert runs["listed"] == [True, "a cat"]


def test_what_comes_too_late_is_said(runs):
    assert "must have a chunk left" in runs["late"] and runs["over"]


def test_the_host_may_hand_all_inputs_to_the_fingerprint(runs):
    assert runs["inputs without a name"] == []


def test_what_an_encoder_raises_is_said_and_the_run_goes_on_as_it_was(runs):
    found = {name: runs[f"encoder {name}"] for name in ("KeyError", "TypeError", "RuntimeError")}
    for name, (as_it_was, said) in found.items():
        assert as_it_was and f"take a live prompt, got {name}" in said
    assert runs["encoder OutOfMemoryError"] == [True, "no room"]


def test_whatever_becomes_of_a_move_both_schedules_make_what_they_say(runs):
    for name in ("killed at 1", "killed at 6", "killed at 12", "killed at 14", "killed at 16"):
        assert runs[name] == [True, True, True], name
    assert runs["full"] == runs["locked"] == [False, True, True]


def test_a_longer_video_goes_on_when_a_shorter_one_is_steered(runs):
    assert runs["note of the longer"] == 1 and runs["longer goes on"]


def test_a_video_that_cannot_be_written_ends_its_run_all_the_same(runs):
    assert runs["a broken reel"] == ["not encoded", "the run must go on, got its end"]
