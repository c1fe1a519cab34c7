import { defineMetrics } from '../../metrics/app-metrics.ts';

/** What the delivery counts. */
export const metrics = defineMetrics({
  mails_total: {
    type: 'counter',
    help: 'Mails of alerts by what came of them: sent, refused, or deferred, to be tried again.',
    labels: ['outcome'],
  },
});

type Own = typeof metrics;

declare module '../../metrics/app-metrics.ts' {
  interface AppMetrics extends Own {}
}
