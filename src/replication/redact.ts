const REDACTED = '[redacted]';

/**
 * @param secrets values that must never be shown; empty ones are ignored
 * @returns a function that replaces each of them in a text, also where it is escaped for JSON or a URL
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const spellings = secrets
    .filter((secret) => secret !== '')
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
  // The longest first: a secret may be a part of another.
  const sorted = [...new Set(spellings)].sort((a, b) => b.length - a.length);
  return (text) => sorted.reduce((rest, spelling) => rest.replaceAll(spelling, REDACTED), text);
}
