import t from 'tap';
import { RecordPositions } from '../../src/supervisor/record-positions.ts';

t.test('what the databases are about to have comes beside what they have', async (t) => {
  const positions = new RecordPositions(() => {});
  positions.migrated({ main: { alerts: 4, keys: 2 } }, { main: { alerts: 3 } });
  const { schema, needs } = positions.announced(
    { main: { alerts: 6 }, media: { images: 1 } },
    { main: { alerts: 5 } },
  );
  t.strictSame(schema, { main: { alerts: 6, keys: 2 }, media: { images: 1 } });
  t.strictSame(needs, { main: { alerts: 5 } });
});

t.test(
  'of a release that does not tell what older code can live with, each migration is needed',
  async (t) => {
    const positions = new RecordPositions(() => {});
    positions.migrated({ main: { alerts: 4 } }, undefined);
    t.strictSame(positions.announced({ main: { keys: 2 } }, {}).needs, { main: { alerts: 4 } });
  },
);
