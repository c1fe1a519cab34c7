import { writeSync } from 'node:fs';

/** As a shell shows an end by SIGPIPE, which Node.js ignores. */
const EXIT_SIGPIPE = 141;
/** sysexits.h: EX_IOERR. */
const EXIT_NOT_SHOWN = 74;
const STDERR_FD = 2;

/**
 * Handles an output that takes nothing more: its reader has gone, such as `head`, or the disk is full. A command that
 * only shows something ends at once. One that changes something goes on, and its exit code tells that not all was
 * shown.
 */
export function heedClosedOutput(onlyShows: boolean): void {
  let isTold = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      const isCut = error.code === 'EPIPE';
      if (!isCut && stream === process.stdout && !isTold) {
        isTold = true;
        tell(`ninelives: The output could not be written: ${error.message}\n`);
      }
      if (onlyShows) process.exit(isCut ? EXIT_SIGPIPE : EXIT_NOT_SHOWN);
      if (stream === process.stdout) process.exitCode ||= EXIT_NOT_SHOWN;
    });
  }
}

/** Synchronously, since the process may end next. */
function tell(text: string): void {
  try {
    writeSync(STDERR_FD, text);
  } catch {
    // There is nobody to tell.
  }
}
