"""A ComfyUI that runs, with this pack and weights made by the test."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from comfy_host import CPU, HOST, PAGE, ROOT, host_python

# no spaces: hosts do not serve the web folder of such a pack
PACK = "Head-Forcing"
STUB = '''
"""Text encoders of billions of weights, replaced."""
import torch

class Clip:
    def tokenize(self, text):
        return text
    def encode_from_tokens_scheduled(self, text):
        rng = torch.Generator().manual_seed(len(text))
        return [[torch.randn(1, 12, 4096, generator=rng), {}]]

class StubClip:
    INPUT_TYPES = classmethod(lambda cls: {"required": {"clip_name": ("STRING", {})}})
    RETURN_TYPES, FUNCTION, CATEGORY = ("CLIP",), "load", "test"
    def load(self, clip_name):
        return (Clip(),)

NODE_CLASS_MAPPINGS = {"StubClip": StubClip}
'''


class LiveHost:
    """A server on a folder of its own; a context manager."""

    def __init__(self, base: Path):
        self.base = base
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self) -> "LiveHost":
        skip = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "tests", "demo_out")
        shutil.copytree(ROOT, self.base / "custom_nodes" / PACK, ignore=skip)
        (self.base / "custom_nodes" / "stub_clip.py").write_text(STUB)
        tiny = Path(__file__).with_name("make_tiny.py")
        subprocess.run([host_python(), tiny, HOST, self.base / "models"], cwd=HOST, check=True)
        self.log = (self.base / "server.log").open("w+")
        self.start()
        return self

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self.process = subprocess.Popen(
            [
                *(host_python(), "main.py", *CPU, "--port", str(self.port)),
                *("--disable-auto-launch", "--disable-api-nodes", "--dont-print-server"),
                *("--base-directory", self.base),
                *("--database-url", "sqlite:///:memory:"),
                *(("--front-end-root", PAGE) if PAGE else ()),
            ],
            cwd=HOST,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
        deadline = time.monotonic() + 300
        while True:
            try:
                self.info = self.get("/object_info")
                return
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None and time.monotonic() < deadline, self.said()
                time.sleep(0.5)

    def kill(self) -> None:
        """End the server as a power cut does."""
        self.process.kill()
        self.process.wait(30)

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def said(self) -> str:
        return (self.base / "server.log").read_text("utf-8", "replace")

    def get(self, path: str):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return json.load(answer)

    def post(self, path: str, data: object):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            json.dumps(data).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return json.load(error)

    def forget(self) -> None:
        """Drop what the host keeps of earlier prompts, so that nothing is answered from there."""
        self.post("/free", {"unload_models": True, "free_memory": True})
        time.sleep(1.5)  # the worker looks for it once a second

    def queue(self, prompt: dict) -> str:
        """Queue an API prompt and return its id."""
        answer = self.post("/prompt", {"prompt": prompt})
        assert "prompt_id" in answer, json.dumps(answer)[:2000]
        return answer["prompt_id"]

    def wait(self, prompt_id: str, seconds: float = 180) -> dict:
        """Return the history of a prompt that has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]
            time.sleep(0.2)
        raise AssertionError(f"not done after {seconds} s:\n{self.said()[-2000:]}")

    def run(self, prompt: dict, seconds: float = 180) -> dict:
        """Run an API prompt; return its history, which must be a success."""
        done = self.wait(self.queue(prompt), seconds)
        assert done["status"]["status_str"] == "success", errors_of(done) or self.said()[-3000:]
        return done


def errors_of(history: dict) -> list[str]:
    messages = history["status"]["messages"]
    return [
        data.get("exception_message", "") for kind, data in messages if kind == "execution_error"
    ]
