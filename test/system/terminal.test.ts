import t from 'tap';
import { readEvents } from '../../src/supervisor/events.ts';
import { request } from '../support/http.ts';
import { processesOf, until } from '../support/system.ts';
import { noTerminal } from '../support/terminal.ts';
import { startInTerminal } from './terminal-fixture.ts';

t.test(
  'a closed terminal stops the system gracefully, and a SIGHUP in an open one reloads it',
  {
    skip: noTerminal,
  },
  async (t) => {
    const { terminal, url, pid, isAlive, dataDir } = await startInTerminal(t);
    process.kill(pid, 'SIGHUP');
    await terminal.shows('reload done');
    t.equal((await request(`${url}/health`)).status, 200);
    await terminal.close();
    await until(() => !isAlive(), 'the primary has ended');
    t.same(processesOf(dataDir), []);
    t.same(
      readEvents(dataDir)
        .slice(-1)
        .map(({ kind, cause }) => ({ kind, cause })),
      [{ kind: 'stop', cause: 'the terminal was closed' }],
    );
  },
);
