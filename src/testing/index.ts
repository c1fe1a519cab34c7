/**
 * What an app's own tests use: a running system in a temporary folder, an S3 store, clients that remember every answer, and
 * the death of every process. Public, as ../index.ts. The store needs the package s3rver.
 */
import './project.ts';

export * from './honest-clients.ts';
export * from './kill-everything.ts';
export * from './start-app.ts';
