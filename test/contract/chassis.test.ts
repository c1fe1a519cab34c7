import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
/** Of the alerts, by their words. A library's name and the role of a line that is read out are no words of theirs. */
const OF_THE_APP = /alert|movie|imageUrl|\bmailer\b/i;
const OTHERS = /nodemailer|role="alert"/g;

t.test('the chassis does not speak of the application that it ships', async (t) => {
  const files = globSync('**/*.{ts,js,html,css}', { cwd: SRC, exclude: ['app/**'] });
  t.ok(files.includes('worker/app.ts') && files.includes('create/template/app.ts'));
  const told = files.flatMap((file) =>
    readFileSync(SRC + file, 'utf8')
      .split('\n')
      .flatMap((line, index) =>
        OF_THE_APP.test(line.replace(OTHERS, '')) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
      ),
  );
  t.strictSame(told, []);
});
