"""Enqueues jobs from Python, inside your own transaction. Copy this file into your application."""

import datetime
import json

OPTIONS = {
    "queue", "priority", "max_retries", "timeout_seconds", "unique_key", "parent_job_id", "run_at", "expires_at",
    "deadline_at",
}


def enqueue(cursor, job_type, data, placeholder="?", **options):
    """Inserts one job and returns its id.

    `cursor` is a cursor of the transaction that the job belongs to. Django's cursors want placeholder="%s".
    An instant is a datetime with a time zone, or milliseconds since 1970.
    """
    if unknown := options.keys() - OPTIONS:
        raise TypeError(f"unknown option of a job: {', '.join(sorted(unknown))}")
    columns = {"job_type": job_type, "job_data": json.dumps(data), **options}
    values = [_milliseconds(value) if isinstance(value, datetime.datetime) else value for value in columns.values()]
    cursor.execute(
        f"INSERT INTO job_queue ({', '.join(columns)}) VALUES ({', '.join([placeholder] * len(columns))}) RETURNING id",
        values,
    )
    return cursor.fetchone()[0]


def _milliseconds(instant):
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone, for example datetime.now(datetime.timezone.utc)")
    return round(instant.timestamp() * 1000)
