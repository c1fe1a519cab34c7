import t from 'tap';
import { block, obstacle, paste } from './readme-fixture.ts';

t.test('the tour works as it stands', { skip: obstacle() }, async (t) => {
  const script = block('tour');
  t.ok(script.includes('npm start'));
  const out = await paste(t, script);
  t.ok(out.includes('HTTP/1.1 201 Created'), out);
  t.ok(/"movie_url":"http:\/\/localhost:8080\/movie\/image\//.test(out), 'the image is taken');
  t.equal(out.match(/"title":"The Shawshank Redemption"/g)?.length, 3, 'and the alert is there to the end');
});
