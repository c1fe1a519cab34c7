import { registerHooks } from 'node:module';

const NOTHING = 'data:text/javascript,export {};';

/**
 * Loads code that uses Zod, but without its messages in 60 languages, which take half of its time and 9 MB: ours are
 * English, and the module that has those Zod loads by itself. Whoever imports Zod afterwards gets this one. The hook is
 * there for this one import only, since it costs each other one a little.
 */
export async function withoutLocales<Module>(load: () => Promise<Module>): Promise<Module> {
  const hooks = registerHooks({
    resolve: (specifier, context, nextResolve) =>
      specifier === '../locales/index.js' && context.parentURL?.includes('/zod/v4/')
        ? { url: NOTHING, format: 'module', shortCircuit: true }
        : nextResolve(specifier, context),
  });
  try {
    return await load();
  } finally {
    hooks.deregister();
  }
}

/** Loads Zod so, before code that uses it. */
export async function loadZod(): Promise<void> {
  await withoutLocales(() => import('zod'));
}
