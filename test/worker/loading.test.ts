import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';

const run = promisify(execFile);

/** What a process of its own, with nothing of this one, prints. */
async function output(code: string): Promise<string> {
  const { PATH, HOME, NINELIVES_APP } = process.env;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: new URL('../../', import.meta.url),
    env: { PATH, HOME, NINELIVES_APP },
  });
  return stdout;
}

t.test('a worker loads neither fetch nor the languages of Zod', async (t) => {
  const loaded = await output(`
    const { loadZod } = await import('./src/platform/zod-without-locales.ts');
    await loadZod();
    await import('./src/worker/main.ts');
    const { features } = await import('./src/features/features.ts');
    for (const { routes } of features) await routes();
    const { z } = await import('zod');
    console.log(process.moduleLoadList.filter((name) => /undici/.test(name)).length, Object.keys(z.locales).length);
  `);
  t.equal(loaded.trim(), '0 0');
});

t.test('the primary loads neither fetch nor Koa nor SQLite nor what speaks to stores', async (t) => {
  const loaded = await output(`
    import { createRequire } from 'node:module';
    await import('./src/supervisor/system.ts');
    const { cache } = createRequire(import.meta.url);
    const strangers = [...process.moduleLoadList.filter((name) => /undici/.test(name)), ...Object.keys(cache)];
    console.log(strangers.filter((name) => /undici|koa|sqlite|aws-sdk/.test(name)).join());
  `);
  t.equal(loaded.trim(), '');
});

t.test('without its languages Zod says the same', async (t) => {
  const message = (load: string) =>
    output(`
      ${load}
      const { z } = await import('zod');
      console.log(z.object({ a: z.string(), b: z.url() }).safeParse({ b: 'x', c: 1 }).error.message);
      console.log(JSON.stringify(z.toJSONSchema(z.object({ a: z.string().meta({ description: 'a' }) }))));
    `);
  const lean = await message(`await (await import('./src/platform/zod-without-locales.ts')).loadZod();`);
  t.match(lean, /Invalid input: expected string/);
  t.equal(lean, await message(''));
});
