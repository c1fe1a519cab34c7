// Plain JavaScript, as launch.js.

// sysexits.h.
export const EXIT_SOFTWARE = 70;
export const EXIT_TRY_AGAIN = 75;
export const EXIT_CONFIGURATION = 78;

/**
 * Of the code that runs before there is a `Failure`.
 * @param {string} message for people
 * @param {number} [exitCode] the process ends with it
 */
export function failure(message, exitCode = EXIT_CONFIGURATION) {
  return Object.assign(new Error(message), { meaning: { exitCode } });
}
