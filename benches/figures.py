#!/usr/bin/env python3
"""Figures that `longshore bench` does not measure: schedules, explanations, programs that stay.

    python3 benches/figures.py LONGSHORE [--database postgres://...] [--waiting 1000000] [FIGURE ...]

LONGSHORE is the program, built with --release. Without --database it works on SQLite files in a folder of its own.
With it, on an empty database of a server on this machine; its schema `longshore` must not exist. Prints one JSON object.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SCHEDULES = 10_000


class Site:
    """A folder with a configuration, and the database of the run."""

    def __init__(self, arguments, folder, config):
        self.program = str(Path(arguments.longshore).resolve())
        self.folder = Path(folder)
        self.url = arguments.database or str(self.folder / "queue.db")
        (self.folder / "longshore.toml").write_text(config)
        self.environment = os.environ | {"LONGSHORE_DATABASE": self.url}
        self.run("migrate", "up")

    def run(self, *words, text=None):
        command = [self.program, *words, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, input=text, capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}: {done.stderr or done.stdout}")
        return json.loads(done.stdout) if done.stdout.lstrip().startswith("{") else {}

    def work(self, *words):
        command = [self.program, "work", "--quiet", *words]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL)

    def remove(self):
        if "://" in self.url:
            subprocess.run(["psql", "-q", self.url, "-c", "DROP SCHEMA longshore CASCADE"], capture_output=True, check=True)


def processes():
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                pass  # It has ended.


def ticks(pid):
    """The processor time of a process with its children, as far as they live."""
    every = dict(processes())
    of = [fields for other, fields in every.items() if other == pid or int(fields[1]) == pid]
    ended = sum(int(every[pid][field]) for field in (13, 14)) if pid in every else 0
    return sum(int(fields[field]) for fields in of for field in (11, 12)) + ended


def postmaster(site):
    if "://" not in site.url:
        return None
    shown = subprocess.run(["psql", "-qAt", site.url, "-c", "SHOW data_directory"], capture_output=True, check=True)
    return int((Path(shown.stdout.decode().strip()) / "postmaster.pid").read_text().splitlines()[0])


def of_schedules(count, hour):
    """Schedules once a day, half a day away, so that none is due during a measurement."""
    lines = ['[jobs.never]\nrun = ["true"]']
    for number in range(count):
        cron = f"{number % 60} {number // 60 % 60} {hour} * * *"
        lines.append(f'[schedules.s{number}]\ncron = "{cron}"\njob = "never"')
    return "\n".join(lines) + "\n"


def idle_schedules(arguments, folder):
    """Processor time of an idle `work`, in percent of one core, with schedules and without."""
    hour = (time.gmtime().tm_hour + 12) % 24
    figures = {}
    for count in (0, SCHEDULES):
        place = Path(folder) / str(count)
        place.mkdir()
        site = Site(arguments, place, of_schedules(count, hour))
        worker = site.work()
        time.sleep(25)
        of = {"worker": worker.pid, "server": postmaster(site)}
        before = {name: ticks(pid) for name, pid in of.items() if pid}
        time.sleep(30)
        for name, start in before.items():
            figures[f"{name}_{count}"] = round((ticks(of[name]) - start) / TICKS_PER_SECOND / 30 * 100, 2)
        worker.terminate()
        worker.wait()
        site.remove()
    return figures


def ticks_start(arguments, folder):
    """Milliseconds from the instant of a tick to the start of its job, beside ten thousand other schedules."""
    hour = (time.gmtime().tm_hour + 12) % 24
    each_second = '[jobs.tick]\nrun = ["true"]\n[schedules.each]\nevery = "1s"\njob = "tick"\n'
    site = Site(arguments, folder, of_schedules(SCHEDULES, hour) + each_second)
    worker = site.work()
    time.sleep(60)
    worker.terminate()
    worker.wait()
    late = []
    for job in site.run("jobs", "list", "--type", "tick", "--limit", "40")["jobs"]:
        if job["started_at"]:
            late.append(milliseconds(job["started_at"]) - milliseconds(job["metadata"]["due_at"]))
    late.sort()
    site.remove()
    return {"ticks": len(late), "median_ms": late[len(late) // 2], "max_ms": late[-1]}


def milliseconds(instant):
    whole, _, part = instant.rstrip("Z").partition(".")
    seconds = time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return round(seconds * 1000 + float(f"0.{part or 0}") * 1000)


def explain(arguments, folder):
    """Seconds of `jobs explain` for the last one of many jobs and of few, of a type with keys and of a plain one.

    The only slot of the worker is taken by the first job."""
    command = '["sleep", "600"]'
    config = f'[jobs.plain]\nrun = {command}\n[jobs.keyed]\nrun = {command}\nkey = "/key"\nkey_concurrency = 2\n'
    site = Site(arguments, folder, config)
    site.run("enqueue", "plain", "--priority", "critical")
    worker = site.work("--concurrency", "1")
    figures = {}
    for count in (10, arguments.waiting):
        for kind in ("plain", "keyed"):
            lines = "\n".join(
                json.dumps({"job_type": kind, "job_data": {"key": number % 2000}}) for number in range(count)
            )
            site.run("enqueue", "--batch", "-", text=lines)
            last = site.run("enqueue", kind, '{"key": 7}')["id"]
            time.sleep(2)
            spans, codes = [], set()
            for _ in range(5):
                begun = time.monotonic()
                answer = site.run("jobs", "explain", str(last))
                spans.append(time.monotonic() - begun)
                codes |= {reason["code"] for reason in [answer["reason"], *answer["also"]]}
            figures[f"{kind}_{count}"] = {"seconds": round(statistics.median(spans), 3), "reasons": sorted(codes)}
    worker.kill()
    worker.wait()
    site.remove()
    return figures


PROGRAM = """
import json, sys
print('{"longshore": {"ready": 1}}', flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "job" not in message:
        break
    print(json.dumps({"longshore": {"job": message["job"]["id"], "done": None}}), flush=True)
"""


def programs(arguments, folder):
    """Milliseconds a job of a program that stays, one after the other, and of the same lines through two pipes."""
    jobs = 3000
    (Path(folder) / "program.py").write_text(PROGRAM)
    site = Site(arguments, folder, '[jobs.resize]\nserve = ["python3", "program.py"]\n')
    lines = "\n".join('{"job_type": "resize"}' for _ in range(jobs))
    site.run("enqueue", "resize")
    site.run("work", "--drain", "--concurrency", "1")
    begun = time.monotonic()
    site.run("work", "--drain", "--concurrency", "1")
    empty = time.monotonic() - begun
    site.run("enqueue", "--batch", "-", text=lines)
    begun = time.monotonic()
    site.run("work", "--drain", "--concurrency", "1")
    each = (time.monotonic() - begun - empty) / jobs
    site.remove()
    child = subprocess.Popen(
        ["python3", "program.py"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child.stdout.readline()
    begun = time.monotonic()
    for number in range(jobs):
        child.stdin.write(json.dumps({"job": {"id": number, "job_type": "resize", "job_data": {}}}) + "\n")
        child.stdin.flush()
        child.stdout.readline()
    by_hand = (time.monotonic() - begun) / jobs
    child.stdin.close()
    child.wait()
    return {"job_ms": round(each * 1000, 3), "by_hand_ms": round(by_hand * 1000, 3)}


FIGURES = {"idle_schedules": idle_schedules, "ticks_start": ticks_start, "explain": explain, "programs": programs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("longshore")
    parser.add_argument("figures", nargs="*", default=[])
    parser.add_argument("--database")
    parser.add_argument("--waiting", type=int, default=1_000_000)
    arguments = parser.parse_args()
    report = {}
    for name in arguments.figures or FIGURES:
        with tempfile.TemporaryDirectory() as folder:
            report[name] = FIGURES[name](arguments, folder)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
