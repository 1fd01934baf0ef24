"""The jobs of the library scanner, by a worker over HTTP: see README.md."""

import hashlib
import json
import os
import sys
import time
import urllib.parse

from longshore_http import Failure, Worker

url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LONGSHORE_URL", "http://127.0.0.1:7070")
worker = Worker(url, token=os.environ.get("LONGSHORE_TOKEN"), lease=os.environ.get("LONGSHORE_LEASE", "30s"))


@worker.job("scan")
def scan(data, attempt):
    """Enqueues a checksum job for each file, and a report that waits for the end of all of them: in one transaction."""
    if not os.path.isdir(data["directory"]):
        raise Failure("validation_error", f"{data['directory']} is not a directory")
    own = attempt.job["id"]
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(data["directory"]) for name in names]
    paths = [path for path in sorted(paths) if os.path.isfile(path)]
    lines = [{"batch": {"name": f"scan {own}"}}]
    lines += [{"job_type": "checksum", "job_data": {"scan": own, "path": path}} for path in paths]
    lines.append({"job_type": "report", "job_data": {"scan": own, "manifest": data["manifest"]},
                  "unique_key": f"report-{own}", "after": [{"batch": "ended"}]})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    enqueued = attempt.server.ask("POST", "/api/v1/jobs", text.encode(), "application/x-ndjson")
    attempt.log(f"{len(paths)} files in batch {enqueued['batch_id']}")
    return {"files": len(paths)}


@worker.job("checksum")
def checksum(data, attempt):
    digest, size = hashlib.sha256(), max(os.path.getsize(data["path"]), 1)
    with open(data["path"], "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            attempt.progress(min(file.tell() / size, 1))
            time.sleep(float(os.environ.get("SCANNER_PAUSE", "0")))  # so that a test can look at a job that runs
    return {"sha256": digest.hexdigest(), "line": f"{digest.hexdigest()}  {data['path']}"}


@worker.job("report")
def report(data, attempt):
    """Writes the manifest, in the form that `sha256sum -c` reads."""
    found, failed, after = {}, 0, None
    while True:
        query = {"type": "checksum", "limit": 1000} | ({"after": after} if after else {})
        page = attempt.server.ask("GET", "/api/v1/jobs?" + urllib.parse.urlencode(query))
        for job in page["jobs"]:
            if job["job_data"]["scan"] != data["scan"]:
                continue
            if job["status"] == "completed":
                found[job["job_data"]["path"]] = job["result"]["line"]
            else:
                failed += 1
                attempt.log(f"not in the manifest: {job['job_data']['path']} is {job['status']}")
        after = page["next"]
        if after is None:
            break
        attempt.check()
    with open(data["manifest"] + ".part", "w") as file:
        file.writelines(found[path] + "\n" for path in sorted(found))
    os.replace(data["manifest"] + ".part", data["manifest"])
    return {"manifest": data["manifest"], "files": len(found), "failed": failed}


if __name__ == "__main__":
    worker.run()
