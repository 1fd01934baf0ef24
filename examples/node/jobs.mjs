// Enqueues jobs from Node, inside your own transaction. Copy this file into your application.

const OPTIONS = new Set([
  'queue', 'priority', 'max_retries', 'timeout_seconds', 'unique_key', 'parent_job_id', 'run_at', 'expires_at',
  'deadline_at',
]);

/**
 * Inserts one job and returns its id. `database` is a DatabaseSync of node:sqlite (better-sqlite3 has the same methods).
 * An instant is a Date, or milliseconds since 1970.
 */
export function enqueue(database, jobType, data, options = {}) {
  const unknown = Object.keys(options).filter((name) => !OPTIONS.has(name));
  if (unknown.length > 0) {
    throw new TypeError(`unknown option of a job: ${unknown.join(', ')}`);
  }
  const columns = { job_type: jobType, job_data: JSON.stringify(data), ...options };
  const values = Object.values(columns).map((value) => (value instanceof Date ? value.getTime() : value));
  const marks = values.map(() => '?').join(', ');
  const sql = `INSERT INTO job_queue (${Object.keys(columns).join(', ')}) VALUES (${marks}) RETURNING id`;
  return database.prepare(sql).get(...values).id;
}

/** Runs `work` in a transaction: commits its result, or rolls back after an error. */
export function transaction(database, work) {
  // IMMEDIATE takes the write lock at the beginning. A transaction that reads first and writes later could fail with
  // "database is locked" however long the timeout is.
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}
