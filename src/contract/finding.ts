/** The result of one check. A warning does not prevent a start. */
export interface Finding {
  readonly name: string;
  readonly result: 'ok' | 'warning' | 'problem';
  readonly detail: string;
  /** What to do about it; null when nothing is to be done. */
  readonly remedy: string | null;
}

export type Found = Omit<Finding, 'name'>;

export function ok(detail: string): Found {
  return { result: 'ok', detail, remedy: null };
}

export function problem(detail: string, remedy: string): Found {
  return { result: 'problem', detail, remedy };
}

export function warning(detail: string, remedy: string): Found {
  return { result: 'warning', detail, remedy };
}
