"""The program of the job type `send_receipt`: one run is one attempt."""

import json
import os
import sys
from pathlib import Path


def message(**fields):
    """Reports something to the worker. Everything else that is printed is the job's log."""
    print(json.dumps({"longshore": fields}), flush=True)


def main():
    receipt = json.load(sys.stdin)
    if "@" not in receipt["to"]:
        # Another attempt cannot help: the job becomes a dead letter at once.
        message(failure_type="validation_error", error_message=f"{receipt['to']!r} is no address")
        return 65

    message(progress=0.5, message="writing the receipt")
    outbox = Path(os.environ.get("OUTBOX", "outbox"))
    outbox.mkdir(exist_ok=True)
    # A job may run again after its work is done. The job's id as a name makes the second run harmless.
    letter = outbox / f"{os.environ['LONGSHORE_JOB_ID']}.txt"
    unfinished = letter.with_suffix(".part")
    unfinished.write_text(f"To: {receipt['to']}\n\nYou paid {receipt['cents'] / 100:.2f}.\n")
    unfinished.replace(letter)
    message(result={"letter": letter.name})
    return 0


if __name__ == "__main__":
    sys.exit(main())
