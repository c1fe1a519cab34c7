import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Config, loadConfig } from '../../src/config/config.ts';
import { findLitestream, type LitestreamBinary } from '../../src/replication/binary.ts';
import { LineSplitter } from '../../src/replication/line-splitter.ts';
import { litestreamEnv, replicateCommand } from '../../src/replication/litestream.ts';
import { databasePath, writeLitestreamConfig } from '../../src/replication/litestream-config.ts';
import { openWriter } from '../../src/sqlite/open.ts';

const MB = 1024 * 1024;
const BLOB_BYTES = 64 * 1024;
const ROWS_A_COMMIT = 64;
const LINE_MAX_CHARS = 16_384;
/** Size of the writes after the snapshot, so that a restore also replays WAL. */
const WAL_MB = 16;
/** Short, to make many segments soon. */
const SYNC_INTERVAL_MS = 20;
const SHIP_TIMEOUT_MS = 180_000;

/** A database with its replica. */
export interface Source {
  readonly config: Config;
  readonly binary: LitestreamBinary;
  readonly path: string;
  readonly sizeBytes: number;
  readonly configPath: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Makes a database, half of it incompressible like images and half of it text, and has Litestream replicate it.
 * @param settings of the replica
 * @param segments how many single commits are shipped after the snapshot, each in an object of its own
 */
export async function makeSource(
  folder: string,
  sizeMb: number,
  settings: NodeJS.ProcessEnv,
  segments: number,
  signal: AbortSignal,
): Promise<Source> {
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const { config, secrets } = loadConfig(
    { DATA_DIR: dataDir, REPLICA_SYNC_INTERVAL_MS: String(SYNC_INTERVAL_MS), ...settings },
    folder,
  );
  const { LITESTREAM_BIN: litestreamBin } = process.env;
  const binary = await findLitestream({ litestreamBin });
  const databaseFile = databasePath(dataDir, 'main');
  fill(databaseFile, sizeMb);
  const configPath = writeLitestreamConfig(config, ['main'], { format: binary.format });
  const env = litestreamEnv(process.env, secrets, { config, configPath });
  const { command, args } = replicateCommand(binary, configPath);
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
    signal,
    killSignal: 'SIGKILL',
  });
  child.on('error', () => {});
  const db = openWriter(databaseFile);
  try {
    const shipped = messages(child, 'snapshot written');
    insertBlobs(db, MB);
    await shipped(1);
    const written = messages(child, 'wal segment written');
    insertBlobs(db, WAL_MB * MB);
    await written(1);
    const insert = db.prepare("INSERT INTO blobs (body) VALUES ('a small one')");
    for (let segment = 0; segment < segments; segment += 1) {
      insert.run();
      await delay(2 * SYNC_INTERVAL_MS, undefined, { signal });
    }
    // On SIGTERM Litestream ships the rest.
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await ended;
  } finally {
    child.kill('SIGKILL');
    db.close();
  }
  return { config, binary, path: databaseFile, sizeBytes: statSync(databaseFile).size, configPath, env };
}

/** Fills the database before Litestream starts, so the first snapshot has all of it. */
function fill(path: string, sizeMb: number): void {
  const db = openWriter(path);
  db.exec('CREATE TABLE blobs (id INTEGER PRIMARY KEY, body BLOB NOT NULL)');
  insertBlobs(db, sizeMb * MB);
  // Closing the last connection copies the WAL into the database.
  db.close();
}

function insertBlobs(db: ReturnType<typeof openWriter>, sizeBytes: number): void {
  const insert = db.prepare('INSERT INTO blobs (body) VALUES (?)');
  const text = Buffer.from('A reminder of a movie that comes to the cinema soon. '.repeat(1300)).subarray(
    0,
    BLOB_BYTES,
  );
  const commit = db.transaction((rows: number) => {
    for (let row = 0; row < rows; row += 1) insert.run(row % 2 === 0 ? randomBytes(BLOB_BYTES) : text);
  });
  for (let rows = Math.ceil(sizeBytes / BLOB_BYTES); rows > 0; rows -= ROWS_A_COMMIT) {
    commit.immediate(Math.min(rows, ROWS_A_COMMIT));
  }
}

/** @returns a function that resolves after so many further lines with a message */
function messages(child: ChildProcess, wanted: string): (count: number) => Promise<void> {
  let seen = 0;
  let wake = () => {};
  const splitter = new LineSplitter(LINE_MAX_CHARS, (line) => {
    if (line.includes(`"${wanted}"`)) seen += 1;
    wake();
  });
  child.stdout?.on('data', (chunk: Buffer) => splitter.push(chunk));
  return (count) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not within ${SHIP_TIMEOUT_MS} ms: ${wanted}`)),
        SHIP_TIMEOUT_MS,
      );
      child.once('close', (code) => reject(new Error(`litestream ended with ${code}`)));
      wake = () => {
        if (seen < count) return;
        clearTimeout(timer);
        resolve();
      };
      wake();
    });
}
