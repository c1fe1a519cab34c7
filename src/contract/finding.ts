/** What one check found. A warning keeps nothing from starting. */
export interface Finding {
  readonly name: string;
  readonly result: 'ok' | 'warning' | 'problem';
  readonly detail: string;
  /** What to do; null when nothing is. */
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
