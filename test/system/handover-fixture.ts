import { once } from 'node:events';
import http from 'node:http';
import { command } from '../cli/command.ts';
import { noteOf } from '../support/http.ts';

export async function handOver(dataDir: string, env: NodeJS.ProcessEnv) {
  return command(['handover'], { ...env, DATA_DIR: dataDir });
}

/** Resolves when a note is under way: its last byte is sent by `end`, which resolves with the status, or `no answer`. */
export async function beginNote(
  url: string,
  id: string,
): Promise<{ readonly end: () => Promise<number | string> }> {
  const text = JSON.stringify(noteOf(id));
  const sent = http.request(`${url}/note`, {
    method: 'POST',
    agent: false,
    headers: { 'Content-Type': 'application/json', 'Content-Length': text.length, Expect: '100-continue' },
  });
  const answered = new Promise<number | string>((resolve) => {
    sent.on('error', () => resolve('no answer'));
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
  sent.write(text.slice(0, -1));
  await once(sent, 'continue');
  return {
    end() {
      sent.end(text.slice(-1));
      return answered;
    },
  };
}
