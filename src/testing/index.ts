/**
 * Tools for an app's own tests: a running system in a temporary folder, an S3 store, clients that remember every
 * answer, a function that kills every process, and the trials of `npm run chaos`. Public, like ../index.ts. The store
 * needs the package s3rver.
 */
import './project.ts';

export type { TriedApp } from './chaos/app-stage.ts';
export { chaos, holdTrial, type TrialOptions, trialNames } from './chaos/chaos.ts';
export type { TrialResult } from './chaos/result.ts';
export * from './honest-clients.ts';
export * from './kill-everything.ts';
export type { FailureKind, RequestRecord } from './record.ts';
export * from './start-app.ts';
