import Koa from 'koa';
import { alertOf, seededMovieId } from '../alert.ts';
import { serveClustered } from '../support/serve-clustered.ts';

/** Koa with one fixed answer: the cost of the framework alone. */
const BODY = JSON.stringify(alertOf(seededMovieId(0)));

serveClustered({
  createListener() {
    const app = new Koa();
    app.use((ctx) => {
      ctx.type = 'application/json';
      ctx.body = BODY;
    });
    const listener = app.callback();
    return (req, res) => void listener(req, res);
  },
});
