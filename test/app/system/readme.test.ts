import t from 'tap';
import { block, obstacle, paste } from './readme-fixture.ts';

t.test('the first feature works as it stands', { skip: obstacle() }, async (t) => {
  const script = block('first feature').replace('npm run reload ', 'npm start &\n: ');
  const ready = 'until curl -sf localhost:8080/ready; do sleep 0.2; done';
  const out = await paste(t, script.replace(/^curl/m, `${ready}\ncurl`));
  t.equal(out.match(/\{"id":1,"text":"hello"\}/g)?.length, 2, out);
});
