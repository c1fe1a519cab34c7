import type { AddressInfo, createServer as createTcpServer } from 'node:net';
import type { Test } from 'tap';
import type { Finding } from '../../src/contract/finding.ts';
import { command } from './command.ts';

export async function findings(
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | null; by: Map<string, Finding> }> {
  const { code, stdout } = await command(['doctor', '--json'], env);
  const found = (JSON.parse(stdout) as { findings: Finding[] }).findings;
  return { code, by: new Map(found.map((finding) => [finding.name, finding])) };
}

export async function listen(t: Test, server: ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}
