import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { command } from '../cli/command.ts';
import { temporaryFolder } from '../support/system.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const README_MAX_BYTES = 12 * 1024;
/** Scripts that `create` writes. */
const OF_A_NEW_PROJECT = ['dev'];
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'config/README.md',
  'loadtest/README.md',
  'src/app/README.md',
  'src/replication/README.md',
  'src/supervisor/README.md',
  'src/writer/README.md',
];

function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** As GitHub makes them of headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = read(page)
    .replace(/^```[\s\S]*?^```/gm, '')
    .matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

t.test('README.md is short', async (t) => {
  const bytes = Buffer.byteLength(read('README.md'));
  t.ok(bytes <= README_MAX_BYTES, `${bytes} bytes`);
});

for (const page of PAGES) {
  t.test(`every link of ${page} leads somewhere`, async (t) => {
    const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    for (const link of links.filter((link) => !/^[a-z]+:/.test(link))) {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : normalize(join(dirname(page), path));
      if (!existsSync(join(ROOT, target))) t.fail(link);
      else if (anchor !== undefined && !anchorsOf(target).has(anchor)) t.fail(link);
    }
    t.ok(links.length > 0 || page === 'loadtest/README.md', `${links.length} links`);
  });
}

t.test('every command and script that a page names exists', async (t) => {
  const { stdout } = await command(['--help'], { DATA_DIR: temporaryFolder(t) });
  const commands = new Set([...stdout.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map(([, name]) => name));
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  t.ok(commands.size > 10);
  const wrong: string[] = [];
  for (const page of PAGES) {
    const code = read(page).match(/^```[\s\S]*?^```|`[^`\n]+`/gm) ?? [];
    for (const text of code) {
      // Of a process, its name follows: ninelives worker-1.
      for (const [, name = ''] of text.matchAll(/(?:npx ninelives|run --rm ninelives) ([a-z][a-z-]*)/g))
        if (!commands.has(name)) wrong.push(`${page}: ninelives ${name}`);
      for (const [, name = ''] of text.matchAll(/npm run (?:-s )?([a-z][a-z-]*)/g))
        if (!(name in scripts || OF_A_NEW_PROJECT.includes(name))) wrong.push(`${page}: npm run ${name}`);
    }
  }
  t.strictSame(wrong, []);
});
