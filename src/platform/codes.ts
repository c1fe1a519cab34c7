/**
 * The error codes of the app. A feature adds its own by declaration merging, and passes them as its `codes`:
 *
 *     export const codes = { code_taken: { title: 'The code is taken', httpStatus: 409, exitCode: 65 } };
 *     type Codes = typeof codes;
 *     declare module 'ninelives' {
 *       interface AppCodes extends Codes {}
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: an app fills it
export interface AppCodes {}
