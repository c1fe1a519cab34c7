process.env.FUZZ_RUNS ??= '600';
await import('./properties.test.ts');
