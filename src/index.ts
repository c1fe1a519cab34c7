/** What an app is made of: the contract between it and the chassis. What begins with it is public, and changes as CHANGELOG.md says. */
export * from './contract/app.ts';
export * from './contract/feature.ts';
export {
  type AppCodes,
  type Code,
  type CodeMeaning,
  Failure,
  type FailureOptions,
  type FieldError,
} from './errors.ts';
