/** The app's codes. It adds them by declaration merging, and with `codes` of `defineApp` when it is loaded. */
// biome-ignore lint/suspicious/noEmptyInterface: an app fills it
export interface AppCodes {}
