import { Random } from '../../../src/testing/chaos/random.ts';
import { HonestClients, type TestAnswer } from '../../../src/testing/honest-clients.ts';
import { isAcknowledged } from '../../../src/testing/record.ts';
import type { FromClients, ToClients } from './messages.ts';
import { alertFor, newFieldOf, type RequestRecord } from './record.ts';

const COUNTS_INTERVAL_MS = 50;
/** Records in one message: limits how much is serialized at once. */
const CHUNK_RECORDS = 5000;

/** The clients' entry: a process of its own, so that nothing but the clients delays what they measure. */
const records: RequestRecord[] = [];
const counts = { requests: 0, failed: 0, acknowledged: 0, storageFull: 0 };
let clients: HonestClients | undefined;

process.on('message', (message: ToClients) => {
  if (message.kind === 'start') start(message);
  else stop();
});
// The parent is gone.
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole process group; the parent decides.
process.on('SIGINT', () => {});

function start(message: ToClients & { kind: 'start' }): void {
  const { url, kept, fresh, requestsPerSecond, prefix, seed, newField } = message;
  const random = new Random(seed, prefix);
  const keyOf = (sequence: number) => `${prefix}-${sequence}`;
  const alertOf = (key: string) => ({ ...alertFor(key), ...(newField && { [newField]: newFieldOf(key) }) });
  clients = new HonestClients({
    url,
    connections: kept,
    fresh,
    requestsPerSecond,
    isReading: true,
    random: () => random.next(),
    write: (sequence) => ({ method: 'POST', path: '/alert', body: alertOf(keyOf(sequence)) }),
    read: ({ sequence }) => ({ path: `/alert/movie/${keyOf(sequence)}` }),
    isSame: (found, { sequence }) => holds(found, keyOf(sequence)),
    onRecord({ sequence, body, durability: _durability, ...record }) {
      const key = keyOf(sequence);
      const isNewFieldTaken =
        newField && JSON.stringify(body ?? '').includes(JSON.stringify(newFieldOf(key)));
      onRecord({
        key,
        ...record,
        ...(newField && record.kind === 'write' && { isNewFieldTaken: isNewFieldTaken === true }),
      });
    },
  });
  setInterval(() => tell({ kind: 'counts', counts }), COUNTS_INTERVAL_MS);
}

function holds({ status, body }: TestAnswer, key: string): boolean {
  const read = body as Readonly<Record<string, unknown>> | undefined;
  return status === 200 && Object.entries(alertFor(key)).every(([field, value]) => read?.[field] === value);
}

function onRecord(record: RequestRecord): void {
  records.push(record);
  counts.requests += 1;
  if (record.failure) counts.failed += 1;
  if (isAcknowledged(record)) counts.acknowledged += 1;
  if (record.status === 507) counts.storageFull += 1;
}

async function stop(): Promise<void> {
  await clients?.stop();
  tell({ kind: 'counts', counts });
  do {
    const chunk = records.splice(0, CHUNK_RECORDS);
    tell({ kind: 'history', records: chunk, isLast: records.length === 0 });
  } while (records.length > 0);
}

function tell(message: FromClients): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
