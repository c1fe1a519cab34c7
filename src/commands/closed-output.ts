/** As a shell tells the end by SIGPIPE, which Node.js ignores. */
const EXIT_SIGPIPE = 141;
/** sysexits.h: EX_IOERR. */
const EXIT_NOT_SHOWN = 74;

/**
 * Heeds a reader that has gone, such as `head`: what only shows something ends at once; what changes something goes on to
 * its end, and its exit code tells that not all was shown.
 */
export function heedClosedOutput(onlyShows: boolean): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (onlyShows) process.exit(EXIT_SIGPIPE);
      if (stream === process.stdout) process.exitCode ||= EXIT_NOT_SHOWN;
    });
  }
}
