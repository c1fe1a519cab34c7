import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import t from 'tap';
import { startMessageTrap } from '../../loadtest/support/message-trap.ts';
import { command } from '../cli/command.ts';
import { like } from '../support/like.ts';
import { startSmtp } from '../support/smtp.ts';
import { launch, processesOf, start, temporaryFolder, until } from '../support/system.ts';
import { SECRET } from './notify-fixture.ts';

/** As short as it can be: one second. */
const QUICK = { NOTIFY_AFTER_MS: '1000', HEARTBEAT_INTERVAL_MS: '1000' };

t.test(
  'a primary that was killed is told by the next one, in words and by mail, and its end too',
  async (t) => {
    const trap = await startMessageTrap();
    t.teardown(trap.close);
    const smtp = await startSmtp(t);
    const env = {
      ...QUICK,
      NOTIFY_URL: `${trap.url}/messages?key=${SECRET}`,
      HEARTBEAT_URL: `${trap.url}/heartbeat/${SECRET}`,
      NOTIFY_EMAIL: 'ops@example.org',
      SMTP_URL: smtp.url,
      MAIL_FROM: 'notes@example.org',
    };
    const first = await start(t, env);
    const { dataDir } = first;
    await until(() => trap.beatsAtMs().length >= 2, 'the heart beats');
    first.kill('SIGKILL');
    await first.ended();
    const second = await start(t, env, dataDir);
    // A start that takes long on a busy machine may be told as well.
    const ofPrimary = () => trap.messages().filter(({ condition }) => condition === 'primary');
    await until(() => ofPrimary().length === 2, 'it is told, and its end');
    const [problem, ended] = ofPrimary();
    const about = {
      condition: 'primary',
      host: hostname(),
      command: `DATA_DIR=${dataDir} npx ninelives status`,
    };
    like(t, problem, {
      ...about,
      status: 'problem',
      cause: /^the primary before was not stopped, and was last/,
    });
    like(t, ended, { ...about, status: 'ended', cause: problem?.cause });
    const subject = `ninelives on ${hostname()}: primary`;
    const mailed = () => smtp.received.map(({ bytes }) => /^Subject: (.*)\r$/m.exec(bytes.toString())?.[1]);
    await until(() => mailed().includes(`${subject} is over`), 'both come by mail too');
    t.ok(mailed().includes(subject));
    const mail = await smtp.received[0]!.parsed();
    t.equal(mail.headers.has('list-unsubscribe'), false);

    const { stdout } = await command(['status', '--json'], { DATA_DIR: dataDir });
    const inArguments = processesOf(dataDir).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    const seen = [stdout, ...inArguments, JSON.stringify(second.lines), second.stderr];
    t.notOk(
      seen.some((text) => text.includes(SECRET)),
      'the URLs are nowhere to be seen',
    );
    const holders = processesOf(dataDir).filter((pid) =>
      readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`=${trap.url}`),
    );
    // The primary keeps what it was started with.
    t.strictSame(
      holders.sort(),
      [second.pid, second.pidOf('notify')].filter((pid) => holders.includes(pid)).sort(),
    );
    t.ok(holders.includes(second.pidOf('notify')));
    t.equal((await second.stop()).code, 0);
    const [count, told] = [trap.beatsAtMs().length, ofPrimary().length];
    const third = await start(t, env, dataDir);
    await until(() => trap.beatsAtMs().length > count, 'the heart beats again');
    t.equal(ofPrimary().length, told, 'a stop is no reason to tell anybody');
    await third.stop();
  },
);

t.test('a start that fails is told before it ends, and the starts after it are not', async (t) => {
  const trap = await startMessageTrap();
  t.teardown(trap.close);
  const dataDir = temporaryFolder(t);
  const env = { NOTIFY_URL: `${trap.url}/messages`, HOST: '203.0.113.1' };
  for (let turn = 0; turn < 3; turn += 1) {
    const ended = await launch(t, env, dataDir).ended();
    t.equal(ended.code, 69);
  }
  like(t, trap.messages(), [{ status: 'problem', condition: 'primary', cause: /203\.0\.113\.1/ }]);
});

t.test('without a setting there is no such process', async (t) => {
  const system = await start(t);
  t.notOk(system.lines.some(({ msg }) => msg === 'notify ready'));
  const { stdout } = await command(['doctor', '--json'], { DATA_DIR: system.dataDir });
  like(
    t,
    (JSON.parse(stdout).findings as { name: string }[]).find(({ name }) => name === 'notify'),
    { result: 'ok', detail: /nobody is told/ },
  );
});
