// An order and the job that sends its receipt are committed together, or not at all.

import { DatabaseSync } from 'node:sqlite';
import { enqueue, transaction } from './jobs.mjs';

const database = new DatabaseSync(process.argv[2]);
database.exec('PRAGMA busy_timeout = 10000');
database.exec('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, email TEXT NOT NULL, cents INTEGER)');

function order(email, cents) {
  return transaction(database, () => {
    const { lastInsertRowid } = database.prepare('INSERT INTO orders (email, cents) VALUES (?, ?)').run(email, cents);
    enqueue(database, 'send_receipt', { order: lastInsertRowid, to: email, cents },
      { unique_key: `receipt:${lastInsertRowid}` });
    if (cents <= 0) {
      throw new RangeError('an order costs something');
    }
    return lastInsertRowid;
  });
}

console.log('order', order('ada@example.org', 1200));
try {
  order('bob@example.org', 0);
} catch (error) {
  console.log('refused:', error.message);
}
console.log('jobs:', database.prepare('SELECT count(*) AS jobs FROM job_queue').get().jobs);
