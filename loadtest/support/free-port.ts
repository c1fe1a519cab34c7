import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** @returns a port of 127.0.0.1 that is free now */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** @returns two different free ports */
export async function freePorts(): Promise<readonly [number, number]> {
  // Both at once: a port that was closed could be given out again.
  const [one, other] = await Promise.all([freePort(), freePort()]);
  return one === other ? freePorts() : [one, other];
}
