/**
 * The app's codes. A feature adds its own by declaration merging, and with its `codes` when it is loaded:
 *
 *     export const codes = { code_taken: { title: 'The code is taken', httpStatus: 409, exitCode: 65 } };
 *     type Codes = typeof codes;
 *     declare module 'ninelives' {
 *       interface AppCodes extends Codes {}
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: an app fills it
export interface AppCodes {}
