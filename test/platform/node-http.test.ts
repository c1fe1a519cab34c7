import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { PROCESSES } from '../../src/supervisor/processes.ts';

t.test('no process of a system loads fetch, which an import of node:http does', async (t) => {
  const entries = Object.values(PROCESSES).flatMap(({ entry }) => entry ?? []);
  const modules = [...entries, 'supervisor/system.ts', 'mail/compile.ts', 'mail/smtp-session.ts'];
  const urls = modules.map((module) => new URL(`../../src/${module}`, import.meta.url).href);
  const code = `for (const url of ${JSON.stringify(urls)}) await import(url);
    console.log(JSON.stringify(process.moduleLoadList.filter((name) => /undici|NativeModule _http_server/.test(name))));`;
  const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', code];
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const loaded = execFileSync(process.execPath, options, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  t.strictSame(JSON.parse(loaded), ['NativeModule _http_server']);
});
