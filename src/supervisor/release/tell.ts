/** Prints a script's answer as one line of JSON, and ends: what the app's code has begun may go on for ever. */
export function tell(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit());
}
