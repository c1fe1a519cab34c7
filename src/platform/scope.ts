/**
 * What a route demands of its caller. `public` demands nothing. `write` includes `read`; `admin` includes all.
 * `operator` is for routes that show the system itself; with keys it demands `admin`. `metrics` is the part of it that
 * a key with only this scope opens, too.
 */
export type Scope = 'public' | 'read' | 'write' | 'admin' | 'metrics' | 'operator';
