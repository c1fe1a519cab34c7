import { registerHooks } from 'node:module';

const NOTHING = 'data:text/javascript,export {};';

/**
 * Loads code that uses zod, without zod's messages in 60 languages, which take half of its load time and 9 MB. Our
 * messages are English, and zod loads that module by itself. Later imports of zod get this same module. The hook exists
 * only during this import, since it costs each import a little.
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

/** Loads zod without locales, before any code that uses it. */
export async function loadZod(): Promise<void> {
  await withoutLocales(() => import('zod'));
}
