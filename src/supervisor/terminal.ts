import { closeSync, constants, openSync } from 'node:fs';
import { isatty } from 'node:tty';

const STANDARD_DESCRIPTORS = [0, 1, 2];
/** Other errors, such as no free descriptor, do not mean that: nothing shall stop for them. */
const GONE: ReadonlySet<string | undefined> = new Set(['ENXIO', 'EIO', 'ENODEV']);

/**
 * SIGHUP has two senders: an operator who wants a reload, and a kernel or a shell whose terminal was closed.
 *
 * @returns a function that tells at a SIGHUP whether the terminal that this process was started in is gone. A process
 *   that was started without one, or by nohup, which leaves it no descriptor of the terminal, never loses one.
 */
export function watchTerminal(): () => boolean {
  const isInTerminal = STANDARD_DESCRIPTORS.some((fd) => isatty(fd)) && !isTerminalGone();
  return () => isInTerminal && isTerminalGone();
}

/** Whether there is no controlling terminal, or it was hung up: tty(4). */
function isTerminalGone(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY));
    return false;
  } catch (error) {
    return GONE.has((error as NodeJS.ErrnoException).code);
  }
}
