/** Prints a script's answer as one line of JSON, and exits: what the app's code has begun might never end. */
export function tell(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit());
}
