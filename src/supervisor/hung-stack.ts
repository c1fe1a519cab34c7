import type { ChildProcess } from 'node:child_process';

/** A stack is worth a moment; the replacement is worth more. */
export const STACK_TIMEOUT_MS = 800;
const FRAMES_MAX = 20;
const FRAME_MAX_CHARS = 500;
/** What Node.js prints on standard error; only its reader learns this address. */
const LISTENING = /Debugger listening on (ws:\/\/127\.0\.0\.1:\d+\/[\w-]+)/;

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly location: {
    readonly scriptId: string;
    readonly lineNumber: number;
    readonly columnNumber?: number;
  };
}

interface InspectorMessage {
  readonly method?: string;
  readonly params?: {
    readonly scriptId?: string;
    readonly url?: string;
    readonly callFrames?: readonly Frame[];
  };
}

/**
 * Gets the stack of a Node.js process whose JavaScript does not end: SIGUSR1 opens its inspector, which tells it. The
 * process is paused afterwards, with the inspector open, and is to be killed.
 * @param child whose standard error is a pipe; from now on nothing else may read it
 * @returns the innermost frame first, or one line that says why there is none
 */
export async function stackOfHung(child: ChildProcess, timeoutMs: number): Promise<readonly string[]> {
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), timeoutMs);
  try {
    const address = await addressOf(child, end.signal);
    return await pausedAt(address, end.signal);
  } catch (error) {
    const reason = end.signal.aborted
      ? `none within ${timeoutMs} ms: a native call, a stopped process, or a busy machine`
      : (error as Error).message;
    return [`(no stack: ${reason})`];
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}

function addressOf(child: ChildProcess, signal: AbortSignal): Promise<string> {
  const { stderr } = child;
  if (!stderr) throw new Error('its standard error is not read');
  return new Promise((resolve, reject) => {
    let said = '';
    stderr.removeAllListeners('data');
    stderr.on('data', (text: string) => {
      said = (said + text).slice(-1000);
      const address = LISTENING.exec(said)?.[1];
      if (address) resolve(address);
    });
    signal.addEventListener('abort', () => reject(signal.reason));
    child.kill('SIGUSR1');
  });
}

function pausedAt(address: string, signal: AbortSignal): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address);
    // The frames of a pause do not always name their file; `Debugger.scriptParsed` does, after `Debugger.enable`.
    const urls = new Map<string, string>();
    socket.addEventListener('open', () => {
      for (const [index, method] of ['Debugger.enable', 'Debugger.pause'].entries())
        socket.send(JSON.stringify({ id: index + 1, method }));
    });
    socket.addEventListener('message', ({ data }) => {
      try {
        const { method, params } = JSON.parse(String(data)) as InspectorMessage;
        if (method === 'Debugger.scriptParsed') urls.set(String(params?.scriptId), String(params?.url));
        if (method === 'Debugger.paused') resolve(framesOf(params?.callFrames ?? [], urls));
      } catch {
        reject(new Error('its inspector says what is no answer'));
      }
    });
    socket.addEventListener('error', () => reject(new Error('its inspector cannot be reached')));
    signal.addEventListener('abort', () => {
      reject(signal.reason);
      socket.close();
    });
  });
}

function framesOf(frames: readonly Frame[], urls: ReadonlyMap<string, string>): readonly string[] {
  return frames.slice(0, FRAMES_MAX).map(({ functionName, url, location }) => {
    const file = url || urls.get(location.scriptId) || '(unknown)';
    const place = `${file}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
    return `${functionName || '(anonymous)'} ${place}`.slice(0, FRAME_MAX_CHARS);
  });
}
