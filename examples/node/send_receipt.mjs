// The program of the job type `send_receipt`: one run is one attempt.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Reports something to the worker. Everything else that is printed is the job's log.
const message = (fields) => console.log(JSON.stringify({ longshore: fields }));

const receipt = JSON.parse(readFileSync(0, 'utf8'));
if (!receipt.to.includes('@')) {
  // Another attempt cannot help: the job becomes a dead letter at once.
  message({ failure_type: 'validation_error', error_message: `'${receipt.to}' is no address` });
  process.exit(65);
}

message({ progress: 0.5, message: 'writing the receipt' });
const outbox = process.env.OUTBOX ?? 'outbox';
mkdirSync(outbox, { recursive: true });
// A job may run again after its work is done. The job's id as a name makes the second run harmless.
const letter = `${process.env.LONGSHORE_JOB_ID}.txt`;
writeFileSync(join(outbox, `${letter}.part`), `To: ${receipt.to}\n\nYou paid ${(receipt.cents / 100).toFixed(2)}.\n`);
renameSync(join(outbox, `${letter}.part`), join(outbox, letter));
message({ result: { letter } });
