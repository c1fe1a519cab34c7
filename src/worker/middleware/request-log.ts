import type { ServerResponse } from 'node:http';
import type { ParameterizedContext } from 'koa';
import { type Logger, membersWriterOf, type WriteMembers } from '../../platform/log.ts';
import type { RequestMeter } from '../request-meter.ts';

/** A line must stay well below what a pipe writes in one piece. */
const PATH_MAX_CHARS = 512;
/** A segment with an @ in it, plain or encoded, may be somebody's address. */
const ADDRESS_LIKE = /[^/]*(?:@|%40)[^/]*/gi;

/** What an unsubscribe token has at least, 80 characters of base64url, is longer than any name. */
const SECRET_LIKE = /[\w-]{80}/;
const SECRET_MIN_CHARS = 80;

/** ASCII, no control character, no quote, no backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

const LOGGED = Symbol('logged request');

/** Where the requests of a process are told. */
interface RequestSink {
  readonly log: Logger;
  readonly writeMembers: WriteMembers | undefined;
  readonly requests: RequestMeter;
}

interface LoggedRequest {
  readonly ctx: ParameterizedContext;
  readonly requestId: string;
  readonly sink: RequestSink;
  /** Its length says nothing of the system: the client chose it. */
  isStream: boolean;
  readonly startedMs: number;
  /** Of the problem that was answered. */
  code: string | undefined;
}

/** What the line of a request has that was answered. */
export interface RequestLine {
  readonly requestId: string;
  readonly method: string | undefined;
  /** The pattern. */
  readonly route: string | undefined;
  readonly path: string;
  readonly status: number;
  readonly code: string | undefined;
  readonly durationMs: number;
  readonly bytes: number | undefined;
}

/** @returns where the requests of this process are told */
export function requestSink(log: Logger, requests: RequestMeter): RequestSink {
  return { log, writeMembers: membersWriterOf(log), requests };
}

/**
 * Counts a request and writes one line when the response is over, however it ends: method, route pattern, path, status, durationMs,
 * request id and the bytes of the answer's body. Neither query string nor body, no e-mail address, and no secret that a link
 * holds.
 */
export function logWhenOver(ctx: ParameterizedContext, requestId: string, sink: RequestSink): void {
  const res = ctx.res as ServerResponse & { [LOGGED]?: LoggedRequest };
  res[LOGGED] = {
    ctx,
    requestId,
    sink,
    isStream: false,
    startedMs: performance.now(),
    code: undefined,
  };
  // 'close' comes once, after every response, finished or not; one shared listener instead of a closure a request.
  res.on('close', writeLine);
}

/** Puts the code of the problem that is answered into the request's line. */
export function noteCode(res: ServerResponse & { [LOGGED]?: LoggedRequest }, code: string): void {
  if (res[LOGGED]) res[LOGGED].code = code;
}

/** Leaves out of the latencies what is answered for as long as the client listens. */
export function noteStream(res: ServerResponse & { [LOGGED]?: LoggedRequest }): void {
  if (res[LOGGED]) res[LOGGED].isStream = true;
}

function writeLine(this: ServerResponse & { [LOGGED]?: LoggedRequest }): void {
  const logged = this[LOGGED];
  if (logged === undefined) return;
  const { ctx, requestId, sink, isStream, startedMs, code } = logged;
  const durationMs = performance.now() - startedMs;
  const route = routeOf(ctx);
  if (!isStream) {
    sink.requests.count(ctx.method, route, this.writableFinished ? this.statusCode : 'aborted', durationMs);
  }
  const line: RequestLine = {
    requestId,
    method: ctx.req.method,
    route,
    path: loggablePath(ctx.req.url ?? ''),
    status: this.statusCode,
    code,
    durationMs: Math.round(durationMs * 1000) / 1000,
    bytes: bodyBytes(this),
  };
  if (!this.writableFinished) {
    // Whatever status was meant, nobody has seen it.
    sink.log.info(
      { ...line, status: undefined, bytes: undefined, aborted: true },
      'client went away before the answer',
    );
  } else if (sink.writeMembers) sink.writeMembers(membersOf(line));
  else sink.log.info(line, 'request');
}

/** @returns the line as JSON without its brackets, a comma before each member */
export function membersOf(line: RequestLine): string {
  const { requestId, method, route, path, status, code, durationMs, bytes } = line;
  const routeMember = route === undefined ? '' : `,"route":${quoted(route)}`;
  const codeMember = code === undefined ? '' : `,"code":${quoted(code)}`;
  const bytesMember = bytes === undefined ? '' : `,"bytes":${bytes}`;
  return `,"requestId":${quoted(requestId)},"method":${quoted(method ?? '')}${routeMember},"path":${quoted(path)},"status":${status}${codeMember},"durationMs":${durationMs}${bytesMember},"msg":"request"`;
}

/** As JSON.stringify, which takes longer over what has nothing to escape. */
function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function routeOf(ctx: ParameterizedContext): string | undefined {
  const pattern: unknown = ctx.routerPath;
  return typeof pattern === 'string' ? pattern : undefined;
}

function bodyBytes(res: ServerResponse): number | undefined {
  if (res.req.method === 'HEAD' || res.statusCode === 304 || res.statusCode === 204) return 0;
  const length = Number(res.getHeader('Content-Length'));
  return Number.isFinite(length) ? length : undefined;
}

/**
 * @returns the path of a request target: no query string, nothing that looks like an address or a secret, whether a route
 *   takes it or not, of bounded length
 */
export function loggablePath(target: string): string {
  const end = target.search(/[?#]/);
  let path = end === -1 ? target : target.slice(0, end);
  // Before it is cut: most of a secret is not to be logged either.
  if (path.length > SECRET_MIN_CHARS) path = path.split('/').map(withoutSecret).join('/');
  if (path.length > PATH_MAX_CHARS) path = `${path.slice(0, PATH_MAX_CHARS)}…`;
  return path.includes('@') || path.includes('%40') ? path.replace(ADDRESS_LIKE, '[redacted]') : path;
}

/** Any character may come percent-encoded, also beside an encoding that is none. */
function withoutSecret(segment: string): string {
  const decoded = segment.replace(/%([\da-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return SECRET_LIKE.test(decoded) ? '[redacted]' : segment;
}
