import t from 'tap';
import { features } from '../../../src/features/features.ts';
import { startApp } from '../../support/app.ts';
import { describedBy } from '../../support/described.ts';

t.test('an image is bytes to generated clients, by each of its types', async (t) => {
  const { document } = await describedBy(features);
  const { content = {} } = document.paths['/movie/image/{id}']!.get!.responses['200']!;
  t.strictSame(
    Object.entries(content).map(([type, { schema }]) => [type, schema]),
    ['image/png', 'image/jpeg', 'image/webp', 'image/gif', 'image/avif', 'application/octet-stream'].map(
      (type) => [type, { type: 'string', format: 'binary' }],
    ),
  );
  const { file } = document.components.schemas.ImageUpload!.properties as Record<string, unknown>;
  t.strictSame(file, { type: 'string', format: 'binary', contentMediaType: 'application/octet-stream' });
});

t.test('what a change must and may not have is described as it is enforced', async (t) => {
  const { document } = await describedBy(features);
  const { minProperties, additionalProperties } = document.components.schemas.AlertPatch!;
  t.strictSame({ minProperties, additionalProperties }, { minProperties: 1, additionalProperties: false });
  const app = await startApp(t);
  for (const body of [{}, { movieId: 'm' }, { title: 'a', more: 1 }]) {
    t.equal((await app.call('PATCH', '/alert/movie/m', { body })).status, 422, JSON.stringify(body));
  }
});
