/**
 * What an app is made of: the contract between the app and the chassis. The names exported here, in http.ts and in
 * testing are public, and CHANGELOG.md records their changes. Every other module may change at any time.
 */

export { wholeNumber } from './config/whole-number.ts';
export * from './contract/app.ts';
export * from './contract/background.ts';
export * from './contract/command.ts';
export * from './contract/feature.ts';
export * from './contract/finding.ts';
export * from './contract/route.ts';
export * from './contract/settings.ts';
export * from './metrics/app-metrics.ts';
export * from './platform/codes.ts';
export {
  type Code,
  type CodeMeaning,
  Failure,
  type FailureOptions,
  type FieldError,
} from './platform/errors.ts';
