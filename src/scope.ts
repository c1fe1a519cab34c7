/**
 * What a route asks of its caller: `public` asks nothing, `write` includes `read`, `admin` includes both. `operator` is
 * for what shows the system itself; with keys it asks for `admin`.
 */
export type Scope = 'public' | 'read' | 'write' | 'admin' | 'operator';
