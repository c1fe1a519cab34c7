import { registerHooks } from 'node:module';

const NOTHING = 'data:text/javascript,export {};';

/**
 * Loads Zod without its messages in 60 languages, which take half of its time and 9 MB: ours are English, and the
 * module that has those Zod loads by itself. Whoever imports Zod afterwards gets this one. The hook is there for this
 * one import only, since it costs each other one a little.
 */
export async function loadZod(): Promise<void> {
  const hooks = registerHooks({
    resolve: (specifier, context, nextResolve) =>
      specifier === '../locales/index.js' && context.parentURL?.includes('/zod/v4/')
        ? { url: NOTHING, format: 'module', shortCircuit: true }
        : nextResolve(specifier, context),
  });
  try {
    await import('zod');
  } finally {
    hooks.deregister();
  }
}
