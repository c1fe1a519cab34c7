/** What the routes of an app need to read a request and to answer it. Public, as index.ts. */

export { publicBaseOf } from './config/public-url.ts';
export { escapeHtml } from './worker/escape-html.ts';
export { readBody, refuseEncoded } from './worker/middleware/body.ts';
export { areMet, type Conditions, conditions, conditionsOf } from './worker/middleware/conditions.ts';
export { readJson, sendJson } from './worker/middleware/json.ts';
export { invalidRequest, validate } from './worker/middleware/validate.ts';
