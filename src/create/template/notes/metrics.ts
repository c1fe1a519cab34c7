import { defineMetrics } from 'ninelives';

/** What is counted; /metrics has it as ninelives_notes_total. */
export const metrics = defineMetrics({
  notes_total: { type: 'counter', help: 'Notes that were kept.' },
});

type Own = typeof metrics;

declare module 'ninelives' {
  interface AppMetrics extends Own {}
}
