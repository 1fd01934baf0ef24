"""Runs the jobs of a type with `serve = ["python3", "worker.py"]`. Copy it: it needs only the standard library.

    from longshore_worker import job, progress, run

    @job("resize")
    def resize(data):
        progress(0.5, "half")
        return {"width": data["width"] // 2}    # the job's result

    run()
"""

import json
import os
import sys
import traceback

handlers = {}
current = None  # the job that runs: id, job_type, job_data, attempt, max_retries, queue, metadata, checkpoint


class Failure(Exception):
    """Fails the job with a failure type, such as `raise Failure("validation_error", "no such image")`."""

    def __init__(self, failure_type, message):
        super().__init__(message)
        self.failure_type = failure_type


class Later(Exception):
    """Runs the job again later, see `snooze` and `rate_limited`."""


def job(job_type):
    return lambda function: handlers.setdefault(job_type, function)


def progress(fraction, message=None):
    say(progress=float(fraction), message=None if message is None else str(message))


def log(text):
    say(log=str(text))


def checkpoint(value):
    """Where the job stands: `last_checkpoint` returns it in the next attempt."""
    say(checkpoint=value)


def last_checkpoint():
    return current["checkpoint"]


def snooze(delay):
    """Ends the attempt without counting it; the job runs again after a delay such as "30s"."""
    raise Later("snooze", delay)


def rate_limited(delay):
    """The same, because another side asked to slow down."""
    raise Later("rate_limited", delay)


def say(**words):
    sys.stdout.flush()
    job_words = {"job": current["id"]} if current else {}
    # NaN and infinity are not JSON: an error here fails the job, and says where they come from.
    messages.write(json.dumps({"longshore": job_words | words}, allow_nan=False) + "\n")
    messages.flush()


def describe(error):
    # The text alone often says little: that of KeyError is only the key.
    text, name = str(error), type(error).__name__
    if not text:
        return name
    return text if hasattr(error, "failure_type") else f"{name}: {text}"


def run():
    """Works until the worker says quit, or is gone."""
    global current, messages
    # Messages get standard output for themselves; what anybody prints goes to standard error, which is the log too.
    messages = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    say(ready=1)
    for line in sys.stdin:
        order = json.loads(line)
        if "quit" in order:
            return
        if "job" not in order:
            continue  # a cancellation: SIGTERM ends this program, because it works on one thread
        current = order["job"]
        # With it, `longshore batches add` may add members to the batch of this job.
        os.environ["LONGSHORE_CLAIM"] = order.get("claim", "")
        try:
            handler = handlers.get(current["job_type"])
            if handler is None:
                raise Failure("config_error", f"this program has no @job({current['job_type']!r})")
            say(done=handler(current["job_data"]))
        except Later as later:
            say(**dict([later.args]))
        except Exception as error:
            say(failure_type=getattr(error, "failure_type", "worker_error"),
                error_message=describe(error), traceback=traceback.format_exc())
        current = None
