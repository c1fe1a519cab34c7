/**
 * What a route asks of its caller: `public` asks nothing, `write` includes `read`, `admin` includes both. `operator` is
 * for what shows the system itself: it asks for `admin`, or for a request from this very machine.
 */
export type Scope = 'public' | 'read' | 'write' | 'admin' | 'operator';
