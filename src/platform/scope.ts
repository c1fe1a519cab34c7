/**
 * What a route asks of its caller: `public` asks nothing, `write` includes `read`, `admin` includes all. `operator` is
 * for what shows the system itself; with keys it asks for `admin`. `metrics` is the part of it that a key of its own opens.
 */
export type Scope = 'public' | 'read' | 'write' | 'admin' | 'metrics' | 'operator';
