import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DriveOrder, DriveReport } from '../drive.ts';
import type { ScenarioRequest } from '../scenarios.ts';
import { endedChildrenCpuMs } from '../support/cpu-time.ts';
import type { LoopOptions } from './loop.ts';

const execute = promisify(execFile);
/** Placeholder in a body for the id of each request. */
const ID_MARK = 'ID-OF-THE-REQUEST';
const RESULT = /^RESULT (.*)$/m;
const TIMEOUT_S = 10;

/** The result that the script prints at the end; times in microseconds. */
interface WrkResult {
  readonly durationUs: number;
  readonly requests: number;
  readonly percentilesUs: Readonly<Record<'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>;
  readonly connect: number;
  readonly read: number;
  readonly write: number;
  readonly status: number;
  readonly timeout: number;
}

/**
 * A closed loop by wrk, which takes a tenth of autocannon's processor time for the same load. It reports only sums at
 * its end, so there are no intervals. Its percentiles are corrected for the requests that a slow answer kept it from
 * sending.
 */
export async function driveWithWrk(
  order: DriveOrder,
  requestsOf: LoopOptions['requestsOf'],
  report: (message: DriveReport) => void,
): Promise<void> {
  const { load } = order;
  const lanes = Array.from({ length: load.connections }, (_, connection) => requestsOf(connection));
  const script = scriptOf(lanes.flat(), new URL(order.url).host);
  await runWrk(order, script, load.warmupMs);
  report({ kind: 'measuring' });
  const startedAt = new Date().toISOString();
  const cpuMs = endedChildrenCpuMs();
  const result = await runWrk(order, script, load.durationMs);
  report({ kind: 'measured' });
  const { durationUs, requests, percentilesUs } = result;
  const ms = (percentile: keyof typeof percentilesUs) => percentilesUs[percentile] / 1000;
  report({
    kind: 'result',
    measurement: {
      scenario: order.scenario,
      load,
      startedAt,
      durationMs: durationUs / 1000,
      requests,
      requestsPerSecond: (requests * 1e6) / durationUs,
      latencyMs: { p50: ms('p50'), p90: ms('p90'), p99: ms('p99'), p999: ms('p999'), max: ms('max') },
      percentiles: [],
      intervals: [],
      failures: {
        errors: result.connect + result.read + result.write,
        lost: 0,
        timeouts: result.timeout,
        non2xx: result.status,
      },
      statuses: { 'below 400': requests - result.status, '400 and above': result.status },
      cpu: { clientMs: endedChildrenCpuMs() - cpuMs, serverMs: undefined, otherMs: undefined },
      processes: [],
      marks: [],
    },
  });
}

async function runWrk({ load, url }: DriveOrder, script: string, durationMs: number): Promise<WrkResult> {
  const folder = mkdtempSync(join(tmpdir(), 'nl-wrk-'));
  try {
    const path = join(folder, 'requests.lua');
    // The prefix makes the ids of a run unique.
    writeFileSync(path, `local prefix = "${randomBytes(9).toString('base64url')}"\n${script}`, {
      mode: 0o600,
    });
    const seconds = Math.ceil(durationMs / 1000);
    const { stdout } = await execute('wrk', [
      ...['--threads', '1', '--connections', String(load.connections), '--duration', `${seconds}s`],
      ...['--timeout', `${TIMEOUT_S}s`, '--script', path, url],
    ]);
    const [, json] = RESULT.exec(stdout) ?? [];
    if (json === undefined) throw new Error(`wrk gave no result: ${stdout}`);
    return JSON.parse(json) as WrkResult;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each request as prepared text: wrk only has to insert the id. */
function scriptOf(requests: readonly ScenarioRequest[], host: string): string {
  const entries = requests.map((request) => {
    const parts = textOf(request, host).split(ID_MARK);
    return `{ ${parts.map((part) => JSON.stringify(part)).join(', ')} }`;
  });
  return `local requests = {\n${entries.join(',\n')}\n}
local at = 0
local ids = 0
function request()
  at = at % #requests + 1
  local parts = requests[at]
  if parts[2] == nil then return parts[1] end
  ids = ids + 1
  return parts[1] .. string.format("%s-%09d", prefix, ids) .. parts[2]
end
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"durationUs":%d,"requests":%d,"percentilesUs":{"p50":%d,"p90":%d,"p99":%d,"p999":%d,"max":%d},' ..
      '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\\n',
    summary.duration, summary.requests,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), latency.max,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
`;
}

function textOf({ method, path, headers = {}, body }: ScenarioRequest, host: string): string {
  const text = body?.(ID_MARK).toString('latin1');
  // All ids have the same length: the prefix, a dash and nine digits.
  const length = text === undefined ? 0 : text.length - ID_MARK.length + 12 + 1 + 9;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(text === undefined ? [] : [`Content-Length: ${length}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${text ?? ''}`;
}
