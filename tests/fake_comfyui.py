"""A ComfyUI that makes nothing, and misbehaves as asked: for who talks to one over HTTP."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

INFO = {
    "Load": {"input": {"required": {"file": [["a", "b"], {}]}}},
    "Make": {
        "input": {
            "required": {"model": ["MODEL"], "seed": ["INT", {}], "seconds": ["FLOAT", {}]},
            "optional": {"text": ["STRING", {}], "keep": ["BOOLEAN", {}], "size": ["COMBO", {}]},
        }
    },
    "Save": {"input": {"required": {"video": ["VIDEO"], "prefix": ["STRING", {}]}}},
}


class Server(ThreadingHTTPServer):
    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # who asked waits no more
            super().handle_error(request, address)


class FakeComfyUI:
    """A server on a port of its own; a context manager.

    Args:
        seconds: a job takes.
        lacks: kinds of nodes that it does not have.
        old: it cannot cancel a job by name.
        fails: prompt -> what the run of it says, or nothing.
        refuses: prompt -> the node_errors of it, or nothing.
        outputs: of every job, in place of one video.
        forgets, drops, cuts: how many jobs it forgets at once, answers to them it does not give,
            and files it sends half of.
        dies_at, hangs_at: the number of the job with which it goes, or answers late.
        others: names of jobs of other people; the first of them runs, for ever.
    """

    def __init__(self, seconds=0.02, **behaviour):
        self.seconds, self.lacks, self.old, self.others = seconds, (), False, []
        self.forgets = self.drops = self.cuts = 0
        self.dies_at = self.hangs_at = self.outputs = None
        self.fails = self.refuses = lambda prompt: None
        self.partly = self.gone = False
        for name, value in behaviour.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        self.prompts, self.asked, self.queue, self.history = [], [], [], {}
        self.most, self.interrupted, self.lock = 0, [], threading.RLock()
        self.server = Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.die()
        self.thread.join()

    def die(self):
        if not self.server.socket._closed:
            self.server.shutdown()
            self.server.server_close()

    def content(self, prompt):
        return json.dumps(prompt["2"]["inputs"], sort_keys=True).encode() * 50

    def told(self, kind):
        return [data for path, data in self.asked if path.startswith(kind)]

    def answer(self, path, data, query):
        """Return what is answered: JSON, bytes, or the number of an error with its JSON."""
        if self.hangs_at is not None and len(self.prompts) >= self.hangs_at:
            time.sleep(1)
        with self.lock:
            self._advance()
            self.asked.append((path, data))
            match path.strip("/").split("/"):
                case ["system_stats"]:
                    return {"system": {"comfyui_version": "0.0.1"}, "devices": [{"name": "none"}]}
                case ["object_info", kind]:
                    known = kind in INFO and kind not in self.lacks
                    return {kind: INFO[kind]} if known else {}
                case ["prompt"]:
                    return self._queued(data)
                case ["queue"] if data is None:
                    others = [[0, name, {}, {}, []] for name in self.others]
                    mine = [[1, name, prompt, {}, []] for name, prompt, _ in self.queue]
                    first, rest = (others or mine)[:1], mine if others else mine[1:]
                    return {"queue_running": first, "queue_pending": [*others[1:], *rest]}
                case ["queue"]:
                    kept = [one for n, one in enumerate(self.queue) if (n == 0 and not self.others)
                            or one[0] not in data["delete"]]  # fmt: skip
                    self.queue = kept
                    return {}
                case ["interrupt"]:
                    self._interrupt(data.get("prompt_id"))
                    return {}
                case ["api", "jobs", name, "cancel"] if not self.old:
                    self._interrupt(name)
                    self.queue = [one for one in self.queue if one[0] != name]
                    return {"cancelled": True}
                case ["history", name]:
                    return {name: self.history[name]} if name in self.history else {}
                case ["view"]:
                    return (404, {}) if self.gone else query["filename"][0].encode() * 999
            return 405, {}

    def _queued(self, data):
        errors = self.refuses(data["prompt"])
        if errors and not self.partly:
            return 400, {"error": {"message": "Prompt outputs failed"}, "node_errors": errors}
        self.prompts.append(data["prompt"])
        if len(self.prompts) == self.dies_at:
            threading.Thread(target=self.die).start()
            return None
        if self.forgets:
            self.forgets -= 1
        else:
            self.queue.append((data["prompt_id"], data["prompt"], time.monotonic()))
            self.most = max(self.most, len(self.queue))
        if self.drops:
            self.drops -= 1
            return None
        return {"prompt_id": data["prompt_id"], "number": 1, "node_errors": errors or {}}

    def _advance(self):
        while self.queue and not self.others:
            name, prompt, begin = self.queue[0]
            if time.monotonic() < begin + self.seconds:
                return
            self.queue.pop(0)
            said = self.fails(prompt)
            error = {"node_id": "2", "node_type": "Make", "exception_message": said}
            made = f"{prompt['2']['inputs']['seed']}_{len(self.history)}.mp4"
            video = {"filename": made, "subfolder": "x", "type": "output"}
            outputs = {"3": {"images": [video], "animated": [True]}}
            self.history[name] = {
                "outputs": self.outputs or ({} if said else outputs),
                "status": {
                    "status_str": "error" if said else "success",
                    "messages": [["execution_error", error]] if said else [],
                },
            }

    def _interrupt(self, name):
        if self.old or not name:  # whatever runs
            name = [*self.others, *(one[0] for one in self.queue)][:1][0]
        self.interrupted.append(name)
        if self.queue and self.queue[0][0] == name:
            self.queue.pop(0)
            said = {"status_str": "error", "messages": [["execution_interrupted", {}]]}
            self.history[name] = {"outputs": {}, "status": said}

    def _handler(fake):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                data = json.loads(self.rfile.read(length)) if length else None
                self.reply(fake.answer(unquote(parts.path), data, parse_qs(parts.query)))

            do_POST = do_GET

            def reply(self, answer):
                if answer is None:
                    return
                code, answer = answer if isinstance(answer, tuple) else (200, answer)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                cut = isinstance(answer, bytes) and fake.cuts > 0
                fake.cuts -= cut
                self.wfile.write(body[: len(body) // 2] if cut else body)

            def log_message(self, *words):
                pass

        return Handler
