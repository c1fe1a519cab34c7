import type { ServerResponse } from 'node:http';
import type { ParameterizedContext } from 'koa';
import { type Logger, membersWriterOf, type WriteMembers } from '../../platform/log.ts';
import type { RequestMeter } from '../request-meter.ts';

/** A line must stay well below the size that a pipe writes atomically. */
const PATH_MAX_CHARS = 512;
/** A path segment with an @, plain or encoded, may be an e-mail address. */
const ADDRESS_LIKE = /[^/]*(?:@|%40)[^/]*/gi;

/** An unsubscribe token has at least 80 characters of base64url, which is longer than any name. */
const SECRET_LIKE = /[\w-]{80}/;
const SECRET_MIN_CHARS = 80;

/** ASCII, no control character, no quote, no backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

const LOGGED = Symbol('logged request');

/** Where the requests of a process are logged and counted. */
interface RequestSink {
  readonly log: Logger;
  readonly writeMembers: WriteMembers | undefined;
  readonly requests: RequestMeter;
}

interface LoggedRequest {
  readonly ctx: ParameterizedContext;
  readonly requestId: string;
  readonly sink: RequestSink;
  /** True for an answer whose duration the client chooses; it is not counted. */
  isStream: boolean;
  readonly startedMs: number;
  /** The code of the problem document, when the answer is one. */
  code: string | undefined;
}

/** The fields of the line of an answered request. */
export interface RequestLine {
  readonly requestId: string;
  readonly method: string | undefined;
  /** The pattern of the route. */
  readonly route: string | undefined;
  readonly path: string;
  readonly status: number;
  readonly code: string | undefined;
  readonly durationMs: number;
  readonly bytes: number | undefined;
}

/** @returns where the requests of this process are logged and counted */
export function requestSink(log: Logger, requests: RequestMeter): RequestSink {
  return { log, writeMembers: membersWriterOf(log), requests };
}

/**
 * Counts a request and writes one log line when the response is over, however it ends: method, route pattern, path,
 * status, durationMs, request id, and the bytes of the answer's body. The line contains no query string, no body, no
 * e-mail address, and no secret of a link.
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
  // 'close' comes once after every response, finished or not. One shared listener avoids a closure for each request.
  res.on('close', writeLine);
}

/** Puts the code of the answered problem into the request's log line. */
export function noteCode(res: ServerResponse & { [LOGGED]?: LoggedRequest }, code: string): void {
  if (res[LOGGED]) res[LOGGED].code = code;
}

/** Marks an answer that lasts for as long as the client listens, to leave it out of the latencies. */
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
    // The client has not seen the intended status, so it is not logged.
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

/** Does the same as JSON.stringify, but faster for a text without anything to escape. */
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
 * @returns the path of a request target, of bounded length, without the query string and without anything that looks
 *   like an e-mail address or a secret, whether a route takes it or not
 */
export function loggablePath(target: string): string {
  const end = target.search(/[?#]/);
  let path = end === -1 ? target : target.slice(0, end);
  // Redact before cutting: a part of a secret must not be logged either.
  if (path.length > SECRET_MIN_CHARS) path = path.split('/').map(withoutSecret).join('/');
  if (path.length > PATH_MAX_CHARS) path = `${path.slice(0, PATH_MAX_CHARS)}…`;
  return path.includes('@') || path.includes('%40') ? path.replace(ADDRESS_LIKE, '[redacted]') : path;
}

/** Any character may be percent-encoded, also beside an invalid encoding. */
function withoutSecret(segment: string): string {
  const decoded = segment.replace(/%([\da-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return SECRET_LIKE.test(decoded) ? '[redacted]' : segment;
}
