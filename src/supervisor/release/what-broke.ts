const LINES_MAX = 6;
/** The name of an error, mostly with a code, before the message. */
const MESSAGE = /^[A-Z]\w*(?: \[\w+\])?: /;
/** A thrown value that is no Error has no name. It is between the mark below the source line and Node.js' advice. */
const THROWN = /^ *\^+\n([\s\S]*?)\n\(Use `node /m;
const FRAME = /^ {4}at /;
/** Node.js also shows the source line, which adds nothing to the line's number. A place within Node.js is no help. */
const PLACE = /^(?:file:\/\/)?(\/.*:\d+)$/;
const FRAME_PLACE = /(?:\(|at |file:\/\/)(\/.*?:\d+):\d+\)?$/;

/**
 * Puts what Node.js prints about an uncaught error into one line: where, and what.
 * @param said on standard error
 * @param folder of the release; paths below it are shown relative to it
 * @returns the first lines of the output, where it shows no such error
 */
export function whatBroke(said: string, folder: string): string {
  const lines = said
    .replaceAll(`file://${folder}/`, `${folder}/`)
    .split('\n')
    .filter((line) => line.trim() !== '');
  const start = lines.findIndex((line) => MESSAGE.test(line));
  const near = (text: string) => text.replaceAll(`${folder}/`, '');
  if (start < 0) {
    const thrown = THROWN.exec(lines.join('\n'))?.[1];
    return near(thrown === undefined ? lines.slice(0, LINES_MAX).join('\n') : `it throws ${thrown}`);
  }
  const told = lines.slice(start);
  const frames = told.filter((line) => FRAME.test(line));
  const length = frames[0] === undefined ? told.length : told.indexOf(frames[0]);
  const message = told.slice(0, Math.min(length, LINES_MAX));
  const place = placeIn(lines.slice(0, start), PLACE) ?? placeIn(frames, FRAME_PLACE);
  return near(`${place === undefined ? '' : `${place}: `}${message.join('\n')}`);
}

function placeIn(lines: readonly string[], pattern: RegExp): string | undefined {
  for (const line of lines) {
    const place = pattern.exec(line)?.[1];
    if (place !== undefined) return place;
  }
  return undefined;
}
