"""A worker over HTTP. Copy it: it needs only the standard library.

    from longshore_http import Worker

    worker = Worker("http://127.0.0.1:7070")

    @worker.job("resize")
    def resize(data, attempt):
        attempt.progress(0.5, "half")
        return {"width": data["width"] // 2}    # the job's result

    worker.run()

It runs one job after the other; start several for more. Whatever fails between it and the server is repeated: each
request says what the worker holds, or names its attempt, so the same request twice does the same.
"""

import http.client
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
import traceback
import urllib.parse

CLAIM_WAIT = 30  # seconds; at most 60
PAUSE_MAX = 5


class Failure(Exception):
    """Fails the job with a failure type, such as `raise Failure("validation_error", "no such image")`."""

    def __init__(self, failure_type, message):
        super().__init__(message)
        self.failure_type = failure_type


class Stopped(Exception):
    """The attempt must end: the job was cancelled or lost, or its time is over."""


class Refused(Exception):
    """An answer of the server that is an error."""

    def __init__(self, status, error):
        super().__init__(error["message"])
        self.status, self.code = status, error["code"]


class Shutdown(Exception):
    """Ends a claim that waits."""


class Server:
    def __init__(self, url, token=None):
        self.url = urllib.parse.urlsplit(url)
        self.headers = {"content-type": "application/json"}
        if token:
            self.headers["authorization"] = f"Bearer {token}"

    def ask(self, method, path, body=None, content_type="application/json"):
        """One request; an error of the server is `Refused`, one of the way to it an `OSError`."""
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.url.netloc, timeout=CLAIM_WAIT + 60)
        try:
            data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            headers = self.headers | {"content-type": content_type}
            connection.request(method, self.url.path.rstrip("/") + path, data, headers)
            answer = connection.getresponse()
            document = json.loads(answer.read())
        except (http.client.HTTPException, ValueError) as error:
            raise ConnectionError(f"no answer: {error!r}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(answer.status, document["error"])
        return document


class Attempt:
    """A job that runs."""

    def __init__(self, job, server):
        self.job, self.server = job, server
        self.stop = None  # why it must end: "lost", "cancelled" or "timed_out"
        self.lock, self.text, self.fraction = threading.Lock(), "", None

    def log(self, text):
        with self.lock:
            self.text += text.rstrip("\n") + "\n"

    def progress(self, fraction, message=None):
        """From 0 to 1; a value outside is set to the nearer end, because the server refuses it."""
        with self.lock:
            self.fraction = {"progress": min(max(fraction, 0), 1), "message": message}
        self.check()

    def check(self):
        """Call it often: it ends an attempt that must not go on."""
        if self.stop:
            raise Stopped(self.stop)

    def held(self):
        return {"id": self.job["id"], "claim_number": self.job["claim_number"]}

    def news(self):
        with self.lock:
            news = self.held() | {"log": self.text} | (self.fraction or {})
            self.text, self.fraction = "", None
            return news


class Worker:
    def __init__(self, url, token=None, queues=(), lease="30s"):
        self.server = Server(url, token)
        self.handlers, self.queues, self.lease = {}, list(queues), lease
        self.id = "http-" + secrets.token_hex(8)
        self.attempt, self.is_stopping, self.is_waiting = None, False, False
        self.heartbeat_seconds = 5

    def job(self, job_type):
        return lambda function: self.handlers.setdefault(job_type, function)

    def run(self):
        """Works until SIGTERM or SIGINT: then it finishes the job that runs, and retires."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.shut_down)
        try:
            self.patiently(self.register)
            threading.Thread(target=self.beat, daemon=True).start()
            while not self.is_stopping:
                for job in self.patiently(self.claim):
                    self.perform(job)
        except Shutdown:
            pass
        self.is_stopping = True
        self.retire()

    def retire(self):
        """Gives back what it holds. A connection may be closed just when the request is sent, so it is sent twice."""
        for _ in range(2):
            try:
                return self.server.ask("DELETE", f"/api/v1/workers/{self.id}")
            except (OSError, Refused) as error:
                if getattr(error, "code", None) == "worker_gone":
                    return None  # the first request was carried out, and its answer was lost
                problem = error
        print(f"could not retire: {problem}", file=sys.stderr)  # its lease ends by itself

    def shut_down(self, *_):
        self.is_stopping = True
        if self.is_waiting:
            raise Shutdown

    def patiently(self, call):
        """Repeats a call while the server cannot be reached or cannot answer now."""
        pause = 0.1
        while True:
            try:
                return call()
            except (OSError, Refused) as error:
                if isinstance(error, Refused) and error.status < 500 and error.code != "worker_gone":
                    raise
                if getattr(error, "code", None) == "worker_gone":
                    call = self.registering(call)  # it was silent for too long, and keeps what nobody else has
                else:
                    print(f"waiting for the server: {error}", file=sys.stderr)
                    self.wait(lambda: time.sleep(pause))
                    pause = min(pause * 2, PAUSE_MAX)

    def registering(self, call):
        def register_and_call():
            self.register()
            return call()
        return register_and_call

    def wait(self, call):
        """A call that a signal ends, unless a job runs."""
        self.is_waiting = self.attempt is None
        try:
            if self.is_stopping and self.is_waiting:
                raise Shutdown
            return call()
        finally:
            self.is_waiting = False

    def register(self):
        registered = self.server.ask("POST", "/api/v1/workers", {
            "worker_id": self.id, "job_types": list(self.handlers), "queues": self.queues, "lease": self.lease,
            "host": socket.gethostname()[:200], "pid": os.getpid(), "concurrency": 1})
        self.heartbeat_seconds = registered["heartbeat_seconds"]

    def claim(self):
        return self.wait(lambda: self.server.ask("POST", f"/api/v1/workers/{self.id}/claim", {
            "job_types": list(self.handlers), "queues": self.queues, "wait": f"{CLAIM_WAIT}s", "holds": []}))["jobs"]

    def beat(self):
        while not self.is_stopping or self.attempt:
            attempt = self.attempt
            news = [attempt.news()] if attempt else []
            try:
                told = self.server.ask("POST", f"/api/v1/workers/{self.id}/heartbeat", {"jobs": news})
                for why in ("timed_out", "cancelled", "lost"):
                    if attempt and attempt.job["id"] in told[why]:
                        attempt.stop = why
            except Refused as error:
                if error.code == "worker_gone":
                    self.quietly(self.register)
                else:
                    print(f"a heartbeat was refused: {error}", file=sys.stderr)
            except OSError:
                pass  # the next one comes soon
            time.sleep(self.heartbeat_seconds)

    def quietly(self, call):
        try:
            call()
        except (OSError, Refused):
            pass

    def perform(self, job):
        attempt = self.attempt = Attempt(job, self.server)
        how, body = "complete", {}
        try:
            body = {"result": self.handlers[job["job_type"]](job["job_data"], attempt)}
        except Exception as error:
            how, body = "fail", {
                "failure_type": failure_type(error), "error_message": describe(error),
                "traceback": traceback.format_exc()}
        try:
            if attempt.stop != "lost":
                body |= {"claim_number": job["claim_number"], "log": attempt.news()["log"]}
                path = f"/api/v1/workers/{self.id}/jobs/{job['id']}/{how}"
                self.patiently(lambda: self.server.ask("POST", path, body))
        except Refused as error:
            print(f"job {job['id']}: {error}", file=sys.stderr)  # it was lost, and runs elsewhere
        finally:
            self.attempt = None


def describe(error):
    # The text alone often says little: that of KeyError is only the key.
    text, name = str(error), type(error).__name__
    if not text:
        return name
    return text if isinstance(error, (Failure, Stopped)) else f"{name}: {text}"


def failure_type(error):
    if isinstance(error, (Failure, Stopped)):
        return getattr(error, "failure_type", "worker_error")
    kinds = ((FileNotFoundError, "validation_error"), (PermissionError, "permission_error"),
             (ConnectionError, "network_error"), (TimeoutError, "timeout_error"), (OSError, "resource_error"))
    return next((word for kind, word in kinds if isinstance(error, kind)), "worker_error")
