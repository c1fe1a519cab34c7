const LINES_MAX = 6;
/** The name of an error, mostly with a code, before its message. */
const MESSAGE = /^[A-Z]\w*(?: \[\w+\])?: /;
/** What is no error has no name, and stands between the mark below the line of the source and what Node.js advises. */
const THROWN = /^ *\^+\n([\s\S]*?)\n\(Use `node /m;
const FRAME = /^ {4}at /;
/** Node.js shows the line of the source, too, which says no more than its number. Its own lines are no place. */
const PLACE = /^(?:file:\/\/)?(\/.*:\d+)$/;
const FRAME_PLACE = /(?:\(|at |file:\/\/)(\/.*?:\d+):\d+\)?$/;

/**
 * Puts what Node.js prints about an error that nobody caught into a line: where, and what.
 * @param said on its standard error
 * @param folder of the release; paths in it are told from there
 * @returns the first lines of what was said, where it is nothing of that sort
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
