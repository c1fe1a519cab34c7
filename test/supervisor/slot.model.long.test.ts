process.env.MODEL_RUNS ??= '150';
await import('./slot.model.test.ts');
