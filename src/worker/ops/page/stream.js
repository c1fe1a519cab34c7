// The page's way to the system: server-sent events by fetch, since an EventSource cannot send a key.

const RETRY_MS = 500;
/** Two a second are sent; so long a silence is no slow network. */
const SILENCE_MS = 5000;

/**
 * @typedef {object} Listener
 * @property {(name: string, data: any) => void} onEvent
 * @property {(message: string) => void} onLost  the connection broke; another is on its way
 * @property {(message: string) => void} onRefused  a key is needed, or this one is not enough; nothing more comes
 */

/**
 * Listens until it is refused. A connection is: opening → open → lost (its worker ended, or it is silent) → opening.
 * @param {string} url
 * @param {string} key empty for none
 * @param {Listener} listener
 */
export async function listen(url, key, { onEvent, onLost, onRefused }) {
  for (;;) {
    const abort = new AbortController();
    try {
      const answer = await fetch(url, {
        headers: key ? { Authorization: `Bearer ${key}` } : {},
        cache: 'no-store',
        signal: abort.signal,
      });
      if (answer.status === 401 || answer.status === 403) {
        onRefused(await detailOf(answer));
        return;
      }
      if (!answer.ok || !answer.body) throw new Error(await detailOf(answer));
      await readEvents(answer.body.getReader(), abort, onEvent);
      onLost('the worker that served this page has gone; connecting anew');
    } catch (error) {
      onLost(error instanceof Error ? error.message : String(error));
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/**
 * Exchanges what stood behind the # of a link for a session.
 * @param {string} url
 * @param {string} token
 * @returns {Promise<string>}
 */
export async function open(url, token) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
    cache: 'no-store',
  });
  if (!answer.ok) throw new Error(await detailOf(answer));
  return (await answer.json()).session;
}

/** @param {Response} answer */
async function detailOf(answer) {
  try {
    return String((await answer.json()).detail);
  } catch {
    return `status ${answer.status}`;
  }
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {AbortController} abort
 * @param {Listener['onEvent']} onEvent
 */
async function readEvents(reader, abort, onEvent) {
  const decoder = new TextDecoder();
  let text = '';
  let timer = setTimeout(() => abort.abort(), SILENCE_MS);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), SILENCE_MS);
      text += decoder.decode(value, { stream: true });
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
        if (name && data) onEvent(name, JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
