import { alertOf, seededMovieId } from '../alert.ts';
import { serveClustered } from '../support/serve-clustered.ts';

/** The ceiling: Node's own HTTP server with one fixed answer. */
const BODY = JSON.stringify(alertOf(seededMovieId(0)));
const HEADERS = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(BODY) };

serveClustered({
  createListener: () => (_req, res) => {
    res.writeHead(200, HEADERS);
    res.end(BODY);
  },
});
