import { once } from 'node:events';
import { request as send } from 'node:http';
import { text } from 'node:stream/consumers';

/**
 * One request, whose answer is held against no description: the operator's sockets serve a part of what is described.
 * @param at the path of a Unix socket, or a port of this machine
 * @throws Error when the connection breaks before a whole answer has come
 */
export async function requestAt(
  at: string | number,
  path: string,
  options: {
    readonly method?: string;
    readonly headers?: Record<string, string>;
    readonly body?: unknown;
  } = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const { method, headers, body } = options;
  const where = typeof at === 'string' ? { socketPath: at } : { host: '127.0.0.1', port: at };
  const req = send({
    ...where,
    path,
    agent: false,
    ...(method !== undefined && { method }),
    headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
  });
  req.end(body === undefined ? undefined : JSON.stringify(body));
  const [res] = await once(req, 'response');
  return { status: res.statusCode, text: await text(res) };
}
