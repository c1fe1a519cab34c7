import { defineMetrics } from '../../../src/metrics/app-metrics.ts';

export const metrics = defineMetrics({
  notes_put_total: { type: 'counter', help: 'Notes that were made or changed.', labels: ['how'] },
  notes_found: { type: 'gauge', help: 'Notes that were there when they were counted last.' },
});

type Own = typeof metrics;

declare module '../../../src/metrics/app-metrics.ts' {
  interface AppMetrics extends Own {}
}
