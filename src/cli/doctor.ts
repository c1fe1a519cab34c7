import { type LoadedConfig, loadConfig } from '../config/config.ts';
import type { Finding } from '../contract/finding.ts';
import { appSettingMistakes } from '../features/app-settings.ts';
import { Failure } from '../platform/errors.ts';
import { givenOf, refuseWrong } from '../supervisor/release/app-settings.ts';
import { describedApp } from '../supervisor/release/described-app.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { readArguments } from './arguments.ts';
import { checksFor, settingsFinding } from './doctor-checks.ts';
import { fileFindings } from './doctor-files.ts';

const USAGE = `Usage: ninelives doctor [--json]

  Checks everything that a start needs, and says what is wrong and what to do: the settings, Node.js, SQLite,
  Litestream, the data folder, its lock, the databases, the keys, the disk, the port, the operator's socket, the replica
  and its owner, the clock, the mail and who is told. In the replica a small object is written, read, listed and removed, and a small
  database is uploaded by Litestream, restored and removed; what fails is named: name resolution, connection, TLS,
  credentials, a permission, or the restore. It changes nothing else, and may run beside a running system.

  Exit code: 0 when a start would work; 78 when something has to be mended first.`;
const OPTIONS = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;
const MARKS = { ok: 'ok', warning: 'WARNING', problem: 'PROBLEM' } as const;
const MARK_WIDTH = 9;
const NAME_WIDTH = 13;

/**
 * Checks what a start needs, and prints the findings.
 * @param args what follows the command's name
 * @throws Failure config_invalid when something is wrong
 */
export async function doctor(args: readonly string[], invocation: Invocation): Promise<void> {
  const { installation } = invocation;
  const { json, help } = readArguments(args, OPTIONS, USAGE);
  if (help) {
    console.log(USAGE);
    return;
  }
  const findings: Finding[] = [];
  const note = (finding: Finding) => {
    findings.push(finding);
    if (!json) console.log(describe(finding));
  };
  const loaded = await load(installation);
  if (loaded instanceof Failure) note(settingsFinding(loaded));
  else {
    note({ name: 'settings', result: 'ok', detail: `DATA_DIR ${loaded.config.DATA_DIR}`, remedy: null });
    for (const finding of await fileFindings(invocation, loaded.config.DATA_DIR)) note(finding);
    for (const check of checksFor(loaded.config, loaded.secrets))
      for (const finding of await check()) note(finding);
  }
  const problems = findings.filter(({ result }) => result === 'problem');
  if (json) console.log(JSON.stringify({ ok: problems.length === 0, findings }, undefined, 2));
  if (problems.length === 0) return;
  throw new Failure('config_invalid', `Mend first: ${problems.map(({ name }) => name).join(', ')}`);
}

/** Lists the mistakes in the app's settings after those in the chassis' settings. */
async function load(installation: string): Promise<LoadedConfig | Failure> {
  const own = attempt(() => loadConfig(process.env, installation));
  const mistakes = await appSettingMistakes(process.env);
  const app = await describedApp();
  const apps = attempt(() => refuseWrong(mistakes, app, installation));
  if (!(apps instanceof Failure)) {
    if (own instanceof Failure) return own;
    return { ...own, config: { ...own.config, appSettings: givenOf(app, process.env) } };
  }
  if (!(own instanceof Failure)) return apps;
  const errors = [...(own.options.errors ?? []), ...(apps.options.errors ?? [])];
  const byField = new Map(errors.map((error) => [error.field, error]));
  return new Failure('config_invalid', own.message, { errors: [...byField.values()] });
}

function attempt<Result>(run: () => Result): Result | Failure {
  try {
    return run();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

function describe({ name, result, detail, remedy }: Finding): string {
  const line = `${MARKS[result].padEnd(MARK_WIDTH)}${name.padEnd(NAME_WIDTH)}${detail}`;
  return remedy === null ? line : `${line}\n${' '.repeat(MARK_WIDTH + NAME_WIDTH)}→ ${remedy}`;
}
