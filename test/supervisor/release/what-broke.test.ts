import { execFile } from 'node:child_process';
import t from 'tap';
import { whatBroke } from '../../../src/supervisor/release/what-broke.ts';
import { makeProject } from './project.ts';

// What Node.js prints is nothing that it documents: each kind is broken for real.
for (const [what, text, expected] of [
  [
    'TypeScript that is none',
    'export const a = 1;\nexport const b = ;\n',
    'src/broken.ts:2: SyntaxError [ERR_INVALID_TYPESCRIPT_SYNTAX]: Expression expected',
  ],
  [
    'TypeScript that has to be compiled',
    'enum A {}',
    'src/broken.ts:1: SyntaxError [ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX]: TypeScript enum is not supported in strip-only mode',
  ],
  ['an error that is thrown', "\nthrow new Error('no URL');", 'src/broken.ts:2: Error: no URL'],
  ['what is no error', 'throw null;', 'it throws null'],
  [
    'an error from deeper down',
    'const ask = () => new URL("x");\n\nask();',
    'src/broken.ts:1: TypeError: Invalid URL',
  ],
  [
    'an error of several lines',
    "throw new RangeError('one\\n  two');",
    'src/broken.ts:1: RangeError: one\n  two',
  ],
  [
    'a name that a module does not export',
    "import { nothing } from 'node:fs';",
    "src/broken.ts:1: SyntaxError: The requested module 'node:fs' does not provide an export named 'nothing'",
  ],
  [
    'a module that is missing',
    "import './gone.ts';",
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find module 'src/gone.ts' imported from src/broken.ts",
  ],
] as const)
  t.test(`${what} is told in a line, with its place`, async (t) => {
    const { root, write } = makeProject(t);
    write('src/main.ts', "await import('./broken.ts');");
    write('src/broken.ts', text);
    const { promise: said, resolve } = Promise.withResolvers<string>();
    execFile(process.execPath, [`${root}/src/main.ts`], { env: {} }, (_, __, stderr) => resolve(stderr));
    t.equal(whatBroke(await said, root), expected);
  });

t.test('what is no error of Node.js is told as it is, and briefly', async (t) => {
  t.equal(whatBroke('it is not ready\n\nask again\n', '/srv/app'), 'it is not ready\nask again');
  t.equal(whatBroke('', '/srv/app'), '');
});
